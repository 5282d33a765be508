package sqlite_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/store"
)

func snapshot(t *testing.T, a store.Account) store.Snapshot {
	t.Helper()
	x, ok := store.As[store.Snapshotter](a)
	if !ok {
		t.Fatal("no Snapshotter")
	}
	s, err := x.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSnapshotEnds: a Snapshot that nobody closes ends by itself, and gives its
// place back.
func TestSnapshotEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, t.TempDir())
		w := newWriter(t, s, "alice")
		for range 10 { // more than there are places
			snap := snapshot(t, w.a)
			time.Sleep(2 * time.Hour)
			if _, err := snap.Mailboxes(t.Context(), 0); !errors.Is(err, store.ErrClosed) {
				t.Fatalf("Mailboxes after two hours: %v", err)
			}
		}
	})
}

// TestSnapshotsBounded: snapshots leave readers half of the connections, and
// who has to wait for a place gives up with its context.
func TestSnapshotsBounded(t *testing.T) {
	s := open(t, t.TempDir())
	w := newWriter(t, s, "alice")
	w.deliver(t, body(100), 1)
	var all []store.Snapshot
	for range 4 {
		all = append(all, snapshot(t, w.a))
	}
	x, _ := store.As[store.Snapshotter](w.a)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := x.Snapshot(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("the fifth: %v", err)
	}
	for _, err := range w.a.Messages(t.Context(), w.inbox, store.Query{Fields: store.FieldIDs}) {
		if err != nil {
			t.Error(err)
		}
	}
	if err := all[0].Close(); err != nil {
		t.Error(err)
	}
	if err := snapshot(t, w.a).Close(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil { // with three open
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "mail.db-wal")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a connection is left open: the WAL is there, %v", err)
	}
	for _, snap := range all {
		if _, err := snap.Mailboxes(t.Context(), 0); !errors.Is(err, store.ErrClosed) {
			t.Errorf("Mailboxes after Close of the store: %v", err)
		}
	}
}

// TestSnapshotShared: several goroutines read one Snapshot while others write.
func TestSnapshotShared(t *testing.T) {
	s := open(t, t.TempDir())
	w := newWriter(t, s, "alice")
	for k := range 50 {
		w.deliver(t, body(100), uint64(k))
	}
	snap := snapshot(t, w.a)
	defer snap.Close()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5 {
				n := 0
				for _, err := range snap.Messages(t.Context(), w.inbox, store.Query{Fields: store.FieldIDs | store.FieldContent}) {
					if n++; err != nil {
						t.Error(err)
					}
				}
				if n != 50 {
					t.Errorf("%d messages in the snapshot, want 50", n)
				}
			}
		})
	}
	for k := range 20 {
		w.deliver(t, body(100), uint64(k+100))
	}
	wg.Wait()
}
