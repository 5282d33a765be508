package main

import (
	"maps"
	"slices"
	"time"

	"github.com/mailstead/mailstead/store"
)

// edit returns a mailbox that may be changed: a copy, made once a Change.
func (t *tx) edit(id store.MailboxID) *box {
	if !t.edited[id] {
		t.boxes[id], t.edited[id] = &box{t.boxes[id].Mailbox, maps.Clone(t.boxes[id].msgs)}, true
	}
	return t.boxes[id]
}

// open is edit of a mailbox that can hold messages; r names it from then on.
func (t *tx) open(id store.MailboxID, r *store.OpResult) (*box, error) {
	b, err := t.box(id)
	if err != nil || b.NoSelect {
		return nil, store.ErrNoMailbox
	}
	r.Mailbox, r.UIDValidity = id, b.UIDValidity
	return t.edit(id), nil
}

// put sets one message. It is the only way in which messages change, so that
// the counters are exact (I7).
func (t *tx) put(b *box, m message) {
	b.count(b.msgs[m.UID], -1)
	m.ModSeq = t.take()
	b.HighestModSeq = m.ModSeq
	b.count(m, 1)
	b.msgs[m.UID] = m
}

func (b *box) count(m message, by int64) {
	if m.Gone || m.UID == 0 {
		return
	}
	b.Messages += by
	b.Bytes += by * m.Size
	if m.Flags&store.Seen == 0 {
		b.Unseen += by
	}
	if m.Flags&store.Deleted != 0 {
		b.Deleted += by
	}
}

// add gives m the next UID (I2).
func (t *tx) add(b *box, m message, r *store.OpResult) error {
	if b.UIDNext == 1<<32-1 {
		return store.ErrLimit
	}
	m.UID, m.Saved = b.UIDNext, time.Now().Truncate(time.Second)
	b.UIDNext++
	t.put(b, m)
	r.Dest.Add(m.UID)
	return nil
}

// remove leaves a tombstone.
func (t *tx) remove(b *box, uid store.UID) {
	if m := b.msgs[uid]; !m.Gone {
		t.put(b, message{Message: store.Message{UID: uid, Gone: true}, ref: m.ref, prefix: m.prefix, gone: time.Now()})
	}
}

// pick returns the messages of set that are there, by UID.
func (b *box) pick(set store.UIDSet, r *store.OpResult) (list []message) {
	var there store.UIDSet
	for _, uid := range slices.Sorted(maps.Keys(b.msgs)) {
		if m := b.msgs[uid]; !m.Gone && set.Contains(uid) {
			list = append(list, m)
			there.Add(uid)
		}
	}
	r.Missing = set.Minus(there)
	return list
}

func (t *tx) append(op store.Append, r *store.OpResult) error {
	if t.info.State != store.AccountActive {
		return store.ErrClosedAcct
	}
	b, err := t.open(op.Mailbox, r)
	if err != nil {
		return err
	}
	keywords, err := store.CleanKeywords(op.Keywords)
	if err != nil {
		return err
	}
	if op.EmailID == (store.EmailID{}) {
		op.EmailID = store.NewEmailID()
	}
	if op.Received.IsZero() {
		op.Received = time.Now()
	}
	r.EmailID, r.ThreadID = op.EmailID, store.ThreadID(op.EmailID) // no threads; see storetest.Threads
	prefix := slices.Clone(op.Prefix)
	return t.add(b, message{ref: op.Blob, prefix: prefix, Message: store.Message{
		Flags: op.Flags, Keywords: keywords, Size: op.Size + int64(len(prefix)),
		Received: op.Received.Truncate(time.Second), EmailID: r.EmailID, ThreadID: r.ThreadID,
		Blob: op.Blob, Key: slices.Clone(op.Key), Prefix: prefix, Meta: slices.Clone(op.Meta),
	}}, r)
}

// name is open and pick for SetFlags and Expunge.
func (t *tx) name(id store.MailboxID, set store.UIDSet, r *store.OpResult) (*box, []message, error) {
	b, err := t.open(id, r)
	if err != nil {
		return nil, nil, err
	}
	list := b.pick(set, r)
	if t.named += len(list); t.named > store.MaxChange {
		return nil, nil, store.ErrTooLarge
	}
	return b, list, nil
}

func (t *tx) setFlags(op store.SetFlags, r *store.OpResult) error {
	b, list, err := t.name(op.Mailbox, op.UIDs, r)
	for _, m := range list {
		if op.UnchangedSince != nil && m.ModSeq > *op.UnchangedSince {
			r.Modified.Add(m.UID)
			continue
		}
		now, changed, err := op.On(store.Flagging{Flags: m.Flags, Keywords: m.Keywords})
		if err != nil {
			return err
		}
		if changed {
			m.Flags, m.Keywords = now.Flags, now.Keywords
			t.put(b, m)
			r.Changed.Add(m.UID)
		}
	}
	return err
}

func (t *tx) expunge(op store.Expunge, r *store.OpResult) error {
	b, list, err := t.name(op.Mailbox, op.UIDs, r)
	for _, m := range list {
		if !op.OnlyDeleted || m.Flags&store.Deleted != 0 {
			t.remove(b, m.UID)
			r.Changed.Add(m.UID)
		}
	}
	return err
}

func (t *tx) copy(op store.Copy, r *store.OpResult) error {
	src, err := t.open(op.Source, r)
	if err != nil {
		return err
	}
	dst, err := t.open(op.Dest, r)
	if err != nil {
		return err
	}
	list := src.pick(op.UIDs, r)
	if t.copied += len(list); t.copied > store.MaxWhole {
		return store.ErrTooLarge
	}
	for _, m := range list {
		if err := t.add(dst, m, r); err != nil {
			return err
		}
		r.Source.Add(m.UID)
		if op.Move {
			t.remove(src, m.UID)
			r.Changed.Add(m.UID)
		}
	}
	return nil
}

func (t *tx) claimRecent(op store.ClaimRecent, r *store.OpResult) error {
	b, err := t.open(op.Mailbox, r)
	if err != nil {
		return err
	}
	for uid, m := range b.msgs {
		if uid >= b.RecentFrom && !m.Gone {
			r.Changed.Add(uid)
		}
	}
	b.RecentFrom = b.UIDNext
	return nil
}
