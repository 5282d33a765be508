package sqlstore

import (
	"slices"

	"github.com/mailstead/mailstead/store"
)

// copied is the state of a message on its way to another mailbox.
type copied struct {
	row
	keywords []string
	dest     store.UID
}

// copy carries out a Copy.
func (c *change) copy(op *store.Copy) (store.OpResult, error) {
	src, err := c.a.holds(op.Source)
	if err != nil {
		return store.OpResult{}, err
	}
	dst, err := c.a.holds(op.Dest)
	if err != nil {
		return store.OpResult{}, err
	}
	list, bytes, err := c.collect(src, op.UIDs, store.MaxWhole)
	if err != nil {
		return store.OpResult{}, err
	}
	var held store.UIDSet
	if op.Move {
		if list, held, err = c.movable(src, list); err != nil {
			return store.OpResult{}, err
		}
	}
	if err := c.allow(0, int64(len(list))); err != nil {
		return store.OpResult{}, err
	}
	if !op.Move && len(list) > 0 { // a move holds as much as before
		if err := c.room(bytes, int64(len(list)), op.IgnoreQuota); err != nil {
			return store.OpResult{}, err
		}
	}
	r, err := c.copyAll(src, dst, list, op.Move)
	r.Held, r.Missing = held, op.UIDs.Minus(r.Source).Minus(held)
	return r, err
}

// movable takes those messages of src out of list that a hold keeps there.
func (c *change) movable(src *box, list []copied) (free []copied, held store.UIDSet, err error) {
	g := c.guard(src, true)
	if len(g.holds) == 0 {
		return list, nil, nil
	}
	var all store.UIDSet
	for i := range list {
		all.Add(list[i].uid)
	}
	if held, err = g.covered(all); err != nil {
		return nil, nil, err
	}
	free = slices.DeleteFunc(list, func(m copied) bool { return held.Contains(m.uid) })
	return free, held, nil
}

// collect reads the state of messages, at most limit.
func (c *change) collect(src *box, uids store.UIDSet, limit int) (list []copied, bytes int64, err error) {
	reader, err := c.blocks(src, uids)
	if err != nil {
		return nil, 0, err
	}
	for {
		blocks, err := reader.next(c.tx.Context())
		if err != nil || len(blocks) == 0 {
			return list, bytes, err
		}
		for _, bl := range blocks {
			at := 0
			for _, r := range bl.rows {
				if u, ok := nextIn(uids, &at, r.uid); !ok || u != r.uid {
					continue
				}
				list = append(list, copied{row: r, keywords: bl.kinds[r.kind]})
				bytes += r.size
			}
		}
		if len(list) > limit {
			return nil, 0, store.ErrTooLarge
		}
	}
}

// copyAll gives messages of src new UIDs in dst, in their order, and with move
// takes them out of src.
func (c *change) copyAll(src, dst *box, list []copied, move bool) (store.OpResult, error) {
	r := here(dst)
	if len(list) == 0 {
		return r, nil
	}
	if int64(dst.UIDNext)+int64(len(list)) > maxUID {
		return r, store.ErrLimit
	}
	c.edit(dst)
	for i := range list {
		m := &list[i]
		m.dest = dst.UIDNext
		dst.UIDNext++
		n := row{uid: m.dest, flags: m.flags, size: m.size, modSeq: c.take()}
		if err := c.appendRow(dst, n, m.keywords); err != nil {
			return r, err
		}
		c.count(dst, &n, 1)
		r.Source.Add(m.uid)
		r.Dest.Add(m.dest)
	}
	if err := c.copyFacts(src, dst, list); err != nil {
		return r, err
	}
	c.marksOf(dst).changed.AddSet(r.Dest)
	if !move {
		return r, nil
	}
	r.Changed = r.Source.Clone()
	return r, c.remove(src, r.Source, func(*row) (bool, error) { return true, nil })
}

// copyFacts copies the facts, one statement for each run of neighbours.
func (c *change) copyFacts(src, dst *box, list []copied) error {
	for i := 0; i < len(list); {
		j := i + 1
		for j < len(list) && list[j].uid == list[j-1].uid+1 {
			j++
		}
		_, err := c.tx.Exec(`INSERT INTO fact
			(account, mailbox, uid, email, thread, received, zone, saved, blob, size, cipher, prefix, meta)
			SELECT account, ?, uid + ?, email, thread, received, zone, ?, blob, size, cipher, prefix, meta
			FROM fact WHERE account = ? AND mailbox = ? AND uid BETWEEN ? AND ?`,
			dst.num, int64(list[i].dest)-int64(list[i].uid), c.now.Unix(),
			c.a.num, src.num, int64(list[i].uid), int64(list[j-1].uid))
		if err != nil {
			return err
		}
		i = j
	}
	return nil
}
