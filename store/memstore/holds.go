package memstore

import (
	"context"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
)

// holdFor is how long a released blob is still held (store.Store.Holds).
const holdFor = 24 * time.Hour

// hold counts the messages that refer to one blob.
type hold struct {
	live     int
	released time.Time // when live last became less
}

// Holds implements store.Store.
func (s *Store) Holds(ctx context.Context, refs []blob.Ref) ([]blob.Ref, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isClosed {
		return nil, store.ErrClosed
	}
	var out []blob.Ref
	for _, ref := range refs {
		h := s.held[ref]
		if h == nil {
			continue
		}
		if h.live == 0 && time.Since(h.released) >= holdFor {
			delete(s.held, ref)
			continue
		}
		out = append(out, ref)
	}
	return out, nil
}

// moveHolds counts what a Change adopted and released.
func (s *Store) moveHolds(adopted, released []blob.Ref) {
	if len(adopted)+len(released) == 0 {
		return
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ref := range adopted {
		h := s.held[ref]
		if h == nil {
			h = new(hold)
			s.held[ref] = h
		}
		h.live++
	}
	for _, ref := range released {
		h := s.held[ref]
		h.live--
		h.released = now
	}
}
