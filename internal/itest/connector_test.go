package itest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// connector is examples/connector with a configuration.
type connector struct {
	t      *testing.T
	dir    string
	config string
	cmd    *exec.Cmd
	log    *lockedBuffer
	exited chan error
}

// buildConnector builds the program once.
var buildConnector = sync.OnceValues(func() (string, error) {
	path := filepath.Join(built.dir, "connector")
	cmd := exec.Command("go", "build", "-o", path, "./connector")
	cmd.Dir = filepath.Join("..", "..", "examples")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
})

// newConnector writes a configuration, in which DATA is the data directory.
func newConnector(t *testing.T, config string) *connector {
	t.Helper()
	needServer(t)
	dir := t.TempDir()
	c := &connector{t: t, dir: filepath.Join(dir, "data"), log: &lockedBuffer{}}
	c.config = filepath.Join(dir, "connector.toml")
	c.configure(config)
	t.Cleanup(func() {
		if c.exited != nil {
			c.kill()
		}
		if t.Failed() {
			t.Logf("end of the connector's log:\n%s", c.log.tail())
		}
	})
	return c
}

func (c *connector) configure(config string) {
	c.t.Helper()
	config = fmt.Sprintf("hostname = \"connector.example.org\"\ndata = %q\n%s", c.dir, config)
	if err := os.WriteFile(c.config, []byte(config), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

func (c *connector) command(args ...string) *exec.Cmd {
	c.t.Helper()
	path, err := buildConnector()
	if err != nil {
		c.t.Fatal(err)
	}
	return exec.Command(path, append([]string{"-c", c.config}, args...)...)
}

// run runs a command to its end.
func (c *connector) run(wantExit int, args ...string) (stdout string) {
	c.t.Helper()
	cmd := c.command(args...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, c.log
	err := cmd.Run()
	exit := 0
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		exit = e.ExitCode()
	} else if err != nil {
		c.t.Fatal(err)
	}
	if exit != wantExit {
		c.t.Fatalf("connector %v: exit code %d, want %d\n%s%s", args, exit, wantExit, out.String(), c.log.tail())
	}
	return out.String()
}

// start runs it in the background.
func (c *connector) start() {
	c.t.Helper()
	c.cmd = c.command("run")
	c.cmd.Stdout, c.cmd.Stderr = c.log, c.log
	if err := c.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.exited = make(chan error, 1)
	go func(cmd *exec.Cmd, exited chan error) { exited <- cmd.Wait() }(c.cmd, c.exited)
}

func (c *connector) kill() {
	c.cmd.Process.Kill()
	<-c.exited
	c.exited = nil
}

// terminate sends SIGTERM, and wants an orderly end.
func (c *connector) terminate() {
	c.t.Helper()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		c.t.Fatal(err)
	}
	select {
	case err := <-c.exited:
		c.exited = nil
		if err != nil {
			c.t.Fatalf("SIGTERM: %v", err)
		}
	case <-time.After(40 * time.Second):
		c.t.Fatal("SIGTERM: still running")
	}
}

// connectorStatus is what the tests read of status --json.
type connectorStatus struct {
	Running bool
	Queue   struct{ Jobs int }
	Sources []struct {
		Name, Phase, Error string
		Left, Remembered   int
		Counts             struct{ Fetched, Removed, Quarantined int }
	}
}

func (c *connector) status() (st connectorStatus) {
	c.t.Helper()
	if err := json.Unmarshal([]byte(c.run(0, "status", "--json")), &st); err != nil {
		c.t.Fatal(err)
	}
	return st
}

// pop3Source is alice's mailbox at a mail server of ours.
func pop3Source(s *mailserver, more string) string {
	host, port := s.hostPort("pop3s")
	return fmt.Sprintf("[[source]]\nname = \"alice-pop3\"\nprotocol = \"pop3s\"\nhost = %q\nport = %s\ntls-ca = %q\n"+
		"user = %q\npassword = %q\nrecipient = %q\nevery = \"1s\"\n%s\n", host, port, s.certFile(), alice, password, alice, more)
}

// imapSource is bob's.
func imapSource(s *mailserver, more string) string {
	host, port := s.hostPort("imap")
	return fmt.Sprintf("[[source]]\nname = \"bob-imap\"\nprotocol = \"imap\"\nhost = %q\nport = %s\ntls-ca = %q\n"+
		"user = %q\npassword = %q\nrecipient = %q\nevery = \"1s\"\n%s\n", host, port, s.certFile(), bob, password, bob, more)
}

// fillBoth puts messages from..to-1 into the mailboxes of alice and bob.
func fillBoth(t *testing.T, s *mailserver, from, to int) {
	t.Helper()
	for _, user := range []string{alice, bob} {
		ic := s.login(t, user, "INBOX")
		for i := from; i < to; i += 50 {
			var batch [][]byte
			for id := i; id < min(i+50, to); id++ {
				batch = append(batch, message(id))
			}
			ic.appendAll("INBOX", batch...)
		}
		ic.c.Close()
	}
}

// served is a mail server over the data directory of the connector, which does
// not run.
func (c *connector) served() *mailserver {
	c.t.Helper()
	s := newBareServer(c.t, "-data", c.dir, "-hostname", "mx.example.org", "-domain", "example.org", "-user", alice+":"+password, "-user", bob+":"+password)
	s.start()
	return s
}

// tally counts each message in the mailbox of a user, and compares it with what
// was sent.
func tally(t *testing.T, s *mailserver, user string) map[int]int {
	t.Helper()
	ic := s.login(t, user, "INBOX")
	defer ic.c.Close()
	seen := map[int]int{}
	for _, body := range ic.bodies() {
		id, ok := messageID([]byte(body))
		if !ok {
			t.Fatalf("a message that nobody sent: %.200q", body)
		}
		if !strings.HasSuffix(body, string(message(id))) {
			t.Errorf("message %d was changed", id)
		}
		seen[id]++
	}
	return seen
}

// lostAndDoubled compares with messages 0..n-1.
func lostAndDoubled(seen map[int]int, n int) (lost, doubled int) {
	for id := range n {
		if seen[id] == 0 {
			lost++
		}
		doubled += max(0, seen[id]-1)
	}
	return lost, doubled
}

// all is everything that was logged.
func (l *lockedBuffer) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
