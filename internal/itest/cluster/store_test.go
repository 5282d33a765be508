package cluster

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/blobtest"
	"github.com/mailstead/mailstead/store/s3"
	"github.com/mailstead/mailstead/store/s3/s3test"
	"github.com/mailstead/mailstead/store/sqlblob"
	"github.com/mailstead/mailstead/store/sqldb"
	"github.com/mailstead/mailstead/store/sqlite"
	"github.com/mailstead/mailstead/store/sqlstore"
	"github.com/mailstead/mailstead/store/storetest"
)

// TestCatalogue runs the suite of blob.Blobs on PostgreSQL and a real S3 server.
func TestCatalogue(t *testing.T) {
	type opened struct {
		*sqlblob.Blobs
		d *database
		c s3.Config
	}
	open := func(t *testing.T, d *database, c s3.Config) blob.Blobs {
		s, err := s3.New(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		return &opened{catalogue(t, d.open(t), s, sqlblob.Options{}), d, c}
	}
	blobtest.Run(t, blobtest.Config{
		New: func(t *testing.T) blob.Blobs { return open(t, onPostgres(t), s3test.Bucket(t, gw.Server(t))) },
		Reopen: func(t *testing.T, b blob.Blobs) blob.Blobs {
			o := b.(*opened)
			o.Close()
			return open(t, o.d, o.c)
		},
	})
}

// onS3 is a store on SQLite with its bodies in a bucket.
type onS3 struct {
	*sqlstore.Store
	blobs *sqlblob.Blobs
	db    *sqldb.DB
	path  string
	c     s3.Config
}

func (o *onS3) Close() error {
	err := o.Store.Close()
	o.blobs.Close()
	o.db.Close()
	return err
}

func openOnS3(t *testing.T, path string, c s3.Config) *onS3 {
	t.Helper()
	ctx := context.Background()
	db, err := sqlite.OpenDB(ctx, path, sqlite.Options{Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	s, err := s3.New(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	b := catalogue(t, db, s, sqlblob.Options{Threshold: 1024})
	st, err := sqlstore.New(ctx, db, b, sqlstore.Options{OneOwner: true, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	o := &onS3{st, b, db, path, c}
	t.Cleanup(func() { o.Close() })
	return o
}

// TestStore: a store with its bodies on a real S3 server passes its suite.
func TestStore(t *testing.T) {
	if testing.Short() {
		t.Skip("a minute; the parts have suites of their own")
	}
	storetest.Run(t, storetest.Config{
		New: func(t *testing.T) store.Store {
			return openOnS3(t, filepath.Join(t.TempDir(), "mail.db"), s3test.Bucket(t, gw.Server(t)))
		},
		Reopen: func(t *testing.T, s store.Store) store.Store {
			o := s.(*onS3)
			if err := o.Close(); err != nil {
				t.Fatal(err)
			}
			return openOnS3(t, o.path, o.c)
		},
		Purge: func(t *testing.T, s store.Store, id store.AccountID, upTo store.ModSeq) {
			if err := s.(*onS3).Purge(t.Context(), id, upTo); err != nil {
				t.Fatal(err)
			}
		},
		Has: storetest.Everything | storetest.Metas | storetest.Retains | storetest.Snapshots | storetest.Locks | storetest.Keys,
	})
}

// TestFullLarge: 200 MB go in and out in bounded memory.
func TestFullLarge(t *testing.T) {
	if os.Getenv("MAILSTEAD_FULL") == "" {
		t.Skip("MAILSTEAD_FULL=1 writes 200 MB")
	}
	s, err := s3.New(t.Context(), s3test.Bucket(t, gw.Server(t)))
	if err != nil {
		t.Fatal(err)
	}
	b := catalogue(t, onSQLite(t).open(t), s, sqlblob.Options{})
	const size = 200_000_000
	var most uint64
	memory := func() {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapAlloc)
	}
	w, err := b.Create(t.Context(), -1)
	if err != nil {
		t.Fatal(err)
	}
	piece := make([]byte, 1<<20)
	for off := int64(0); off < size; off += int64(len(piece)) {
		fill(piece, off)
		if _, err := w.Write(piece[:min(int64(len(piece)), size-off)]); err != nil {
			t.Fatal(err)
		}
		memory()
	}
	ref, err := w.Commit(t.Context())
	memory()
	if err != nil {
		t.Fatal(err)
	}
	o, err := b.Open(t.Context(), ref)
	if err != nil || o.Size() != size {
		t.Fatal(err)
	}
	defer o.Close()
	want := make([]byte, len(piece))
	for off := int64(0); off < size; off += int64(len(piece)) {
		n := min(int64(len(piece)), size-off)
		fill(want, off)
		if _, err := o.ReadAt(piece[:n], off); err != nil || string(piece[:n]) != string(want[:n]) {
			t.Fatalf("octets from %d differ: %v", off, err)
		}
		memory()
	}
	t.Logf("%d MiB of heap at most", most>>20)
	if most > 64<<20 {
		t.Errorf("%d MiB of heap", most>>20)
	}
}

// fill makes octets that tell where they are.
func fill(p []byte, off int64) {
	for i := range p {
		n := off + int64(i)
		p[i] = byte(n) ^ byte(n>>8) ^ byte(n>>16)*3 ^ byte(n>>24)
	}
}
