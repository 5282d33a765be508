package sqlblob

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/mailstead/mailstead/store/blob/objects"
	"github.com/mailstead/mailstead/store/sqldb"
)

// Chunks is an objects.Store in a database, for larger bodies where there is no
// object store: each object is a row of what is known about it, and rows of
// 256 KiB with its octets, so that neither a transaction nor a process holds a
// whole message. All methods may be called from any number of goroutines and
// nodes. Make one with NewChunks.
//
// An object is there when its row is committed, which is the last commit of
// Put. A crash before leaves rows of octets alone, which the Sweep of Blobs
// deletes by their key.
type Chunks struct{ db *sqldb.DB }

var _ objects.Lister = (*Chunks)(nil)

// chunksComponent names the tables of Chunks.
const chunksComponent = "chunks"

const chunkSize = 256 << 10

func chunksSchema() []sqldb.Migration {
	return []sqldb.Migration{{
		// modified: seconds since 1970.
		`CREATE TABLE blob_object (key {text} NOT NULL PRIMARY KEY, size {int} NOT NULL, sums {blob} NOT NULL, modified {int} NOT NULL)`,
		`CREATE TABLE blob_chunk (key {text} NOT NULL, n {int} NOT NULL, octets {blob} NOT NULL, PRIMARY KEY (key, n))`,
	}}
}

const (
	insertObject = `INSERT INTO blob_object (key, size, sums, modified) VALUES (?, ?, ?, ?) ON CONFLICT (key) DO NOTHING`
	insertChunk  = `INSERT INTO blob_chunk (key, n, octets) VALUES (?, ?, ?) ON CONFLICT (key, n) DO UPDATE SET octets = excluded.octets`
	selectObject = `SELECT key, size, sums, modified FROM blob_object WHERE key = ?`
	selectChunk  = `SELECT octets FROM blob_chunk WHERE key = ? AND n = ?`
	listObjects  = `SELECT key, size, sums, modified FROM blob_object WHERE key > ? AND key >= ? ORDER BY key LIMIT 500`
	dropObject   = `DELETE FROM blob_object WHERE key = ?`
	dropChunks   = `DELETE FROM blob_chunk WHERE key = ?`
)

// NewChunks returns the Chunks of a database; it makes the tables, or brings
// them to this version. sqldb.ErrVersion: they are of a newer one.
func NewChunks(ctx context.Context, db *sqldb.DB) (*Chunks, error) {
	if err := db.Migrate(ctx, chunksComponent, chunksSchema()); err != nil {
		return nil, fmt.Errorf("sqlblob: %w", err)
	}
	return &Chunks{db}, nil
}

func (c *Chunks) commit(ctx context.Context, key string, do func(*sqldb.Tx) error) error {
	return c.db.Commit(ctx, sqldb.Work{Key: "chunk/" + key[max(0, len(key)-2):], Cost: 10, Do: do})
}

// Put implements objects.Store.
func (c *Chunks) Put(ctx context.Context, o objects.Object, r io.ReaderAt) error {
	sums, err := o.Sums.AppendBinary(nil)
	if err != nil {
		return err
	}
	if known, err := c.same(ctx, &o, sums); err != nil || known {
		return err
	}
	for n := int64(0); n*chunkSize < o.Size; n++ {
		p := make([]byte, min(chunkSize, o.Size-n*chunkSize))
		if k, err := r.ReadAt(p, n*chunkSize); k < len(p) {
			return fmt.Errorf("sqlblob: put: %w", err)
		}
		err := c.commit(ctx, o.Key, func(tx *sqldb.Tx) error {
			_, err := tx.Exec(insertChunk, o.Key, n, p)
			return err
		})
		if err != nil {
			return err
		}
	}
	err = c.commit(ctx, o.Key, func(tx *sqldb.Tx) error {
		n, err := exec(tx, insertObject, o.Key, o.Size, sums, time.Now().Unix())
		if err == nil && n == 0 {
			err = objects.ErrExists
		}
		return err
	})
	if errors.Is(err, objects.ErrExists) { // another call was faster
		_, err = c.same(ctx, &o, sums)
	}
	return err
}

// same reports that the object is there already. ErrExists: another one is.
func (c *Chunks) same(ctx context.Context, o *objects.Object, sums []byte) (bool, error) {
	have, err := c.Stat(ctx, o.Key)
	switch {
	case errors.Is(err, objects.ErrNoObject):
		return false, nil
	case err != nil:
		return false, err
	}
	other, err := have.Sums.AppendBinary(nil)
	if err == nil && (have.Size != o.Size || !bytes.Equal(other, sums)) {
		err = objects.ErrExists
	}
	return err == nil, err
}

// Get implements objects.Store.
func (c *Chunks) Get(ctx context.Context, key string, p []byte, off int64) error {
	for len(p) > 0 {
		octets, found, err := sqldb.One(ctx, c.db, scanOctets, selectChunk, key, off/chunkSize)
		if err != nil {
			return err
		}
		if !found {
			return c.missing(ctx, key)
		}
		at := off % chunkSize
		if at >= int64(len(octets)) {
			return io.ErrUnexpectedEOF
		}
		n := copy(p, octets[at:])
		p, off = p[n:], off+int64(n)
	}
	return nil
}

// missing is the error where a chunk is not there.
func (c *Chunks) missing(ctx context.Context, key string) error {
	if _, err := c.Stat(ctx, key); err != nil {
		return err
	}
	return io.ErrUnexpectedEOF
}

func scanOctets(r *sql.Rows) (p []byte, err error) {
	err = r.Scan(&p)
	return p, err
}

// Stat implements objects.Store.
func (c *Chunks) Stat(ctx context.Context, key string) (objects.Object, error) {
	o, found, err := sqldb.One(ctx, c.db, scanObject, selectObject, key)
	if err == nil && !found {
		err = objects.ErrNoObject
	}
	return o, err
}

func scanObject(r *sql.Rows) (o objects.Object, err error) {
	var sums []byte
	var modified int64
	if err := r.Scan(&o.Key, &o.Size, &sums, &modified); err != nil {
		return o, err
	}
	o.Modified = time.Unix(modified, 0)
	return o, o.Sums.UnmarshalBinary(sums)
}

// Delete implements objects.Store.
func (c *Chunks) Delete(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		err := c.commit(ctx, key, func(tx *sqldb.Tx) error {
			if _, err := tx.Exec(dropObject, key); err != nil {
				return err
			}
			_, err := tx.Exec(dropChunks, key)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// List implements objects.Lister.
func (c *Chunks) List(ctx context.Context, prefix, after string) iter.Seq2[objects.Object, error] {
	rows := sqldb.Pages(func(last *objects.Object) ([]objects.Object, error) {
		if last != nil {
			after = last.Key
		}
		return sqldb.Collect(ctx, c.db, scanObject, listObjects, after, prefix)
	})
	return func(yield func(objects.Object, error) bool) {
		for o, err := range rows {
			if err == nil && !strings.HasPrefix(o.Key, prefix) {
				return
			}
			if !yield(o, err) {
				return
			}
		}
	}
}
