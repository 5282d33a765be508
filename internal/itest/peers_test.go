package itest

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// needServer skips what starts whole programs from quick runs, and from those
// that leave peers to another one.
func needServer(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts whole programs; not run with -short")
	}
	if os.Getenv("MAILSTEAD_PEERS") == "none" {
		t.Skip("starts whole programs; MAILSTEAD_PEERS=none leaves them to another run")
	}
}

// peer returns the path of a foreign program.
func peer(t *testing.T, name string) string {
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

// runPeer runs a foreign program for at most a minute and returns its standard
// output. The test fails if the program does, unless wantFail.
func runPeer(t *testing.T, wantFail bool, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, peer(t, name), args...)
	cmd.WaitDelay = 5 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	home := t.TempDir()
	cmd.Dir = home
	cmd.Env = append(os.Environ(), "HOME="+home, "TERM=xterm", "LC_ALL=C.UTF-8")
	err := cmd.Run()
	if (err != nil) != wantFail {
		t.Fatalf("%s %s: %v\nstdout: %s\nstderr: %s", name, strings.Join(args, " "), err, tail(stdout.Bytes()), tail(stderr.Bytes()))
	}
	if wantFail {
		return stdout.String() + stderr.String()
	}
	return stdout.String()
}

// tail is the end of an output, enough to see what went wrong.
func tail(b []byte) []byte { return b[max(0, len(b)-4096):] }

// script is the absolute path of a file in testdata.
func script(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// writeFile makes a file in a new directory and returns its path.
func writeFile(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// eventually asks again until done says yes, for at most limit. It is for
// foreign processes only, which tell nobody when they are done.
func eventually(t *testing.T, limit time.Duration, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(limit); !done(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("after %v: %s", limit, what)
		}
	}
}
