package maildir_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/mailstead/mailstead/internal/vfs"
	"github.com/mailstead/mailstead/store/maildir"
)

func deliverTarget(f vfs.FS) *maildir.Target {
	t := &maildir.Target{Path: "/home/ann/Maildir"}
	t.SetFS(f)
	return t
}

// inNew is the content of the files in new/, and their names.
func inNew(t *testing.T, f vfs.FS) (bodies, names []string) {
	t.Helper()
	const dir = "/home/ann/Maildir/new"
	entries, err := f.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range entries {
		file, err := f.OpenFile(path.Join(dir, e.Name()), os.O_RDONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		info, err := file.Stat()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(io.NewSectionReader(file, 0, info.Size()))
		file.Close()
		if err != nil {
			t.Fatal(err)
		}
		bodies, names = append(bodies, string(b)), append(names, e.Name())
	}
	return bodies, names
}

func letter(i int) string { return fmt.Sprintf("Subject: %d\n\n%s\r\n", i, strings.Repeat("x", i)) }

// TestTargetCrash cuts the power, and fails, at every operation of three
// deliveries: what was acknowledged is there, nothing by half.
func TestTargetCrash(t *testing.T) {
	for name, hook := range map[string]func(k int) vfs.Hook{
		"crash": vfs.CrashAt,
		"fail":  func(k int) vfs.Hook { return vfs.FailAt(k, errors.New("EIO")) },
		"full":  func(k int) vfs.Hook { return vfs.FailKind(k, vfs.OpWrite, errors.New("ENOSPC")) },
	} {
		t.Run(name, func(t *testing.T) {
			for k := 1; targetCrash(t, hook, k); k++ {
			}
		})
	}
}

// targetCrash reports whether there was an operation k.
func targetCrash(t *testing.T, hook func(int) vfs.Hook, k int) bool {
	mem := vfs.NewMem()
	faulty := vfs.NewFault(mem, hook(k))
	var acked, all []string
	target := deliverTarget(faulty)
	for i := range 3 {
		all = append(all, letter(i))
		if err := target.Deliver(t.Context(), strings.NewReader(letter(i))); err == nil {
			acked = append(acked, letter(i))
		}
	}
	for seed := range uint64(6) {
		var rng *rand.Rand
		if seed > 0 {
			rng = rand.New(rand.NewPCG(seed, uint64(k)))
		}
		got, _ := inNew(t, mem.Crash(rng))
		for _, m := range acked {
			if !slices.Contains(got, m) {
				t.Fatalf("k=%d seed=%d: an acknowledged message is lost: %q; left: %q", k, seed, m, got)
			}
		}
		for _, m := range got {
			if !slices.Contains(all, m) {
				t.Fatalf("k=%d seed=%d: half a message: %q", k, seed, m)
			}
		}
	}
	return faulty.Count() >= k
}

func TestTarget(t *testing.T) {
	mem := vfs.NewMem()
	target := deliverTarget(mem)
	var work sync.WaitGroup
	for i := range 20 {
		work.Go(func() {
			if err := target.Deliver(t.Context(), strings.NewReader(letter(i))); err != nil {
				t.Error(err)
			}
		})
	}
	work.Wait()
	if err := target.Deliver(t.Context(), io.MultiReader(strings.NewReader("half"), iotest.ErrReader(io.ErrUnexpectedEOF))); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a body that is cut off: %v", err)
	}
	bodies, names := inNew(t, mem)
	if len(bodies) != 20 {
		t.Fatalf("%d messages, want 20", len(bodies))
	}
	for i, name := range names {
		if want := fmt.Sprintf(",S=%d,W=%d", len(bodies[i]), len(bodies[i])+2); !strings.HasSuffix(name, want) {
			t.Errorf("%s, want %s", name, want)
		}
	}
	left, err := mem.ReadDir("/home/ann/Maildir/tmp")
	if err != nil || len(left) != 0 {
		t.Errorf("in tmp/: %v, %v", left, err)
	}
}
