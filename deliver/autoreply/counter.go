package autoreply

import (
	"context"
	"sync"
	"time"
)

// Counter is a Memory of this process, which forgets when it ends. It is also
// what counts how often something happens for a key. Its zero value is ready.
// Any number of goroutines may use it.
type Counter struct {
	// Max is the number of keys; zero = 100,000. Where there are more, a new
	// one is not taken: Remember reports that it was known, so that nothing is
	// sent that nobody could count.
	Max int

	mu    sync.Mutex
	keys  map[string]count // guarded by mu
	swept time.Time        // guarded by mu: when old keys were looked for
}

type count struct {
	n     int
	until time.Time
}

var _ Memory = (*Counter)(nil)

// Remember implements Memory.
func (r *Counter) Remember(_ context.Context, key string, now, until time.Time) (bool, error) {
	return r.Count(key, now, until) == 1, nil
}

// Count notes one more of a key and returns how many there were since the first
// one, up to a time: that which the first one gave. What does not fit into Max
// counts as very many.
func (r *Counter) Count(key string, now, until time.Time) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	most := r.Max
	if most == 0 {
		most = 100_000
	}
	c, known := r.keys[key]
	if known && now.Before(c.until) {
		c.n++
		r.keys[key] = c
		return c.n
	}
	if !known && len(r.keys) >= most && !r.sweepLocked(now, most) {
		return 1 << 30
	}
	if r.keys == nil {
		r.keys = make(map[string]count)
	}
	r.keys[key] = count{1, until}
	return 1
}

// sweepLocked forgets what is over, at most once a second, and reports whether
// there is room.
func (r *Counter) sweepLocked(now time.Time, most int) bool {
	if now.Sub(r.swept) < time.Second && !now.Before(r.swept) {
		return false
	}
	r.swept = now
	for key, c := range r.keys {
		if !now.Before(c.until) {
			delete(r.keys, key)
		}
	}
	return len(r.keys) < most
}
