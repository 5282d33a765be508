package maildir_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/mailstead/mailstead/internal/vfs"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
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

// opened is what a store was opened with.
type opened struct {
	dir   string
	o     maildir.Options
	blobs *faultyBlobs
	fault *atomic.Int32 // a storetest.Fault; nil = none can be set
}

// faultyBlobs refuse bodies while there is a fault.
type faultyBlobs struct {
	*memblob.Blobs
	fault atomic.Int32
}

func (b *faultyBlobs) Create(ctx context.Context, size int64) (blob.Writer, error) {
	if b.fault.Load() != int32(storetest.FaultNone) {
		return nil, syscall.ENOSPC
	}
	return b.Blobs.Create(ctx, size)
}

// withFaults is a file system in memory that fails as fault says.
func withFaults(fault *atomic.Int32) vfs.FS {
	return vfs.NewFault(vfs.NewMem(), func(op vfs.Op) error {
		switch {
		case fault.Load() == int32(storetest.FaultNoSpace) && (op.Kind == vfs.OpWrite || op.Kind == vfs.OpCreate || op.Kind == vfs.OpMkdir || op.Kind == vfs.OpLink):
			return syscall.ENOSPC
		case fault.Load() == int32(storetest.FaultSync) && (op.Kind == vfs.OpSync || op.Kind == vfs.OpSyncDir):
			return syscall.EIO
		}
		return nil
	})
}

func run(t *testing.T, dir func(*testing.T) string, o maildir.Options) {
	var mu sync.Mutex
	stores := map[store.Store]opened{}
	open := func(t *testing.T, x opened) store.Store {
		s, err := maildir.Open(x.dir, x.blobs, x.o)
		if err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		stores[s] = x
		mu.Unlock()
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return s
	}
	of := func(s store.Store) opened {
		mu.Lock()
		defer mu.Unlock()
		return stores[s]
	}
	c := storetest.Config{
		New: func(t *testing.T) store.Store {
			x := opened{dir: dir(t), o: o, blobs: &faultyBlobs{Blobs: memblob.New()}}
			if o.ScanInterval < 0 {
				x.fault = new(atomic.Int32)
				x.o = o.On(withFaults(x.fault))
			}
			return open(t, x)
		},
		Reopen: func(t *testing.T, s store.Store) store.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return open(t, of(s))
		},
		Purge: func(t *testing.T, s store.Store, id store.AccountID, upTo store.ModSeq) {
			if err := s.(*maildir.Store).Purge(t.Context(), id, upTo); err != nil {
				t.Error(err)
			}
		},
		Has: storetest.Everything | storetest.Retains,
	}
	if o.ScanInterval < 0 {
		c.Faults = func(_ *testing.T, s store.Store, f storetest.Fault) {
			x := of(s)
			x.fault.Store(int32(f))
			x.blobs.fault.Store(int32(f))
		}
	}
	storetest.Run(t, c)
}
