package mbox_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/store/mbox"
)

// program finds a foreign program.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("MAILSTEAD_PEERS") == "required" {
		t.Fatalf("%s is not installed, and MAILSTEAD_PEERS=required", name)
	}
	t.Skipf("%s is not installed", name)
	return ""
}

func python(t *testing.T, script string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, program(t, "python3"), append([]string{"-c", script}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("python: %v\n%s", err, out)
	}
	return string(out)
}

func deliverAll(t *testing.T, path string, bodies ...string) {
	t.Helper()
	to := &mbox.Target{Path: path}
	for _, b := range bodies {
		if err := to.Deliver(t.Context(), "sender@example.org", day, strings.NewReader(b)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPythonReads: what we deliver is what Python's mailbox module reads, which
// knows no quoting, and what that adds is what we read.
func TestPythonReads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "box")
	bodies := []string{body(1), "Subject: x\r\n\r\nFrom here\r\n\r\nFrom there, on\r\n>From\r\n", "Subject: empty\r\n\r\n"}
	deliverAll(t, path, bodies...)
	out := python(t, `
import mailbox, sys
box = mailbox.mbox(sys.argv[1])
for key in box.keys():
    m = box.get_message(key)
    print(m.get_from().split()[0], m["subject"], len(box.get_bytes(key)))
box.lock()
box.add(b"Subject: added\n\nFrom python\n")
box.close()
`, path)
	if want := "sender@example.org 1 "; !strings.HasPrefix(out, want) || strings.Count(out, "\n") != 3 || !strings.Contains(out, "\nsender@example.org empty ") {
		t.Errorf("python reads %q", out)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	got, _ := readAll(t, file, mbox.Options{})
	if want := append(slices.Clone(bodies), "Subject: added\r\n\r\nFrom python\r\n"); !slices.Equal(got, want) {
		t.Errorf("after python added one there is %q, want %q", got, want)
	}
	deliverAll(t, path, body(2))
	if n := python(t, `import mailbox, sys; print(len(mailbox.mbox(sys.argv[1])))`, path); n != "5\n" {
		t.Errorf("python counts %q", n)
	}
}

// TestPythonLocks: a file that Python has locked, by fcntl or by dot lock, is
// not delivered to before it lets go; and one that we deliver to it cannot lock.
func TestPythonLocks(t *testing.T) {
	for name, lock := range map[string]string{
		"fcntl": `
import fcntl, sys
f = open(sys.argv[1], "r+b")
fcntl.lockf(f, fcntl.LOCK_EX)
`,
		"dot": `
import sys, os
os.close(os.open(sys.argv[1] + ".lock", os.O_CREAT | os.O_EXCL))
import atexit
atexit.register(lambda: os.remove(sys.argv[1] + ".lock"))
`,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "box")
			deliverAll(t, path, body(1))
			cmd := exec.CommandContext(t.Context(), program(t, "python3"), "-c", lock+"print('locked', flush=True)\nsys.stdin.read()", path)
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if line, err := bufio.NewReader(out).ReadString('\n'); line != "locked\n" {
				t.Fatalf("python says %q, %v", line, err)
			}
			to := &mbox.Target{Path: path, LockTimeout: 200 * time.Millisecond}
			if err := to.Deliver(t.Context(), "a", day, strings.NewReader(body(2))); !errors.Is(err, mbox.ErrLocked) {
				t.Errorf("Deliver returns %v while python has the lock", err)
			}
			if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
				t.Fatal(err)
			}
			deliverAll(t, path, body(3))
		})
	}
	t.Run("ours", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "box")
		deliverAll(t, path, body(1))
		r, w := io.Pipe()
		done := make(chan error, 1)
		go func() { done <- (&mbox.Target{Path: path}).Deliver(context.Background(), "a", day, r) }()
		if _, err := io.WriteString(w, "Subject: slow\r\n\r\n"); err != nil { // it is read when the locks are held
			t.Fatal(err)
		}
		for _, script := range []string{
			"import fcntl, sys\nf = open(sys.argv[1], 'r+b')\ntry:\n    fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB)\n    print('got it')\nexcept OSError: print('locked')",
			"import mailbox, sys\ntry:\n    mailbox.mbox(sys.argv[1]).lock()\n    print('got it')\nexcept mailbox.ExternalClashError: print('locked')",
			"import os, sys\nprint('locked' if os.path.exists(sys.argv[1] + '.lock') else 'no dot lock')",
		} {
			if out := python(t, script, path); out != "locked\n" {
				t.Errorf("while we deliver python says %q", out)
			}
		}
		if err := errors.Join(w.Close(), <-done); err != nil {
			t.Error(err)
		}
	})
}

// TestMuttReads lets mutt copy a tagged message of our file to another one.
func TestMuttReads(t *testing.T) {
	if os.Getenv("MAILSTEAD_PEERS") != "required" {
		t.Skip("MAILSTEAD_PEERS=required is not set; mutt takes seconds to watch")
	}
	mutt, script := program(t, "mutt"), program(t, "script")
	dir := t.TempDir()
	path, to := filepath.Join(dir, "box"), filepath.Join(dir, "copy")
	one, two := "From: a@example.org\r\nSubject: one\r\n\r\nFrom one\r\n", "From: a@example.org\r\nSubject: two\r\n\r\n>From two\r\n"
	deliverAll(t, path, one, two)
	rc := filepath.Join(dir, "muttrc")
	set := "set copy=no delete=yes confirmappend=no confirmcreate=no move=no quit=yes sort=mailbox-order mbox_type=mbox mark_old=no folder=" + dir + "\n"
	if lock, err := exec.LookPath("mutt_dotlock"); err == nil {
		set += "set dotlock_program=" + lock + "\n"
	}
	if err := os.WriteFile(rc, []byte(set), 0o600); err != nil {
		t.Fatal(err)
	}
	keys := "(sleep 1; printf 'jC'; sleep 0.5; printf '\\025" + to + "\\n'; sleep 0.5; printf 'd$'; sleep 0.5; printf 'q'; sleep 1)"
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", keys+" | "+script+" -qec '"+mutt+" -n -F "+rc+" -f "+path+"' /dev/null")
	cmd.Env = append(os.Environ(), "TERM=xterm", "HOME="+t.TempDir())
	out, err := cmd.CombinedOutput()
	for name, want := range map[string]string{path: "Subject: one", to: "Subject: two"} {
		file, ferr := os.Open(name)
		if ferr != nil {
			t.Fatalf("%v; mutt: %v %.2000q", ferr, err, out)
		}
		got, _ := readAll(t, file, mbox.Options{})
		file.Close()
		if len(got) != 1 || !strings.Contains(got[0], want) || !strings.Contains(got[0], "From ") {
			t.Errorf("after mutt %s holds %q", name, got)
		}
	}
	deliverAll(t, path, two)
}
