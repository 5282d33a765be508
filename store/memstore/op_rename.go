package memstore

import "github.com/mailstead/mailstead/store"

// changeMailbox renames and sets attributes; what is as wanted takes no ModSeq.
func (t *tx) changeMailbox(m *mailbox, op store.PutMailbox) (store.OpResult, error) {
	if err := t.numbersAllowed(op); err != nil {
		return store.OpResult{}, err
	}
	r := here(m)
	if op.Name != "" {
		name, err := store.CleanName(op.Name)
		if err != nil {
			return store.OpResult{}, err
		}
		switch {
		case name == m.Name:
		case m.Name == store.Inbox:
			r, err = t.renameInbox(m, name)
		default:
			err = t.rename(m, name)
		}
		if err != nil {
			return store.OpResult{}, err
		}
	}
	if err := t.setAttributes(m, op); err != nil {
		return store.OpResult{}, err
	}
	if op.UIDValidity != 0 {
		t.edit(m)
		m.UIDValidity, _ = t.store.validity(t.id, op.UIDValidity, true)
		m.HighestModSeq = max(m.HighestModSeq, t.take())
		r.UIDValidity = m.UIDValidity
	}
	t.setNumbers(m, op)
	return r, nil
}

// renameInbox moves the messages of INBOX into a new mailbox; INBOX and its
// children stay (RFC 9051 §6.3.6).
func (t *tx) renameInbox(inbox *mailbox, name string) (store.OpResult, error) {
	dst, err := t.makeMailbox(store.NewMailboxID(), name, 0)
	if err != nil {
		return store.OpResult{}, err
	}
	at, _ := inbox.live(store.AllUIDs())
	if _, held := t.split(inbox, at, true); len(held) > 0 {
		return store.OpResult{}, store.ErrHeld
	}
	return t.copyMessages(inbox, dst, at, true)
}

// rename gives m and all below it new names. They leave their old names first,
// so that a subtree may move to a place that overlaps its own.
func (t *tx) rename(m *mailbox, to string) error {
	from := m.Name
	if store.IsBelow(to, from) {
		return store.ErrName
	}
	var tree []*mailbox
	for name, below := range t.names {
		if below == m || store.IsBelow(name, from) {
			tree = append(tree, below)
		}
	}
	for _, b := range tree {
		t.setName(b.Name, nil)
	}
	if err := t.makeLevels(to); err != nil {
		return err
	}
	for _, b := range tree {
		t.edit(b)
		b.Name = to + b.Name[len(from):]
		if err := store.ValidateName(b.Name); err != nil {
			return err // too long
		}
		b.ModSeq = t.take()
		b.HighestModSeq = max(b.HighestModSeq, b.ModSeq)
		if err := t.takeName(b); err != nil {
			return err
		}
	}
	t.prune(store.ParentName(from))
	return nil
}

// setAttributes sets role and subscription.
func (t *tx) setAttributes(m *mailbox, op store.PutMailbox) error {
	if op.Role != nil && *op.Role != m.Role {
		if m.NoSelect {
			return store.ErrNoMailbox
		}
		t.edit(m)
		m.Role, m.ModSeq = *op.Role, t.take()
	}
	if op.Subscribed != nil && *op.Subscribed != m.Subscribed {
		t.edit(m)
		m.Subscribed, m.ModSeq = *op.Subscribed, t.take()
		t.prune(m.Name)
	}
	if !m.Gone {
		m.HighestModSeq = max(m.HighestModSeq, m.ModSeq)
	}
	return nil
}

// numbersAllowed refuses numbers that only an importer gives.
func (t *tx) numbersAllowed(op store.PutMailbox) error {
	if t.info.State == store.AccountImporting {
		return nil
	}
	if op.UIDNext != 0 || op.HighestModSeq != 0 || op.UIDValidity != 0 && !op.Create {
		return store.ErrNotImporting
	}
	return nil
}

// setNumbers moves UIDNEXT and HIGHESTMODSEQ up to what an importer gives.
func (t *tx) setNumbers(m *mailbox, op store.PutMailbox) {
	if op.UIDNext == 0 && op.HighestModSeq == 0 {
		return
	}
	t.edit(m)
	m.UIDNext = max(m.UIDNext, op.UIDNext)
	m.HighestModSeq = max(m.HighestModSeq, op.HighestModSeq)
	t.modSeq = max(t.modSeq, op.HighestModSeq)
}
