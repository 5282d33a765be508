package maildir

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/mailstead/mailstead/store"
)

// Purge forgets the tombstones of an account up to a ModSeq, which becomes the
// purge mark: whoever asks for changes since an earlier one gets ErrResync. The
// index is written anew without them. Nothing else calls it; a program that
// runs long does, now and then.
func (s *Store) Purge(ctx context.Context, id store.AccountID, upTo store.ModSeq) error {
	err := ctx.Err()
	s.mu.Lock()
	a := s.accounts[id]
	s.mu.Unlock()
	if err == nil && a == nil {
		err = store.ErrNoAccount
	}
	if err == nil {
		err = a.purge(upTo)
	}
	if err != nil {
		return &store.Error{Op: "purge", Account: id, Err: err}
	}
	return nil
}

func (a *account) purge(upTo store.ModSeq) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, err := a.freshLocked(); err != nil {
		return err
	}
	next := a.now.clone()
	next.Purged = max(next.Purged, min(upTo, next.ModSeq))
	next.boxes = make(map[store.MailboxID]*box)
	for id, b := range a.now.boxes {
		if b.Gone && b.ModSeq <= next.Purged && b.dir == "" {
			continue
		}
		kept, err := a.withoutTombstones(b, next.Purged)
		if err != nil {
			return err
		}
		next.boxes[id] = kept
	}
	now := time.Now()
	next.entries = maps.Clone(next.entries)
	maps.DeleteFunc(next.entries, func(_ entryKey, e store.Entry) bool {
		return e.ModSeq <= next.Purged && !e.Present(now)
	})
	old := a.now
	a.now = next
	err := a.compactLocked()
	if err != nil {
		a.now = old // which says more, and no more than what may be found
	}
	return err
}

// withoutTombstones is b as it is kept. A tombstone knows the file that must
// not come back; that this one is gone is made durable before it is forgotten.
func (a *account) withoutTombstones(b *box, upTo store.ModSeq) (*box, error) {
	old := func(m *message) bool { return m.Gone && m.ModSeq <= upTo }
	if !slices.ContainsFunc(b.msgs, old) {
		return b, nil
	}
	if b.dir != "" && !b.Gone {
		for _, sub := range []string{"cur", "new"} {
			if err := a.s.fs.SyncDir(a.path(b.dir, sub)); err != nil {
				return nil, err
			}
		}
	}
	kept := *b
	kept.msgs = slices.DeleteFunc(slices.Clone(b.msgs), old)
	return &kept, nil
}
