package oauth

import (
	"sync"
	"time"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/oauth/internal/digest"
)

// maxRemembered bounds the cache: a few megabytes.
const maxRemembered = 16384

// tokenCache remembers what valid tokens said, under their digests. The zero
// value is ready.
type tokenCache struct {
	mu      sync.Mutex
	entries map[digest.Digest]remembered
}

type remembered struct {
	token login.Token
	until time.Time
}

func (c *tokenCache) get(d digest.Digest) (login.Token, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[d]
	if ok && !time.Now().Before(e.until) {
		delete(c.entries, d)
		return login.Token{}, false
	}
	return e.token, ok
}

func (c *tokenCache) put(d digest.Digest, t login.Token, until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil {
		c.entries = map[digest.Digest]remembered{}
	}
	if len(c.entries) >= maxRemembered {
		c.evictLocked()
	}
	c.entries[d] = remembered{t, until}
}

// evictLocked removes the entry that ends first of a few.
func (c *tokenCache) evictLocked() {
	var victim digest.Digest
	var first time.Time
	seen := 0
	for d, e := range c.entries {
		if seen == 0 || e.until.Before(first) {
			victim, first = d, e.until
		}
		if seen++; seen == 16 {
			break
		}
	}
	delete(c.entries, victim)
}
