package sqlstore

import "github.com/mailstead/mailstead/store"

// putMailbox carries out a PutMailbox.
func (c *change) putMailbox(op *store.PutMailbox) (store.OpResult, error) {
	if op.Create {
		return c.createMailbox(op)
	}
	b := c.a.boxes[op.ID]
	if b == nil || b.Gone {
		return store.OpResult{}, store.ErrNoMailbox
	}
	if op.Delete {
		return c.deleteMailbox(b)
	}
	return c.changeMailbox(b, op)
}

func (c *change) createMailbox(op *store.PutMailbox) (store.OpResult, error) {
	name, err := store.CleanName(op.Name)
	if err != nil {
		return store.OpResult{}, err
	}
	if c.a.boxes[op.ID] != nil {
		return store.OpResult{}, store.ErrExists
	}
	if err := c.numbersAllowed(op); err != nil {
		return store.OpResult{}, err
	}
	b, err := c.makeMailbox(op.ID, name, op.UIDValidity)
	if err != nil {
		return store.OpResult{}, err
	}
	if err := c.setAttributes(b, op); err != nil {
		return store.OpResult{}, err
	}
	c.setNumbers(b, op)
	return here(b), nil
}

// makeMailbox makes a mailbox and the levels above it that are missing. It
// takes the place of a NoSelect name, and inherits its subscription. v = 0:
// choose one.
func (c *change) makeMailbox(id store.MailboxID, name string, v store.UIDValidity) (*box, error) {
	old := c.a.names[name]
	if old != nil && !old.NoSelect {
		return nil, store.ErrExists
	}
	levels := c.missingLevels(name)
	more := int64(len(levels)) + 1
	if old != nil {
		more--
	}
	if err := c.roomForBoxes(more); err != nil {
		return nil, err
	}
	if v != 0 && v <= c.a.validity && c.a.info.State != store.AccountImporting {
		return nil, store.ErrConflict
	}
	c.take()
	c.makeLevels(levels)
	m := newMailbox(id, name, c.validityFor(v), c.take())
	if old != nil {
		m.Subscribed = old.Subscribed
		c.bury(old)
	}
	return c.a.addBox(m), nil
}

// validityFor is the UIDVALIDITY that an importer wants, else a new one.
func (c *change) validityFor(want store.UIDValidity) store.UIDValidity {
	if want == 0 {
		return c.a.newValidity(c.now, 0)
	}
	c.a.validity = max(c.a.validity, want)
	return want
}

// missingLevels are the names above name that are not there, from the top.
func (c *change) missingLevels(name string) (missing []string) {
	for p := store.ParentName(name); p != "" && c.a.names[p] == nil; p = store.ParentName(p) {
		missing = append([]string{p}, missing...)
	}
	return missing
}

func (c *change) makeLevels(names []string) {
	for _, name := range names {
		c.a.addBox(newMailbox(store.NewMailboxID(), name, c.validityFor(0), c.take()))
	}
}

// deleteMailbox leaves a tombstone, and a NoSelect name in its place where
// there are children or a subscription. The messages are purged by the
// cleaner.
func (c *change) deleteMailbox(b *box) (store.OpResult, error) {
	switch {
	case b.Name == store.Inbox:
		return store.OpResult{}, store.ErrInbox
	case b.NoSelect:
		return store.OpResult{}, store.ErrNoMailbox
	}
	r := here(b)
	if err := c.mayDelete(b); err != nil {
		return r, err
	}
	c.take()
	if err := c.discard(b.num, nil); err != nil {
		return r, err
	}
	name, subscribed := b.Name, b.Subscribed
	c.bury(b)
	if subscribed || c.hasChildren(name) {
		m := store.Mailbox{
			ID: store.NewMailboxID(), Name: name, ModSeq: c.take(), HighestModSeq: c.take(),
			NoSelect: true, Subscribed: subscribed,
		}
		c.a.addBox(m)
	} else {
		c.prune(store.ParentName(name))
	}
	return r, nil
}

// bury makes b a tombstone.
func (c *change) bury(b *box) {
	c.a.usage.Messages -= b.Messages
	c.a.usage.Bytes -= b.Bytes
	c.a.usage.Mailboxes--
	if c.a.names[b.Name] == b {
		delete(c.a.names, b.Name)
	}
	b.Mailbox = store.Mailbox{ID: b.ID, Name: b.Name, ModSeq: c.take(), Gone: true}
	b.tail = nil
	c.a.mark(b)
}

// prune takes away NoSelect names that nothing needs any more, from name up.
func (c *change) prune(name string) {
	for ; name != ""; name = store.ParentName(name) {
		b := c.a.names[name]
		if b == nil || !b.NoSelect || b.Subscribed || c.hasChildren(name) {
			return
		}
		c.bury(b)
	}
}

func (c *change) hasChildren(name string) bool {
	for other := range c.a.names {
		if store.IsBelow(other, name) {
			return true
		}
	}
	return false
}
