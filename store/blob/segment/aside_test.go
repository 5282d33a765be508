package segment_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/internal/vfs"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/segment"
)

// wound is damage to the disk of threeRecords.
type wound struct {
	name   string
	off    int64
	octets string
	lost   []int // of the three records, which are at 64, 208 and 352
}

func wounds() []wound {
	return []wound{
		{"body of the first", 64 + 50, "\x00", []int{0}},
		{"header of the first", 64 + 20, "\xff", []int{0}},
		{"body of the last", 352 + 60, "\x00", []int{2}},
		{"header of the last", 352 + 4, "\x01", []int{2}},
		{"body of one and header of the next", 208 + 100, strings.Repeat("\x00", 144), []int{1, 2}},
	}
}

// TestAside cuts the power, and fails, at every operation of an Open that sets
// damage aside: the damaged octets are never gone, what is whole is there, and
// what is not whole is never listed.
func TestAside(t *testing.T) {
	for _, d := range wounds() {
		t.Run(d.name, func(t *testing.T) {
			mem, h := threeRecords(t)
			patch(t, mem, firstSegment, d.off, d.octets)
			if err := h.aside(nil, durable(mem), &d); err != nil {
				t.Error(err)
			}
		})
	}
}

// durable is mem as if everything had been synced.
func durable(mem *vfs.Mem) *vfs.Mem {
	for _, dir := range []string{"/data", "/data/quarantine", "/"} {
		entries, _ := mem.ReadDir(dir)
		for _, e := range entries {
			if f, err := mem.OpenFile(filepath.Join(dir, e.Name()), os.O_RDWR, 0); err == nil {
				f.Sync()
				f.Close()
			}
		}
		mem.SyncDir(dir)
	}
	return mem
}

func (h *history) aside(w wrap, mem *vfs.Mem, d *wound) error {
	before := octets(mem, firstSegment)
	check := func(disk *vfs.Mem) error {
		if err := openAndClose(disk); err != nil {
			return err
		}
		for _, i := range d.lost {
			if off := 64 + 144*i; !anywhere(disk, before[off:off+144]) {
				return fmt.Errorf("I7: the octets of damaged record %d are gone", i)
			}
		}
		return h.clone().lost(disk, d.lost)
	}
	for _, hook := range []func(k int) vfs.Hook{
		vfs.CrashAt,
		func(k int) vfs.Hook { return vfs.FailAt(k, causes()[k%len(causes())]) },
	} {
		for k := 1; ; k++ {
			for seed := range 4 {
				disk := mem.Crash(nil) // a copy
				fault := w.fault(disk, h, hook(k))
				openAndClose(fault)
				if err := check(disk.Crash(dice(seed, k))); err != nil {
					return fmt.Errorf("operation %d, then a power cut, seed %d: %w", k, seed, err)
				}
				if seed == 0 && fault.Count() < k {
					return errors.Join(h.rolledOver(w, mem, d), h.deletedBeside(w, mem, d))
				}
			}
		}
	}
	return nil
}

// rolledOver lets the store go on until the damaged segment is not the last any
// more, so that no later Open looks at it, and cuts the power.
func (h *history) rolledOver(w wrap, mem *vfs.Mem, d *wound) error {
	disk, after := mem.Crash(nil), h.clone()
	s, err := segment.Open(context.Background(), "/data", tiny(w.fault(disk, h, pass)))
	if err != nil {
		return err
	}
	for range 4 {
		if err := after.commit(s, 390, -1); err != nil {
			return err
		}
	}
	cut := disk.Crash(nil)
	s.Close()
	return after.lost(cut, d.lost)
}

// deletedBeside deletes a whole record beside the damage, and cuts the power: the
// tombstones of both are in one file.
func (h *history) deletedBeside(w wrap, mem *vfs.Mem, d *wound) error {
	disk, ref := mem.Crash(nil), h.order[1]
	if slices.Contains(d.lost, 1) {
		ref = h.order[0]
	}
	s, err := segment.Open(context.Background(), "/data", tiny(w.fault(disk, h, pass)))
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Delete(context.Background(), ref); err != nil {
		return err
	}
	again, err := segment.Open(context.Background(), "/data", tiny(disk.Crash(nil)))
	if err != nil {
		return err
	}
	defer again.Close()
	if _, err := read(again, ref); !errors.Is(err, blob.ErrNoBlob) {
		return fmt.Errorf("I6: %s was deleted; Open: %w", ref, err)
	}
	return nil
}

// lost is checkLost on a disk, as an error.
func (h *history) lost(disk *vfs.Mem, lost []int) error {
	s, err := segment.Open(context.Background(), "/data", tiny(disk))
	if err != nil {
		return err
	}
	defer s.Close()
	gone := map[blob.Ref]bool{}
	for _, i := range lost {
		gone[h.order[i]] = true
	}
	for ref, body := range h.acked {
		if got, err := read(s, ref); !gone[ref] && (err != nil || got != body) {
			return fmt.Errorf("whole %s: %q, %w", ref, got, err)
		}
	}
	for info, err := range s.List(context.Background(), "") {
		if err != nil || gone[info.Ref] {
			return fmt.Errorf("I4: List yields %s, %w", info.Ref, err)
		}
	}
	if rep, err := s.Verify(context.Background()); err != nil {
		return fmt.Errorf("what was set aside is found again: %+v, %w", rep.Damaged, err)
	}
	return nil
}

func octets(mem *vfs.Mem, name string) string {
	f, err := mem.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return ""
	}
	defer f.Close()
	b, _ := io.ReadAll(f)
	return string(b)
}

// anywhere reports whether some file holds these octets.
func anywhere(mem *vfs.Mem, want string) bool {
	for _, dir := range []string{"/data", "/data/quarantine"} {
		entries, _ := mem.ReadDir(dir)
		for _, e := range entries {
			if !e.IsDir() && strings.Contains(octets(mem, filepath.Join(dir, e.Name())), want) {
				return true
			}
		}
	}
	return false
}
