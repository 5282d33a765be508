package mtasts

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const refreshBatch = 1000

// RefreshDue fetches the policies that are alive and older than RefreshAfter
// again, so that none ends while somebody keeps a new one away (RFC 8461 §3.3).
// It is called once an hour or so, and works through at most 1,000 domains, one
// after the other. It returns how many were fetched, and the errors of those
// that were not, each with its domain; a policy that could not be fetched
// stays.
func (c *Cache) RefreshDue(ctx context.Context) (int, error) {
	now := time.Now()
	domains, err := c.due(ctx, now, now.Add(-orDefault(c.RefreshAfter, 24*time.Hour)))
	if err != nil {
		return 0, err
	}
	n := 0
	var failures []error
	for _, domain := range domains {
		if ctx.Err() != nil {
			failures = append(failures, context.Cause(ctx))
			break
		}
		if err := c.refresh(ctx, domain); err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", domain, err))
			continue
		}
		n++
	}
	return n, errors.Join(failures...)
}

// due are the domains to refresh, of the Store or else of memory.
func (c *Cache) due(ctx context.Context, now, before time.Time) ([]string, error) {
	if c.Store != nil {
		domains, err := c.Store.Due(ctx, now, before, refreshBatch)
		if err != nil {
			return nil, fmt.Errorf("mtasts: store: %w", err)
		}
		return domains, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var domains []string
	for domain, el := range c.known {
		e := el.Value.(*state).entry
		if e != nil && e.Alive(now) && e.Fetched.Before(before) && len(domains) < refreshBatch {
			domains = append(domains, domain)
		}
	}
	return domains, nil
}

// refresh fetches under the identifier that the record has now, or the known
// one where the record is gone: the policy lives on then.
func (c *Cache) refresh(ctx context.Context, domain string) error {
	s, err := c.state(ctx, domain)
	if err != nil {
		return err
	}
	id := ""
	if s.entry != nil {
		id = s.entry.ID
	}
	if rec, err := c.record(ctx, domain); err == nil {
		id = rec.ID
	}
	_, err = c.fetch(ctx, domain, id)
	return err
}
