package memstore

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/mailstead/mailstead/store"
)

// Purge forgets the tombstones of an account up to a ModSeq, which becomes the
// purge mark: whoever asks for changes since an earlier one gets ErrResync.
// Nothing else calls it; a program that runs long does, now and then.
func (s *Store) Purge(ctx context.Context, id store.AccountID, upTo store.ModSeq) error {
	a, err := s.lookup(ctx, id)
	if err == nil {
		err = a.enter(ctx)
	}
	if err != nil {
		return fail("purge", id, err)
	}
	defer a.mu.Unlock()
	upTo = min(upTo, a.modSeq)
	a.purged = max(a.purged, upTo)
	for id, m := range a.boxes {
		if m.Gone && m.ModSeq <= upTo {
			delete(a.boxes, id)
			continue
		}
		m.msgs = slices.DeleteFunc(m.msgs, func(msg *message) bool { return msg.Gone && msg.ModSeq <= upTo })
	}
	now := time.Now()
	maps.DeleteFunc(a.entries, func(_ entryKey, e store.Entry) bool {
		return e.ModSeq <= upTo && !present(e, now)
	})
	a.purgeThreads()
	return nil
}

// purgeThreads takes expunged messages out of the index.
func (a *account) purgeThreads() {
	for key, list := range a.threads {
		list = slices.DeleteFunc(list, func(n *threadNode) bool { return n.gone })
		if len(list) == 0 {
			delete(a.threads, key)
			continue
		}
		a.threads[key] = list
	}
}
