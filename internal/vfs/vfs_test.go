package vfs_test

import (
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/mailstead/mailstead/internal/vfs"
)

// each runs a test on every implementation, in an empty directory.
func each(t *testing.T, run func(t *testing.T, f vfs.FS, dir string)) {
	mem := vfs.NewMem()
	if err := mem.MkdirAll("/dir", 0o700); err != nil {
		t.Fatal(err)
	}
	t.Run("OS", func(t *testing.T) { run(t, vfs.OS{}, t.TempDir()) })
	t.Run("Mem", func(t *testing.T) { run(t, mem, "/dir") })
	t.Run("Fault", func(t *testing.T) { run(t, vfs.NewFault(vfs.OS{}, nil), t.TempDir()) })
}

func write(t *testing.T, f vfs.FS, name, text string) {
	t.Helper()
	file, err := f.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(file, text); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

func content(f vfs.FS, name string) string {
	file, err := f.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return err.Error()
	}
	defer file.Close()
	b, err := io.ReadAll(file)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func TestFiles(t *testing.T) {
	each(t, func(t *testing.T, f vfs.FS, dir string) {
		a := filepath.Join(dir, "a")
		file, err := f.OpenFile(a, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(file, "hello")
		if _, err := file.WriteAt([]byte("J"), 0); err != nil {
			t.Error(err)
		}
		if _, err := file.WriteAt([]byte("!"), 7); err != nil {
			t.Error(err)
		}
		if got, want := content(f, a), "Jello\x00\x00!"; got != want {
			t.Errorf("content %q, want %q", got, want)
		}
		if err := file.Truncate(3); err != nil {
			t.Error(err)
		}
		if err := file.Truncate(5); err != nil {
			t.Error(err)
		}
		if got, want := content(f, a), "Jel\x00\x00"; got != want {
			t.Errorf("content %q, want %q", got, want)
		}
		p := make([]byte, 4)
		if n, err := file.ReadAt(p, 3); n != 2 || err != io.EOF {
			t.Errorf("ReadAt over the end = %d, %v", n, err)
		}
		if info, err := file.Stat(); err != nil || info.Size() != 5 || info.Name() != "a" || info.IsDir() {
			t.Errorf("Stat = %v, %v", info, err)
		}
		if err := file.Sync(); err != nil {
			t.Error(err)
		}
		if err := f.Remove(a); err != nil {
			t.Error(err)
		}
		if n, err := file.ReadAt(p[:2], 0); n != 2 || err != nil {
			t.Errorf("a removed file is not readable: %v", err)
		}
		if err := file.Close(); err != nil {
			t.Error(err)
		}
		for name, err := range map[string]error{"Close": file.Close(), "Sync": file.Sync()} {
			if !errors.Is(err, fs.ErrClosed) {
				t.Errorf("%s after Close: %v", name, err)
			}
		}
	})
}

func TestNames(t *testing.T) {
	each(t, func(t *testing.T, f vfs.FS, dir string) {
		in := func(name string) string { return filepath.Join(dir, name) }
		write(t, f, in("a"), "A")
		write(t, f, in("b"), "B")
		if err := f.Rename(in("a"), in("b")); err != nil {
			t.Error(err)
		}
		if err := f.Link(in("b"), in("c")); err != nil {
			t.Error(err)
		}
		if err := f.Link(in("b"), in("c")); !errors.Is(err, fs.ErrExist) {
			t.Errorf("Link over a file: %v", err)
		}
		if err := f.MkdirAll(in("d/e"), 0o700); err != nil {
			t.Error(err)
		}
		if err := f.MkdirAll(in("d/e"), 0o700); err != nil {
			t.Errorf("MkdirAll again: %v", err)
		}
		if err := f.MkdirAll(in("b"), 0o700); !errors.Is(err, fs.ErrExist) {
			t.Errorf("MkdirAll over a file: %v", err)
		}
		if err := f.Remove(in("d")); err == nil {
			t.Error("a directory with entries was removed")
		}
		entries, err := f.ReadDir(dir)
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		if got := strings.Join(names, " "); err != nil || got != "b c d" {
			t.Errorf("ReadDir = %s, %v", got, err)
		}
		if content(f, in("b")) != "A" || content(f, in("c")) != "A" {
			t.Error("rename or link lost the content")
		}
		for name, err := range map[string]error{
			"Remove": f.Remove(in("x")), "Rename": f.Rename(in("x"), in("y")), "SyncDir": f.SyncDir(in("x")),
			"Link": f.Link(in("x"), in("y")),
		} {
			if !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s of nothing: %v", name, err)
			}
		}
		if _, err := f.OpenFile(in("b"), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0); !errors.Is(err, fs.ErrExist) {
			t.Errorf("O_EXCL: %v", err)
		}
		if err := f.SyncDir(dir); err != nil {
			t.Error(err)
		}
		if n, err := f.Free(dir); n == 0 || err != nil {
			t.Errorf("Free = %d, %v", n, err)
		}
	})
}

func TestLock(t *testing.T) {
	each(t, func(t *testing.T, f vfs.FS, dir string) {
		name := filepath.Join(dir, "lock")
		l, err := f.Lock(name)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.Lock(name)
		var locked *vfs.LockedError
		if !errors.Is(err, vfs.ErrLocked) || !errors.As(err, &locked) || locked.PID != os.Getpid() {
			t.Errorf("second Lock: %v", err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		l, err = f.Lock(name)
		if err != nil {
			t.Fatalf("Lock after Close: %v", err)
		}
		l.Close()
	})
}

// TestCrash walks through what D1 and D2 promise.
func TestCrash(t *testing.T) {
	m := vfs.NewMem()
	if err := m.MkdirAll("/d", 0o700); err != nil {
		t.Fatal(err)
	}
	file, err := m.OpenFile("/d/f", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	after := func() string { return content(m.Crash(nil), "/d/f") }
	missing := func(got string) bool { return strings.Contains(got, "not exist") }

	io.WriteString(file, "one")
	file.Sync()
	if got := after(); !missing(got) {
		t.Errorf("D2: the name was not synced, yet there is %q", got)
	}
	m.SyncDir("/d")
	io.WriteString(file, " two")
	if got := after(); got != "one" {
		t.Errorf("D1: %q, want what was synced", got)
	}
	file.Sync()
	file.Truncate(2)
	if got := after(); got != "one two" {
		t.Errorf("D1: %q after a truncation that was not synced", got)
	}
	m.Rename("/d/f", "/d/g")
	if got := after(); got != "one two" {
		t.Errorf("D2: %q after a rename that was not synced", got)
	}
	m.SyncDir("/d")
	m.Remove("/d/g")
	if got := content(m.Crash(nil), "/d/g"); got != "one two" {
		t.Errorf("D2: %q after a removal that was not synced", got)
	}
	m.SyncDir("/d")
	if got := content(m.Crash(nil), "/d/g"); !missing(got) {
		t.Errorf("D2: removed and synced, yet there is %q", got)
	}
}

// TestCrashTorn looks whether the model really tears: what was synced always
// stays, of the rest each part is once there and once not.
func TestCrashTorn(t *testing.T) {
	m := vfs.NewMem()
	file, err := m.OpenFile("/f", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(file, "sure")
	file.Sync()
	m.SyncDir("/")
	io.WriteString(file, "1111")
	io.WriteString(file, "2222")
	write(t, m, "/other", "")
	seen := map[string]bool{}
	others := 0
	for seed := range uint64(300) {
		c := m.Crash(rand.New(rand.NewPCG(seed, 0)))
		got := content(c, "/f")
		if !strings.HasPrefix(got, "sure") {
			t.Fatalf("what was synced became %q", got)
		}
		seen[got] = true
		if _, err := c.Stat("/other"); err == nil {
			others++
		}
	}
	for _, want := range []string{"sure", "sure1111", "sure11112222", "sure11", "sure111122", "sure\x00\x00\x00\x002222"} {
		if !seen[want] {
			t.Errorf("no crash left %q", want)
		}
	}
	if others == 0 || others == 300 {
		t.Errorf("a name that was not synced survived %d of 300 times", others)
	}
}

// TestCrashSectors: of one write each aligned sector of 512 octets is once
// there and once not, without its neighbours.
func TestCrashSectors(t *testing.T) {
	m := vfs.NewMem()
	file, err := m.OpenFile("/f", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	m.SyncDir("/")
	file.WriteAt([]byte(strings.Repeat("x", 3*512)), 500)
	seen := map[string]bool{}
	for seed := range uint64(300) {
		got := content(m.Crash(rand.New(rand.NewPCG(seed, 0))), "/f")
		pattern := ""
		for _, off := range []int{500, 511, 512, 1023, 1024, 1535, 1536, 2035} { // both ends of each part
			if off < len(got) && got[off] == 'x' {
				pattern += "x"
			} else {
				pattern += "."
			}
		}
		seen[pattern] = true
	}
	for _, want := range []string{"xx....xx", "..xx....", "xxxx..xx", "....xxxx", "xx..xx.."} {
		if !seen[want] {
			t.Errorf("no crash left the sectors %s", want)
		}
	}
}

func TestFault(t *testing.T) {
	m := vfs.NewMem()
	var trace vfs.Trace
	f := vfs.NewFault(m, func(op vfs.Op) error {
		trace.Hook(op)
		return vfs.FailAt(3, &vfs.PartialError{N: 2, Err: syscall.ENOSPC})(op)
	})
	file, err := f.OpenFile("/f", os.O_RDWR|os.O_CREATE, 0o600) // 1
	if err != nil {
		t.Fatal(err)
	}
	file.WriteAt([]byte("good"), 0) // 2
	if n, err := file.WriteAt([]byte("bad!"), 4); n != 2 || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("WriteAt = %d, %v; want 2, ENOSPC", n, err)
	}
	if got := content(m, "/f"); got != "goodba" {
		t.Errorf("content %q", got)
	}
	if err := f.Rename("/f", "/g"); err != nil {
		t.Error(err)
	}
	want := "create f\nwrite f 0+4\nwrite f 4+4\nrename f -> g\n"
	if got := trace.String(); got != want || f.Count() != 4 {
		t.Errorf("trace of %d:\n%s\nwant:\n%s", f.Count(), got, want)
	}
}

// TestFailedSync is the kernel's way: what a failed Sync should have written
// is lost although it can be read, and the next Sync succeeds.
func TestFailedSync(t *testing.T) {
	m := vfs.NewMem()
	broken := true
	f := vfs.NewFault(m, func(op vfs.Op) error {
		if broken && op.Kind == vfs.OpSync {
			broken = false
			return syscall.EIO
		}
		return nil
	})
	file, err := f.OpenFile("/f", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	m.SyncDir("/")
	io.WriteString(file, "lost")
	if err := file.Sync(); !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	io.WriteString(file, "kept")
	if err := file.Sync(); err != nil {
		t.Fatal(err)
	}
	if got := content(m, "/f"); got != "lostkept" {
		t.Errorf("visible: %q", got)
	}
	if got := content(m.Crash(nil), "/f"); got != "\x00\x00\x00\x00kept" {
		t.Errorf("durable: %q", got)
	}
}

// TestSkipped: what is left out reports success and is lost in a crash.
func TestSkipped(t *testing.T) {
	m := vfs.NewMem()
	var skip vfs.Kind
	f := vfs.NewFault(m, func(op vfs.Op) error {
		if op.Kind == skip {
			return vfs.ErrSkipped
		}
		return nil
	})
	file, err := f.OpenFile("/f", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	skip = vfs.OpSyncDir
	if err := f.SyncDir("/"); err != nil {
		t.Error(err)
	}
	if got := content(m.Crash(nil), "/f"); !strings.Contains(got, "not exist") {
		t.Errorf("SyncDir was done: %q", got)
	}
	skip = vfs.OpSync
	f.SyncDir("/")
	io.WriteString(file, "x")
	if err := file.Sync(); err != nil {
		t.Error(err)
	}
	if got := content(m.Crash(nil), "/f"); got != "" {
		t.Errorf("Sync was done: %q", got)
	}
	skip = vfs.OpWrite
	if _, err := io.WriteString(file, "x"); !errors.Is(err, vfs.ErrSkipped) {
		t.Errorf("a write that is left out: %v", err)
	}
}

func TestCrashAt(t *testing.T) {
	m := vfs.NewMem()
	f := vfs.NewFault(m, vfs.CrashAt(2))
	file, err := f.OpenFile("/f", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteAt([]byte("half"), 0); !errors.Is(err, vfs.ErrCrashed) {
		t.Errorf("WriteAt: %v", err)
	}
	if got := content(m, "/f"); got != "ha" {
		t.Errorf("content %q", got)
	}
	if err := file.Sync(); !errors.Is(err, vfs.ErrCrashed) {
		t.Errorf("Sync: %v", err)
	}
	if _, err := f.Stat("/f"); !errors.Is(err, vfs.ErrCrashed) {
		t.Errorf("Stat: %v", err)
	}
}
