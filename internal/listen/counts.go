package listen

import "sync"

// Counts counts what is under way for each key. The zero value is ready for use;
// it must not be copied. Its methods may be called from any number of goroutines.
type Counts[K comparable] struct {
	mu sync.Mutex // guards what follows; a leaf
	of map[K]int
}

// Enter counts one in; false: there are limit of them. Zero or negative = no
// limit.
func (c *Counts[K]) Enter(key K, limit int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if limit > 0 && c.of[key] >= limit {
		return false
	}
	if c.of == nil {
		c.of = make(map[K]int)
	}
	c.of[key]++
	return true
}

// Leave counts out one that was let in.
func (c *Counts[K]) Leave(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of[key]--; c.of[key] == 0 {
		delete(c.of, key)
	}
}

// Of is how many there are.
func (c *Counts[K]) Of(key K) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.of[key]
}
