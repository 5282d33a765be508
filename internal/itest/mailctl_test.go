package itest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// mailctlPath is examples/mailctl, built once.
var mailctlPath = sync.OnceValues(func() (string, error) {
	path := filepath.Join(built.dir, "mailctl")
	cmd := exec.Command("go", "build", "-o", path, "./mailctl")
	cmd.Dir = filepath.Join("..", "..", "examples")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
})

// mailctl is a command on the data directory of the server, that is not started.
func (s *mailserver) mailctl(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	path, err := mailctlPath()
	if err != nil {
		t.Fatalf("examples/mailctl cannot be built: %v", err)
	}
	return exec.CommandContext(t.Context(), path, append([]string{"--json", "--data", s.data}, args...)...)
}

// copies is what mailctl says of a migration.
type copies struct {
	Copied, Present, Skipped, Failed int64
}

// migrates runs a command that has to succeed.
func (s *mailserver) migrates(t *testing.T, args ...string) (c copies) {
	t.Helper()
	out, err := s.mailctl(t, args...).Output()
	if err != nil {
		t.Fatalf("mailctl %v: %v\n%s%s", args, err, out, stderrOf(err))
	}
	if err := json.Unmarshal(out, &c); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return c
}

func stderrOf(err error) []byte {
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		return e.Stderr
	}
	return nil
}

// emlTree makes a directory with n messages, and one mailbox below it.
func emlTree(t *testing.T, n int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "eml")
	if err := os.MkdirAll(filepath.Join(dir, "Lists", "go"), 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		sub := ""
		if i%10 == 0 {
			sub = "Lists/go"
		}
		text := fmt.Sprintf("Date: Mon, 2 Jan 2006 15:04:%02d +0000\nSubject: eml-%d\n\nbody %d\n", i%60, i, i)
		if err := os.WriteFile(filepath.Join(dir, sub, fmt.Sprintf("%05d.eml", i)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestMailctlImport: a running server takes an import, shows it to its clients, and
// takes mail meanwhile; an import that is stopped, and one that is killed together
// with the server, is gone on with.
func TestMailctlImport(t *testing.T) {
	const n = 300
	s := newServer(t)
	dir := emlTree(t, n)
	args := []string{"import", "eml", dir, alice}

	stopped := s.mailctl(t, append(args, "--rate=50")...)
	errs, err := stopped.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := stopped.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(errs)
	if !lines.Scan() { // the first progress: the server is at it
		t.Fatal("nothing is told")
	}
	if err := stopped.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
	}
	if err := stopped.Wait(); stopped.ProcessState.ExitCode() != 130 {
		t.Fatalf("stopped: %v, %s", err, lines.Text())
	}

	// So slow that it is not done before the server is killed, however busy the
	// machine is.
	killed := s.mailctl(t, append(args, "--rate=30")...)
	if err := killed.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "nothing is imported", func() bool { return s.count(t, "INBOX") > 0 })
	s.kill()
	if err := killed.Wait(); err == nil {
		t.Error("an import into a server that was killed succeeded")
	}
	s.start()

	if c := s.migrates(t, args...); c.Copied+c.Present != n || c.Present == 0 {
		t.Errorf("%+v", c)
	}
	if c := s.migrates(t, args...); c.Copied != 0 || c.Present != n {
		t.Errorf("again: %+v", c)
	}
	if got := s.count(t, "INBOX") + s.count(t, "Lists/go"); got != n {
		t.Errorf("%d messages, want %d", got, n)
	}
	seen := map[string]int{}
	for _, box := range []string{"INBOX", "Lists/go"} {
		for _, body := range s.bodiesOf(t, box, "") {
			seen[strings.TrimSpace(body)]++
		}
	}
	for body, count := range seen {
		if count != 1 {
			t.Errorf("%d times: %.60s", count, body)
		}
	}
}

// TestMailctlExport: what a running server has goes out as a Maildir and comes
// back into another account, in both without anything being there twice.
func TestMailctlExport(t *testing.T) {
	s := newServer(t)
	s.migrates(t, "import", "eml", emlTree(t, 40), alice)
	md := filepath.Join(t.TempDir(), "md")
	if c := s.migrates(t, "export", "maildir", alice, md); c.Copied != 40 {
		t.Errorf("%+v", c)
	}
	if c := s.migrates(t, "export", "maildir", alice, md); c.Copied != 0 || c.Present != 40 {
		t.Errorf("again: %+v", c)
	}
	if c := s.migrates(t, "import", "maildir", md, bob, "--into=Old", "--verify=bodies"); c.Copied != 40 {
		t.Errorf("%+v", c)
	}
	// What is not there is told, and is no empty import.
	out, err := s.mailctl(t, "import", "maildir", filepath.Join(md, "none"), bob).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "there is no") {
		t.Errorf("%v, %s", err, out)
	}
}

// TestMailctlSend: a message goes into the queue of a running server, and by
// submission with a login, and arrives.
func TestMailctlSend(t *testing.T) {
	s := newServer(t)
	send := func(args ...string) {
		t.Helper()
		cmd := s.mailctl(t, append([]string{"send", "--subject=by mailctl", "--from=" + alice, "--to=" + bob}, args...)...)
		cmd.Stdin = strings.NewReader("hello\n")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %v, %s", args, err, out)
		}
	}
	send("--queue")
	send("--server=submission://"+s.ports["submission"], "--user="+alice, "--password="+password, "--ca="+s.certFile())
	send("--server=submissions://"+s.ports["submissions"], "--user="+alice, "--password="+password, "--ca="+s.certFile())
	send("--server=smtp://" + s.ports["smtp"])
	send("--server=lmtp://" + s.ports["lmtp"])
	eventually(t, 5*time.Second, "not all arrived", func() bool {
		n := 0
		ic := s.login(t, bob, "INBOX")
		defer ic.c.Close()
		ic.command(func(line string, _ []string) {
			if _, counted, ok := strings.Cut(line, "(MESSAGES "); ok {
				fmt.Sscan(counted, &n)
			}
		}, "STATUS INBOX (MESSAGES)")
		return n == 5
	})
}

// TestMailctlMigrate: an account moves by IMAP from one running server to another,
// through the owner of the other's data and by IMAP to both; a second pass copies
// nothing.
func TestMailctlMigrate(t *testing.T) {
	from, to := newServer(t), newServer(t)
	from.migrates(t, "import", "eml", emlTree(t, 50), alice)
	at := func(s *mailserver, kind, user string) string {
		return kind + "://" + strings.Replace(user, "@", "%40", 1) + "@" + s.ports[kind] + "/"
	}
	word := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(word, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	var both []byte
	for _, s := range []*mailserver{from, to} {
		b, err := os.ReadFile(s.certFile())
		if err != nil {
			t.Fatal(err)
		}
		both = append(both, b...)
	}
	if err := os.WriteFile(ca, both, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"migrate", at(from, "imap", alice), "account:" + alice, "--source-password=@" + word, "--ca=" + ca},
		{"migrate", at(from, "pop3", alice), "account:" + bob, "--source-password=@" + word, "--ca=" + ca, "--into=Drop"},
		{"migrate", at(from, "imaps", alice), at(to, "imap", bob), "--source-password=@" + word, "--target-password=@" + word, "--ca=" + ca, "--state=" + t.TempDir()},
	} {
		n := int64(50)
		if strings.HasPrefix(args[1], "pop3") {
			n = 45 // the INBOX
		}
		if c := to.migrates(t, append(args, "--verify=bodies")...); c.Copied != n {
			t.Errorf("%v: %+v", args, c)
		}
		if c := to.migrates(t, args...); c.Copied != 0 || c.Present != n {
			t.Errorf("again: %+v", c)
		}
	}
	if n, m := to.count(t, "INBOX"), to.count(t, "Lists/go"); n != 45 || m != 5 {
		t.Errorf("%d and %d messages", n, m)
	}
	out, err := to.mailctl(t, "migrate", at(from, "imap", alice), "account:"+alice, "--source-password=wrong-word", "--ca="+ca).CombinedOutput()
	if err == nil || strings.Contains(string(out), "wrong-word") {
		t.Errorf("%v, %s", err, out)
	}
	if log := to.log.tail(); strings.Contains(log, "wrong-word") || strings.Contains(log, password) {
		t.Errorf("a secret is in the log:\n%s", log)
	}
}
