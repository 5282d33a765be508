package memstore

import "github.com/mailstead/mailstead/store"

func (t *tx) putMailbox(op store.PutMailbox) (store.OpResult, error) {
	if op.Create {
		return t.createMailbox(op)
	}
	m := t.boxes[op.ID]
	if m == nil || m.Gone {
		return store.OpResult{}, store.ErrNoMailbox
	}
	if op.Delete {
		return t.deleteMailbox(m)
	}
	return t.changeMailbox(m, op)
}

func (t *tx) createMailbox(op store.PutMailbox) (store.OpResult, error) {
	name, err := store.CleanName(op.Name)
	if err != nil {
		return store.OpResult{}, err
	}
	if t.boxes[op.ID] != nil {
		return store.OpResult{}, store.ErrExists
	}
	if err := t.numbersAllowed(op); err != nil {
		return store.OpResult{}, err
	}
	m, err := t.makeMailbox(op.ID, name, op.UIDValidity)
	if err != nil {
		return store.OpResult{}, err
	}
	if err := t.setAttributes(m, op); err != nil {
		return store.OpResult{}, err
	}
	t.setNumbers(m, op)
	return here(m), nil
}

// makeMailbox makes a mailbox and the levels above it. It takes the place of
// a NoSelect name, and inherits that name's subscription. v = 0: choose one.
func (t *tx) makeMailbox(id store.MailboxID, name string, v store.UIDValidity) (*mailbox, error) {
	if err := t.makeLevels(name); err != nil {
		return nil, err
	}
	v, err := t.store.validity(t.id, v, t.info.State == store.AccountImporting)
	if err != nil {
		return nil, err
	}
	m := newMailbox(id, name, v, t.take())
	if err := t.takeName(m); err != nil {
		return nil, err
	}
	t.boxes[id] = m
	t.undo = append(t.undo, func() { delete(t.boxes, id) })
	t.usage.Mailboxes++
	if over(t.usage.Mailboxes, t.info.Limits.Mailboxes) {
		return nil, store.ErrOverQuota
	}
	return m, nil
}

// makeLevels makes the mailboxes above name that are missing.
func (t *tx) makeLevels(name string) error {
	parent := store.ParentName(name)
	if parent == "" || t.names[parent] != nil {
		return nil
	}
	_, err := t.makeMailbox(store.NewMailboxID(), parent, 0)
	return err
}

// deleteMailbox leaves a tombstone, and a NoSelect name in its place where
// there are children or a subscription.
func (t *tx) deleteMailbox(m *mailbox) (store.OpResult, error) {
	if m.Name == store.Inbox {
		return store.OpResult{}, store.ErrInbox
	}
	if m.NoSelect {
		return store.OpResult{}, store.ErrNoMailbox
	}
	if err := t.mayDelete(m); err != nil {
		return store.OpResult{}, err
	}
	r := here(m)
	for i, msg := range m.msgs {
		if !msg.Gone {
			t.remove(m, i)
		}
	}
	t.dropEntries(m.ID)
	name, subscribed := m.Name, m.Subscribed
	t.bury(m)
	if subscribed || t.hasChildren(name) {
		t.placeholder(name, subscribed)
	} else {
		t.prune(store.ParentName(name))
	}
	return r, nil
}

// placeholder puts a NoSelect mailbox where one was deleted.
func (t *tx) placeholder(name string, subscribed bool) {
	at := t.take()
	m := &mailbox{Mailbox: store.Mailbox{
		ID: store.NewMailboxID(), Name: name, ModSeq: at, HighestModSeq: at, NoSelect: true, Subscribed: subscribed,
	}}
	t.boxes[m.ID] = m
	t.undo = append(t.undo, func() { delete(t.boxes, m.ID) })
	t.setName(name, m)
	t.usage.Mailboxes++
}

// bury makes m a tombstone.
func (t *tx) bury(m *mailbox) {
	t.edit(m)
	t.setName(m.Name, nil)
	m.Mailbox = store.Mailbox{ID: m.ID, Name: m.Name, ModSeq: t.take(), Gone: true}
	t.usage.Mailboxes--
}

// prune takes away NoSelect names that nothing needs any more, from name up.
func (t *tx) prune(name string) {
	for ; name != ""; name = store.ParentName(name) {
		m := t.names[name]
		if m == nil || !m.NoSelect || m.Subscribed || t.hasChildren(name) {
			return
		}
		t.bury(m)
	}
}

func (t *tx) hasChildren(name string) bool {
	for other := range t.names {
		if store.IsBelow(other, name) {
			return true
		}
	}
	return false
}

// setName gives name to m; nil = to nobody.
func (t *tx) setName(name string, m *mailbox) {
	old := t.names[name]
	t.undo = append(t.undo, func() { t.putName(name, old) })
	t.putName(name, m)
}

func (t *tx) putName(name string, m *mailbox) {
	if m == nil {
		delete(t.names, name)
		return
	}
	t.names[name] = m
}

// takeName gives m its name, which may be that of a NoSelect mailbox.
// ErrExists.
func (t *tx) takeName(m *mailbox) error {
	if old := t.names[m.Name]; old != nil {
		if !old.NoSelect {
			return store.ErrExists
		}
		m.Subscribed = m.Subscribed || old.Subscribed
		t.bury(old)
	}
	t.setName(m.Name, m)
	return nil
}
