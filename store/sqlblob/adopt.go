package sqlblob

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/sqldb"
)

// ErrOtherDatabase: the row that adopts a blob lies in another database than
// the catalogue, so that nothing can hold the two together. A mistake in the
// wiring.
var ErrOtherDatabase = errors.New("sqlblob: the catalogue lies in another database than the row that adopts")

// Adopt implements blob.Adopter. The rows of all blobs that a batch adopts are
// locked by one statement at its end; the Work whose blob is not there fails
// then, with blob.ErrNoBlob.
func (b *Blobs) Adopt(_ context.Context, tx *sqldb.Tx, refs ...blob.Ref) error {
	if tx.DB() != b.db {
		return ErrOtherDatabase
	}
	for _, ref := range refs {
		if !valid(ref) {
			return blob.ErrNoBlob
		}
	}
	t := b.batch(tx)
	for _, ref := range refs {
		t.wanted[ref] = false
	}
	refs = slices.Clone(refs)
	tx.BeforeCommit(func(tx *sqldb.Tx) error { return t.check(tx, refs) })
	return nil
}

// execAdopter adopts in a transaction that the application drives.
type execAdopter struct{ b *Blobs }

// Adopt implements blob.Adopter.
func (a execAdopter) Adopt(ctx context.Context, tx sqldb.Execer, refs ...blob.Ref) error {
	query := a.b.db.Dialect().SQL(adoptOne)
	for _, ref := range slices.Sorted(slices.Values(refs)) {
		if !valid(ref) {
			return blob.ErrNoBlob
		}
		res, err := tx.ExecContext(ctx, query, string(ref))
		if err != nil {
			return fmt.Errorf("sqlblob: adopt: %w", err)
		}
		n, err := res.RowsAffected()
		if err != nil {
			return fmt.Errorf("sqlblob: adopt: %w", err)
		}
		if n == 0 {
			return blob.ErrNoBlob
		}
	}
	return nil
}

// batch is what one transaction adopts. It is used by its committer alone.
type batch struct {
	wanted map[blob.Ref]bool // true: its row is locked
	locked bool              // the rows were asked for
}

// batch is that of tx.
func (b *Blobs) batch(tx *sqldb.Tx) *batch {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.batches[tx]
	if t == nil {
		t = &batch{wanted: make(map[blob.Ref]bool)}
		b.batches[tx] = t
		end := func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			delete(b.batches, tx)
		}
		tx.AfterCommit(end)
		tx.OnRollback(end)
	}
	return t
}

// check fails where one of refs is not there. The first call locks the rows of
// all.
func (t *batch) check(tx *sqldb.Tx, refs []blob.Ref) error {
	if !t.locked {
		if err := t.lock(tx); err != nil {
			return err
		}
		t.locked = true
	}
	for _, ref := range refs {
		if !t.wanted[ref] {
			return blob.ErrNoBlob
		}
	}
	return nil
}

// lock locks the rows that are whole, and takes away the marks of collectors.
func (t *batch) lock(tx *sqldb.Tx) error {
	all := slices.Sorted(maps.Keys(t.wanted))
	for part := range slices.Chunk(all, maxRefs) {
		rows, err := sqldb.Collect(tx.Context(), tx, scanMarked, lockWhole(len(part)), refArgs(part)...)
		if err != nil {
			return err
		}
		for _, r := range rows {
			t.wanted[r.ref] = true
			if !r.marked {
				continue
			}
			if _, err := tx.Exec(adoptOne, string(r.ref)); err != nil {
				return err
			}
		}
	}
	return nil
}

type markedRow struct {
	ref    blob.Ref
	marked bool
}

func scanMarked(r *sql.Rows) (m markedRow, err error) {
	err = r.Scan((*string)(&m.ref), &m.marked)
	return m, err
}

// maxRefs bounds the Refs that one statement names.
const maxRefs = 64

// lockWhole asks for n Refs; its text is one of a few.
func lockWhole(n int) string {
	return `SELECT ref, CASE WHEN mark IS NULL THEN 0 ELSE 1 END FROM blob_body
		WHERE state = 1 AND ref IN ` + list(n) + ` ORDER BY ref {share}`
}

// width is for how many Refs there is a text that takes n.
func width(n int) int {
	switch {
	case n <= 1:
		return 1
	case n <= 8:
		return 8
	}
	return maxRefs
}

// list is a list of parameters that takes n Refs.
func list(n int) string {
	return "(" + string(bytes.Repeat([]byte("?,"), width(n)-1)) + "?)"
}

// refArgs are the parameters of list; the last Ref fills up.
func refArgs(refs []blob.Ref) []any {
	args := make([]any, width(len(refs)))
	for i := range args {
		args[i] = string(refs[min(i, len(refs)-1)])
	}
	return args
}
