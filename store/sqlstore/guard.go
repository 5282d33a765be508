package sqlstore

import (
	"database/sql"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqldb"
)

// guard says which messages of one mailbox may not be deleted by this Change
// (I7). Its zero holds cover nothing.
type guard struct {
	*change
	box   *box
	now   time.Time
	holds []store.Hold // those that are active here
}

// guard gathers the holds that count in a mailbox. moving: a hold on the whole
// account does not count, as the messages stay in it.
func (c *change) guard(b *box, moving bool) *guard {
	g := &guard{change: c, box: b, now: time.Now()}
	for _, h := range c.a.held {
		if h.Active(g.now) && (h.Mailbox == b.ID || h.Mailbox.IsZero() && !moving) {
			g.holds = append(g.holds, h)
		}
	}
	return g
}

// covered is the part of uids that a hold covers, UIDs included that no message
// has (any more).
func (g *guard) covered(uids store.UIDSet) (held store.UIDSet, err error) {
	for i := range g.holds {
		h := &g.holds[i]
		some := uids
		if len(h.UIDs) > 0 {
			some = uids.Intersect(h.UIDs)
		}
		if h.Keep > 0 {
			if some, err = g.savedAfter(some.Minus(held), g.now.Add(-h.Keep)); err != nil {
				return nil, err
			}
		}
		held.AddSet(some)
	}
	return held, nil
}

// savedAfter is the part of uids whose messages were saved after t.
func (g *guard) savedAfter(uids store.UIDSet, t time.Time) (late store.UIDSet, err error) {
	for _, r := range uids {
		err := sqldb.Each(g.tx.Context(), g.tx, func(rows *sql.Rows) error {
			var uid store.UID
			if err := rows.Scan(&uid); err != nil {
				return err
			}
			late.Add(uid)
			return nil
		}, `SELECT uid FROM fact WHERE account = ? AND mailbox = ? AND uid BETWEEN ? AND ? AND saved > ? ORDER BY uid`,
			g.a.num, g.box.num, int64(r.First), int64(r.Last), t.Unix())
		if err != nil {
			return nil, err
		}
	}
	return late, nil
}

// mayDelete refuses to delete a mailbox that a hold without Keep names, or in
// which a message is covered. It reads the mailbox page by page where it has to
// look at messages, and ends at the first that is covered.
func (c *change) mayDelete(b *box) error {
	g := c.guard(b, false)
	for _, h := range g.holds {
		if h.Keep == 0 && (!h.Mailbox.IsZero() || b.Messages > 0) {
			return store.ErrHeld
		}
	}
	if len(g.holds) == 0 || b.Messages == 0 {
		return nil
	}
	reader, err := c.blocks(b, store.AllUIDs())
	if err != nil {
		return err
	}
	for {
		blocks, err := reader.next(c.tx.Context())
		if err != nil || len(blocks) == 0 {
			return err
		}
		var page store.UIDSet
		for _, bl := range blocks {
			for i := range bl.rows {
				page.Add(bl.rows[i].uid)
			}
		}
		held, err := g.covered(page)
		if err != nil {
			return err
		}
		if len(held) > 0 {
			return store.ErrHeld
		}
	}
}

// mayDrop refuses to drop the account while a hold without Keep is active, or a
// message is covered.
func (c *change) mayDrop() error {
	now, active := time.Now(), false
	for _, h := range c.a.held {
		if !h.Active(now) {
			continue
		}
		if active = true; h.Keep == 0 {
			return store.ErrHeld
		}
	}
	if !active {
		return nil
	}
	for _, b := range c.a.boxes {
		if b.Gone || b.NoSelect {
			continue
		}
		if err := c.mayDelete(b); err != nil {
			return err
		}
	}
	return nil
}
