package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mailstead/mailstead/examples/internal/answer"
)

// TestMain is also mailctl itself, for tests that stop and kill it.
func TestMain(m *testing.M) {
	if os.Getenv("MAILCTL_TEST_RUN") != "" {
		main()
	}
	os.Exit(m.Run())
}

// process is mailctl as a process of its own, that is not started.
func process(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append(os.Environ(), "MAILCTL_TEST_RUN=1")
	return cmd
}

// maildirOf makes a Maildir with n messages.
func maildirOf(t *testing.T, n int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "md")
	for _, sub := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		name := filepath.Join(dir, "cur", fmt.Sprintf("1700000000.%06d.host:2,S", i))
		if err := os.WriteFile(name, fmt.Appendf(nil, "Subject: %d\n\nbody %d\n", i, i), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// once fails unless the messages 0 to n-1 are in the account, each once.
func once(t *testing.T, dir, name string, n int) {
	t.Helper()
	seen := map[string]int{}
	for _, s := range subjects(t, dir, name, "INBOX") {
		seen[s]++
	}
	for i := range n {
		if seen[fmt.Sprint(i)] != 1 {
			t.Errorf("message %d is there %d times", i, seen[fmt.Sprint(i)])
		}
	}
	if len(seen) != n {
		t.Errorf("%d messages, want %d", len(seen), n)
	}
}

// TestInterrupted: SIGINT ends an import cleanly, with 130, and the same command
// goes on.
func TestInterrupted(t *testing.T) {
	const n, name = 200, "alice@example.org"
	md, data := maildirOf(t, n), filepath.Join(t.TempDir(), "data")
	ok[answer.Account](t, "--data", data, "account", "add", name)
	args := []string{"--data", data, "import", "maildir", md, name}
	cmd := process(t, append([]string{"--json"}, append(args, "--rate=20")...)...) // 10 s
	errs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(errs)
	var last event
	for first := true; lines.Scan(); first = false {
		last = event{}
		if err := json.Unmarshal(lines.Bytes(), &last); err != nil {
			t.Errorf("%v: %s", err, lines.Bytes())
		}
		if first {
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
		}
	}
	err = cmd.Wait()
	if e, isExit := errors.AsType[*exec.ExitError](err); !isExit || e.ExitCode() != exitStop || last.Event != "stopped" || last.Exit != exitStop {
		t.Fatalf("%v, %+v", err, last)
	}
	x := ok[migrated](t, args...)
	if x.Copied+x.Present != n || x.Copied == 0 {
		t.Errorf("%+v", x.Migrated)
	}
	once(t, data, name, n)
	if x := ok[migrated](t, args...); x.Copied != 0 {
		t.Errorf("a further run: %+v", x.Migrated)
	}
}

// TestKilled: however often an import is killed, the next one goes on, and nothing
// is lost or doubled.
func TestKilled(t *testing.T) {
	const n, name = 250, "alice@example.org"
	md, data := maildirOf(t, n), filepath.Join(t.TempDir(), "data")
	ok[answer.Account](t, "--data", data, "account", "add", name)
	args := []string{"--data", data, "import", "maildir", md, name}
	kills := 8
	if testing.Short() {
		kills = 3
	}
	killed := 0
	for range kills {
		cmd := process(t, append(args, "--rate=400")...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(40+rand.IntN(160))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		if err := cmd.Wait(); err != nil {
			killed++
		}
		timer.Stop()
	}
	t.Logf("killed %d times", killed)
	if x := ok[migrated](t, args...); x.Copied+x.Present != n {
		t.Errorf("%+v", x.Migrated)
	}
	once(t, data, name, n)
}

// TestSecondSignal ends the process at once.
func TestSecondSignal(t *testing.T) {
	signals := make(chan os.Signal)
	cancelled, exited := make(chan struct{}), make(chan int, 1)
	go interrupts(signals, func() { close(cancelled) }, func(code int) { exited <- code })
	signals <- os.Interrupt
	<-cancelled
	select {
	case <-exited:
		t.Fatal("the first signal ended the process")
	default:
	}
	signals <- syscall.SIGTERM
	if code := <-exited; code != exitStop {
		t.Errorf("exit %d", code)
	}
}

// TestStoppedInput: a command that waits for its input is stopped.
func TestStoppedInput(t *testing.T) {
	cmd := process(t, "send", "--server=smtp://127.0.0.1:1", "--to=a@b.example", "--from=a@b.example")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// Half a message is read, so the command is at work; then nothing comes.
	if _, err := io.WriteString(in, strings.Repeat("x", 1<<17)); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	if e, isExit := errors.AsType[*exec.ExitError](err); !isExit || e.ExitCode() != exitStop || !strings.Contains(errs.String(), "stopped") {
		t.Errorf("%v, %s", err, &errs)
	}
}
