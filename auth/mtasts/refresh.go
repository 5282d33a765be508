package mtasts

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	refreshBatch   = 1000
	refreshWorkers = 4
	maxTried       = 10 * refreshBatch
)

// RefreshDue fetches the policies that are alive and older than RefreshAfter
// again, so that none ends while somebody keeps a new one away (RFC 8461 §3.3),
// and saves those that the Store has not taken. It is called once an hour or so,
// and works through at most 1,000 domains, four at a time; a domain that failed
// is left alone for a quarter of RefreshAfter, so that those that fail keep
// nobody else from being refreshed. It returns how many policies were fetched or
// saved, and the errors of those that were not, each with its domain; a policy
// that could not be fetched stays.
func (c *Cache) RefreshDue(ctx context.Context) (int, error) {
	now := time.Now()
	domains, err := c.due(ctx, now)
	if err != nil {
		return 0, err
	}
	errs := make([]error, len(domains))
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(refreshWorkers, len(domains)) {
		workers.Go(func() {
			for i := range next {
				errs[i] = c.refresh(ctx, domains[i])
			}
		})
	}
	asked := 0
	for ; asked < len(domains) && ctx.Err() == nil; asked++ {
		next <- asked
	}
	close(next)
	workers.Wait()
	n := asked
	var failures []error
	for i, err := range errs[:asked] {
		if err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", domains[i], err))
			n--
		}
	}
	if asked < len(domains) {
		failures = append(failures, context.Cause(ctx))
	}
	return n, errors.Join(failures...)
}

// due are the domains to refresh: those of memory that are not saved, and those
// of the Store, or else of memory, that are old.
func (c *Cache) due(ctx context.Context, now time.Time) ([]string, error) {
	before := now.Add(-c.refreshAfter())
	domains, skip := c.dueInMemory(now, before)
	if c.Store != nil && len(domains) < refreshBatch {
		more, err := c.Store.Due(ctx, now, before, refreshBatch+len(skip))
		if err != nil {
			return nil, fmt.Errorf("mtasts: store: %w", err)
		}
		for _, domain := range more {
			if !skip[domain] && len(domains) < refreshBatch {
				domains = append(domains, domain)
			}
		}
	}
	return domains, nil
}

// dueInMemory are the domains of memory to refresh. Those to skip are these, and
// those that have failed a short time ago.
func (c *Cache) dueInMemory(now, before time.Time) (domains []string, skip map[string]bool) {
	pause := c.refreshAfter() / 4
	skip = map[string]bool{}
	c.mu.Lock()
	defer c.mu.Unlock()
	for domain, at := range c.tried {
		if now.Sub(at) >= pause {
			delete(c.tried, domain)
			continue
		}
		skip[domain] = true
	}
	for domain, el := range c.known {
		s := el.Value.(*state)
		old := c.Store == nil && s.entry != nil && s.entry.Fetched.Before(before)
		if (old || s.unsaved) && s.entry.Alive(now) && !skip[domain] && len(domains) < refreshBatch {
			domains = append(domains, domain)
			skip[domain] = true
		}
	}
	return domains, skip
}

// refresh fetches under the identifier that the record has now, or the known
// one where the record is gone: the policy lives on then. A policy that is not
// old is only saved.
func (c *Cache) refresh(ctx context.Context, domain string) error {
	s, err := c.state(ctx, domain)
	if err != nil {
		return err
	}
	if s.unsaved && time.Since(s.entry.Fetched) <= c.refreshAfter() {
		return c.save(ctx, s.entry)
	}
	id := ""
	if s.entry != nil {
		id = s.entry.ID
	}
	if rec, err := c.record(ctx, domain); err == nil {
		id = rec.ID
	}
	if _, err = c.fetch(ctx, domain, id); err == nil || ctx.Err() != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tried == nil {
		c.tried = make(map[string]time.Time)
	}
	if len(c.tried) < maxTried {
		c.tried[domain] = time.Now()
	}
	return err
}

func (c *Cache) refreshAfter() time.Duration { return orDefault(c.RefreshAfter, 24*time.Hour) }
