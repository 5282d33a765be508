package sqlstore

import (
	"slices"

	"github.com/mailstead/mailstead/store"
)

// expunge carries out an Expunge. The facts stay until the cleaner takes them.
func (c *change) expunge(op *store.Expunge) (store.OpResult, error) {
	b, err := c.a.holds(op.Mailbox)
	if err != nil {
		return store.OpResult{}, err
	}
	held, err := c.guard(b, false).covered(op.UIDs)
	if err != nil {
		return store.OpResult{}, err
	}
	var there, gone, kept store.UIDSet
	err = c.remove(b, op.UIDs, func(r *row) (bool, error) {
		there.Add(r.uid)
		if err := c.allow(1, 0); err != nil {
			return false, err
		}
		if op.OnlyDeleted && r.flags&store.Deleted == 0 {
			return false, nil
		}
		if held.Contains(r.uid) {
			kept.Add(r.uid)
			return false, nil
		}
		gone.Add(r.uid)
		return true, nil
	})
	res := here(b)
	res.Changed, res.Held, res.Missing = gone, kept, op.UIDs.Minus(there)
	return res, err
}

// remove takes the messages of set for which f returns true out of a mailbox.
func (c *change) remove(b *box, set store.UIDSet, f func(*row) (bool, error)) error {
	reader, err := c.blocks(b, set)
	if err != nil {
		return err
	}
	var gone store.UIDSet
	for {
		blocks, err := reader.next(c.tx.Context())
		if err != nil {
			return err
		}
		if len(blocks) == 0 {
			break
		}
		for _, bl := range blocks {
			if err := c.removeFrom(b, bl, set, &gone, f); err != nil {
				return err
			}
		}
	}
	c.marksOf(b).gone.AddSet(gone)
	return nil
}

func (c *change) removeFrom(b *box, bl *block, set store.UIDSet, gone *store.UIDSet, f func(*row) (bool, error)) error {
	at := 0
	var failed error
	bl.rows = slices.DeleteFunc(bl.rows, func(r row) bool {
		if u, ok := nextIn(set, &at, r.uid); !ok || u != r.uid || failed != nil {
			return false
		}
		drop, err := f(&r)
		if err != nil || !drop {
			failed = err
			return false
		}
		if !bl.dirty {
			c.edit(b)
			bl.dirty = true
		}
		c.count(b, &r, -1)
		gone.Add(r.uid)
		return true
	})
	if failed != nil || !bl.dirty {
		return failed
	}
	b.tail = nil
	return writeBlock(c.tx, c.a.num, b.num, bl)
}
