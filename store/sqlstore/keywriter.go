package sqlstore

import (
	"context"
	"database/sql"
	"iter"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/sqldb"
)

var _ store.KeyWriter = (*handle)(nil)

// keysPerPage bounds the rows of facts that Keys reads at once.
const keysPerPage = 500

// Keys implements store.KeyWriter: rows of facts outlive their messages.
func (h *handle) Keys(ctx context.Context, id store.MailboxID, uids store.UIDSet) iter.Seq2[*store.Message, error] {
	return func(yield func(*store.Message, error) bool) {
		if err := h.keys(ctx, id, uids, yield); err != nil {
			yield(nil, failBox("keys", h.id, id, err))
		}
	}
}

func (h *handle) keys(ctx context.Context, id store.MailboxID, uids store.UIDSet, yield func(*store.Message, error) bool) error {
	if len(uids) == 0 {
		uids = store.AllUIDs()
	}
	for _, r := range uids {
		for at := r.First; at <= r.Last; {
			b, _, err := h.shown(ctx, id)
			if err != nil || b.Gone {
				return first(err, store.ErrNoMailbox)
			}
			page, err := sqldb.Collect(ctx, h.store.db, scanKey, `SELECT uid, email, blob, cipher, prefix FROM fact
				WHERE account = ? AND mailbox = ? AND uid BETWEEN ? AND ? ORDER BY uid LIMIT CAST(? AS {int})`,
				h.num, b.num, int64(at), int64(r.Last), keysPerPage)
			if err != nil {
				return err
			}
			for i := range page {
				if !yield(&page[i], nil) {
					return nil
				}
			}
			if len(page) < keysPerPage {
				break
			}
			at = page[len(page)-1].UID + 1
		}
	}
	return nil
}

func scanKey(r *sql.Rows) (m store.Message, err error) {
	var email sql.RawBytes
	var ref string
	err = r.Scan(&m.UID, &email, &ref, &m.Key, &m.Prefix)
	copy(m.EmailID[:], email)
	m.Blob = blob.Ref(ref)
	return m, err
}

// WriteKeys implements store.KeyWriter.
func (h *handle) WriteKeys(ctx context.Context, changes []store.KeyChange) error {
	err := store.CheckKeys(changes)
	if err == nil && h.store.wake.closed() {
		err = store.ErrClosed
	}
	if err == nil {
		err = h.store.db.Commit(ctx, sqldb.Work{Key: "a:" + string(h.id), Cost: len(changes), Do: func(tx *sqldb.Tx) error {
			a, err := h.store.load(tx, h.id)
			if err == nil && a.num != h.num {
				err = store.ErrNoAccount
			}
			for i := 0; i < len(changes) && err == nil; i++ {
				err = a.writeKey(tx, &changes[i])
			}
			return err
		}})
	}
	if err != nil {
		return fail("write keys", h.id, err)
	}
	return nil
}

func (a *account) writeKey(tx *sqldb.Tx, c *store.KeyChange) (err error) {
	num := int64(0)
	if !c.Mailbox.IsZero() || c.UID != 0 {
		b := a.boxes[c.Mailbox]
		if b == nil || b.Gone {
			return nil
		}
		num = b.num
	}
	if c.UID != 0 {
		_, err = tx.Exec(`UPDATE fact SET cipher = ? WHERE account = ? AND mailbox = ? AND uid = ? AND cipher = ?`,
			c.New, a.num, num, int64(c.UID), c.Old)
		return err
	}
	_, err = tx.Exec(`UPDATE entry SET value = ? WHERE account = ? AND mailbox = ? AND name = ? AND gone = 0 AND value = ?`,
		c.New, a.num, num, []byte(c.Entry), c.Old)
	return err
}
