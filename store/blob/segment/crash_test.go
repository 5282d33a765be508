package segment_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/mailstead/mailstead/internal/vfs"
	"github.com/mailstead/mailstead/store/blob/segment"
)

// wrap stands between an operation and the hook that judges it; nil is
// nothing. See TestEverySync.
type wrap func(vfs.Hook) vfs.Hook

func (w wrap) fault(fs vfs.FS, h *history, hook vfs.Hook) *vfs.Fault {
	if w != nil {
		hook = w(hook)
	}
	return vfs.NewFault(fs, h.hook(hook))
}

// lived returns what a history leaves on a disk under a hook.
func (w wrap) lived(hook vfs.Hook, stop bool) (*vfs.Mem, *history) {
	mem, h := newDisk(), newHistory()
	h.live(w.fault(mem, h, hook), stop)
	return mem, h
}

func newDisk() *vfs.Mem {
	mem := vfs.NewMem()
	mem.MkdirAll("/data", 0o700)
	return mem
}

// operations counts those of an undisturbed history.
func operations(t *testing.T) int {
	t.Helper()
	h := newHistory()
	fault := vfs.NewFault(newDisk(), h.hook(pass))
	h.live(fault, true)
	t.Logf("%d operations: %d commits, %d deletes, %d segments rewritten, %d removed", fault.Count(), len(h.acked), len(h.deleted), h.rewritten, h.removed)
	if len(h.acked) != 2*26 || len(h.deleted) < 30 || h.rewritten < 4 || h.removed < 4 {
		t.Fatal("the undisturbed history does not do enough")
	}
	return fault.Count()
}

func pass(vfs.Op) error { return nil }

// stride spreads a test over the operations; all of them without -short.
func stride() int {
	if testing.Short() {
		return 7
	}
	return 1
}

// dice are the seeds of one crash: none leaves what was synced and no more.
func dice(seed, k int) *rand.Rand {
	if seed == 0 {
		return nil
	}
	return rand.New(rand.NewPCG(uint64(seed), uint64(k)))
}

// TestCrash cuts the power at every operation: once so that only what was
// synced is left, and several times with some of the rest.
func TestCrash(t *testing.T) {
	total := operations(t)
	for k := 1; k <= total; k += stride() {
		if err := crash(nil, k); err != nil {
			t.Fatal(err)
		}
	}
}

func crash(w wrap, k int) error {
	mem, h := w.lived(vfs.CrashAt(k), true)
	for seed := range 6 {
		disk := mem.Crash(dice(seed, k))
		after := h.clone()
		if err := after.check(disk); err != nil {
			return fmt.Errorf("power cut at operation %d, seed %d: %w", k, seed, err)
		}
		if err := after.check(disk.Crash(nil)); err != nil {
			return fmt.Errorf("power cut at operation %d, seed %d, and again after recovery: %w", k, seed, err)
		}
	}
	return nil
}

// TestCrashInRecovery cuts the power a second time, at every operation of the
// Open that repairs the first.
func TestCrashInRecovery(t *testing.T) {
	total := operations(t)
	for k := 5; k <= total; k += 3 * stride() {
		if err := crashInRecovery(nil, k); err != nil {
			t.Fatal(err)
		}
	}
}

func crashInRecovery(w wrap, k int) error {
	mem, h := w.lived(vfs.CrashAt(k), true)
	rng := rand.New(rand.NewPCG(1, uint64(k)))
	for j := 1; ; j += 2 {
		disk := mem.Crash(rng)
		err := openAndClose(w.fault(disk, h, vfs.CrashAt(j)))
		if cerr := h.clone().check(disk.Crash(rng)); cerr != nil {
			return fmt.Errorf("power cut at operation %d, then at %d of the recovery: %w", k, j, cerr)
		}
		if err == nil {
			return nil
		}
	}
}

func openAndClose(fs vfs.FS) error {
	s, err := segment.Open(context.Background(), "/data", tiny(fs))
	if err == nil {
		s.Close()
	}
	return err
}

// causes are the ways in which an operation fails; the last one is a write
// that does some of its work.
func causes() []error {
	return []error{syscall.EIO, syscall.ENOSPC, &vfs.PartialError{N: 20, Err: syscall.ENOSPC}}
}

// TestFail fails every operation once, while the program goes on, and holds
// what it was told against the disk, with and without a power cut later. A full
// run (MAILSTEAD_FULL=1) fails each in all ways, others in one.
func TestFail(t *testing.T) {
	total := operations(t)
	step := len(causes()) * stride()
	if os.Getenv("MAILSTEAD_FULL") == "1" {
		step = 1
	}
	for i, cause := range causes() {
		for k := 1 + i; k <= total; k += step {
			what := fmt.Sprintf("%v at operation %d", cause, k)
			if err := fail(nil, vfs.FailAt(k, cause), what, k); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func fail(w wrap, hook vfs.Hook, what string, k int) error {
	mem, h := w.lived(hook, false)
	for seed := range 3 {
		if err := h.clone().check(mem.Crash(dice(seed, k))); err != nil {
			return fmt.Errorf("%s, then a power cut: %w", what, err)
		}
	}
	if err := h.check(mem); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// TestFailFor fails every operation of one kind for a while, as a full disk or
// a cable does, from each such operation on, and then lets them pass again.
func TestFailFor(t *testing.T) {
	const long = 25 // operations
	total := operations(t)
	mutating := []vfs.Kind{
		vfs.OpCreate, vfs.OpRename, vfs.OpRemove, vfs.OpSyncDir, vfs.OpWrite, vfs.OpSync, vfs.OpTruncate,
	}
	for i, kind := range append(mutating, vfs.OpOpen, vfs.OpRead, vfs.OpStat, vfs.OpReadDir, vfs.OpClose) {
		for _, cause := range causes()[:2] {
			for k := 1 + i; k <= total; k += 30 * stride() {
				hook := func(op vfs.Op) error {
					if op.Kind == kind && op.N >= k && op.N < k+long {
						return cause
					}
					return nil
				}
				what := fmt.Sprintf("%v from every %s of operations %d to %d", cause, kind, k, k+long)
				if err := fail(nil, hook, what, k); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// TestFailInRecovery fails every operation of an Open that has something to
// repair: it says so, and the next Open repairs.
func TestFailInRecovery(t *testing.T) {
	total := operations(t)
	for k := 5; k <= total; k += 8 * stride() {
		mem, h := wrap(nil).lived(vfs.CrashAt(k), true)
		for i, cause := range causes() {
			for j := 1 + i; ; j += 3 {
				disk := mem.Crash(dice(1, k))
				fault := vfs.NewFault(disk, vfs.FailAt(j, cause))
				err := openAndClose(fault)
				if fault.Count() < j {
					break
				}
				if err != nil && !errors.Is(err, errors.Unwrap(cause)) && !errors.Is(err, cause) {
					t.Fatalf("power cut at operation %d, %v at %d of the recovery: Open: %v", k, cause, j, err)
				}
				if err := h.clone().check(disk.Crash(dice(2, k))); err != nil {
					t.Fatalf("power cut at operation %d, %v at %d of the recovery, then a power cut: %v", k, cause, j, err)
				}
				if err := h.clone().check(disk); err != nil {
					t.Fatalf("power cut at operation %d, %v at %d of the recovery: %v", k, cause, j, err)
				}
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
		if err := kill(nil, k); err != nil {
			t.Fatal(err)
		}
	}
}

func kill(w wrap, k int) error {
	mem, h := w.lived(vfs.CrashAt(k), true)
	disk := mem.AfterKill()
	s, err := segment.Open(context.Background(), "/data", tiny(w.fault(disk, h, pass)))
	if err != nil {
		return fmt.Errorf("killed at operation %d: %w", k, err)
	}
	defer s.Close()
	cut := disk.Crash(nil)
	for info, err := range s.List(context.Background(), "") {
		if err != nil {
			return fmt.Errorf("killed at operation %d: %w", k, err)
		}
		body, err := read(s, info.Ref)
		if err != nil || !h.written[body] {
			return fmt.Errorf("killed at operation %d: %s is listed; Open: %q, %w", k, info.Ref, body, err)
		}
		if _, ok := h.acked[info.Ref]; !ok {
			h.acked[info.Ref] = body // whoever sees it may adopt it
		}
	}
	if err := h.check(cut); err != nil {
		return fmt.Errorf("killed at operation %d, then a power cut: %w", k, err)
	}
	return nil
}

// TestCrashAfterLeftover: an old generation could not be removed, and all of
// the new one is dead. The next life removes both, with a power cut at every
// operation: nothing comes back.
func TestCrashAfterLeftover(t *testing.T) {
	if err := leftover(nil); err != nil {
		t.Fatal(err)
	}
}

func leftover(w wrap) error {
	h, mem := newHistory(), newDisk()
	s, err := segment.Open(context.Background(), "/data", tiny(vfs.NewFault(mem, func(op vfs.Op) error {
		if op.Kind == vfs.OpRemove && strings.HasSuffix(op.Name, ".00000000.seg") {
			return syscall.EIO
		}
		return nil
	})))
	if err != nil {
		return err
	}
	defer s.Close()
	for range 12 { // more than one segment
		if err := h.commit(s, 90, -1); err != nil {
			return err
		}
	}
	if err := h.delete(s, func(i int) bool { return i < 6 }); err != nil {
		return err
	}
	if err := h.compact(s); !errors.Is(err, syscall.EIO) {
		return fmt.Errorf("a removal that fails: %w", err)
	}
	if err := h.delete(s, func(i int) bool { return i < 11 }); err != nil {
		return err
	}
	for j := 1; ; j++ {
		disk, after := mem.Crash(nil), h.clone()
		fault := w.fault(disk, h, vfs.CrashAt(j))
		if s, err := segment.Open(context.Background(), "/data", tiny(fault)); err == nil {
			after.compact(s)
			s.Close()
		}
		for seed := range 20 {
			if err := after.clone().check(disk.Crash(dice(seed, j))); err != nil {
				return fmt.Errorf("power cut at operation %d of the next life, seed %d: %w", j, seed, err)
			}
		}
		if fault.Count() < j {
			return nil
		}
	}
}
