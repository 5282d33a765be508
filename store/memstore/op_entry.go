package memstore

import (
	"slices"
	"time"

	"github.com/mailstead/mailstead/store"
)

func (t *tx) putEntry(op store.PutEntry) (store.OpResult, error) {
	if m := t.boxes[op.Mailbox]; !op.Mailbox.IsZero() && (m == nil || m.Gone) {
		return store.OpResult{}, store.ErrNoMailbox
	}
	key := entryKey{op.Mailbox, op.Key}
	old, ok := t.entries[key]
	there := ok && present(old, time.Now())
	if op.IfAbsent && there {
		return store.OpResult{}, store.ErrConflict
	}
	if op.IfModSeq != nil && (there && *op.IfModSeq != old.ModSeq || !there && *op.IfModSeq != 0) {
		return store.OpResult{}, store.ErrConflict
	}
	r := store.OpResult{Mailbox: op.Mailbox}
	if op.Value == nil && !there {
		return r, nil
	}
	e := store.Entry{Mailbox: op.Mailbox, Key: op.Key, ModSeq: t.take(), Gone: true}
	if op.Value != nil {
		e.Value, e.Expires, e.Gone = slices.Clone(op.Value), op.Expires, false
	}
	t.setEntry(key, e)
	return r, nil
}

func (t *tx) setEntry(key entryKey, e store.Entry) {
	t.undoEntry(key)
	t.entries[key] = e
}

func (t *tx) undoEntry(key entryKey) {
	old, ok := t.entries[key]
	t.undo = append(t.undo, func() {
		if ok {
			t.entries[key] = old
		} else {
			delete(t.entries, key)
		}
	})
}

// dropEntries forgets the entries of a mailbox that is deleted: its tombstone
// stands for theirs.
func (t *tx) dropEntries(id store.MailboxID) {
	for key := range t.entries {
		if key.mailbox == id {
			t.undoEntry(key)
			delete(t.entries, key)
		}
	}
}
