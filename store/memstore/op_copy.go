package memstore

import (
	"slices"

	"github.com/mailstead/mailstead/store"
)

func (t *tx) expunge(op store.Expunge) (store.OpResult, error) {
	m, err := t.box(op.Mailbox)
	if err != nil {
		return store.OpResult{}, err
	}
	r := here(m)
	at, missing := m.live(op.UIDs)
	r.Missing = missing
	if err := t.name(len(at)); err != nil {
		return store.OpResult{}, err
	}
	if op.OnlyDeleted {
		at = slices.DeleteFunc(at, func(i int) bool { return m.msgs[i].Flags&store.Deleted == 0 })
	}
	at, r.Held = t.split(m, at, false)
	for _, i := range at {
		r.Changed.Add(m.msgs[i].UID)
		t.remove(m, i)
	}
	return r, nil
}

func (t *tx) copy(op store.Copy) (store.OpResult, error) {
	src, err := t.box(op.Source)
	if err != nil {
		return store.OpResult{}, err
	}
	dst, err := t.box(op.Dest)
	if err != nil {
		return store.OpResult{}, err
	}
	at, missing := src.live(op.UIDs)
	var held store.UIDSet
	if op.Move {
		at, held = t.split(src, at, true)
	}
	r, err := t.copyMessages(src, dst, at, op.Move)
	if err != nil {
		return store.OpResult{}, err
	}
	r.Missing, r.Held = missing, held
	if op.Move {
		return r, nil // holds as much as before
	}
	return r, t.checkQuota(op.IgnoreQuota || len(at) == 0)
}

// copyMessages gives the messages of src at these places new UIDs in dst, in
// their order, and with move leaves tombstones behind.
func (t *tx) copyMessages(src, dst *mailbox, at []int, move bool) (store.OpResult, error) {
	if t.whole += len(at); t.whole > store.MaxWhole {
		return store.OpResult{}, store.ErrTooLarge
	}
	r := here(dst)
	for _, i := range at {
		uid, err := t.nextUID(dst)
		if err != nil {
			return store.OpResult{}, err
		}
		msg := src.msgs[i]
		next, node := *msg, *msg.thread
		next.UID, next.ModSeq, next.Saved, next.thread = uid, t.take(), t.now, &node
		t.add(dst, &next)
		r.Source.Add(msg.UID)
		r.Dest.Add(uid)
		if move {
			t.remove(src, i)
			r.Changed.Add(msg.UID)
		}
	}
	return r, nil
}
