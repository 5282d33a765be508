package segment_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/mailstead/mailstead/internal/vfs"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/segment"
)

// tiny limits make a short history pass through everything that the engine
// does: groups, spools, singles, roll-over, eviction, compaction.
func tiny(fs vfs.FS) segment.Options {
	return segment.Options{
		SegmentSize: 1200, MaxShared: 400, MaxBuffered: 8 << 10, MaxOpenFiles: 2,
		Logger: discard, FS: fs,
	}
}

// history is what a program did and was told.
type history struct {
	written map[string]bool     // every body that was handed to a Writer
	acked   map[blob.Ref]string // Commit returned nil
	doomed  map[blob.Ref]bool   // Delete was called
	deleted map[blob.Ref]bool   // Delete returned nil
	order   []blob.Ref
	n       int
	born    int // index in order at which this life began

	rewritten, removed int // segments
}

func newHistory() *history {
	return &history{written: map[string]bool{}, acked: map[blob.Ref]string{}, doomed: map[blob.Ref]bool{}, deleted: map[blob.Ref]bool{}}
}

func (h *history) commit(s *segment.Store, size int, announced int64) error {
	h.n++
	body := fmt.Sprintf("%04d ", h.n)
	body += string(bytes.Repeat([]byte{byte('a' + h.n%26)}, size))
	h.written[body] = true
	w, err := s.Create(context.Background(), announced)
	if err != nil {
		return err
	}
	defer w.Abort()
	for i := 0; i < len(body); i += 300 {
		if _, err := io.WriteString(w, body[i:min(i+300, len(body))]); err != nil {
			return err
		}
	}
	ref, err := w.Commit(context.Background())
	if err != nil {
		return err
	}
	if _, twice := h.acked[ref]; twice {
		return fmt.Errorf("I1: Ref %s was given twice", ref)
	}
	h.acked[ref] = body
	h.order = append(h.order, ref)
	return nil
}

// delete deletes the commits of this life that are chosen by their index.
func (h *history) delete(s *segment.Store, which func(i int) bool) error {
	var refs []blob.Ref
	for i, ref := range h.order {
		if i >= h.born && which(i) && !h.deleted[ref] {
			refs = append(refs, ref)
			h.doomed[ref] = true
		}
	}
	if err := s.Delete(context.Background(), refs...); err != nil {
		return err
	}
	for _, ref := range refs {
		h.deleted[ref] = true
	}
	return nil
}

func (h *history) compact(s *segment.Store) error {
	st, err := s.Compact(context.Background())
	h.rewritten += st.Rewritten
	h.removed += st.Removed
	return err
}

// live is the history of two lives of a store. With stop it ends at the first
// error, as after a power cut; else it goes on, as a server does. The blobs
// that an open Store must still serve are checked in between.
func (h *history) live(fs vfs.FS, stop bool) {
	for range 2 {
		h.born = len(h.order)
		s, err := segment.Open(context.Background(), "/data", tiny(fs))
		if err != nil {
			if stop {
				return
			}
			continue
		}
		commit := func(sizes ...int) func() error {
			return func() (err error) {
				for _, size := range sizes {
					if err = h.commit(s, size, -1); err != nil && stop {
						return err
					}
				}
				return err
			}
		}
		compact := func() error { return h.compact(s) }
		all := func(i int) bool { return true }
		most := func(i int) bool { return i%4 != 3 }
		steps := []func() error{
			commit(100, 0, 1500, 350, 300, 390), // a single; the last rolls over
			func() error { return h.delete(s, all) },
			commit(10, 2000),
			compact, // removes segments
			commit(60, 60, 60, 60, 60, 60, 60, 60, 390, 390),
			func() error { return h.delete(s, most) },
			compact, // rewrites segments
			commit(20, 390),
			func() error { return h.delete(s, func(i int) bool { return i%8 == 3 }) },
			compact, // and again, from a later generation
			func() error { return h.commit(s, 700, 705) },
		}
		for _, step := range steps {
			if step() != nil && stop {
				break
			}
		}
		s.Close()
	}
}

// check opens what is left and holds it against the history.
func (h *history) check(fs vfs.FS) error {
	s, err := segment.Open(context.Background(), "/data", tiny(fs))
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer s.Close()
	for ref, body := range h.acked {
		got, err := read(s, ref)
		switch {
		case h.deleted[ref] && !errors.Is(err, blob.ErrNoBlob):
			return fmt.Errorf("I6: %s was deleted; Open: %v", ref, err)
		case h.doomed[ref] && errors.Is(err, blob.ErrNoBlob): // Delete did not say what it did
		case h.deleted[ref]:
		case err != nil:
			return fmt.Errorf("I2: %s was acknowledged; Open: %w", ref, err)
		case got != body:
			return fmt.Errorf("I3: %s holds %q, not %q", ref, got, body)
		}
	}
	if err := h.checkList(s); err != nil {
		return err
	}
	if rep, err := s.Verify(context.Background()); err != nil && len(rep.Damaged) == 0 {
		return fmt.Errorf("verify: %w", err)
	}
	return h.commit(s, 33, -1)
}

func (h *history) checkList(s *segment.Store) error {
	listed := map[blob.Ref]bool{}
	var last blob.Ref
	for info, err := range s.List(context.Background(), "") {
		if err != nil {
			return fmt.Errorf("list: %w", err)
		}
		if info.Ref <= last {
			return fmt.Errorf("I4: %s is listed after %s", info.Ref, last)
		}
		last = info.Ref
		listed[info.Ref] = true
		body, err := read(s, info.Ref)
		if err != nil || !h.written[body] || int64(len(body)) != info.Size {
			return fmt.Errorf("I4: %s is listed; Open: %q, %w", info.Ref, body, err)
		}
	}
	for ref := range h.acked {
		if !h.doomed[ref] && !listed[ref] {
			return fmt.Errorf("I4: %s is not listed", ref)
		}
		if h.deleted[ref] && listed[ref] {
			return fmt.Errorf("I6: %s is listed", ref)
		}
	}
	return nil
}

func read(s blob.Blobs, ref blob.Ref) (string, error) {
	b, err := s.Open(context.Background(), ref)
	if err != nil {
		return "", err
	}
	defer b.Close()
	data, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
	return string(data), err
}

func newDisk() *vfs.Mem {
	mem := vfs.NewMem()
	mem.MkdirAll("/data", 0o700)
	return mem
}

// operations counts those of an undisturbed history.
func operations(t *testing.T) int {
	t.Helper()
	fault := vfs.NewFault(newDisk(), nil)
	h := newHistory()
	h.live(fault, true)
	t.Logf("%d operations: %d commits, %d deletes, %d segments rewritten, %d removed", fault.Count(), len(h.acked), len(h.deleted), h.rewritten, h.removed)
	if len(h.acked) != 2*21 || len(h.deleted) < 30 || h.rewritten < 4 || h.removed < 4 {
		t.Fatal("the undisturbed history does not do enough")
	}
	return fault.Count()
}

// stride spreads a test over the operations; all of them without -short.
func stride() int {
	if testing.Short() {
		return 7
	}
	return 1
}

// TestCrash cuts the power at every operation: once so that only what was
// synced is left, and several times with some of the rest.
func TestCrash(t *testing.T) {
	total := operations(t)
	for k := 1; k <= total; k += stride() {
		mem := newDisk()
		h := newHistory()
		h.live(vfs.NewFault(mem, vfs.CrashAt(k)), true)
		for seed := range uint64(6) {
			var rng *rand.Rand
			if seed > 0 {
				rng = rand.New(rand.NewPCG(seed, uint64(k)))
			}
			disk := mem.Crash(rng)
			after := h.clone()
			if err := after.check(disk); err != nil {
				t.Fatalf("power cut at operation %d, seed %d: %v", k, seed, err)
			}
			if err := after.check(disk.Crash(nil)); err != nil {
				t.Fatalf("power cut at operation %d, seed %d, and again after recovery: %v", k, seed, err)
			}
		}
	}
}

// TestCrashInRecovery cuts the power a second time, at every operation of the
// Open that repairs the first.
func TestCrashInRecovery(t *testing.T) {
	total := operations(t)
	for k := 5; k <= total; k += 3 * stride() {
		mem := newDisk()
		h := newHistory()
		h.live(vfs.NewFault(mem, vfs.CrashAt(k)), true)
		rng := rand.New(rand.NewPCG(1, uint64(k)))
		for j := 1; ; j += 2 {
			disk := mem.Crash(rng)
			fault := vfs.NewFault(disk, vfs.CrashAt(j))
			s, err := segment.Open(context.Background(), "/data", tiny(fault))
			if err == nil {
				s.Close()
			}
			if cerr := h.clone().check(disk.Crash(rng)); cerr != nil {
				t.Fatalf("power cut at operation %d, then at %d of the recovery: %v", k, j, cerr)
			}
			if err == nil {
				break
			}
		}
	}
}

// TestFail fails every operation once, while the program goes on, and holds
// what it was told against the disk, with and without a power cut later.
func TestFail(t *testing.T) {
	total := operations(t)
	for _, cause := range []error{syscall.EIO, syscall.ENOSPC, &vfs.PartialError{N: 20, Err: syscall.ENOSPC}} {
		for k := 1; k <= total; k += stride() {
			mem := newDisk()
			h := newHistory()
			h.live(vfs.NewFault(mem, vfs.FailAt(k, cause)), false)
			for seed := range uint64(3) {
				var rng *rand.Rand
				if seed > 0 {
					rng = rand.New(rand.NewPCG(seed, uint64(k)))
				}
				if err := h.clone().check(mem.Crash(rng)); err != nil {
					t.Fatalf("%v at operation %d, then a power cut: %v", cause, k, err)
				}
			}
			if err := h.check(mem); err != nil {
				t.Fatalf("%v at operation %d: %v", cause, k, err)
			}
		}
	}
}

// TestKill ends the process, not the machine, at every operation. What the
// next process then finds and lists must rest on the disk as well: a power cut
// after its Open loses none of it.
func TestKill(t *testing.T) {
	total := operations(t)
	for k := 1; k <= total; k += stride() {
		mem := newDisk()
		h := newHistory()
		h.live(vfs.NewFault(mem, vfs.CrashAt(k)), true)
		disk := mem.AfterKill()
		s, err := segment.Open(context.Background(), "/data", tiny(disk))
		if err != nil {
			t.Fatalf("killed at operation %d: %v", k, err)
		}
		cut := disk.Crash(nil)
		for info, err := range s.List(context.Background(), "") {
			if err != nil {
				t.Fatalf("killed at operation %d: %v", k, err)
			}
			body, err := read(s, info.Ref)
			if err != nil || !h.written[body] {
				t.Fatalf("killed at operation %d: %s is listed; Open: %q, %v", k, info.Ref, body, err)
			}
			if _, ok := h.acked[info.Ref]; !ok {
				h.acked[info.Ref] = body // whoever sees it may adopt it
			}
		}
		s.Close()
		if err := h.check(cut); err != nil {
			t.Fatalf("killed at operation %d, then a power cut: %v", k, err)
		}
	}
}

func (h *history) clone() *history {
	c := *h
	c.written, c.acked = map[string]bool{}, map[blob.Ref]string{}
	for body := range h.written {
		c.written[body] = true
	}
	for ref, body := range h.acked {
		c.acked[ref] = body
	}
	c.order = append([]blob.Ref{}, h.order...)
	return &c
}
