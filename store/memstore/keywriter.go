package memstore

import (
	"bytes"
	"context"
	"iter"
	"slices"

	"github.com/mailstead/mailstead/store"
)

var _ store.KeyWriter = (*account)(nil)

// Keys implements store.KeyWriter: tombstones keep what Content needs.
func (a *account) Keys(ctx context.Context, id store.MailboxID, uids store.UIDSet) iter.Seq2[*store.Message, error] {
	return func(yield func(*store.Message, error) bool) {
		var out store.Message
		for next := store.UID(1); next > 0; {
			page, err := a.readKeys(ctx, id, uids, &next)
			if err != nil {
				yield(nil, &store.Error{Op: "keys", Account: a.id, Mailbox: id.String(), Err: err})
				return
			}
			for _, m := range page {
				out = store.Message{UID: m.UID, EmailID: m.EmailID, Blob: m.Blob, Key: slices.Clone(m.Key), Prefix: slices.Clone(m.Prefix)}
				if !yield(&out, nil) {
					return
				}
			}
		}
	}
}

// readKeys returns a page from UID *next on, which it moves; 0 = there is no
// more.
func (a *account) readKeys(ctx context.Context, id store.MailboxID, uids store.UIDSet, next *store.UID) (page []*message, err error) {
	if err := a.enter(ctx); err != nil {
		return nil, err
	}
	defer a.mu.Unlock()
	b := a.boxes[id]
	if b == nil || b.Gone {
		return nil, store.ErrNoMailbox
	}
	i, _ := b.find(*next)
	for seen := 0; i < len(b.msgs); i++ {
		m := b.msgs[i]
		if seen++; len(page) == pageFound || seen > pageSeen {
			*next = m.UID
			return page, nil
		}
		if m.Blob != "" && (len(uids) == 0 || uids.Contains(m.UID)) {
			page = append(page, m)
		}
	}
	*next = 0
	return page, nil
}

// WriteKeys implements store.KeyWriter. A state is immutable, so another one
// with the same ModSeq takes its place.
func (a *account) WriteKeys(ctx context.Context, changes []store.KeyChange) error {
	if err := store.CheckKeys(changes); err != nil {
		return a.fail("write keys", err)
	}
	if err := a.enter(ctx); err != nil {
		return a.fail("write keys", err)
	}
	defer a.mu.Unlock()
	for i := range changes {
		if c := &changes[i]; c.UID == 0 {
			a.rekeyEntryLocked(c)
		} else {
			a.rekeyLocked(c)
		}
	}
	return nil
}

func (a *account) rekeyLocked(c *store.KeyChange) {
	b := a.boxes[c.Mailbox]
	if b == nil {
		return
	}
	i, ok := b.find(c.UID)
	if !ok || !bytes.Equal(b.msgs[i].Key, c.Old) {
		return
	}
	next := *b.msgs[i]
	next.Key = slices.Clone(c.New)
	b.msgs[i] = &next
}

func (a *account) rekeyEntryLocked(c *store.KeyChange) {
	key := entryKey{c.Mailbox, c.Entry}
	if e, ok := a.entries[key]; ok && !e.Gone && bytes.Equal(e.Value, c.Old) {
		e.Value = slices.Clone(c.New)
		a.entries[key] = e
	}
}
