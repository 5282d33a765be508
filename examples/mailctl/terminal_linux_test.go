package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mailstead/mailstead/examples/internal/answer"
)

// terminal is a pseudo-terminal: what a program writes to the second is read from
// the first.
func terminal(t *testing.T) (reader, program *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here: ", err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Skip("no pseudo-terminals here: ", err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here: ", err)
	}
	if err := unix.IoctlSetWinsize(int(slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 120}); err != nil {
		t.Fatal(err)
	}
	return master, slave
}

// TestTerminal: on a terminal there is a bar with totals, and lines stand above it.
func TestTerminal(t *testing.T) {
	const name = "alice@example.org"
	dir := t.TempDir()
	data, other := filepath.Join(dir, "data"), filepath.Join(dir, "other")
	ok[answer.Account](t, "--data", data, "account", "add", name)
	ok[answer.Account](t, "--data", other, "account", "add", name, "--messages=30")
	deliverTo(t, data, name, 40)
	master, slave := terminal(t)
	cmd := process(t, "--data", data, "migrate", "account:"+name, "sqlite:"+other+"#"+name, "--rate=40", "--max-message=17")
	cmd.Env = append(cmd.Env, "TERM=xterm")
	cmd.Stderr = slave
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	b, _ := io.ReadAll(master) // an error once nobody has the other end
	_ = cmd.Wait()
	shown := string(b)
	for _, want := range []string{"migrate ", " / 40", "%", "skipped: mailbox INBOX message "} {
		if !strings.Contains(shown, want) {
			t.Errorf("no %q in %q", want, shown)
		}
	}
	if !strings.HasPrefix(out.String(), "copied ") {
		t.Errorf("%q", out.String())
	}
}
