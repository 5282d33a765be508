package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/mailstead/mailstead/store"
)

// remove forgets messages of a mailbox. Their documents may have other places.
func (x *searchIndex) remove(ctx context.Context, b *boxRow, uids store.UIDSet) error {
	all := slices.Collect(uids.All())
	for part := range slices.Chunk(all, dropRows) {
		gone := store.UIDs(part...)
		known, weak := b.known.Minus(gone), b.weak.Minus(gone)
		err := x.tx(ctx, func(tx *sql.Tx) error {
			for _, uid := range part {
				_, err := tx.Exec(`INSERT OR IGNORE INTO orphan (doc) SELECT doc FROM place WHERE box = ? AND uid = ?`, b.num, int64(uid))
				if err == nil {
					_, err = tx.Exec(`DELETE FROM place WHERE box = ? AND uid = ?`, b.num, int64(uid))
				}
				if err != nil {
					return err
				}
			}
			return saveBox(tx, b.num, known, weak)
		})
		if err != nil {
			return err
		}
		b.known, b.weak = known, weak
	}
	return nil
}

// dropBox forgets a mailbox.
func (x *searchIndex) dropBox(ctx context.Context, num int64) error {
	b, ok, err := scanBox(x.write.QueryRowContext(ctx, `SELECT num, validity, known, weak FROM box WHERE num = ?`, num))
	if err != nil || !ok {
		return err
	}
	if err := x.remove(ctx, &b, b.known); err != nil {
		return err
	}
	return x.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec(`DELETE FROM box WHERE num = ?`, num)
		return err
	})
}

// dropOrphans forgets the documents of an account that have no place any more.
func (x *searchIndex) dropOrphans(ctx context.Context, account int64) error {
	for {
		list, err := x.numbers(ctx, `SELECT doc FROM orphan WHERE doc BETWEEN ? AND ? LIMIT CAST(? AS INTEGER)`,
			account<<docShift, (account+1)<<docShift-1, dropRows)
		if err != nil || len(list) == 0 {
			return err
		}
		if err := x.tx(ctx, func(tx *sql.Tx) error { return dropDocs(tx, list) }); err != nil {
			return err
		}
	}
}

// dropDocs forgets those of the documents that have no place.
func dropDocs(tx *sql.Tx, list []int64) error {
	for _, doc := range list {
		var placed bool
		if err := tx.QueryRow(`SELECT EXISTS (SELECT 1 FROM place WHERE doc = ?)`, doc).Scan(&placed); err != nil {
			return err
		}
		queries := []string{`DELETE FROM orphan WHERE doc = ?`}
		if !placed {
			queries = append(queries, `DELETE FROM head WHERE rowid = ?`, `DELETE FROM body WHERE rowid = ?`, `DELETE FROM doc WHERE id = ?`)
		}
		for _, q := range queries {
			if _, err := tx.Exec(q, doc); err != nil {
				return err
			}
		}
	}
	return nil
}

// clear forgets all that is known of an account, whose row stays, with ModSeq
// 0. What it was followed up to goes first: interrupted, it begins anew.
func (x *searchIndex) clear(ctx context.Context, account int64) error {
	err := x.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec(`UPDATE account SET modseq = 0 WHERE id = ?`, account)
		return err
	})
	if err != nil {
		return err
	}
	boxes, err := x.numbers(ctx, `SELECT num FROM box WHERE account = ?`, account)
	if err != nil {
		return err
	}
	for _, num := range boxes {
		if err := x.dropBox(ctx, num); err != nil {
			return err
		}
	}
	return x.dropOrphans(ctx, account)
}

// forget drops an account that is gone.
func (x *searchIndex) forget(id store.AccountID) error {
	var num int64
	err := x.write.QueryRowContext(x.ctx, `SELECT id FROM account WHERE name = ?`, string(id)).Scan(&num)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err == nil {
		err = x.clear(x.ctx, num)
	}
	if err != nil {
		return err
	}
	return x.tx(x.ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec(`DELETE FROM account WHERE id = ?`, num)
		return err
	})
}

// numbers collects a column.
func (x *searchIndex) numbers(ctx context.Context, query string, args ...any) (list []int64, err error) {
	rows, err := x.write.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	return list, rows.Err()
}
