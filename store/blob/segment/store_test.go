package segment_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/mailstead/mailstead/internal/vfs"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/segment"
)

var update = flag.Bool("update", false, "rewrite testdata")

// TestTrace holds the order of writes and syncs of every durable path against
// testdata/trace.txt: a change there is a change of what is promised.
func TestTrace(t *testing.T) {
	var trace vfs.Trace
	h, mem := newHistory(), newDisk()
	s := open(t, "/data", tiny(vfs.NewFault(mem, h.hook(trace.Hook))))
	step := func(name string, f func() error) {
		t.Helper()
		trace.Note("# " + name)
		if err := f(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	ctx := context.Background()
	step("first commit, begins a segment", func() error { return h.commit(s, 300, -1) })
	step("second commit", func() error { return h.commit(s, 300, -1) })
	step("third commit", func() error { return h.commit(s, 300, -1) })
	step("a large body, a segment of its own", func() error { return h.commit(s, 1000, -1) })
	step("the segment is full", func() error { return h.commit(s, 395, -1) })
	step("delete in two segments", func() error { return s.Delete(ctx, h.order[0], h.order[2], h.order[3]) })
	step("delete again: nothing to do", func() error { return s.Delete(ctx, h.order[0]) })
	step("compact: one rewritten, one removed", func() error {
		_, err := s.Compact(ctx)
		return err
	})
	step("one, and a group of three behind one sync", func() error { return h.group(s, 3, 100) })
	step("a body that was buffered in a file, for want of memory", func() error { return h.crowded(s, 300) })
	step("one more", func() error { return h.commit(s, 300, -1) })
	step("close", s.Close)
	const last = "/data/0000000004.00000000.seg"
	again := func() error { return openAndClose(vfs.NewFault(mem, trace.Hook)) }
	step("open: nothing to repair", again)
	patch(t, mem, last, 768, "MSR1 and the half of a record")
	step("open: a torn end", again)
	patch(t, mem, last, 64+40, "?")
	step("open: a damaged body", again)
	step("open: set aside before", again)
	write(t, mem, "/data/spool-1.tmp", "")
	write(t, mem, "/data/0000000004.00000009.del", "")
	step("open: leftovers", again)
	compareGolden(t, "testdata/trace.txt", trace.String())
}

// write makes a file behind the store's back.
func write(t *testing.T, mem *vfs.Mem, name, octets string) {
	t.Helper()
	f, err := mem.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(octets), 0); err != nil {
		t.Fatal(err)
	}
}

func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the order of operations changed (-update rewrites %s):\n%s", name, got)
	}
}

// TestGroup holds a sync until everybody else has written: few more syncs
// must serve them all, and none waits for a timer.
func TestGroup(t *testing.T) {
	const writers = 200
	var syncs atomic.Int64
	var armed atomic.Bool
	held, goOn := make(chan struct{}), make(chan struct{})
	s := open(t, "/data", segment.Options{Logger: discard, FS: vfs.NewFault(newDisk(), func(op vfs.Op) error {
		if op.Kind == vfs.OpSync && syncs.Add(1) > 0 && armed.CompareAndSwap(true, false) {
			close(held)
			<-goOn
		}
		return nil
	})})
	body := bytes.Repeat([]byte("x"), 4096)
	if _, err := commit(s, body); err != nil { // begins the segment
		t.Fatal(err)
	}
	armed.Store(true)
	var all sync.WaitGroup
	all.Go(func() {
		if _, err := commit(s, body); err != nil {
			t.Error(err)
		}
	})
	<-held
	syncs.Store(0)
	for range writers {
		all.Go(func() {
			if _, err := commit(s, body); err != nil {
				t.Error(err)
			}
		})
	}
	segment.WaitQueued(s, writers)
	close(goOn)
	all.Wait()
	if n := syncs.Load(); n != 1 {
		t.Errorf("%d commits that waited took %d syncs, want 1", writers, n)
	}
}

func TestInUse(t *testing.T) {
	dir := testTempDir(t)
	s := open(t, dir, segment.Options{})
	_, err := segment.Open(context.Background(), dir, segment.Options{Logger: discard})
	if !errors.Is(err, blob.ErrInUse) {
		t.Fatalf("second Open: %v, want ErrInUse", err)
	}
	if want := fmt.Sprint(os.Getpid()); !strings.Contains(err.Error(), want) {
		t.Errorf("%q does not name the owner %s", err, want)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir, segment.Options{})
}

func TestClosed(t *testing.T) {
	s := open(t, testTempDir(t), segment.Options{})
	small, err := commit(s, []byte("small"))
	if err != nil {
		t.Fatal(err)
	}
	large := bytes.Repeat([]byte("large"), 500_000)
	ref, err := commit(s, large)
	if err != nil {
		t.Fatal(err)
	}
	o, err := s.Open(context.Background(), ref)
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.Create(context.Background(), -1)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	p := make([]byte, len(large))
	if n, err := o.ReadAt(p, 0); n != len(p) || !bytes.Equal(p, large) {
		t.Errorf("I5: an open blob is not readable after Close: %v", err)
	}
	o.Close()
	_, err = w.Commit(context.Background())
	_, cerr := s.Create(context.Background(), 1)
	_, oerr := s.Open(context.Background(), small)
	_, merr := s.Compact(context.Background())
	for _, err := range []error{err, cerr, oerr, merr, s.Delete(context.Background(), small)} {
		if !errors.Is(err, blob.ErrClosed) {
			t.Errorf("after Close: %v, want ErrClosed", err)
		}
	}
}

// TestFullDisk fails writes for want of space, in memory and in spools: who
// waits is told, and the next commit works.
func TestFullDisk(t *testing.T) {
	mem := newDisk()
	var full bool
	s := open(t, "/data", tiny(vfs.NewFault(mem, func(op vfs.Op) error {
		if full && op.Kind == vfs.OpWrite {
			return &vfs.PartialError{N: 10, Err: syscall.ENOSPC}
		}
		return nil
	})))
	h := newHistory()
	if err := h.commit(s, 100, -1); err != nil {
		t.Fatal(err)
	}
	size := func() int64 {
		info, err := mem.Stat("/data/0000000001.00000000.seg")
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	before := size()
	full = true
	for _, n := range []int{0, 100, 380, 1000, 5000} {
		if err := h.commit(s, n, -1); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("commit of %d octets on a full disk: %v, want ENOSPC", n, err)
		}
	}
	if got := size(); got != before {
		t.Errorf("the segment has %d octets, not %d as before", got, before)
	}
	full = false
	for _, n := range []int{0, 100, 380, 1000, 5000} {
		if err := h.commit(s, n, -1); err != nil {
			t.Errorf("commit of %d octets with space again: %v", n, err)
		}
	}
	if st := s.Stats(); st.Poisoned || st.BufferBytes != 0 {
		t.Errorf("after a full disk: %+v", st)
	}
	entries, err := mem.ReadDir("/data")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".tmp") {
			t.Errorf("%s stays behind", e.Name())
		}
	}
	s.Close()
	if err := h.check(mem.Crash(nil)); err != nil {
		t.Error(err)
	}
}

// TestPoison fails a sync: nothing is acknowledged from then on, not even
// after a sync that would succeed, and reading goes on (S6).
func TestPoison(t *testing.T) {
	for _, kind := range []vfs.Kind{vfs.OpSync, vfs.OpSyncDir} {
		for _, size := range []int{100, 1000} {
			t.Run(fmt.Sprint(kind, size), func(t *testing.T) {
				broken := false
				s := open(t, "/data", tiny(vfs.NewFault(newDisk(), func(op vfs.Op) error {
					if broken && op.Kind == kind {
						broken = false
						return syscall.EIO
					}
					return nil
				})))
				h := newHistory()
				for range 3 { // the next one rolls over
					if err := h.commit(s, 360, -1); err != nil && !errors.Is(err, blob.ErrPoisoned) {
						t.Fatal(err)
					}
				}
				broken = true
				var err error
				for i := 0; err == nil && i < 20; i++ { // a directory is synced when a segment begins
					err = h.commit(s, size, -1)
				}
				if !errors.Is(err, blob.ErrPoisoned) || !errors.Is(err, syscall.EIO) {
					t.Fatalf("commit: %v, want ErrPoisoned and EIO", err)
				}
				for _, n := range []int{10, 1000} {
					if err := h.commit(s, n, -1); !errors.Is(err, blob.ErrPoisoned) {
						t.Errorf("commit of %d octets later: %v, want ErrPoisoned", n, err)
					}
				}
				if err := s.Delete(context.Background(), h.order[0]); !errors.Is(err, blob.ErrPoisoned) {
					t.Errorf("Delete: %v, want ErrPoisoned", err)
				}
				for ref, body := range h.acked {
					if got, err := read(s, ref); err != nil || got != body {
						t.Errorf("%s is not readable: %v", ref, err)
					}
				}
			})
		}
	}
}

// TestFilesAreBounded opens more segments than handles are kept.
func TestFilesAreBounded(t *testing.T) {
	files := 0
	s := open(t, "/data", tiny(vfs.NewFault(newDisk(), func(op vfs.Op) error {
		switch op.Kind {
		case vfs.OpOpen, vfs.OpCreate:
			files++
		case vfs.OpClose:
			files--
		}
		return nil
	})))
	h := newHistory()
	for range 30 {
		if err := h.commit(s, 390, -1); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		for ref, body := range h.acked {
			if got, err := read(s, ref); err != nil || got != body {
				t.Fatalf("%s: %v", ref, err)
			}
			if files > 2+1 { // and the active segment
				t.Fatalf("%d files are open", files)
			}
		}
	}
	s.Close()
	if files != 0 {
		t.Errorf("%d files are open after Close", files)
	}
}

func TestFree(t *testing.T) {
	s := open(t, testTempDir(t), segment.Options{})
	if n, err := s.Free(); err != nil || n == 0 {
		t.Errorf("Free = %d, %v", n, err)
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []segment.Options{
		{MaxShared: 17 << 20}, {MaxShared: -1}, {SegmentSize: 1 << 20}, {SegmentSize: -1}, {MaxBuffered: -1}, {MaxOpenFiles: -1},
	} {
		if s, err := segment.Open(context.Background(), testTempDir(t), o); err == nil {
			s.Close()
			t.Errorf("%+v was accepted", o)
		}
	}
}
