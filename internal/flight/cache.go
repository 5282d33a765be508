package flight

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// Cache keeps answers for their time, in bounded memory, and lets those who ask
// the same at once wait for one answer. Errors are not kept. Its fields are set
// before the first use. It must not be copied.
type Cache[K comparable, V any] struct {
	// Max bounds the cost of all answers; what was not used for the longest time
	// goes first.
	Max int64

	// Cost is that of an answer, more than 0; nil = 1 each. One above Max is not
	// kept.
	Cost func(K, V) int64

	// Group asks.
	Group Group[K, V]

	mu      sync.Mutex // guards what follows; a leaf
	entries map[K]*list.Element
	order   list.List // of *entry, the last used first
	cost    int64
}

type entry[K comparable, V any] struct {
	key   K
	value V
	until time.Time
	cost  int64
}

// Ask finds an answer, and says for how long it may be kept; 0 = not at all.
type Ask[V any] func(ctx context.Context) (value V, keep time.Duration, err error)

// Answer is what Get returns.
type Answer[V any] struct {
	Value V
	Left  time.Duration // for how long it may still be kept; 0 = it was not kept before
	Asked bool          // this caller's question gave it, or the error
}

// Get returns the answer that is kept, or asks; see Group.Do.
func (c *Cache[K, V]) Get(ctx context.Context, key K, ask Ask[V]) (Answer[V], error) {
	if value, left := c.Known(key); left > 0 {
		return Answer[V]{Value: value, Left: left}, nil
	}
	value, asked, err := c.Group.Do(ctx, key, func(ctx context.Context) (V, error) {
		if value, left := c.Known(key); left > 0 { // it came between the two looks
			return value, nil
		}
		value, keep, err := ask(ctx)
		if err == nil && keep > 0 {
			c.put(key, value, keep)
		}
		return value, err
	})
	return Answer[V]{Value: value, Asked: asked}, err
}

// Known returns what is kept and for how long still; 0 = nothing is. Who calls it
// before Get makes no Ask in vain.
func (c *Cache[K, V]) Known(key K) (value V, left time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	el := c.entries[key]
	if el == nil {
		return value, 0
	}
	e := el.Value.(*entry[K, V])
	if left = time.Until(e.until); left <= 0 {
		c.dropLocked(el)
		return value, 0
	}
	c.order.MoveToFront(el)
	return e.value, left
}

func (c *Cache[K, V]) put(key K, value V, keep time.Duration) {
	e := &entry[K, V]{key: key, value: value, until: time.Now().Add(keep), cost: 1}
	if c.Cost != nil {
		e.cost = c.Cost(key, value)
	}
	if e.cost > c.Max {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.entries[key]; old != nil {
		c.dropLocked(old)
	}
	if c.entries == nil {
		c.entries = make(map[K]*list.Element)
	}
	c.entries[key] = c.order.PushFront(e)
	for c.cost += e.cost; c.cost > c.Max; {
		c.dropLocked(c.order.Back())
	}
}

func (c *Cache[K, V]) dropLocked(el *list.Element) {
	e := el.Value.(*entry[K, V])
	c.order.Remove(el)
	delete(c.entries, e.key)
	c.cost -= e.cost
}

// Size is how many answers are kept, and their cost.
func (c *Cache[K, V]) Size() (n int, cost int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.entries), c.cost
}
