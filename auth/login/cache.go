package login

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"
)

// maxSuccesses bounds the cache: about 1 MiB.
const maxSuccesses = 16384

// digest stands for user, stored hash and password together.
type digest [sha256.Size]byte

// successCache remembers which passwords were right lately, as digests under a
// key that never leaves the process. The stored hash is part of the digest, so
// a change of it ends what was remembered (invariant I6). A nil cache
// remembers nothing.
type successCache struct {
	key [sha256.Size]byte
	ttl time.Duration

	mu    sync.Mutex
	until map[digest]time.Time
}

// newSuccessCache returns nil for a negative ttl; zero means 5 minutes.
func newSuccessCache(ttl time.Duration) *successCache {
	if ttl < 0 {
		return nil
	}
	if ttl == 0 {
		ttl = 5 * time.Minute
	}
	c := &successCache{ttl: ttl, until: make(map[digest]time.Time)}
	_, _ = rand.Read(c.key[:]) // never fails
	return c
}

// digest computes the key of an entry. Each part is preceded by its length.
func (c *successCache) digest(user, hash, password string) (d digest) {
	if c == nil {
		return d
	}
	mac := hmac.New(sha256.New, c.key[:])
	for _, part := range [...]string{user, hash, password} {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		mac.Write(n[:])
		mac.Write([]byte(part))
	}
	mac.Sum(d[:0])
	return d
}

// has reports whether d was added less than the ttl ago.
func (c *successCache) has(d digest) bool {
	if c == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	until, ok := c.until[d]
	if ok && !time.Now().Before(until) {
		delete(c.until, d)
		return false
	}
	return ok
}

func (c *successCache) add(d digest) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	makeRoom(c.until, maxSuccesses, func(until time.Time) int64 { return until.UnixNano() })
	c.until[d] = time.Now().Add(c.ttl)
}

// makeRoom removes an entry of low worth from a map that holds limit entries.
// It looks at a few of them only, in the map's random order.
func makeRoom[K comparable, V any](m map[K]V, limit int, worth func(V) int64) {
	if len(m) < limit {
		return
	}
	var victim K
	var least int64
	seen := 0
	for k, v := range m {
		if w := worth(v); seen == 0 || w < least {
			victim, least = k, w
		}
		if seen++; seen == 16 {
			break
		}
	}
	delete(m, victim)
}
