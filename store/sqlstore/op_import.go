package sqlstore

import (
	"database/sql"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqldb"
)

// importMessage carries out an Import: the message keeps the numbers it is
// given. The account's counter follows them, so that whatever comes later has
// a greater ModSeq.
func (c *change) importMessage(op *store.Import) (store.OpResult, error) {
	b, err := c.mayImport(op)
	if err != nil {
		return store.OpResult{}, err
	}
	c.s.touch(c.tx, c.a)
	c.a.mark(b)
	at := op.ModSeq
	if at == 0 {
		at = c.take()
	}
	c.a.modSeq = max(c.a.modSeq, at)
	b.HighestModSeq = max(b.HighestModSeq, at)
	kind := logChanged
	if op.Gone {
		kind = logGone
	}
	if err := c.logRow(b, kind, at, op.UID, store.UIDs(op.UID)); err != nil {
		return store.OpResult{}, err
	}
	fresh := op.UID >= b.UIDNext
	b.UIDNext = max(b.UIDNext, op.UID+1)
	if op.Gone {
		r := here(b)
		r.Dest.Add(op.UID)
		return r, nil
	}
	return c.importLive(b, op, at, fresh)
}

// mayImport checks what can refuse an Import.
func (c *change) mayImport(op *store.Import) (*box, error) {
	if c.a.info.State != store.AccountImporting {
		return nil, store.ErrNotImporting
	}
	b, err := c.a.holds(op.Mailbox)
	if err != nil {
		return nil, err
	}
	if op.UID >= maxUID {
		return nil, store.ErrLimit
	}
	if op.UID < b.UIDNext {
		taken, err := c.wasGiven(b, op.UID)
		if err != nil || taken {
			return nil, first(err, store.ErrExists)
		}
	}
	if op.Gone {
		return b, nil
	}
	return b, c.room(op.Size+int64(len(op.Prefix)), 1, op.IgnoreQuota)
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// wasGiven reports whether a UID is or was a message's, as far as is known.
func (c *change) wasGiven(b *box, uid store.UID) (bool, error) {
	_, ok, err := sqldb.One(c.tx.Context(), c.tx, sqldb.Int64,
		`SELECT uid FROM fact WHERE account = ? AND mailbox = ? AND uid = ?`, c.a.num, b.num, int64(uid))
	if ok || err != nil {
		return ok, err
	}
	_, ok, err = sqldb.One(c.tx.Context(), c.tx, sqldb.Int64,
		`SELECT seq FROM log WHERE account = ? AND mailbox = ? AND kind = ? AND seq = ?`,
		c.a.num, b.num, int64(logGone), int64(uid))
	return ok, err
}

func (c *change) importLive(b *box, op *store.Import, at store.ModSeq, fresh bool) (store.OpResult, error) {
	keywords, err := store.CleanKeywords(op.Keywords)
	if err != nil {
		return store.OpResult{}, err
	}
	f := fact{uid: op.UID, email: op.EmailID, thread: op.ThreadID, saved: op.Saved, Append: &op.Append}
	if f.saved.IsZero() {
		f.saved = c.now
	}
	if err := c.identify(&f); err != nil {
		return store.OpResult{}, err
	}
	r := row{uid: op.UID, flags: op.Flags, modSeq: at, size: op.Size + int64(len(op.Prefix))}
	if fresh {
		err = c.appendRow(b, r, keywords)
	} else {
		err = c.insertRow(b, r, keywords)
	}
	if err != nil {
		return store.OpResult{}, err
	}
	return c.added(b, &r, &f)
}

// insertRow puts the state of a message between others.
func (c *change) insertRow(b *box, r row, keywords []string) error {
	if err := c.a.flushTail(c.tx, b); err != nil {
		return err
	}
	b.tail = nil
	bl, ok, err := sqldb.One(c.tx.Context(), c.tx, func(rows *sql.Rows) (*block, error) {
		t := new(block)
		return t, scanBlock(rows, t)
	}, sqlBlockAt, c.a.num, b.num, int64(r.uid))
	if err != nil {
		return err
	}
	if !ok {
		bl = newBlock(r.uid)
	}
	r.kind = bl.kindOf(keywords)
	if !bl.insert(r) {
		return store.ErrExists
	}
	return writeBlock(c.tx, c.a.num, b.num, bl)
}
