package smtppolicy

import (
	"context"
	"errors"
	"sync"
	"time"
)

// cache keeps answers for a while, in bounded memory, and lets those who ask
// the same at once wait for one answer. Failures are not kept.
type cache[K comparable, V any] struct {
	mu      sync.Mutex // guards what follows; nothing is asked under it
	answers *lru[K, cached[V]]
	flights map[K]*flight[V]
}

type cached[V any] struct {
	value V
	until time.Time
}

// flight is a question that is on its way.
type flight[V any] struct {
	done  chan struct{} // closed once the fields below are set
	value V
	err   error
	left  bool // the one who asks gave up
}

func newCache[K comparable, V any](max int) *cache[K, V] {
	return &cache[K, V]{answers: newLRU[K, cached[V]](max), flights: make(map[K]*flight[V])}
}

// fill asks a question. keep is for how long the answer is good.
type fill[V any] func(ctx context.Context) (value V, keep time.Duration, err error)

// get returns the answer that is kept, or asks. When the one who asks gives up,
// another one who waits asks again.
func (c *cache[K, V]) get(ctx context.Context, key K, ask fill[V]) (value V, err error) {
	for {
		value, f, first := c.look(key)
		switch {
		case f == nil:
			return value, nil
		case first:
			c.fly(ctx, key, f, ask)
			return f.value, f.err
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return value, ctx.Err()
		}
		if !f.left || ctx.Err() != nil {
			return f.value, f.err
		}
	}
}

// look finds an answer (f is nil), a question on its way, or begins one (first).
func (c *cache[K, V]) look(key K) (value V, f *flight[V], first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a := c.answers.get(key); a != nil && time.Now().Before(a.until) {
		return a.value, nil, false
	}
	if f = c.flights[key]; f != nil {
		return value, f, false
	}
	f = &flight[V]{done: make(chan struct{}), err: errAskerPanicked}
	c.flights[key] = f
	return value, f, true
}

var errAskerPanicked = errors.New("smtppolicy: the question was not answered")

func (c *cache[K, V]) fly(ctx context.Context, key K, f *flight[V], ask fill[V]) {
	var keep time.Duration
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.flights, key)
		if f.err == nil && keep > 0 {
			*c.answers.add(key) = cached[V]{f.value, time.Now().Add(keep)}
		}
		close(f.done)
	}()
	f.value, keep, f.err = ask(ctx)
	f.left = f.err != nil && ctx.Err() != nil // a question may have a time of its own
}
