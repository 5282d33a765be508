package sqlite_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqlite"
	"github.com/mailstead/mailstead/store/storetest"
)

// opened is an Engine that is closed with its store.
type opened struct {
	store.Store
	engine *sqlite.Engine
	dir    string
}

func (o *opened) Close() error { return o.engine.Close() }

func open(t testing.TB, dir string) *opened {
	t.Helper()
	e, err := sqlite.Open(context.Background(), dir, sqlite.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return &opened{e.Store(), e, dir}
}

// TestStore sets no Config.Faults: one of them is that every fsync fails, and SQLite
// reaches its files past every seam of ours, through a VFS that this driver
// lets nobody replace for writing. A full database is TestFull's; faults under
// the bodies are those of package segment's own tests.
func TestStore(t *testing.T) {
	storetest.Run(t, storetest.Config{
		New: func(t *testing.T) store.Store { return open(t, t.TempDir()) },
		Reopen: func(t *testing.T, s store.Store) store.Store {
			o := s.(*opened)
			if err := o.Close(); err != nil {
				t.Fatal(err)
			}
			return open(t, o.dir)
		},
		Purge: func(t *testing.T, s store.Store, id store.AccountID, upTo store.ModSeq) {
			if err := s.(*opened).engine.Store().Purge(t.Context(), id, upTo); err != nil {
				t.Fatal(err)
			}
		},
		Has: storetest.Everything | storetest.Metas | storetest.Retains | storetest.Snapshots | storetest.Locks | storetest.Keys,
	})
}
