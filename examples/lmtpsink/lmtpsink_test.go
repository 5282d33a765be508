package main

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
	"github.com/mailstead/mailstead/smtp/smtptest"
)

// TestMain runs the program itself where a test asks for it.
func TestMain(m *testing.M) {
	if os.Getenv("LMTPSINK_TEST_RUN") != "" {
		os.Exit(run(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// start runs the program, and returns its address and a function that ends it
// as an operator does.
func start(t *testing.T, args ...string) (addr string, stop func()) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), "LMTPSINK_TEST_RUN=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(line)[1], func() {
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the program ended with %v", err)
		}
	}
}

// send sends one message and returns the reply code of each recipient.
func send(t *testing.T, network, addr, text string, to ...string) []int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c, err := (&smtpclient.Dialer{Hello: "mx.example", LMTP: true}).Dial(ctx, network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	env := &smtp.Envelope{Mail: &smtp.Mail{ReversePath: smtp.ReversePath{Path: smtp.Path{Local: "ann", Domain: "example.com"}}}}
	for _, a := range to {
		local, domain, _ := strings.Cut(a, "@")
		env.Recipients = append(env.Recipients, &smtp.Recipient{ForwardPath: smtp.ForwardPath{Path: smtp.Path{Local: local, Domain: domain}}})
	}
	res, err := c.Send(ctx, env, smtp.NewBody(strings.NewReader(text), int64(len(text))))
	if err != nil {
		t.Fatal(err)
	}
	var codes []int
	for _, r := range res.Recipients {
		codes = append(codes, r.Reply.Code)
	}
	return codes
}

const message = "Subject: hello\r\n\r\nThe text.\r\n.dotted\r\n"

// stored returns the messages that match a pattern, without their trace fields.
func stored(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		text := string(b)
		if !strings.HasPrefix(text, "Return-Path: <ann@example.com>\r\nReceived: from mx.example") {
			t.Errorf("%s begins with %.200q", f, text)
		}
		_, text, _ = strings.Cut(text, "Subject:")
		out = append(out, "Subject:"+text)
	}
	return out
}

func TestMaildir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "mail")
	addr, stop := start(t, "-lmtp", "127.0.0.1:0", "-dir", dir)
	// 192 octets once it is escaped, and a domain of 100.
	long := strings.Repeat("é", 32) + "@" + strings.Repeat("d", 50) + "." + strings.Repeat("d", 49)
	codes := send(t, "tcp", addr, message, "Bob@example.org", "a/b@example.org", "bob@example.org", long)
	if codes[0] != 250 || codes[1] != 250 || codes[2] != 250 || codes[3] != 553 {
		t.Errorf("codes %v", codes)
	}
	for pattern, want := range map[string]int{"bob@example.org/new/*": 2, "a%2Fb@example.org/new/*": 1, "*/tmp/*": 0, ".tmp/*": 0} {
		got := stored(t, filepath.Join(dir, pattern))
		if len(got) != want {
			t.Errorf("%d messages in %s, want %d", len(got), pattern, want)
		}
		for _, text := range got {
			if text != message {
				t.Errorf("%s: %q", pattern, text)
			}
		}
	}
	stop()
}

// Where one recipient's message cannot be stored, the others have theirs.
func TestOneFails(t *testing.T) {
	dir := t.TempDir()
	addr, stop := start(t, "-lmtp", "127.0.0.1:0", "-dir", dir)
	if err := os.WriteFile(filepath.Join(dir, "bad@example.org"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if codes := send(t, "tcp", addr, message, "bob@example.org", "bad@example.org", "ann@example.org"); codes[0] != 250 || codes[1] != 451 || codes[2] != 250 {
		t.Errorf("codes %v", codes)
	}
	for _, name := range []string{"bob", "ann"} {
		if got := stored(t, filepath.Join(dir, name+"@example.org/new/*")); len(got) != 1 {
			t.Errorf("%s has %d messages", name, len(got))
		}
	}
	stop()
}

func TestFilesOverUnixSocket(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "s")
	if err := os.WriteFile(filepath.Join(dir, "old"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time the socket is there already
		_, stop := start(t, "-lmtp", "unix:"+socket, "-socket-mode", "0600", "-dir", filepath.Join(dir, "mail"), "-format", "files")
		info, err := os.Stat(socket)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("socket: %v, %v", info, err)
		}
		if codes := send(t, "unix", socket, message, "bob@example.org"); codes[0] != 250 {
			t.Errorf("codes %v", codes)
		}
		stop()
	}
	if got := stored(t, filepath.Join(dir, "mail", "bob@example.org", "*.eml")); len(got) != 2 || got[0] != message || got[1] != message {
		t.Errorf("%q", got)
	}
}

// A socket of a process that was killed is taken over; one that answers is not.
func TestSocketInTheWay(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "s")
	args := []string{"-lmtp", "unix:" + socket, "-dir", filepath.Join(dir, "mail")}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	first := exec.Command(exe, args...)
	first.Env = append(os.Environ(), "LMTPSINK_TEST_RUN=1")
	out, err := first.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	bufio.NewReader(out).ReadString('\n')
	if got := run(args); got != 2 {
		t.Errorf("the socket was taken from its owner: exit %d", got)
	}
	first.Process.Kill()
	first.Wait()
	_, stop := start(t, args...)
	stop()
}

func TestBadUse(t *testing.T) {
	for _, args := range [][]string{
		{"-format", "mbox"},
		{"-socket-mode", "rw"},
		{"-lmtp", "nowhere"},
		{"-dir", "/dev/null/x"},
		{"extra"},
	} {
		if got := run(append([]string{"-dir", t.TempDir()}, args...)); got != 2 {
			t.Errorf("%q: exit %d", args, got)
		}
	}
}

// Names of directories stay below the directory, whatever the address.
func TestNames(t *testing.T) {
	s := &sink{}
	for local, want := range map[string]string{
		"Ann": "ann@example.org", "..": "%22..%22@example.org", "../x": "%22..%2Fx%22@example.org", "a\\b": `%22a%5C%5Cb%22@example.org`, "ü": "%C3%BC@example.org",
	} {
		if got := s.name(smtp.ForwardPath{Path: smtp.Path{Local: local, Domain: "example.org"}}); got != want {
			t.Errorf("%s: %s, want %s", local, got, want)
		}
	}
}

// sunk is a sink as a Receiver.
type sunk struct {
	smtp.Receiver
	*sink
}

func TestSinkIsReceiver(t *testing.T) {
	for _, maildir := range []bool{true, false} {
		smtptest.TestReceiver(t, smtptest.Suite{
			New: func(t *testing.T) smtp.Receiver {
				s, err := openSink(t.TempDir(), maildir)
				if err != nil {
					t.Fatal(err)
				}
				return sunk{smtp.Chain(smtp.EachRcpt(s.receive), smtp.JudgeRcpt(s.judge)), s}
			},
			Bad: strings.Repeat("é", 32) + "@" + strings.Repeat("d", 50) + "." + strings.Repeat("d", 49),
			Stored: func(t *testing.T, r smtp.Receiver) (all []string) {
				pattern := map[bool]string{true: "new/*", false: "*.eml"}[maildir]
				files, err := filepath.Glob(filepath.Join(r.(sunk).dir, "one@example.net", pattern))
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range files {
					b, err := os.ReadFile(f)
					if err != nil {
						t.Fatal(err)
					}
					all = append(all, string(b))
				}
				return all
			},
		})
	}
}
