package smtppolicy

import (
	"context"
	"sync"
	"time"
)

// MemoryGreyStore is a GreyStore of this process. The zero value is ready.
type MemoryGreyStore struct {
	// MaxEntries bounds the memory: what has passed, and what has not yet, are
	// at most this many entries each, of 150 octets. Beyond it the one that was
	// not asked for longest is forgotten; those that have not passed never
	// displace those that have. Zero = 131072.
	MaxEntries int

	mu     sync.Mutex // guards what follows
	tried  *lru[GreyKey, greyNote]
	passed *lru[GreyKey, greyNote]
}

// greyNote is a GreyEntry in little room; times in seconds since 1970.
type greyNote struct {
	first, expires int64
	passed         int32
}

func (n *greyNote) entry() GreyEntry {
	return GreyEntry{First: time.Unix(n.first, 0), Passed: int(n.passed), Expires: time.Unix(n.expires, 0)}
}

func (s *MemoryGreyStore) initLocked() {
	if s.tried == nil {
		s.tried = newLRU[GreyKey, greyNote](or(s.MaxEntries, 1<<17))
		s.passed = newLRU[GreyKey, greyNote](or(s.MaxEntries, 1<<17))
	}
}

// findLocked returns the note of a key that has not expired; nil = none.
func (s *MemoryGreyStore) findLocked(key GreyKey, now time.Time) *greyNote {
	s.initLocked()
	for _, l := range []*lru[GreyKey, greyNote]{s.passed, s.tried} {
		if n := l.get(key); n != nil && n.expires > now.Unix() {
			return n
		}
	}
	return nil
}

// Lookup implements GreyStore.
func (s *MemoryGreyStore) Lookup(_ context.Context, key GreyKey, now time.Time) (GreyEntry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.findLocked(key, now); n != nil {
		return n.entry(), nil
	}
	return GreyEntry{}, nil
}

// Attempt implements GreyStore.
func (s *MemoryGreyStore) Attempt(_ context.Context, keys []GreyKey, now, until time.Time) ([]GreyEntry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]GreyEntry, len(keys))
	for i, key := range keys {
		n := s.findLocked(key, now)
		if n == nil {
			n = s.tried.add(key)
			*n = greyNote{first: now.Unix(), expires: until.Unix()}
		}
		out[i] = n.entry()
	}
	return out, nil
}

// Pass implements GreyStore.
func (s *MemoryGreyStore) Pass(_ context.Context, keys []GreyKey, now, until time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range keys {
		note := greyNote{first: now.Unix()}
		if n := s.findLocked(key, now); n != nil {
			note = *n
		}
		note.passed++
		note.expires = until.Unix()
		s.tried.remove(key)
		*s.passed.add(key) = note
	}
	return nil
}
