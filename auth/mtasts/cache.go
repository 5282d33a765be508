package mtasts

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/internal/flight"
)

// Entry is a policy as it is kept. It is not changed once it is made.
type Entry struct {
	Domain  string // in lower case and A-labels
	ID      string // of the record under which the policy was fetched
	Policy  Policy
	Fetched time.Time
}

// Alive reports whether the policy still holds.
func (e *Entry) Alive(now time.Time) bool { return now.Before(e.Fetched.Add(e.Policy.MaxAge)) }

// Store keeps policies over a restart, so that none is forgotten before its time
// (RFC 8461 §10.2). Its methods may be called from any number of goroutines.
type Store interface {
	// Load returns the policy of a domain; nil, nil where there is none.
	Load(ctx context.Context, domain string) (*Entry, error)
	// Save keeps a policy in place of an older one of the domain.
	Save(ctx context.Context, e *Entry) error
	// Due returns up to limit domains whose policies are alive at now and were
	// fetched before a time, the oldest first.
	Due(ctx context.Context, now, before time.Time, limit int) ([]string, error)
}

// Cache finds policies, and keeps them for their time. It must not be copied.
type Cache struct {
	// Resolver finds the records; a *dnsx.Cache, since each Lookup asks it.
	// Required.
	Resolver dnsx.Resolver

	// Fetcher fetches policies; nil = the zero one.
	Fetcher *Fetcher

	// Store keeps policies over a restart; nil = nothing does.
	Store Store

	// MaxBytes bounds the policies in memory, about; those not used for the
	// longest time go first. 0 = 16 MiB.
	MaxBytes int64

	// RefreshAfter is the age from which RefreshDue fetches again; 0 = 24 h.
	RefreshAfter time.Duration

	// RetryAfter is the time between two fetches for one identifier, when the
	// first has failed or its policy has no longer life; 0 = 5 min.
	RetryAfter time.Duration

	// Logger is told of policies that cannot be fetched or saved; nil = nobody.
	Logger *slog.Logger

	mu    sync.Mutex // guards what follows
	known map[string]*list.Element
	tried map[string]time.Time // by domain: when RefreshDue has failed
	order list.List            // of *state, the last used first
	bytes int64

	fetches flight.Group[string, *Entry]
	zero    Fetcher
}

// state is what is known of a domain.
type state struct {
	domain  string
	entry   *Entry // nil = none
	unsaved bool   // entry is not in the Store
	failed  string // the identifier for which the last fetch failed
	reason  error
	at      time.Time // of that failure
}

// Found is what a domain asks for.
type Found struct {
	// Policy is to be applied; nil = the domain has none.
	Policy *Policy

	// Problem is why there is no policy, or not the one that the record
	// announces: ErrNoRecord, ErrRecord, ErrFetch, ErrCertificate, ErrPolicy or
	// an error of the Resolver. It is for reports (RFC 8460 §4.3.2.2) and changes
	// nothing about what Policy asks for. nil = all is well.
	Problem error
}

// Enforced reports whether mail goes to no host that fails the policy.
func (f Found) Enforced() bool { return f.Policy != nil && f.Policy.Mode == Enforce }

// Applies reports whether there is anything to check or to report.
func (f Found) Applies() bool { return f.Policy != nil && f.Policy.Mode != None }

// Lookup finds the policy of a domain: the one that is known, or a new one
// where the record says so. The error is that of a context that has ended, or
// of the Store; then nobody knows what the domain asks for, and mail waits.
func (c *Cache) Lookup(ctx context.Context, domain string) (Found, error) {
	return c.find(ctx, domain, false)
}

// Recheck is Lookup for a message that would go back to its sender because of
// a policy: it does not wait after a fetch that failed (§5.1).
func (c *Cache) Recheck(ctx context.Context, domain string) (Found, error) {
	return c.find(ctx, domain, true)
}

func (c *Cache) find(ctx context.Context, domain string, again bool) (Found, error) {
	domain, err := canonical(domain)
	if err != nil {
		return Found{Problem: err}, nil // a literal, say: it has no policy
	}
	s, err := c.state(ctx, domain)
	if err != nil {
		return Found{}, err
	}
	entry := s.entry
	if entry != nil && !entry.Alive(time.Now()) {
		entry = nil
	}
	pause := orDefault(c.RetryAfter, 5*time.Minute)
	rec, err := c.record(ctx, domain)
	switch {
	case err != nil:
	case s.entry != nil && s.entry.ID == rec.ID && (entry != nil || !again && time.Since(s.entry.Fetched) < pause):
		return found(s.entry, nil), nil // a policy of max_age: 0 is not fetched for each message
	case !again && s.failed == rec.ID && time.Since(s.at) < pause:
		err = s.reason
	default:
		var fresh *Entry
		if fresh, err = c.fetch(ctx, domain, rec.ID); err == nil {
			return found(fresh, nil), nil
		}
	}
	if ctx.Err() != nil { // nothing was learned
		return Found{}, context.Cause(ctx)
	}
	return found(entry, err), nil
}

func found(e *Entry, problem error) Found {
	if e == nil {
		return Found{Problem: problem}
	}
	return Found{Policy: &e.Policy, Problem: problem}
}

// record asks for the record of a domain.
func (c *Cache) record(ctx context.Context, domain string) (Record, error) {
	answer, err := c.Resolver.Lookup(ctx, "_mta-sts."+domain, dnsx.TXT)
	switch {
	case dnsx.NotFound(err):
		return Record{}, ErrNoRecord
	case err != nil:
		return Record{}, err
	}
	return findRecord(answer.Texts)
}

// state is what memory or the Store knows.
func (c *Cache) state(ctx context.Context, domain string) (state, error) {
	c.mu.Lock()
	el := c.known[domain]
	if el != nil {
		c.order.MoveToFront(el)
		s := *el.Value.(*state)
		c.mu.Unlock()
		return s, nil
	}
	c.mu.Unlock()
	if c.Store == nil {
		return state{}, nil
	}
	e, err := c.Store.Load(ctx, domain)
	if err != nil {
		return state{}, fmt.Errorf("mtasts: store: %w", err)
	}
	if e == nil {
		return state{}, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if el := c.known[domain]; el != nil { // somebody was faster, and may know more
		return *el.Value.(*state), nil
	}
	s := state{domain: domain, entry: e}
	c.keepLocked(s)
	return s, nil
}

// fetch fetches a policy; fetches that come together are one. What it finds is
// kept.
func (c *Cache) fetch(ctx context.Context, domain, id string) (*Entry, error) {
	for {
		entry, asked, err := c.fetches.Do(ctx, domain, func(ctx context.Context) (*Entry, error) { return c.fetchNow(ctx, domain, id) })
		switch {
		case errors.Is(err, flight.ErrLost), err != nil && ctx.Err() != nil:
			return nil, fmt.Errorf("%w: %w", ErrFetch, err)
		case err == nil && !asked && entry.ID != id:
			continue // another identifier: it was asked for before the record changed
		}
		return entry, err
	}
}

func (c *Cache) fetcher() *Fetcher {
	if c.Fetcher == nil {
		return &c.zero
	}
	return c.Fetcher
}

// fetchNow fetches a policy and keeps it, or keeps the failure in mind, unless
// the time of who asks has ended: that says nothing about the policy.
func (c *Cache) fetchNow(ctx context.Context, domain, id string) (*Entry, error) {
	policy, err := c.fetcher().Fetch(ctx, domain)
	if err != nil {
		if ctx.Err() == nil {
			c.log(ctx, "MTA-STS policy cannot be had", domain, err)
			c.failed(domain, id, err)
		}
		return nil, err
	}
	entry := &Entry{Domain: domain, ID: id, Policy: *policy, Fetched: time.Now()}
	_ = c.save(ctx, entry) // RefreshDue saves it later
	return entry, nil
}

// save keeps a policy. The Store is first, so that what memory has survives. It
// takes the policy also when the time of who asked for it has ended; what it
// refuses stays in memory, for RefreshDue to save.
func (c *Cache) save(ctx context.Context, e *Entry) error {
	var err error
	if c.Store != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
		defer cancel()
		if err = c.Store.Save(ctx, e); err != nil {
			c.log(ctx, "MTA-STS policy cannot be saved", e.Domain, err)
			err = fmt.Errorf("mtasts: store: %w", err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if el := c.known[e.Domain]; el != nil && el.Value.(*state).newer(e) {
		return err
	}
	c.keepLocked(state{domain: e.Domain, entry: e, unsaved: err != nil})
	return err
}

// newer reports whether memory has a policy that was fetched after another.
func (s *state) newer(e *Entry) bool { return s.entry != nil && s.entry.Fetched.After(e.Fetched) }

const saveTimeout = 10 * time.Second

// failed remembers a failure beside the policy that is known.
func (c *Cache) failed(domain, id string, reason error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := state{domain: domain}
	if el := c.known[domain]; el != nil {
		s = *el.Value.(*state)
	}
	s.failed, s.reason, s.at = id, reason, time.Now()
	c.keepLocked(s)
}

func (c *Cache) log(ctx context.Context, text, domain string, err error) {
	if c.Logger != nil {
		c.Logger.WarnContext(ctx, text, "domain", domain, "err", err)
	}
}

func (c *Cache) dropLocked(el *list.Element) {
	s := el.Value.(*state)
	c.order.Remove(el)
	delete(c.known, s.domain)
	c.bytes -= s.size()
}

func (c *Cache) keepLocked(s state) {
	if old := c.known[s.domain]; old != nil {
		c.dropLocked(old)
	}
	if c.known == nil {
		c.known = make(map[string]*list.Element)
	}
	c.known[s.domain] = c.order.PushFront(&s)
	c.bytes += s.size()
	for limit := orDefault(c.MaxBytes, 16<<20); c.bytes > limit && c.order.Len() > 1; {
		c.dropLocked(c.order.Back())
	}
}

// size is the memory that a state takes, about.
func (s *state) size() int64 {
	n := int64(500 + len(s.domain))
	if s.entry != nil {
		for _, mx := range s.entry.Policy.MX {
			n += int64(16 + len(mx))
		}
	}
	return n
}

func orDefault[T int64 | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}
