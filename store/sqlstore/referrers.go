package sqlstore

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/sqldb"
)

// Referrer is a message that refers to a blob.
type Referrer struct {
	Ref     blob.Ref
	Account store.AccountID
	Mailbox string // name; of a deleted mailbox the last one
	UID     store.UID
	Dropped bool // the account or the mailbox was deleted
}

// Referrers returns the messages that refer to blobs: who is hit by damage to
// them. Among them are those that were expunged less than 24 hours ago. It reads
// every account, one after the other in no order.
func (s *Store) Referrers(ctx context.Context, refs []blob.Ref) ([]Referrer, error) {
	if s.wake.closed() {
		return nil, store.ErrClosed
	}
	var out []Referrer
	for _, ref := range refs {
		list, err := sqldb.Collect(ctx, s.db, scanReferrer, `SELECT f.blob, a.name, m.name, f.uid, a.dropped + m.gone
			FROM fact f JOIN account a ON a.id = f.account JOIN mailbox m ON m.account = f.account AND m.num = f.mailbox
			WHERE f.blob = ? ORDER BY a.name, m.num, f.uid`, string(ref))
		if err != nil {
			return nil, fail("referrers", "", fmt.Errorf("%s: %w", ref, err))
		}
		out = append(out, list...)
	}
	return out, nil
}

func scanReferrer(r *sql.Rows) (x Referrer, err error) {
	var dropped int64
	err = r.Scan((*string)(&x.Ref), (*string)(&x.Account), &x.Mailbox, &x.UID, &dropped)
	x.Dropped = dropped > 0
	return x, err
}
