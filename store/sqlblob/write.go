package sqlblob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/objects"
	"github.com/mailstead/mailstead/store/sqldb"
)

// ErrLate: a body was so long on its way to the object store that it was given
// up (Options.WritingFor). Nobody has its Ref; it can be written again.
var ErrLate = errors.New("sqlblob: the upload took too long and was given up")

// Create implements blob.Blobs. Until Commit a body lies in memory or in a
// temporary file; nothing is sent.
func (b *Blobs) Create(ctx context.Context, size int64) (blob.Writer, error) {
	if err := b.ready(ctx); err != nil {
		return nil, err
	}
	return b.spools.NewWriter(size, b.put), nil
}

// put makes a blob of a whole body. ctx may end the upload, but not the commits
// around it.
func (b *Blobs) put(ctx context.Context, s *objects.Spool) (blob.Ref, error) {
	if err := b.ready(ctx); err != nil {
		return "", err
	}
	now := b.opts.Now()
	r := row{ref: blob.Ref(objects.NewID(now)), size: s.Size(), sums: s.Sums(), created: ceil(now), since: now.Unix()}
	var err error
	if r.size > b.opts.Threshold {
		err = b.upload(ctx, &r, s)
	} else {
		err = b.putInline(ctx, &r, s)
	}
	if err != nil {
		return "", fmt.Errorf("sqlblob: %w", err)
	}
	return r.ref, nil
}

// putInline commits the row with the octets in it. They are in memory already
// unless all writers together had too many there.
func (b *Blobs) putInline(ctx context.Context, r *row, s *objects.Spool) error {
	p, ok := s.Bytes()
	if !ok {
		p = make([]byte, r.size)
		if _, err := io.ReadFull(io.NewSectionReader(s, 0, r.size), p); err != nil {
			return err
		}
	}
	if p == nil {
		p = []byte{} // NULL means an object
	}
	r.state, r.body = whole, p
	return b.commit(ctx, r.ref, r.insert)
}

// ceil is t in seconds since 1970, rounded up.
func ceil(t time.Time) int64 { return t.Add(time.Second - 1).Unix() }

// row is one row to be inserted.
type row struct {
	ref     blob.Ref
	state   int64
	size    int64
	sums    objects.Sums
	created int64
	since   int64
	body    []byte // nil = an object
}

func (r *row) insert(tx *sqldb.Tx) error {
	sums, err := r.sums.AppendBinary(nil)
	if err != nil {
		return err
	}
	var body any // a nil []byte would not be NULL to every driver
	if r.body != nil {
		body = r.body
	}
	_, err = tx.Exec(insertRow, string(r.ref), r.state, r.size, sums, r.created, r.since, body)
	return err
}

// upload writes the intent, then the object, and makes the row whole. When the
// object store fails, the intent is given up: the object may be there, or
// come late, and is removed with the row by Sweep.
func (b *Blobs) upload(ctx context.Context, r *row, s *objects.Spool) error {
	r.state = writing
	if err := b.commit(ctx, r.ref, r.insert); err != nil {
		return err
	}
	err := b.store.Put(ctx, objects.Object{Key: key(r.ref), Size: r.size, Sums: r.sums}, s)
	done := context.WithoutCancel(ctx)
	if err != nil {
		if err := b.update(done, r.ref, giveUp, b.opts.Now().Unix(), string(r.ref)); err != nil {
			b.log.Warn("blobs: an intent stays for now", "ref", r.ref, "error", err)
		}
		return err
	}
	err = b.update(done, r.ref, makeWhole, string(r.ref))
	if errors.Is(err, errNoRow) {
		// A sweep may have been here before the object was.
		return errors.Join(ErrLate, b.store.Delete(done, key(r.ref)))
	}
	return err
}

// errNoRow: the row of an update is not in the state that it asks for.
var errNoRow = errors.New("sqlblob: the row is in another state")

// update runs a statement that changes the row of ref.
func (b *Blobs) update(ctx context.Context, ref blob.Ref, query string, args ...any) error {
	return b.commit(ctx, ref, func(tx *sqldb.Tx) error {
		n, err := exec(tx, query, args...)
		if err == nil && n == 0 {
			err = errNoRow
		}
		return err
	})
}

func exec(tx *sqldb.Tx, query string, args ...any) (int64, error) {
	res, err := tx.Exec(query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}
