package sqlblob

import (
	"context"
	"database/sql"
	"fmt"
	"hash/crc32"
	"iter"
	"time"

	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/objects"
	"github.com/mailstead/mailstead/store/sqldb"
)

// found is the row of a blob.
type found struct {
	size int64
	sums objects.Sums
	body []byte // nil = an object
}

func scanBlob(r *sql.Rows) (f found, err error) {
	var sums sql.RawBytes
	if err = r.Scan(&f.size, &sums, &f.body); err != nil {
		return f, err
	}
	if err = f.sums.UnmarshalBinary(sums); err != nil {
		err = fmt.Errorf("%w: %w", blob.ErrCorrupt, err)
	}
	return f, err
}

// Open implements blob.Blobs. A body that lies in the database is read at once.
func (b *Blobs) Open(ctx context.Context, ref blob.Ref) (blob.Blob, error) {
	if err := b.ready(ctx); err != nil {
		return nil, err
	}
	if !valid(ref) {
		return nil, blob.ErrNoBlob
	}
	// What is open is known before the row is read, so that a sweep in between
	// leaves the object.
	b.opened(ref, 1)
	o, err := b.openRow(ctx, ref)
	if err != nil {
		b.opened(ref, -1)
		return nil, err
	}
	return o, nil
}

// openRow opens what the row of ref says. Its end is noted by opened.
func (b *Blobs) openRow(ctx context.Context, ref blob.Ref) (blob.Blob, error) {
	f, ok, err := sqldb.One(ctx, b.db, scanBlob, selectBlob, string(ref))
	switch {
	case err != nil:
		return nil, fmt.Errorf("sqlblob: open %s: %w", ref, err)
	case !ok:
		return nil, blob.ErrNoBlob
	case f.body == nil:
		o := objects.Object{Key: key(ref), Size: f.size, Sums: f.sums}
		return objects.NewReader(ctx, b.store, o, func() { b.opened(ref, -1) })
	}
	if int64(len(f.body)) != f.size || crc32.Checksum(f.body, crc32.MakeTable(crc32.Castagnoli)) != f.sums.Whole {
		return nil, fmt.Errorf("sqlblob: open %s: %w", ref, blob.ErrCorrupt)
	}
	b.opened(ref, -1)
	return objects.NewMemory(f.body), nil
}

// opened counts who has an object open.
func (b *Blobs) opened(ref blob.Ref, by int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open[ref] += by; b.open[ref] == 0 {
		delete(b.open, ref)
	}
}

// Stat implements blob.Stater. It reads the catalogue alone.
func (b *Blobs) Stat(ctx context.Context, ref blob.Ref) (int64, error) {
	if err := b.ready(ctx); err != nil {
		return 0, err
	}
	if !valid(ref) {
		return 0, blob.ErrNoBlob
	}
	size, ok, err := sqldb.One(ctx, b.db, sqldb.Int64, selectSize, string(ref))
	if err == nil && !ok {
		err = blob.ErrNoBlob
	}
	return size, err
}

// List implements blob.Blobs: pages of the catalogue.
func (b *Blobs) List(ctx context.Context, after blob.Ref) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		if err := b.ready(ctx); err != nil {
			yield(blob.Info{}, err)
			return
		}
		for info, err := range sqldb.Pages(func(last *blob.Info) ([]blob.Info, error) {
			if last != nil {
				after = last.Ref
			}
			return sqldb.Collect(ctx, b.db, scanInfo, listBlobs, string(after))
		}) {
			if !yield(info, err) {
				return
			}
		}
	}
}

func scanInfo(r *sql.Rows) (i blob.Info, err error) {
	var created int64
	err = r.Scan((*string)(&i.Ref), &i.Size, &created)
	i.Created = time.Unix(created, 0)
	return i, err
}
