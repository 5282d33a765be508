package objects_test

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"
	"testing"

	"github.com/mailstead/mailstead/internal/vfs"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/objects"
	"github.com/mailstead/mailstead/store/blob/objects/objecttest"
)

// TestSpoolBudget: what does not fit into memory goes to a file without a name,
// and everything is given back.
func TestSpoolBudget(t *testing.T) {
	dir := t.TempDir()
	s := objects.NewSpools(objects.Options{Memory: 100_000, Budget: 150_000, TempDir: dir})
	var inMemory int
	commit := func(_ context.Context, p *objects.Spool) (blob.Ref, error) {
		if _, ok := p.Bytes(); ok {
			inMemory++
		}
		sums := objects.SumsOf(objecttest.Octets(1, int(p.Size())))
		if got := p.Sums(); got.String() != sums.String() {
			t.Errorf("sums of %d octets differ", p.Size())
		}
		got, err := io.ReadAll(io.NewSectionReader(p, 0, p.Size()))
		if err != nil || string(got) != string(objecttest.Octets(1, len(got))) {
			t.Errorf("%d octets differ: %v", p.Size(), err)
		}
		return "ref", nil
	}
	var open []*objects.Writer
	for _, n := range []int{100_000, 100_001, 60_000, 10_000} {
		w := s.NewWriter(-1, commit)
		for p := objecttest.Octets(1, n); len(p) > 0; {
			k := min(7777, len(p))
			if _, err := w.Write(p[:k]); err != nil {
				t.Fatal(err)
			}
			p = p[k:]
		}
		open = append(open, w)
	}
	if s.Free() < 0 {
		t.Errorf("the budget is exceeded by %d", -s.Free())
	}
	for _, w := range open {
		if _, err := w.Commit(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if inMemory < 1 || inMemory > 3 || s.Free() != 150_000 {
		t.Errorf("%d bodies in memory, %d of the budget left", inMemory, s.Free())
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
		t.Errorf("%d files are left, %v", len(files), err)
	}
}

// TestSpoolFails: every operation on the file fails once; Commit says so and
// never hands over a body that is not whole.
func TestSpoolFails(t *testing.T) {
	body := objecttest.Octets(1, 10_000)
	write := func(fs vfs.FS) error {
		s := objects.NewSpoolsOn(fs, objects.Options{Memory: 4096, TempDir: "/tmp"})
		w := s.NewWriter(-1, func(context.Context, *objects.Spool) (blob.Ref, error) { return "ref", nil })
		defer w.Abort()
		for i := 0; i < len(body); i += 1000 {
			w.Write(body[i : i+1000]) // Commit says what went wrong
		}
		_, err := w.Commit(t.Context())
		return err
	}
	mem := func() vfs.FS {
		m := vfs.NewMem()
		if err := m.MkdirAll("/tmp", 0o700); err != nil {
			t.Fatal(err)
		}
		return m
	}
	count := vfs.NewFault(mem(), func(vfs.Op) error { return nil })
	if err := write(count); err != nil || count.Count() < 5 {
		t.Fatalf("%d operations, %v", count.Count(), err)
	}
	for k := 1; k <= count.Count(); k++ {
		err := write(vfs.NewFault(mem(), vfs.FailAt(k, syscall.ENOSPC)))
		if last := k == count.Count(); !last && !errors.Is(err, syscall.ENOSPC) { // the last one is Close
			t.Errorf("operation %d of %d fails: %v, want ENOSPC", k, count.Count(), err)
		}
	}
}
