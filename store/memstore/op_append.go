package memstore

import (
	"slices"
	"time"

	"github.com/mailstead/mailstead/store"
)

func (t *tx) append(op store.Append) (store.OpResult, error) {
	switch t.info.State {
	case store.AccountImporting:
		return store.OpResult{}, store.ErrImporting
	case store.AccountClosed:
		return store.OpResult{}, store.ErrClosedAcct
	}
	m, err := t.box(op.Mailbox)
	if err != nil {
		return store.OpResult{}, err
	}
	uid, err := t.nextUID(m)
	if err != nil {
		return store.OpResult{}, err
	}
	msg := t.newMessage(op, store.ThreadID{})
	msg.UID, msg.ModSeq = uid, t.take()
	t.add(m, msg)
	r := here(m)
	r.Dest, r.EmailID, r.ThreadID = store.UIDs(uid), msg.EmailID, msg.ThreadID
	return r, t.checkQuota(op.IgnoreQuota)
}

// importMessage keeps the numbers it is given. The account's counter follows
// them, so that whatever comes later has a greater ModSeq.
func (t *tx) importMessage(op store.Import) (store.OpResult, error) {
	if t.info.State != store.AccountImporting {
		return store.OpResult{}, store.ErrNotImporting
	}
	m, err := t.box(op.Mailbox)
	if err != nil {
		return store.OpResult{}, err
	}
	if op.UID >= maxUID {
		return store.OpResult{}, store.ErrLimit
	}
	if _, taken := m.find(op.UID); taken {
		return store.OpResult{}, store.ErrExists
	}
	msg := &message{Message: store.Message{Gone: true}}
	if !op.Gone {
		msg = t.newMessage(op.Append, op.ThreadID)
		if !op.Saved.IsZero() {
			msg.Saved = op.Saved.Truncate(time.Second)
		}
	}
	msg.UID, msg.ModSeq = op.UID, op.ModSeq
	if op.ModSeq == 0 {
		msg.ModSeq = t.take()
	}
	t.modSeq = max(t.modSeq, op.ModSeq)
	t.add(m, msg)
	m.UIDNext = max(m.UIDNext, op.UID+1)
	r := here(m)
	r.Dest, r.EmailID, r.ThreadID = store.UIDs(op.UID), msg.EmailID, msg.ThreadID
	if op.Gone {
		return r, nil
	}
	return r, t.checkQuota(op.IgnoreQuota)
}

// newMessage makes the facts and the first state of a message; its numbers are
// the caller's. A zero thread is looked for.
func (t *tx) newMessage(op store.Append, thread store.ThreadID) *message {
	if op.EmailID == (store.EmailID{}) {
		op.EmailID = store.NewEmailID()
	}
	if op.Received.IsZero() {
		op.Received = t.now
	}
	if thread == (store.ThreadID{}) {
		var ok bool
		if thread, ok = t.findThread(op.ThreadKeys, op.SubjectHash); !ok {
			thread = store.ThreadID(op.EmailID)
		}
	}
	keywords, _ := store.CleanKeywords(op.Keywords) // Change.Check has tried it
	return &message{
		Message: store.Message{
			Flags: op.Flags, Keywords: keywords, Size: op.Size + int64(len(op.Prefix)),
			Received: op.Received.Truncate(time.Second), Saved: t.now,
			EmailID: op.EmailID, ThreadID: thread,
			Blob: op.Blob, Key: slices.Clone(op.Key), Prefix: slices.Clone(op.Prefix), Meta: slices.Clone(op.Meta),
		},
		thread: &threadNode{thread: thread, keys: slices.Clone(op.ThreadKeys), subject: op.SubjectHash},
	}
}
