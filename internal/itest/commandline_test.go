package itest

import (
	"context"
	"errors"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
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
		{"bad host name", with("-hostname", "a b"), 2, "hostname"},
		{"bad domain", with("-domain", "x@example.org"), 2, "domain"},
		{"bad number", with("-max-connections", "many"), 2, "max-connections"},
		{"no file", with("-user", "@/does/not/exist"), 2, "/does/not/exist"},
		{"no certificate", with("-tls-cert", "/does/not/exist", "-tls-key", "/does/not/exist"), 2, "tls-cert"},
		{"key without certificate", with("-tls-key", "x"), 2, "tls-cert"},
		{"bad relay", with("-relay", "host"), 2, "relay"},
		{"unknown catch-all", with("-catch-all", "nobody@example.org"), 2, "catch-all"},
		{"argument", with("argument"), 2, "argument"},
		{"unknown name in the configuration", with("-config", writeFile(t, "toml", []byte("nonsense = 1"))), 2, "nonsense"},
		{"list for what is none", with("-config", writeFile(t, "toml", []byte("hostname = ['a', 'b']"))), 2, "hostname"},
		{"data is a file", append(with("-data"), writeFile(t, "data", nil)), 2, "data"},
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
	pid := strconv.Itoa(s.cmd.Process.Pid)
	if status, out := runOnce(t, args...); status != 2 || !strings.Contains(out, pid) {
		t.Errorf("a second server on the same directory: exit status %d, want 2 and the owner's process id %s:\n%s", status, pid, out)
	}
	if !s.healthy() {
		t.Error("the first server is not healthy any more")
	}
}

// TestSources asserts that flags may come from the environment and from a
// file, and values from files.
func TestSources(t *testing.T) {
	users := writeFile(t, "users", []byte("alice@example.org:p@ss:word\nbob@example.net:x\n"))
	config := writeFile(t, "toml", []byte("domain = ['example.org', 'example.net']\nhostname = 'toml.example'\nplaintext-auth = true\n"))
	t.Setenv("MAILSTEAD_HOSTNAME", "environment.example")
	t.Setenv("MAILSTEAD_PLAINTEXT_AUTH", "false")
	s := newBareServer(t, "-config", config, "-user", "@"+users)
	s.start()
	sc := dialogue(t, s, "smtp", []step{{"EHLO client.example", "250-environment.example"}, {"MAIL FROM:<>", "250"}, {"RCPT TO:<bob@example.net>", "250"}})
	sc.mustCmd(t, "550 5.1.1", "RCPT TO:<bob@example.org>")
	s.dialIMAP(t).ok("LOGIN alice@example.org p@ss:word")
}

// TestListenersOff asserts that each listener can be left out.
func TestListenersOff(t *testing.T) {
	for _, name := range listeners() {
		if name == "http" {
			continue // newServer asks it whether the server is ready
		}
		addr := freeAddrs(t, []string{name})[name]
		s := newServer(t, "-"+name, addr, "-"+name, "off")
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			t.Errorf("-%s off: %s accepts", name, addr)
		}
		s.stop()
	}
}
