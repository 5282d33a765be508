// Package flight lets one caller do what several want at the same time.
package flight

import (
	"context"
	"errors"
	"sync"
	"time"
)

// errLost is what those who wait get when the one who works panics.
var errLost = errors.New("the request of another caller did not end")

// Group joins callers that want the same key. The zero value is ready; a Group
// is not copied after first use.
type Group[K comparable, V any] struct {
	mu    sync.Mutex
	calls map[K]*call[V]
}

type call[V any] struct {
	done  chan struct{}
	value V
	err   error
}

// Do returns what work returns. The first caller of a key runs work itself;
// those who come meanwhile wait for its result, or for the end of their own
// ctx. work is not cancelled with the first caller's ctx, since others wait for
// it and since what it asks for may be spent by asking; it has the time limit.
func (g *Group[K, V]) Do(ctx context.Context, key K, limit time.Duration, work func(context.Context) (V, error)) (V, error) {
	c, first := g.join(key)
	if first {
		defer g.leave(key, c)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
		defer cancel()
		c.value, c.err = work(ctx)
		return c.value, c.err
	}
	select {
	case <-c.done:
		return c.value, c.err
	case <-ctx.Done():
		var zero V
		return zero, context.Cause(ctx)
	}
}

// Busy reports whether somebody works for key now.
func (g *Group[K, V]) Busy(key K) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.calls[key] != nil
}

func (g *Group[K, V]) join(key K) (c *call[V], first bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c := g.calls[key]; c != nil {
		return c, false
	}
	if g.calls == nil {
		g.calls = map[K]*call[V]{}
	}
	c = &call[V]{done: make(chan struct{}), err: errLost}
	g.calls[key] = c
	return c, true
}

func (g *Group[K, V]) leave(key K, c *call[V]) {
	g.mu.Lock()
	delete(g.calls, key)
	g.mu.Unlock()
	close(c.done)
}
