package sqlstore

import (
	"database/sql"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqldb"
)

// putEntry carries out a PutEntry.
func (c *change) putEntry(op *store.PutEntry) (store.OpResult, error) {
	if err := c.checkEntry(op); err != nil {
		return store.OpResult{}, err
	}
	r := store.OpResult{Mailbox: op.Mailbox}
	num := int64(0)
	if b := c.a.boxes[op.Mailbox]; b != nil {
		num = b.num
	}
	if op.Value == nil {
		if have, err := c.entryModSeq(num, op.Key); have == 0 || err != nil {
			return r, err
		}
	}
	var expires int64
	if !op.Expires.IsZero() && op.Value != nil {
		expires = op.Expires.UnixNano()
	}
	_, err := c.tx.Exec(`INSERT INTO entry (account, mailbox, name, value, modseq, expires, gone) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (account, mailbox, name) DO UPDATE SET
		value = excluded.value, modseq = excluded.modseq, expires = excluded.expires, gone = excluded.gone`,
		c.a.num, num, []byte(op.Key), op.Value, int64(c.take()), expires, flag(op.Value == nil))
	return r, err
}

// checkEntry judges the conditions of a PutEntry.
func (c *change) checkEntry(op *store.PutEntry) error {
	num := int64(0)
	if !op.Mailbox.IsZero() {
		b := c.a.boxes[op.Mailbox]
		if b == nil || b.Gone {
			return store.ErrNoMailbox
		}
		num = b.num
	}
	if !op.IfAbsent && op.IfModSeq == nil {
		return nil
	}
	have, err := c.entryModSeq(num, op.Key)
	if err != nil {
		return err
	}
	if op.IfAbsent && have != 0 || op.IfModSeq != nil && *op.IfModSeq != have {
		return store.ErrConflict
	}
	return nil
}

// entryModSeq is the ModSeq of an entry, 0 when it is not there.
func (c *change) entryModSeq(mailbox int64, key string) (store.ModSeq, error) {
	n, _, err := sqldb.One(c.tx.Context(), c.tx, func(r *sql.Rows) (m store.ModSeq, err error) {
		err = r.Scan(&m)
		return m, err
	}, `SELECT modseq FROM entry WHERE account = ? AND mailbox = ? AND name = ? AND gone = 0 AND (expires = 0 OR expires > ?)`,
		c.a.num, mailbox, []byte(key), time.Now().UnixNano())
	return n, err
}
