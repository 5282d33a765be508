//go:build unix

package sqlite_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqlite"
)

// readOnlyEnv names the directory that a child process opens.
const readOnlyEnv = "MAILSTEAD_TEST_READONLY"

// TestReadOnlyDirectory: Open says that it may not write, and what to do. Root
// may write everywhere, so that a process of another user opens it.
func TestReadOnlyDirectory(t *testing.T) {
	if dir := os.Getenv(readOnlyEnv); dir != "" {
		e, err := sqlite.Open(t.Context(), dir, sqlite.Options{})
		if err == nil {
			e.Close()
		}
		fmt.Printf("ERROR %t %v\n", errors.Is(err, store.ErrReadOnly), err)
		return
	}
	base := t.TempDir()
	os.Chmod(base, 0o755)
	os.Chmod(filepath.Dir(base), 0o755)
	child := copyOfTest(t, base)
	for _, c := range []struct {
		name string
		lock func(t *testing.T, dir string)
	}{
		{"empty directory", func(*testing.T, string) {}},
		{"all but the lock", func(t *testing.T, dir string) {
			s := open(t, dir)
			newWriter(t, s, "alice").deliver(t, body(100), 1)
			s.Close()
			os.Chmod(filepath.Join(dir, "lock"), 0o666)
			os.Chmod(filepath.Join(dir, "blobs"), 0o755)
		}},
		{"a directory that cannot be made", func(t *testing.T, dir string) { os.Remove(dir) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			parent := filepath.Join(base, strings.ReplaceAll(c.name, " ", "-"))
			dir := filepath.Join(parent, "data")
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			c.lock(t, dir)
			os.Chmod(dir, 0o555)
			os.Chmod(parent, 0o555)
			defer os.Chmod(parent, 0o755)
			defer os.Chmod(dir, 0o755)
			cmd := exec.Command(child, "-test.run=^TestReadOnlyDirectory$")
			cmd.Env = append(os.Environ(), readOnlyEnv+"="+dir, "TMPDIR=/")
			if os.Geteuid() == 0 {
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
			}
			out, err := cmd.CombinedOutput()
			text := string(out)
			if err != nil || !strings.Contains(text, "ERROR true") || !strings.Contains(text, "uid ") || !strings.Contains(text, parent) {
				t.Errorf("%v: %s", err, text)
			}
		})
	}
}

// copyOfTest is this program where every user may run it.
func copyOfTest(t *testing.T, dir string) string {
	t.Helper()
	name := filepath.Join(dir, "child")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestTwoProcesses: a process that was started while another one has the
// directory is refused, with the id of the owner.
func TestTwoProcesses(t *testing.T) {
	if dir := os.Getenv(readOnlyEnv); dir != "" {
		_, err := sqlite.Open(t.Context(), dir, sqlite.Options{})
		fmt.Printf("ERROR %t %v\n", errors.Is(err, store.ErrInUse), err)
		return
	}
	s := open(t, t.TempDir())
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^TestTwoProcesses$")
	cmd.Env = append(os.Environ(), readOnlyEnv+"="+s.dir)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "ERROR true") || !strings.Contains(string(out), fmt.Sprintf("process %d", os.Getpid())) {
		t.Errorf("%v: %s", err, out)
	}
}
