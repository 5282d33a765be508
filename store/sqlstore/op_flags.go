package sqlstore

import "github.com/mailstead/mailstead/store"

// setFlags carries out a SetFlags, block by block.
func (c *change) setFlags(op *store.SetFlags) (store.OpResult, error) {
	b, err := c.a.holds(op.Mailbox)
	if err != nil {
		return store.OpResult{}, err
	}
	reader, err := c.blocks(b, op.UIDs)
	if err != nil {
		return store.OpResult{}, err
	}
	f := flagger{change: c, op: op, box: b, res: here(b)}
	for {
		blocks, err := reader.next(c.tx.Context())
		if err != nil {
			return store.OpResult{}, err
		}
		if len(blocks) == 0 {
			break
		}
		for _, bl := range blocks {
			if err := f.block(bl); err != nil {
				return store.OpResult{}, err
			}
		}
	}
	f.res.Missing = op.UIDs.Minus(f.there)
	c.marksOf(b).changed.AddSet(f.res.Changed)
	return f.res, nil
}

// flagger is one SetFlags on its way through the blocks of a mailbox.
type flagger struct {
	*change
	op    *store.SetFlags
	box   *box
	res   store.OpResult
	there store.UIDSet
}

// block changes the messages of one block, and writes it when one of them
// became different.
func (f *flagger) block(bl *block) error {
	at := 0
	for i := range bl.rows {
		r := &bl.rows[i]
		if u, ok := nextIn(f.op.UIDs, &at, r.uid); !ok {
			break
		} else if u != r.uid {
			continue
		}
		f.there.Add(r.uid)
		if err := f.allow(1, 0); err != nil {
			return err
		}
		if since := f.op.UnchangedSince; since != nil && r.modSeq > *since {
			f.res.Modified.Add(r.uid)
			continue
		}
		if err := f.message(bl, r); err != nil {
			return err
		}
	}
	if !bl.dirty {
		return nil
	}
	f.box.tail = nil
	return writeBlock(f.tx, f.a.num, f.box.num, bl)
}

func (f *flagger) message(bl *block, r *row) error {
	old := store.Flagging{Flags: r.flags, Keywords: bl.kinds[r.kind]}
	now, changed, err := f.op.On(old)
	if err != nil || !changed {
		return err
	}
	if !bl.dirty {
		f.edit(f.box)
		bl.dirty = true
	}
	f.count(f.box, r, -1)
	r.flags, r.kind, r.modSeq = now.Flags, bl.kindOf(now.Keywords), f.take()
	f.count(f.box, r, 1)
	f.res.Changed.Add(r.uid)
	return nil
}
