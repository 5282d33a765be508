package dnsx

import (
	"container/list"
	"context"
	"errors"
	"strings"
	"sync"
	"time"
)

// Cache is a Resolver that remembers what another one said, for as long as the
// answer allows: records for their TTL and at most a day, that there are none
// for the time of the SOA record and at most 15 minutes. Failures are not
// remembered. Questions that come together are asked once, also where nobody
// answers; only one whose asker gave up is asked again. It must not be copied.
type Cache struct {
	// Resolver is asked. Required.
	Resolver Resolver

	// MaxBytes bounds the memory of the answers, about; what was not used for
	// the longest time goes first. 0 = 16 MiB.
	MaxBytes int64

	mu      sync.Mutex // guards what follows
	entries map[key]*list.Element
	order   list.List // of *entry, the last used first
	bytes   int64
	flights map[key]*flight
}

var _ Resolver = (*Cache)(nil)

const (
	maxNegative   = 15 * time.Minute
	cacheBytes    = 16 << 20
	entryOverhead = 300
)

type key struct {
	name string // in lower case, without the dot at the end
	t    Type
}

type entry struct {
	key
	answer *Answer
	err    *Error // instead of answer
	until  time.Time
	bytes  int64
}

// flight is a question under way.
type flight struct {
	done   chan struct{}
	answer *Answer
	err    error
	ended  bool // the asker's context had ended, so that err says nothing to others
}

// Lookup implements Resolver. The TTL of an answer is what is left of it.
func (c *Cache) Lookup(ctx context.Context, name string, t Type) (*Answer, error) {
	k := key{strings.ToLower(strings.TrimSuffix(name, ".")), t}
	for {
		c.mu.Lock()
		if answer, err, ok := c.knownLocked(k); ok {
			c.mu.Unlock()
			return answer, err
		}
		f, others := c.flights[k]
		if !others {
			f = &flight{done: make(chan struct{})}
			if c.flights == nil {
				c.flights = make(map[key]*flight)
			}
			c.flights[k] = f
			c.mu.Unlock()
			c.fly(ctx, k, f)
			return f.answer, f.err
		}
		c.mu.Unlock()
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, &Error{Name: name, Type: t, Kind: ErrTimeout, Err: context.Cause(ctx)}
		}
		if f.err == nil || NotFound(f.err) || !f.ended && !errors.Is(f.err, ErrBudget) {
			return f.answer, f.err
		}
		// It was the other one's time or budget that ended: ours may not have.
	}
}

// fly asks, and lands also when the resolver panics.
func (c *Cache) fly(ctx context.Context, k key, f *flight) {
	f.err = &Error{Name: k.name, Type: k.t, Kind: ErrServFail}
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.flights, k)
		c.keepLocked(k, f.answer, f.err)
		close(f.done)
	}()
	f.answer, f.err = c.Resolver.Lookup(ctx, k.name, k.t)
	f.ended = ctx.Err() != nil
}

// knownLocked returns what is remembered.
func (c *Cache) knownLocked(k key) (*Answer, error, bool) {
	el := c.entries[k]
	if el == nil {
		return nil, nil, false
	}
	e := el.Value.(*entry)
	left := time.Until(e.until)
	if left <= 0 {
		c.dropLocked(el)
		return nil, nil, false
	}
	c.order.MoveToFront(el)
	if e.err != nil {
		err := *e.err
		err.TTL = left
		return nil, &err, true
	}
	answer := *e.answer
	answer.TTL = left
	return &answer, nil, true
}

func (c *Cache) dropLocked(el *list.Element) {
	e := el.Value.(*entry)
	c.order.Remove(el)
	delete(c.entries, e.key)
	c.bytes -= e.bytes
}

// keepLocked remembers what was said.
func (c *Cache) keepLocked(k key, answer *Answer, err error) {
	e := &entry{key: k, answer: answer, bytes: entryOverhead + int64(len(k.name))}
	var ttl time.Duration
	switch failure, ok := errors.AsType[*Error](err); {
	case err == nil:
		ttl = min(answer.TTL, maxTTL)
		e.bytes += answer.size()
	case ok && (failure.Kind == ErrNXDomain || failure.Kind == ErrNoData):
		e.err, ttl = failure, min(failure.TTL, maxNegative)
	}
	limit := c.MaxBytes
	if limit <= 0 {
		limit = cacheBytes
	}
	if ttl <= 0 || e.bytes > limit {
		return
	}
	e.until = time.Now().Add(ttl)
	if old := c.entries[k]; old != nil {
		c.dropLocked(old)
	}
	if c.entries == nil {
		c.entries = make(map[key]*list.Element)
	}
	c.entries[k] = c.order.PushFront(e)
	c.bytes += e.bytes
	for c.bytes > limit {
		c.dropLocked(c.order.Back())
	}
}

// size is the memory that an answer takes, about.
func (a *Answer) size() int64 {
	n := 32 * len(a.Addrs)
	for _, s := range a.Texts {
		n += 16 + len(s)
	}
	for _, s := range a.Names {
		n += 16 + len(s)
	}
	for _, x := range a.MX {
		n += 24 + len(x.Host)
	}
	for _, t := range a.TLSA {
		n += 32 + len(t.Data)
	}
	return int64(n)
}
