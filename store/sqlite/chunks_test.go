package sqlite_test

import (
	"io"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/blobtest"
	"github.com/mailstead/mailstead/store/blob/objects"
	"github.com/mailstead/mailstead/store/blob/objects/objecttest"
	"github.com/mailstead/mailstead/store/sqlblob"
	"github.com/mailstead/mailstead/store/sqldb"
	"github.com/mailstead/mailstead/store/sqlite"
)

func openChunks(t testing.TB) (*sqlblob.Chunks, *sqldb.DB) {
	t.Helper()
	db, err := sqlite.OpenDB(t.Context(), filepath.Join(t.TempDir(), "mail.db"), sqlite.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	c, err := sqlblob.NewChunks(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return c, db
}

func TestChunks(t *testing.T) {
	objecttest.Run(t, func(t *testing.T) objects.Lister {
		c, _ := openChunks(t)
		return c
	})
}

// TestChunksBelowCatalogue: bodies of every size in one database.
func TestChunksBelowCatalogue(t *testing.T) {
	blobtest.Run(t, blobtest.Config{New: func(t *testing.T) blob.Blobs {
		c, db := openChunks(t)
		b, err := sqlblob.New(t.Context(), db, c, sqlblob.Options{Threshold: 1000, SweepEvery: -1, GoneFor: -1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		return b
	}})
}

// TestChunksLeftOver: octets of a Put that did not end are deleted by key.
func TestChunksLeftOver(t *testing.T) {
	c, db := openChunks(t)
	o := objects.Object{Key: "k", Size: 600_000, Sums: objects.SumsOf(objecttest.Octets(1, 600_000))}
	if err := c.Put(t.Context(), o, &short{objecttest.Octets(1, 300_000)}); err == nil {
		t.Fatal("no error from a body that ends early")
	}
	count := func() int64 {
		n, _, err := sqldb.One(t.Context(), db, sqldb.Int64, `SELECT COUNT(*) FROM blob_chunk`)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if _, err := c.Stat(t.Context(), "k"); err == nil || count() == 0 {
		t.Errorf("half an object: Stat says %v, %d chunks", err, count())
	}
	if err := c.Delete(t.Context(), "k"); err != nil || count() != 0 {
		t.Errorf("%v; %d chunks left", err, count())
	}
}

// short ends early.
type short struct{ p []byte }

func (s *short) ReadAt(p []byte, off int64) (int, error) {
	return copy(p, s.p[min(off, int64(len(s.p))):]), io.ErrUnexpectedEOF
}
