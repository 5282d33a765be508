package faulty

import (
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqlite"
	"github.com/mailstead/mailstead/store/storetest"
)

// opened is an engine on a disk, closed with its store.
type opened struct {
	store.Store
	engine *sqlite.Engine
	disk   *disk
	dir    string
}

func (o *opened) Close() error { return o.engine.Close() }

func open(t *testing.T, d *disk, dir string) *opened {
	t.Helper()
	e, err := sqlite.Open(t.Context(), dir, sqlite.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() }) // after a fault it may fail
	return &opened{e.Store(), e, d, dir}
}

// TestStore judges the embedded engine as it runs, faults included.
func TestStore(t *testing.T) {
	storetest.Run(t, storetest.Config{
		New: func(t *testing.T) store.Store {
			d := newDisk(t)
			return open(t, d, filepath.Join(d.dir, "data"))
		},
		Reopen: func(t *testing.T, s store.Store) store.Store {
			o := s.(*opened)
			o.Close()
			return open(t, o.disk, o.dir)
		},
		Purge: func(t *testing.T, s store.Store, id store.AccountID, upTo store.ModSeq) {
			if err := s.(*opened).engine.Store().Purge(t.Context(), id, upTo); err != nil {
				t.Fatal(err)
			}
		},
		Faults: func(t *testing.T, s store.Store, f storetest.Fault) { s.(*opened).disk.fault(t, f) },
		Has:    storetest.Everything | storetest.Metas | storetest.Retains | storetest.Snapshots | storetest.Locks | storetest.Keys,
	})
}
