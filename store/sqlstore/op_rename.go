package sqlstore

import "github.com/mailstead/mailstead/store"

// changeMailbox renames and sets attributes; what is as wanted takes no
// ModSeq.
func (c *change) changeMailbox(b *box, op *store.PutMailbox) (store.OpResult, error) {
	if err := c.numbersAllowed(op); err != nil {
		return store.OpResult{}, err
	}
	r := here(b)
	if op.Name != "" {
		name, err := store.CleanName(op.Name)
		if err != nil {
			return store.OpResult{}, err
		}
		switch {
		case name == b.Name:
		case b.Name == store.Inbox:
			r, err = c.renameInbox(b, name)
		default:
			err = c.rename(b, name)
		}
		if err != nil {
			return store.OpResult{}, err
		}
	}
	if err := c.setAttributes(b, op); err != nil {
		return store.OpResult{}, err
	}
	if op.UIDValidity != 0 {
		c.edit(b)
		b.UIDValidity = c.validityFor(op.UIDValidity)
		r.UIDValidity = b.UIDValidity
	}
	c.setNumbers(b, op)
	return r, nil
}

// renameInbox moves the messages of INBOX into a new mailbox; INBOX and its
// children stay (RFC 9051 §6.3.6).
func (c *change) renameInbox(inbox *box, name string) (store.OpResult, error) {
	list, _, err := c.collect(inbox, store.AllUIDs(), store.MaxWhole)
	if err != nil {
		return store.OpResult{}, err
	}
	list, held, err := c.movable(inbox, list)
	if err == nil && len(held) > 0 {
		err = store.ErrHeld
	}
	if err != nil {
		return store.OpResult{}, err
	}
	if err := c.allow(0, int64(len(list))); err != nil {
		return store.OpResult{}, err
	}
	dst, err := c.makeMailbox(store.NewMailboxID(), name, 0)
	if err != nil {
		return store.OpResult{}, err
	}
	return c.copyAll(inbox, dst, list, true)
}

// rename gives b and all below it new names. Names that are in the way may
// only be NoSelect ones.
func (c *change) rename(b *box, to string) error {
	tree, err := c.renamed(b, to)
	if err != nil {
		return err
	}
	from := b.Name
	at := c.take()
	for moved := range tree {
		delete(c.a.names, moved.Name)
	}
	c.makeLevels(c.missingLevels(to))
	for moved, name := range tree {
		if old := c.a.names[name]; old != nil {
			moved.Subscribed = moved.Subscribed || old.Subscribed
			c.bury(old)
		}
		c.edit(moved)
		moved.Name, moved.ModSeq = name, at
		c.a.names[name] = moved
	}
	c.prune(store.ParentName(from))
	return nil
}

// renamed is the subtree that moves, with its new names. It refuses what
// cannot be done.
func (c *change) renamed(b *box, to string) (map[*box]string, error) {
	if store.IsBelow(to, b.Name) {
		return nil, store.ErrName
	}
	tree := make(map[*box]string)
	for name, below := range c.a.names {
		if below != b && !store.IsBelow(name, b.Name) {
			continue
		}
		tree[below] = to + name[len(b.Name):]
		if err := store.ValidateName(tree[below]); err != nil {
			return nil, err // too long
		}
	}
	for _, name := range tree {
		old := c.a.names[name]
		if _, moves := tree[old]; old != nil && !moves && !old.NoSelect {
			return nil, store.ErrExists
		}
	}
	return tree, c.roomForBoxes(int64(len(c.missingLevels(to))))
}

// setAttributes sets role and subscription.
func (c *change) setAttributes(b *box, op *store.PutMailbox) error {
	if op.Role != nil && *op.Role != b.Role {
		if b.NoSelect {
			return store.ErrNoMailbox
		}
		c.edit(b)
		b.Role, b.ModSeq = *op.Role, c.take()
	}
	if op.Subscribed != nil && *op.Subscribed != b.Subscribed {
		c.edit(b)
		b.Subscribed, b.ModSeq = *op.Subscribed, c.take()
		c.prune(b.Name)
	}
	return nil
}

// numbersAllowed refuses numbers that only an importer gives.
func (c *change) numbersAllowed(op *store.PutMailbox) error {
	if c.a.info.State == store.AccountImporting {
		return nil
	}
	if op.UIDNext != 0 || op.HighestModSeq != 0 || op.UIDValidity != 0 && !op.Create {
		return store.ErrNotImporting
	}
	return nil
}

// setNumbers moves UIDNEXT and HIGHESTMODSEQ up to what an importer gives.
func (c *change) setNumbers(b *box, op *store.PutMailbox) {
	if op.UIDNext == 0 && op.HighestModSeq == 0 {
		return
	}
	c.s.touch(c.tx, c.a)
	c.a.mark(b)
	b.UIDNext = max(b.UIDNext, op.UIDNext)
	b.HighestModSeq = max(b.HighestModSeq, op.HighestModSeq)
	c.a.modSeq = max(c.a.modSeq, op.HighestModSeq)
}
