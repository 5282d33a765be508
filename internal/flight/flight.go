// Package flight lets one caller do what several want at the same time, and keeps
// what came of it for a while.
//
// # Invariants
//
//	F1  For one key there is one question at a time. Who asks it does so on the
//	    own goroutine and with the own context.
//	F2  Who waits leaves when the own context ends.
//	F3  A question that failed as the context of who asked had ended is asked
//	    again by the one of those who wait whose time ends last. So it is not
//	    asked by each of them in turn. Any other failure is that of all.
//	F4  A question that panics does so where it was asked, and is ErrLost for
//	    those who wait.
package flight

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// ErrLost is what those who wait get when a question has no end: it panicked.
var ErrLost = errors.New("flight: the question of another caller did not end")

// Group joins callers that want the same. The zero value is ready. It must not be
// copied.
type Group[K comparable, V any] struct {
	mu    sync.Mutex // guards what follows, and call.waiting; a leaf
	calls map[K]*call[V]
}

type call[V any] struct {
	waiting []*waiter
	done    chan struct{} // closed once the fields below are set
	value   V
	err     error
}

// waiter is a caller that waits, or has to ask.
type waiter struct {
	ends time.Time     // its deadline, far away where it has none
	turn chan struct{} // closed when it has to ask
}

// Do returns what ask returns. The first caller of a key asks, those who come
// meanwhile wait for the same; asked says which one this is. The error of one who
// leaves is the cause of its context.
func (g *Group[K, V]) Do(ctx context.Context, key K, ask func(context.Context) (V, error)) (value V, asked bool, err error) {
	c, w := g.join(ctx, key)
	if w == nil {
		value, err = g.run(ctx, key, c, ask)
		return value, true, err
	}
	select {
	case <-c.done:
		return c.value, false, c.err
	case <-w.turn:
	case <-ctx.Done():
		if g.leave(c, w) {
			return value, false, context.Cause(ctx)
		}
		<-w.turn // it came at the same time: ask, which fails soon and hands on
	}
	value, err = g.run(ctx, key, c, ask)
	return value, true, err
}

// join waits with others (w), or begins.
func (g *Group[K, V]) join(ctx context.Context, key K) (c *call[V], w *waiter) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c := g.calls[key]; c != nil {
		ends, ok := ctx.Deadline()
		if !ok {
			ends = time.Unix(1<<40, 0)
		}
		w := &waiter{ends: ends, turn: make(chan struct{})}
		c.waiting = append(c.waiting, w)
		return c, w
	}
	c = &call[V]{done: make(chan struct{})}
	if g.calls == nil {
		g.calls = make(map[K]*call[V])
	}
	g.calls[key] = c
	return c, nil
}

// run asks. What it learns is for all; where its time has ended another one asks.
func (g *Group[K, V]) run(ctx context.Context, key K, c *call[V], ask func(context.Context) (V, error)) (value V, err error) {
	err = ErrLost
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if err != nil && !errors.Is(err, ErrLost) && ctx.Err() != nil && c.handOver() {
			return
		}
		delete(g.calls, key)
		c.value, c.err = value, err
		close(c.done)
	}()
	return ask(ctx)
}

// handOver makes the one ask whose time ends last; it reports whether there is
// one. Group.mu is held.
func (c *call[V]) handOver() bool {
	if len(c.waiting) == 0 {
		return false
	}
	next := slices.MaxFunc(c.waiting, func(a, b *waiter) int { return a.ends.Compare(b.ends) })
	c.remove(next)
	close(next.turn)
	return true
}

// leave stops waiting; false: it is this one's turn already.
func (g *Group[K, V]) leave(c *call[V], w *waiter) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return c.remove(w)
}

func (c *call[V]) remove(w *waiter) bool {
	i := slices.Index(c.waiting, w)
	if i >= 0 {
		c.waiting = slices.Delete(c.waiting, i, i+1)
	}
	return i >= 0
}
