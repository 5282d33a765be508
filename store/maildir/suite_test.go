package maildir_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/mailstead/mailstead/internal/vfs"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob/memblob"
	"github.com/mailstead/mailstead/store/maildir"
	"github.com/mailstead/mailstead/store/storetest"
)

// TestStoreFull judges the backend on real files, with KeepBlobs, which the rules
// about Message.Blob, Holds and expunged content need.
func TestStoreFull(t *testing.T) {
	if os.Getenv("MAILSTEAD_FULL") == "" {
		t.Skip("syncs real files for minutes, with MAILSTEAD_FULL=1; TestStoreInMemory is the same in memory")
	}
	run(t, func(t *testing.T) string { return filepath.Join(t.TempDir(), "mail") }, maildir.Options{KeepBlobs: true})
}

// TestStoreInMemory is the same on a file system in memory that looks at the
// tree at every call.
func TestStoreInMemory(t *testing.T) {
	run(t, func(*testing.T) string { return "/mail" }, maildir.Options{KeepBlobs: true, ScanInterval: -1})
}

func run(t *testing.T, dir func(*testing.T) string, o maildir.Options) {
	type opened struct {
		dir   string
		o     maildir.Options
		blobs *memblob.Blobs
	}
	stores := map[store.Store]opened{}
	open := func(t *testing.T, x opened) store.Store {
		s, err := maildir.Open(x.dir, x.blobs, x.o)
		if err != nil {
			t.Fatal(err)
		}
		stores[s] = x
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return s
	}
	storetest.Run(t, storetest.Config{
		New: func(t *testing.T) store.Store {
			x := opened{dir: dir(t), o: o, blobs: memblob.New()}
			if o.ScanInterval < 0 {
				x.o = o.On(vfs.NewMem())
			}
			return open(t, x)
		},
		Reopen: func(t *testing.T, s store.Store) store.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return open(t, stores[s])
		},
		Has: storetest.Everything,
	})
}
