package memstore

import "github.com/mailstead/mailstead/store"

func (t *tx) setFlags(op store.SetFlags) (store.OpResult, error) {
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
	for _, i := range at {
		msg := m.msgs[i]
		if op.UnchangedSince != nil && msg.ModSeq > *op.UnchangedSince {
			r.Modified.Add(msg.UID)
			continue
		}
		now, changed, err := op.On(store.Flagging{Flags: msg.Flags, Keywords: msg.Keywords})
		if err != nil {
			return store.OpResult{}, err
		}
		if !changed {
			continue
		}
		next := *msg
		next.Flags, next.Keywords, next.ModSeq = now.Flags, now.Keywords, t.take()
		t.replace(m, i, &next)
		r.Changed.Add(msg.UID)
	}
	return r, nil
}

// name counts the messages that SetFlags and Expunge name. ErrTooLarge.
func (t *tx) name(n int) error {
	if t.named += n; t.named > store.MaxChange {
		return store.ErrTooLarge
	}
	return nil
}

// claimRecent is no change: it takes no ModSeq and wakes nobody.
func (t *tx) claimRecent(op store.ClaimRecent) (store.OpResult, error) {
	m, err := t.box(op.Mailbox)
	if err != nil {
		return store.OpResult{}, err
	}
	r := here(m)
	for i, _ := m.find(m.RecentFrom); i < len(m.msgs); i++ {
		if !m.msgs[i].Gone {
			r.Changed.Add(m.msgs[i].UID)
		}
	}
	t.edit(m)
	m.RecentFrom = m.UIDNext
	return r, nil
}
