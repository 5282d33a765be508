package faulty

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mailstead/mailstead/store/storetest"
)

// tool builds internal/powercut once.
var tool func() (string, error)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "faulty-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	tool = sync.OnceValues(func() (string, error) {
		path := filepath.Join(dir, "powercut")
		cmd := exec.Command("go", "build", "-o", path, ".")
		cmd.Dir = filepath.Join("..", "..", "powercut")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("internal/powercut cannot be built: %w\n%s", err, out)
		}
		return path, nil
	})
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// disk is a file system that fails on demand.
type disk struct {
	dir string
	in  io.Writer
	out *bufio.Scanner
}

// newDisk mounts one until the end of the test.
func newDisk(t *testing.T) *disk {
	t.Helper()
	if testing.Short() {
		t.Skip("mounts file systems; not run with -short")
	}
	if err := mountable(); err != nil {
		if os.Getenv("MAILSTEAD_PEERS") == "required" {
			t.Fatalf("a file system that fails needs root and FUSE, and MAILSTEAD_PEERS=required: %v", err)
		}
		t.Skipf("a file system that fails needs root and FUSE: %v", err)
	}
	path, err := tool()
	if err != nil {
		t.Fatal(err)
	}
	d := &disk{dir: t.TempDir()}
	cmd := exec.Command(path, "-serve", d.dir)
	cmd.Stderr = os.Stderr
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	d.in, d.out = in, bufio.NewScanner(out)
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("powercut -serve: %v", err)
		}
	})
	d.answer(t, "mount")
	return d
}

func mountable() error {
	if os.Geteuid() != 0 {
		return errors.New("not running as root")
	}
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

// do gives a command: see internal/powercut/README.md.
func (d *disk) do(t *testing.T, command string) {
	t.Helper()
	if _, err := fmt.Fprintln(d.in, command); err != nil {
		t.Fatal(err)
	}
	d.answer(t, command)
}

func (d *disk) answer(t *testing.T, command string) {
	t.Helper()
	if !d.out.Scan() || !strings.HasPrefix(d.out.Text(), "ok") {
		t.Fatalf("powercut -serve: %s: %q", command, d.out.Text())
	}
}

// cut returns a directory with what a power cut would leave of dir now; model
// is strict, or a seed.
func (d *disk) cut(t *testing.T, model any, dir string) string {
	t.Helper()
	left := t.TempDir()
	d.do(t, fmt.Sprintf("cut %v %s", model, left))
	return filepath.Join(left, filepath.Base(dir))
}

func (d *disk) fault(t *testing.T, f storetest.Fault) {
	t.Helper()
	switch f {
	case storetest.FaultNoSpace:
		d.do(t, "nospace")
	case storetest.FaultSync:
		d.do(t, "syncfail")
	default:
		d.do(t, "heal")
	}
}
