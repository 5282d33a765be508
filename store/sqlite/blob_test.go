package sqlite_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/blobtest"
	"github.com/mailstead/mailstead/store/blob/objects/objecttest"
	"github.com/mailstead/mailstead/store/sqlblob"
	"github.com/mailstead/mailstead/store/sqldb"
	"github.com/mailstead/mailstead/store/sqlite"
	"github.com/mailstead/mailstead/store/sqlstore"
	"github.com/mailstead/mailstead/store/storetest"
)

// catalogue is a sqlblob.Blobs on a database of its own and objects in memory.
type catalogue struct {
	*sqlblob.Blobs
	db      *sqldb.DB
	objects *objecttest.Mem
	path    string
	opts    sqlblob.Options
}

func openCatalogue(t testing.TB, path string, m *objecttest.Mem, o sqlblob.Options) *catalogue {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	db, err := sqlite.OpenDB(t.Context(), path, sqlite.Options{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	if o.SweepEvery == 0 {
		o.SweepEvery = -1
	}
	o.Logger, o.Spool.TempDir = quiet, filepath.Dir(path)
	b, err := sqlblob.New(t.Context(), db, m, o)
	if err != nil {
		t.Fatal(err)
	}
	c := &catalogue{b, db, m, path, o}
	t.Cleanup(c.end)
	return c
}

func newCatalogue(t testing.TB, o sqlblob.Options) *catalogue {
	return openCatalogue(t, filepath.Join(t.TempDir(), "mail.db"), new(objecttest.Mem), o)
}

func (c *catalogue) end() {
	c.Close()
	c.db.Close()
}

func TestCatalogue(t *testing.T) {
	for name, threshold := range map[string]int64{"Default": 0, "Inline": sqlblob.MaxThreshold, "Objects": -1} {
		if testing.Short() && name != "Default" {
			continue // the default has both ways of the others
		}
		t.Run(name, func(t *testing.T) {
			blobtest.Run(t, blobtest.Config{
				New: func(t *testing.T) blob.Blobs {
					return newCatalogue(t, sqlblob.Options{Threshold: threshold})
				},
				Reopen: func(t *testing.T, b blob.Blobs) blob.Blobs {
					c := b.(*catalogue)
					c.end()
					return openCatalogue(t, c.path, c.objects, c.opts)
				},
			})
		})
	}
}

// clustered is a store with its bodies in a catalogue.
type clustered struct {
	*sqlstore.Store
	*catalogue
}

func (c *clustered) Blobs() blob.Blobs { return c.catalogue }

func (c *clustered) Close() error {
	err := c.Store.Close()
	c.end()
	return err
}

func onCatalogue(t testing.TB, c *catalogue) *clustered {
	t.Helper()
	s, err := sqlstore.New(context.Background(), c.db, c.Blobs, sqlstore.Options{OneOwner: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return &clustered{s, c}
}

// TestStoreOnCatalogue: a store whose bodies are objects from 1 KiB on passes
// its suite.
func TestStoreOnCatalogue(t *testing.T) {
	if testing.Short() {
		t.Skip("the suite runs once with -short: TestStore")
	}
	storetest.Run(t, storetest.Config{
		New: func(t *testing.T) store.Store {
			return onCatalogue(t, newCatalogue(t, sqlblob.Options{Threshold: 1024}))
		},
		Reopen: func(t *testing.T, s store.Store) store.Store {
			c := s.(*clustered)
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			return onCatalogue(t, openCatalogue(t, c.path, c.objects, c.opts))
		},
		Purge: func(t *testing.T, s store.Store, id store.AccountID, upTo store.ModSeq) {
			if err := s.(*clustered).Purge(t.Context(), id, upTo); err != nil {
				t.Fatal(err)
			}
		},
		Has: storetest.Everything | storetest.Metas | storetest.Retains | storetest.Snapshots | storetest.Locks | storetest.Keys,
	})
}
