package sqlblob

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"slices"

	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/sqldb"
)

// selectMarkable and selectMarked lock the rows that nobody adopts right now.
func selectMarkable(n int) string {
	return `SELECT ref FROM blob_body WHERE state = 1 AND ref IN ` + list(n) + ` ORDER BY ref {skip}`
}

func selectMarked(n int) string {
	return `SELECT ref FROM blob_body WHERE state = 1 AND mark = ? AND ref IN ` + list(n) + ` ORDER BY ref {skip}`
}

const setMark = `UPDATE blob_body SET mark = ? WHERE ref = ?`

// Condemn implements blob.Condemner. What somebody is adopting gets no mark.
func (b *Blobs) Condemn(ctx context.Context, refs ...blob.Ref) (blob.Condemned, error) {
	mark := make([]byte, 16)
	rand.Read(mark)
	_, err := b.each(ctx, refs, func(tx *sqldb.Tx, part []blob.Ref) ([]blob.Ref, error) {
		free, err := sqldb.Collect(tx.Context(), tx, scanRef, selectMarkable(len(part)), refArgs(part)...)
		if err != nil {
			return nil, err
		}
		for _, ref := range free {
			if _, err := tx.Exec(setMark, mark, string(ref)); err != nil {
				return nil, err
			}
		}
		return free, nil
	})
	if err != nil {
		return nil, fmt.Errorf("sqlblob: condemn: %w", err)
	}
	return &condemned{b, mark}, nil
}

// condemned is what one collector has marked.
type condemned struct {
	b    *Blobs
	mark []byte
}

// Delete implements blob.Condemned.
func (c *condemned) Delete(ctx context.Context, refs ...blob.Ref) ([]blob.Ref, error) {
	done, err := c.b.each(ctx, refs, func(tx *sqldb.Tx, part []blob.Ref) ([]blob.Ref, error) {
		args := append([]any{c.mark}, refArgs(part)...)
		free, err := sqldb.Collect(tx.Context(), tx, scanRef, selectMarked(len(part)), args...)
		if err != nil {
			return nil, err
		}
		return free, c.b.remove(tx, free)
	})
	if err != nil {
		err = fmt.Errorf("sqlblob: delete: %w", err)
	}
	return done, err
}

// Delete implements blob.Blobs. A Collector does not call it, but the Delete of
// what it condemned.
func (b *Blobs) Delete(ctx context.Context, refs ...blob.Ref) error {
	_, err := b.each(ctx, refs, func(tx *sqldb.Tx, part []blob.Ref) ([]blob.Ref, error) {
		return nil, b.remove(tx, part)
	})
	if err != nil {
		err = fmt.Errorf("sqlblob: delete: %w", err)
	}
	return err
}

// remove deletes rows, or leaves those that have an object to Sweep.
func (b *Blobs) remove(tx *sqldb.Tx, refs []blob.Ref) error {
	now := b.opts.Now().Unix()
	for _, ref := range refs {
		n, err := exec(tx, deleteInline, string(ref))
		if err == nil && n == 0 {
			_, err = exec(tx, deleteObject, now, string(ref))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// each runs do on the valid ones of refs, a few a Work, in ascending order. It
// returns what do returned in the Works that were committed.
func (b *Blobs) each(ctx context.Context, refs []blob.Ref, do func(*sqldb.Tx, []blob.Ref) ([]blob.Ref, error)) (all []blob.Ref, err error) {
	if err := b.ready(ctx); err != nil {
		return nil, err
	}
	refs = slices.DeleteFunc(slices.Sorted(slices.Values(refs)), func(ref blob.Ref) bool { return !valid(ref) })
	for part := range slices.Chunk(slices.Compact(refs), maxRefs) {
		var done []blob.Ref
		w := sqldb.Work{Key: "blob/collect", Cost: len(part), Do: func(tx *sqldb.Tx) (err error) {
			done, err = do(tx, part)
			return err
		}}
		if err := b.db.Commit(ctx, w); err != nil {
			return all, err
		}
		all = append(all, done...)
	}
	return all, nil
}

func scanRef(r *sql.Rows) (ref blob.Ref, err error) {
	err = r.Scan((*string)(&ref))
	return ref, err
}
