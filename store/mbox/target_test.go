package mbox_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/mailstead/mailstead/internal/vfs"
	"github.com/mailstead/mailstead/store/mbox"
)

var day = time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC)

func target(f vfs.FS) *mbox.Target {
	t := &mbox.Target{Path: "/mail/bob", LockTimeout: 5 * time.Second, StaleLock: time.Nanosecond}
	t.SetFS(f)
	return t
}

func body(i int) string {
	return fmt.Sprintf("Subject: %d\r\n\r\nFrom me\r\n%s\r\n", i, strings.Repeat("text ", 20*i))
}

func list(t testing.TB, f vfs.FS) []string {
	t.Helper()
	file, err := f.OpenFile("/mail/bob", os.O_RDONLY, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	got, _ := readAll(t, file, mbox.Options{})
	return got
}

// TestDeliverGivenUp: who gave up while others had the file delivers nothing, since
// the message comes again.
func TestDeliverGivenUp(t *testing.T) {
	disk := vfs.NewMem()
	if err := disk.MkdirAll("/mail", 0o700); err != nil {
		t.Fatal(err)
	}
	m := target(disk)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("lease lost")
	first := &gate{Reader: strings.NewReader(body(1)), open: make(chan struct{}), reached: make(chan struct{})}
	var all sync.WaitGroup
	all.Go(func() {
		if err := m.Deliver(t.Context(), "a@b", day, first); err != nil {
			t.Error(err)
		}
	})
	<-first.reached
	all.Go(func() {
		if err := m.Deliver(ctx, "a@b", day, strings.NewReader(body(2))); !errors.Is(err, why) {
			t.Errorf("%v", err)
		}
	})
	cancel(why)
	close(first.open)
	all.Wait()
	if got := list(t, disk); len(got) != 1 {
		t.Errorf("%d messages", len(got))
	}
}

// gate is a message that is read when it is opened.
type gate struct {
	io.Reader
	open, reached chan struct{}
	once          sync.Once
}

func (g *gate) Read(p []byte) (int, error) {
	g.once.Do(func() { close(g.reached) })
	<-g.open
	return g.Reader.Read(p)
}

// TestDeliverCrash cuts the power, and fails, at every operation of three
// deliveries: what was acknowledged is there, nothing is there by half.
func TestDeliverCrash(t *testing.T) {
	for _, hook := range []struct {
		name string
		make func(k int) vfs.Hook
	}{
		{"crash", vfs.CrashAt},
		{"fail", func(k int) vfs.Hook { return vfs.FailAt(k, errors.New("EIO")) }},
		{"full", func(k int) vfs.Hook { return vfs.FailKind(k, vfs.OpWrite, errors.New("ENOSPC")) }},
	} {
		t.Run(hook.name, func(t *testing.T) {
			for k := 1; ; k++ {
				if !deliverAndCrash(t, hook.make, k) {
					break
				}
			}
		})
	}
}

// deliverAndCrash reports whether there was an operation k.
func deliverAndCrash(t *testing.T, hook func(int) vfs.Hook, k int) bool {
	t.Helper()
	mem := vfs.NewMem()
	if err := mem.MkdirAll("/mail", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := target(mem).Deliver(t.Context(), "a@b", day, strings.NewReader(body(0))); err != nil {
		t.Fatal(err)
	}
	faulty := vfs.NewFault(mem, hook(k))
	acked := []string{body(0)}
	all := slices.Clone(acked)
	for i := 1; i <= 3; i++ {
		all = append(all, body(i))
		if err := target(faulty).Deliver(t.Context(), "a@b", day, strings.NewReader(body(i))); err == nil {
			acked = append(acked, body(i))
		}
	}
	for seed := range uint64(6) {
		var rng *rand.Rand
		if seed > 0 {
			rng = rand.New(rand.NewPCG(seed, uint64(k)))
		}
		after := mem.Crash(rng)
		if err := target(after).Recover(t.Context()); err != nil {
			t.Fatalf("k=%d seed=%d: Recover: %v", k, seed, err)
		}
		got := list(t, after)
		for _, m := range acked {
			if !slices.Contains(got, m) {
				t.Fatalf("k=%d seed=%d: an acknowledged message is lost: %.60q; left: %.60q", k, seed, m, got)
			}
		}
		for _, m := range got {
			if !slices.Contains(all, m) {
				t.Fatalf("k=%d seed=%d: half a message: %.200q", k, seed, m)
			}
		}
	}
	return faulty.Count() >= k
}

// TestDeliverTrace is the order of writes and syncs that durability rests on.
func TestDeliverTrace(t *testing.T) {
	mem := vfs.NewMem()
	if err := mem.MkdirAll("/mail", 0o700); err != nil {
		t.Fatal(err)
	}
	var trace vfs.Trace
	if err := target(vfs.NewFault(mem, trace.Hook)).Deliver(t.Context(), "", day, strings.NewReader("x\r\n")); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"create", "write", "link", "remove", "create bob", "create bob.intent", "write bob.intent", "sync bob.intent",
		"syncdir mail", "write bob ", "sync bob", "remove bob.intent", "syncdir mail", "remove bob.lock",
	}
	lines := strings.Split(strings.TrimSpace(trace.String()), "\n")
	for i, l := range lines {
		if i >= len(want) || !strings.HasPrefix(l, want[i]) {
			t.Fatalf("operations:\n%s\nwant\n%s", trace.String(), strings.Join(want, "\n"))
		}
	}
	if len(lines) != len(want) {
		t.Errorf("operations:\n%s", trace.String())
	}
}

// TestRecoverKeeps: a note does not cost what another program wrote.
func TestRecoverKeeps(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(file string) string
		want   int
	}{
		{"the half message is cut", func(f string) string { return f }, 1},
		{"another message follows it", func(f string) string { return f + "\n\n" + from + "\nother\n" }, 3},
		{"another stands in its place", func(f string) string { return f[:strings.LastIndex(f, "From a ")] + from + "\nother\n" }, 2},
		{"another follows without a line end", func(f string) string { return f + from + "\nother\n" }, 2},
		{"what is before it changed", func(string) string { return from + "\n" + strings.Repeat("new\n", 100) }, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			mem := vfs.NewMem()
			if err := mem.MkdirAll("/mail", 0o700); err != nil {
				t.Fatal(err)
			}
			if err := target(mem).Deliver(t.Context(), "a", day, strings.NewReader(body(1))); err != nil {
				t.Fatal(err)
			}
			cut := vfs.NewFault(mem, func(op vfs.Op) error {
				if op.Kind == vfs.OpWrite && op.Name == "bob" {
					return &vfs.PartialError{N: 70, Err: vfs.ErrCrashed}
				}
				if op.Kind == vfs.OpTruncate {
					return vfs.ErrCrashed
				}
				return nil
			})
			if err := target(cut).Deliver(t.Context(), "a", day, strings.NewReader(body(2))); err == nil {
				t.Fatal("no error")
			}
			f, err := mem.OpenFile("/mail/bob", os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			old, err := io.ReadAll(f)
			if err != nil {
				t.Fatal(err)
			}
			next := c.change(string(old))
			if err := f.Truncate(0); err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteAt([]byte(next), 0); err != nil {
				t.Fatal(err)
			}
			if err := target(mem).Recover(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := list(t, mem); len(got) != c.want {
				t.Errorf("%d messages, want %d: %q", len(got), c.want, got)
			}
		})
	}
}

func TestDeliverConcurrent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bob")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			to := &mbox.Target{Path: path, NoDotLock: false}
			if err := to.Deliver(context.Background(), "a@b", day, strings.NewReader(body(i))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, _ := readAll(t, f, mbox.Options{})
	for i := range 8 {
		if !slices.Contains(got, body(i)) {
			t.Errorf("message %d is missing", i)
		}
	}
	names, err := filepath.Glob(path + "*")
	if err != nil || len(names) != 1 {
		t.Errorf("left behind: %q, %v", names, err)
	}
}

func TestDeliverLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bob")
	if err := os.WriteFile(path+".lock", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	to := &mbox.Target{Path: path, LockTimeout: time.Millisecond}
	if err := to.Deliver(t.Context(), "a", day, strings.NewReader("x")); !errors.Is(err, mbox.ErrLocked) {
		t.Errorf("error %v, want ErrLocked", err)
	}
	to.StaleLock = time.Nanosecond
	to.LockTimeout = 0
	if err := to.Deliver(t.Context(), "a", day, strings.NewReader("x")); err != nil {
		t.Errorf("a stale lock keeps: %v", err)
	}
}

// TestDeliverRefused: a body that cannot be read, a bad sender, an old file.
func TestDeliverRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bob")
	old := from + "\nold without an end"
	if err := os.WriteFile(path, []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	to := &mbox.Target{Path: path}
	broken := io.MultiReader(strings.NewReader(strings.Repeat("x\r\n", 50_000)), iotest.ErrReader(io.ErrUnexpectedEOF))
	if err := to.Deliver(t.Context(), "a", day, broken); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a body that ends early: %v", err)
	}
	if err := to.Deliver(t.Context(), "a b", day, strings.NewReader("")); !errors.Is(err, mbox.ErrSender) {
		t.Errorf("a bad sender: %v", err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != old {
		t.Errorf("the file is now %.200q, %v", b, err)
	}
	if err := to.Deliver(t.Context(), "a", day, strings.NewReader("\r\nnew\r\n")); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got, _ := readAll(t, f, mbox.Options{}); !slices.Equal(got, []string{"\r\nold without an end\r\n", "\r\nnew\r\n"}) {
		t.Errorf("messages %q", got)
	}
}
