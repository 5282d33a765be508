package itest

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// A pop3Conn is a raw POP3 dialogue.
type pop3Conn struct {
	t *testing.T
	c net.Conn
	r *bufio.Reader
}

// pop3 connects with TLS and, with a user, logs in.
func (s *mailserver) pop3(t *testing.T, user string) *pop3Conn {
	t.Helper()
	c, err := tls.Dial("tcp", s.ports["pop3s"], insecure())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	pc := &pop3Conn{t, c, bufio.NewReader(c)}
	c.SetDeadline(time.Now().Add(30 * time.Second))
	pc.want("+OK")
	if user != "" {
		pc.command("+OK", "USER "+user)
		pc.command("+OK", "PASS "+password)
	}
	return pc
}

func (pc *pop3Conn) want(status string) string {
	pc.t.Helper()
	line, err := pc.r.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, status) {
		pc.t.Fatalf("%q, %v; want %s", line, err, status)
	}
	return line
}

func (pc *pop3Conn) command(status, line string) string {
	pc.t.Helper()
	if _, err := io.WriteString(pc.c, line+"\r\n"); err != nil {
		pc.t.Fatal(err)
	}
	return pc.want(status)
}

// uidl returns the unique-ids in order.
func (pc *pop3Conn) uidl() (ids []string) {
	pc.t.Helper()
	pc.command("+OK", "UIDL")
	for {
		line := pc.want("")
		if line == ".\r\n" {
			return ids
		}
		_, id, _ := strings.Cut(strings.TrimSpace(line), " ")
		ids = append(ids, id)
	}
}

// TestUniqueIDs asserts that unique-ids outlive deletions and a crash, that a
// maildrop has one session at a time, and that only QUIT deletes.
func TestUniqueIDs(t *testing.T) {
	s := newServer(t)
	s.login(t, alice, "INBOX").appendAll("INBOX", message(1), message(2), message(3))
	pc := s.pop3(t, alice)
	first := pc.uidl()
	if len(first) != 3 {
		t.Fatalf("unique-ids %q", first)
	}
	second := s.pop3(t, "")
	second.command("+OK", "USER "+alice)
	second.command("-ERR [IN-USE]", "PASS "+password)
	pc.command("+OK", "DELE 1")
	pc.c.Close()
	same := func(what string) {
		t.Helper()
		pc := s.pop3WhenFree(t)
		defer pc.c.Close()
		if ids := pc.uidl(); fmt.Sprint(ids) != fmt.Sprint(first) {
			t.Errorf("after %s: unique-ids %q, want %q", what, ids, first)
		}
	}
	same("a lost connection")
	s.kill()
	s.start()
	same("a crash")
	pc = s.pop3WhenFree(t)
	pc.command("+OK", "DELE 1")
	pc.command("+OK", "QUIT")
	if ids := s.pop3WhenFree(t).uidl(); fmt.Sprint(ids) != fmt.Sprint(first[1:]) {
		t.Errorf("after a deletion: unique-ids %q, want %q", ids, first[1:])
	}
}

// pop3WhenFree logs in as alice once the server knows that the last connection
// is gone.
func (s *mailserver) pop3WhenFree(t *testing.T) (pc *pop3Conn) {
	t.Helper()
	eventually(t, 10*time.Second, "the maildrop stays locked", func() bool {
		pc = s.pop3(t, "")
		pc.command("+OK", "USER "+alice)
		return strings.HasPrefix(pc.command("", "PASS "+password), "+OK")
	})
	return pc
}
