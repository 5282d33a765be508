package rows

import (
	"slices"
	"time"

	"github.com/mailstead/mailstead/store"
)

// maxUID is never given out: UIDNEXT stands there when a mailbox is full.
const maxUID = 1<<32 - 1

// Count moves the counters of b by one message, by is 1 or -1 (I7). Run does it
// for what goes through it; a backend does for what it finds elsewhere.
func Count(b *store.Mailbox, m *store.Message, by int64) {
	b.Messages += by
	b.Bytes += by * m.Size
	if m.Flags&store.Seen == 0 {
		b.Unseen += by
	}
	if m.Flags&store.Deleted != 0 {
		b.Deleted += by
	}
}

// count moves all counters by one message.
func (r *run) count(b *row, m *store.Message, by int64) {
	Count(&b.Mailbox, m, by)
	r.usage.Messages += by
	r.usage.Bytes += by * m.Size
}

// touch notes that a message of b changed.
func (b *row) touch(at store.ModSeq) { b.HighestModSeq, b.changed = max(b.HighestModSeq, at), true }

// add gives m the next UID (I2).
func (r *run) add(b *row, m *store.Message, from Source) error {
	if b.UIDNext == maxUID {
		return store.ErrLimit
	}
	m.UID, m.ModSeq, m.Saved = b.UIDNext, r.take(), r.now
	b.UIDNext++
	r.count(b, m, 1)
	b.touch(m.ModSeq)
	return r.Add(b.ID, m, from)
}

// remove leaves a tombstone.
func (r *run) remove(b *row, m *store.Message) error {
	r.count(b, m, -1)
	b.touch(r.take())
	return r.Remove(b.ID, m, r.at)
}

func (r *run) append(op *store.Append, out *store.OpResult) error {
	switch r.a.Info.State {
	case store.AccountImporting:
		return store.ErrImporting
	case store.AccountClosed:
		return store.ErrClosedAcct
	}
	b, err := r.open(op.Mailbox, out)
	if err != nil {
		return err
	}
	m, err := r.message(op, store.ThreadID{})
	if err != nil {
		return err
	}
	if err := r.add(b, m, Source{Append: op}); err != nil {
		return err
	}
	out.Dest, out.EmailID, out.ThreadID = store.UIDs(m.UID), m.EmailID, m.ThreadID
	return nil
}

// importMessage keeps the numbers that it is given; the account's counter
// follows them, so that whatever comes later has a greater ModSeq.
func (r *run) importMessage(op *store.Import, out *store.OpResult) error {
	if r.a.Info.State != store.AccountImporting {
		return store.ErrNotImporting
	}
	b, err := r.open(op.Mailbox, out)
	if err != nil {
		return err
	}
	if op.UID >= maxUID {
		return store.ErrLimit
	}
	m, from := &store.Message{Gone: true}, Source{}
	if !op.Gone {
		if m, err = r.message(&op.Append, op.ThreadID); err != nil {
			return err
		}
		from.Append, m.Saved = &op.Append, r.now
		if !op.Saved.IsZero() {
			m.Saved = op.Saved.Truncate(time.Second)
		}
	}
	if m.UID, m.ModSeq = op.UID, op.ModSeq; m.ModSeq == 0 {
		m.ModSeq = r.take()
	}
	r.a.ModSeq = max(r.a.ModSeq, op.ModSeq)
	b.touch(m.ModSeq)
	b.UIDNext = max(b.UIDNext, m.UID+1)
	if !m.Gone {
		r.count(b, m, 1)
	}
	out.Dest, out.EmailID, out.ThreadID = store.UIDs(m.UID), m.EmailID, m.ThreadID
	return r.Add(b.ID, m, from)
}

// message makes the facts and the first state of a message but for its
// numbers. A zero thread is looked for.
func (r *run) message(op *store.Append, thread store.ThreadID) (*store.Message, error) {
	op.ThreadKeys = slices.Clone(op.ThreadKeys) // op is kept
	keywords, err := store.CleanKeywords(op.Keywords)
	if err != nil {
		return nil, err
	}
	m := &store.Message{
		Flags: op.Flags, Keywords: keywords, Size: op.Size + int64(len(op.Prefix)),
		Received: op.Received.Truncate(time.Second), EmailID: op.EmailID, ThreadID: thread, Blob: op.Blob,
		Key: slices.Clone(op.Key), Prefix: slices.Clone(op.Prefix), Meta: slices.Clone(op.Meta),
	}
	if m.EmailID == (store.EmailID{}) {
		m.EmailID = store.NewEmailID()
	}
	if op.Received.IsZero() {
		m.Received = r.now
	}
	if thread != (store.ThreadID{}) {
		return m, nil
	}
	if len(op.ThreadKeys) > 0 {
		if m.ThreadID, err = r.Thread(op.ThreadKeys, op.SubjectHash); err != nil {
			return nil, err
		}
	}
	if m.ThreadID == (store.ThreadID{}) {
		m.ThreadID = store.ThreadID(m.EmailID)
	}
	return m, nil
}

// name opens a mailbox and picks messages for SetFlags and Expunge.
func (r *run) name(id store.MailboxID, set store.UIDSet, out *store.OpResult) (*row, []*store.Message, error) {
	b, err := r.open(id, out)
	if err != nil {
		return nil, nil, err
	}
	list, err := r.pick(id, set, out)
	if r.named += len(list); err == nil && r.named > store.MaxChange {
		err = store.ErrTooLarge
	}
	return b, list, err
}

// pick returns the messages of set; the others are missing.
func (r *run) pick(id store.MailboxID, set store.UIDSet, out *store.OpResult) ([]*store.Message, error) {
	list, err := r.Messages(id, set)
	var there store.UIDSet
	for _, m := range list {
		there.Add(m.UID)
	}
	out.Missing = set.Minus(there)
	return list, err
}

func (r *run) setFlags(op store.SetFlags, out *store.OpResult) error {
	b, list, err := r.name(op.Mailbox, op.UIDs, out)
	if err != nil {
		return err
	}
	for _, m := range list {
		if op.UnchangedSince != nil && m.ModSeq > *op.UnchangedSince {
			out.Modified.Add(m.UID)
			continue
		}
		now, changed, err := op.On(store.Flagging{Flags: m.Flags, Keywords: m.Keywords})
		if err != nil {
			return err
		}
		if !changed {
			continue
		}
		next := *m
		next.Flags, next.Keywords, next.ModSeq = now.Flags, now.Keywords, r.take()
		r.count(b, m, -1)
		r.count(b, &next, 1)
		b.touch(next.ModSeq)
		if err := r.Update(b.ID, &next); err != nil {
			return err
		}
		out.Changed.Add(m.UID)
	}
	return nil
}

func (r *run) expunge(op store.Expunge, out *store.OpResult) error {
	b, list, err := r.name(op.Mailbox, op.UIDs, out)
	if err != nil {
		return err
	}
	if op.OnlyDeleted {
		list = slices.DeleteFunc(list, func(m *store.Message) bool { return m.Flags&store.Deleted == 0 })
	}
	if list, out.Held, err = r.free(b.ID, list, false); err != nil {
		return err
	}
	for _, m := range list {
		if err := r.remove(b, m); err != nil {
			return err
		}
		out.Changed.Add(m.UID)
	}
	return nil
}

func (r *run) copy(op store.Copy, out *store.OpResult) error {
	src, err := r.open(op.Source, out)
	if err != nil {
		return err
	}
	dst, err := r.open(op.Dest, out)
	if err != nil {
		return err
	}
	list, err := r.pick(op.Source, op.UIDs, out)
	if err == nil && op.Move {
		list, out.Held, err = r.free(op.Source, list, true)
	}
	if err != nil {
		return err
	}
	return r.copyAll(src, dst, list, op.Move, out)
}

func (r *run) copyAll(src, dst *row, list []*store.Message, move bool, out *store.OpResult) error {
	if r.made += len(list); r.made > store.MaxWhole {
		return store.ErrTooLarge
	}
	for _, m := range list {
		next := *m
		if err := r.add(dst, &next, Source{Mailbox: src.ID, Message: m}); err != nil {
			return err
		}
		out.Source.Add(m.UID)
		out.Dest.Add(next.UID)
		if !move {
			continue
		}
		if err := r.remove(src, m); err != nil {
			return err
		}
		out.Changed.Add(m.UID)
	}
	return nil
}

// claimRecent takes no ModSeq and wakes nobody (store.ClaimRecent).
func (r *run) claimRecent(op store.ClaimRecent, out *store.OpResult) error {
	b, err := r.open(op.Mailbox, out)
	if err != nil || b.RecentFrom == b.UIDNext {
		return err
	}
	list, err := r.Messages(b.ID, store.UIDSet{{First: b.RecentFrom, Last: maxUID}})
	for _, m := range list {
		out.Changed.Add(m.UID)
	}
	b.RecentFrom, b.changed = b.UIDNext, true
	return err
}
