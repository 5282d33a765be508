package itest

import (
	"context"
	"errors"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// runOnce runs the mail server until it ends by itself.
func runOnce(t *testing.T, args ...string) (status int, output string) {
	t.Helper()
	needServer(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, program(t), args...).CombinedOutput()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		t.Fatalf("%q: still running\n%s", args, tail(out))
	case errors.As(err, &exit):
		return exit.ExitCode(), string(out)
	case err != nil:
		t.Fatal(err)
	}
	return 0, string(out)
}

// TestCommandLine asserts the exit statuses of the command line, and that a
// refusal names what is wrong.
func TestCommandLine(t *testing.T) {
	needServer(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	off := []string{"-data", filepath.Join(t.TempDir(), "data")}
	for _, name := range listeners() {
		off = append(off, "-"+name, "off")
	}
	with := func(args ...string) []string { return slices.Concat(off, args) }
	for _, tc := range []struct {
		name   string
		args   []string
		status int
		says   string
	}{
		{"help", []string{"-h"}, 0, "-submission"},
		{"unknown flag", []string{"-nonsense"}, 2, "nonsense"},
		{"bad port", with("-smtp", "127.0.0.1:99999"), 2, "99999"},
		{"port in use", with("-smtp", taken.Addr().String()), 2, taken.Addr().String()},
		{"bad user", with("-user", "nobody"), 2, "user"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, out := runOnce(t, tc.args...)
			if status != tc.status || !strings.Contains(out, tc.says) {
				t.Errorf("exit status %d, want %d; want %q in:\n%s", status, tc.status, tc.says, out)
			}
		})
	}
}

// TestOneOwner asserts that a second server on the same directory is refused
// and leaves the first alone.
func TestOneOwner(t *testing.T) {
	s := newServer(t)
	args := []string{"-data", s.data}
	for name, addr := range freeAddrs(t, listeners()) {
		args = append(args, "-"+name, addr)
	}
	if status, out := runOnce(t, args...); status == 0 {
		t.Errorf("a second server on the same directory ended with status 0:\n%s", out)
	}
	if !s.healthy() {
		t.Error("the first server is not healthy any more")
	}
}
