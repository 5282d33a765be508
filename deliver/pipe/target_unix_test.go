//go:build unix

package pipe_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mailstead/mailstead/deliver/pipe"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtptest"
)

// shell is a Target that runs a script for a test, with $1 the first of args. The
// script may write in the directory that it runs in.
func shell(t *testing.T, script string, args ...string) *pipe.Target {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	command := append([]string{"/bin/sh", "-c", strings.ReplaceAll(script, "$", "$$"), "sh"}, args...)
	target := &pipe.Target{Command: command, Dir: dir, Logger: slog.New(slog.DiscardHandler)}
	if os.Geteuid() == 0 {
		target.UID, target.GID = 65534, 65534
	}
	return target
}

func path(s string) smtp.Path {
	p, err := smtp.ParseMailbox(s, true)
	if err != nil {
		panic(err)
	}
	return p
}

const message = "Subject: x\r\n\r\nFrom here\r\n"

// send sends message to these addresses: a word for each status.
func send(t *testing.T, ctx context.Context, target smtp.Receiver, b *smtp.Body, to ...string) string {
	t.Helper()
	m := &smtp.Mail{ID: "id1", PerRecipient: true, ReversePath: smtp.ReversePath{Path: path("s@b.example")}, Received: time.Unix(1e9, 0)}
	tx, err := target.Begin(ctx, m)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Abort()
	for _, a := range to {
		if err := tx.Rcpt(ctx, []*smtp.Recipient{{ForwardPath: smtp.ForwardPath{Path: path(a)}}})[0]; err != nil {
			t.Fatal(err)
		}
	}
	statuses, err := tx.Data(ctx, b)
	if err != nil || len(statuses) != len(to) {
		return fmt.Sprint(err, len(statuses))
	}
	var out []string
	for _, s := range statuses {
		reply := smtp.ReplyOf(s.Err)
		out = append(out, fmt.Sprint(reply.Code, reply.Enhanced))
	}
	return strings.Join(out, ", ")
}

func body() *smtp.Body {
	b := smtp.NewBody(strings.NewReader(message), -1)
	b.Prepend([]byte("Received: by us\r\n"))
	return b
}

func read(t *testing.T, target *pipe.Target, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(target.Dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestInput(t *testing.T) {
	const script = `cat > "$1"; env > "$1.env"; pwd > "$1.dir"`
	all := pipe.ReturnPath | pipe.DeliveredTo | pipe.FromLine | pipe.QuoteFrom
	for _, test := range []struct {
		fields pipe.Fields
		crlf   bool
		want   string
	}{
		{0, false, "Received: by us\nSubject: x\n\nFrom here\n"},
		{0, true, "Received: by us\r\n" + message},
		{all, false, "From s@b.example Sun Sep  9 01:46:40 2001\nReturn-Path: <s@b.example>\nDelivered-To: ann@a.example\nReceived: by us\nSubject: x\n\n>From here\n"},
		{pipe.ReturnPath | pipe.QuoteFrom, true, "Return-Path: <s@b.example>\r\nReceived: by us\r\nSubject: x\r\n\r\n>From here\r\n"},
	} {
		target := shell(t, script, "$user")
		target.Fields, target.CRLF, target.Env = test.fields, test.crlf, []string{"PATH=/usr/bin:/bin", "A=b"}
		if got := send(t, t.Context(), target, body(), "ann@a.example"); got != "0 " {
			t.Errorf("%s", got)
		}
		if got := read(t, target, "ann"); got != test.want {
			t.Errorf("%v %v: %q, want %q", test.fields, test.crlf, got, test.want)
		}
		if env := read(t, target, "ann.env"); !strings.Contains(env, "A=b\n") || strings.Contains(env, "HOME=") || strings.Contains(env, "USER=") {
			t.Errorf("environment %q", env)
		}
	}
}

// Nothing of this process's environment is passed on.
func TestEnvironment(t *testing.T) {
	t.Setenv("MAILSTEAD_SECRET", "x")
	target := shell(t, "env > env")
	if got := send(t, t.Context(), target, body(), "ann@a.example"); got != "0 " {
		t.Fatal(got)
	}
	if env := read(t, target, "env"); strings.Contains(env, "SECRET") || !strings.Contains(env, "PATH=/usr/bin:/bin\n") {
		t.Errorf("environment %q", env)
	}
}

// Addresses are data, whatever they hold.
func TestHostileAddresses(t *testing.T) {
	target := shell(t, `printf '%s\n' "$@" >> args; cat > /dev/null`, "--", "$mailbox", "$sender")
	if got := send(t, t.Context(), target, body(), `"$(touch pwned); a b"@a.example`, `"-rf"@a.example`, "`id`@a.example"); got != "0 , 0 , 0 " {
		t.Fatal(got)
	}
	got := read(t, target, "args")
	for _, want := range []string{"--\n$(touch pwned); a b\ns@b.example\n", "--\n-rf\ns@b.example\n", "--\n`id`\ns@b.example\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
	if _, err := os.Stat(filepath.Join(target.Dir, "pwned")); err == nil {
		t.Error("a shell has seen an address")
	}
	strict := shell(t, "exit 0", "$mailbox")
	if got := send(t, t.Context(), strict, body(), `"-rf"@a.example`, "ann@a.example"); got != "550 5.1.3, 0 " {
		t.Error(got)
	}
}

func TestStatuses(t *testing.T) {
	target := shell(t, `case $1 in ok) exit 0;; said) echo "5.2.2 full"; exit 1;; killed) kill -9 $$;; early) exec <&-; exit 0;; *) echo secret >&2; exit $1;; esac`, "$user")
	target.Batch, target.Concurrency = 1, 3
	var log bytes.Buffer
	target.Logger = slog.New(slog.NewTextHandler(&log, nil))
	got := send(t, t.Context(), target, body(), "ok@a.example", "67@a.example", "75@a.example", "said@a.example", "killed@a.example", "early@a.example", "1@a.example")
	if want := "0 , 554 5.1.1, 450 4.3.0, 554 5.2.2, 451 4.3.0, 0 , 450 4.3.0"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if !strings.Contains(log.String(), "secret") || !strings.Contains(log.String(), "killed") {
		t.Errorf("log %s", log.String())
	}
}

func TestBatch(t *testing.T) {
	target := shell(t, `echo "$*" >> calls; cat > /dev/null; case $1 in c*) exit 67;; esac`, "$user")
	target.Batch, target.Concurrency = 2, 1
	if got := send(t, t.Context(), target, body(), "a@a.example", "b@a.example", "c@a.example", "d@a.example", "e@a.example"); got != "0 , 0 , 554 5.1.1, 554 5.1.1, 0 " {
		t.Error(got)
	}
	if got := read(t, target, "calls"); got != "a b\nc d\ne\n" {
		t.Errorf("calls %q", got)
	}
}

// A program that does not end is killed, with its children, and nobody has the
// message.
func TestKill(t *testing.T) {
	target := shell(t, `sleep 300 & echo $! > child; cat > /dev/null; wait; echo done > done`)
	fifo := filepath.Join(target.Dir, "child")
	if err := syscall.Mkfifo(fifo, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(fifo, 0o666); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	child := make(chan int, 1)
	go func() {
		b, _ := os.ReadFile(fifo)
		pid, _ := strconv.Atoi(strings.TrimSpace(string(b)))
		child <- pid
		cancel(errors.New("shutdown"))
	}()
	if got := send(t, ctx, target, body(), "a@a.example"); got != "451 4.3.0" {
		t.Error(got)
	}
	pid := <-child
	for deadline := time.Now().Add(30 * time.Second); pid <= 0 || alive(pid); time.Sleep(time.Millisecond) {
		if pid <= 0 || time.Now().After(deadline) {
			t.Fatalf("the child %d lives on", pid)
		}
	}
	if _, err := os.Stat(filepath.Join(target.Dir, "done")); err == nil {
		t.Error("the program went on")
	}
}

func TestTimeLimit(t *testing.T) {
	target := shell(t, "sleep 300")
	target.Timeout = time.Millisecond
	if got := send(t, t.Context(), target, body(), "a@a.example"); got != "451 4.3.0" {
		t.Error(got)
	}
}

// alive reports a process that is not a zombie.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil && !errors.Is(err, os.ErrNotExist) || err == nil && !strings.Contains(string(stat), ") Z ")
}

// A message that ends early never looks whole to the program.
func TestTruncated(t *testing.T) {
	target := shell(t, `cat > got; echo whole > whole`)
	b := smtp.NewBody(io.MultiReader(strings.NewReader(message), errReader{}), -1)
	if got := send(t, t.Context(), target, b, "a@a.example"); !strings.Contains(got, smtp.ErrTruncated.Error()) {
		t.Error(got)
	}
	if _, err := os.Stat(filepath.Join(target.Dir, "whole")); err == nil {
		t.Error("the program has seen a whole message")
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, smtp.ErrTruncated }

func TestBigOutputAndInput(t *testing.T) {
	target := shell(t, `head -c 3000000 /dev/zero; cat | wc -c > size; exit 75`)
	big := smtp.NewBody(strings.NewReader(strings.Repeat("0123456789abc\r\n", 100_000)), -1)
	if got := send(t, t.Context(), target, big, "a@a.example"); got != "450 4.3.0" {
		t.Error(got)
	}
	if got := strings.TrimSpace(read(t, target, "size")); got != "1400000" {
		t.Errorf("the program has read %s octets", got)
	}
}

func TestLoop(t *testing.T) {
	target := shell(t, "cat > got")
	target.Fields, target.Hostname = pipe.DeliveredTo, "mx.a.example"
	looping := "Received: from x by mx.a.example with SMTP id 2; d\r\nDelivered-To: Ann@A.example\r\nReceived: from y by mx.a.example with SMTP id 1; d\r\n" + message
	if got := send(t, t.Context(), target, smtp.NewBody(strings.NewReader(looping), -1), "ann@a.example", "bob@a.example"); got != "554 5.4.6, 0 " {
		t.Error(got)
	}
}

func TestCheck(t *testing.T) {
	good := shell(t, "exit 0")
	bad := &pipe.Target{Command: []string{"x", "$y"}, Dir: "x", Fields: pipe.DeliveredTo, Batch: 2, UID: good.UID, GID: good.GID}
	if err := bad.Check(); err == nil || strings.Count(err.Error(), "\n") != 2 || !errors.Is(err, pipe.ErrTemplate) {
		t.Errorf("%v", err)
	}
	if _, err := bad.Begin(t.Context(), &smtp.Mail{}); smtp.ReplyOf(err).Enhanced.String() != "4.3.5" {
		t.Errorf("%v", err)
	}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	good.UID, good.GID = 0, 0
	if err := good.Check(); (os.Geteuid() == 0) != errors.Is(err, pipe.ErrRoot) {
		t.Error(err)
	}
	none := shell(t, "exit 0")
	none.Command = []string{"/none"}
	if got := send(t, t.Context(), none, body(), "a@a.example"); got != "451 4.3.0" {
		t.Error(got)
	}
}

func TestIsReceiver(t *testing.T) {
	smtptest.TestReceiver(t, smtptest.Suite{
		New: func(t *testing.T) smtp.Receiver {
			target := shell(t, `f=$(mktemp tmp.XXXXXX) && cat > "$f" && mv "$f" "got.$f"`)
			target.Batch, target.CRLF = 100, true
			return target
		},
		Stored: func(t *testing.T, r smtp.Receiver) (out []string) {
			names, err := filepath.Glob(filepath.Join(r.(*pipe.Target).Dir, "got.*"))
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				out = append(out, read(t, r.(*pipe.Target), filepath.Base(name)))
			}
			return out
		},
	})
}
