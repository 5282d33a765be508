package itest

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// An imapConn is as much of an IMAP client as these tests need. It is
// independent of the library, so that both cannot share a mistake.
type imapConn struct {
	t   *testing.T
	c   net.Conn
	r   *bufio.Reader
	tag int
}

// dialIMAP connects to -imaps and reads the greeting.
func (s *mailserver) dialIMAP(t *testing.T) *imapConn {
	t.Helper()
	c, err := tls.Dial("tcp", s.ports["imaps"], insecure())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	ic := &imapConn{t: t, c: c, r: bufio.NewReaderSize(c, 64<<10)}
	if line, _ := ic.line(); !strings.HasPrefix(line, "* OK") {
		t.Fatalf("greeting %q", line)
	}
	return ic
}

// dialPlainIMAP connects to -imap.
func (s *mailserver) dialPlainIMAP(t *testing.T) *imapConn {
	t.Helper()
	c, err := net.Dial("tcp", s.ports["imap"])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	ic := &imapConn{t: t, c: c, r: bufio.NewReader(c)}
	ic.line()
	return ic
}

// secure is what follows a STARTTLS.
func (ic *imapConn) secure() {
	ic.c = tls.Client(ic.c, insecure())
	ic.r.Reset(ic.c)
}

// insecure accepts the certificate that the server signed itself.
func insecure() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }

// login connects as a user and selects a mailbox.
func (s *mailserver) login(t *testing.T, user, mailbox string) *imapConn {
	t.Helper()
	ic := s.dialIMAP(t)
	ic.ok("LOGIN %s %q", user, password)
	ic.ok("SELECT %s", mailbox)
	return ic
}

// line reads one response line; the data of literals is kept apart.
func (ic *imapConn) line() (text string, literals []string) {
	ic.t.Helper()
	ic.c.SetDeadline(time.Now().Add(30 * time.Second))
	ends := regexp.MustCompile(`\{(\d+)\}\r\n$`)
	for {
		part, err := ic.r.ReadString('\n')
		if err != nil {
			ic.t.Fatalf("IMAP: %v after %q", err, part)
		}
		text += part
		m := ends.FindStringSubmatch(part)
		if m == nil {
			return strings.TrimSuffix(text, "\r\n"), literals
		}
		n, err := strconv.Atoi(m[1])
		if err != nil {
			ic.t.Fatal(err)
		}
		data := make([]byte, n)
		if _, err := io.ReadFull(ic.r, data); err != nil {
			ic.t.Fatalf("IMAP literal of %d octets: %v", n, err)
		}
		literals = append(literals, string(data))
	}
}

// command sends a command and returns its status line after calling each for
// every response before it.
func (ic *imapConn) command(each func(line string, literals []string), format string, args ...any) string {
	ic.t.Helper()
	ic.tag++
	tag := fmt.Sprintf("t%d", ic.tag)
	if _, err := fmt.Fprintf(ic.c, tag+" "+format+"\r\n", args...); err != nil {
		ic.t.Fatal(err)
	}
	for {
		line, literals := ic.line()
		if rest, ok := strings.CutPrefix(line, tag+" "); ok {
			return rest
		}
		if each != nil {
			each(line, literals)
		}
	}
}

// ok is command for what must succeed.
func (ic *imapConn) ok(format string, args ...any) {
	ic.t.Helper()
	if status := ic.command(nil, format, args...); !strings.HasPrefix(status, "OK") {
		ic.t.Fatalf("%s: %s", fmt.Sprintf(format, args...), status)
	}
}

// bodies fetches all messages of the selected mailbox.
func (ic *imapConn) bodies() []string {
	ic.t.Helper()
	ic.ok("NOOP")
	var list []string
	status := ic.command(func(line string, literals []string) {
		if strings.Contains(line, " FETCH (") && len(literals) == 1 {
			list = append(list, literals[0])
		}
	}, "UID FETCH 1:* (UID BODY.PEEK[])")
	if !strings.HasPrefix(status, "OK") {
		ic.t.Fatalf("UID FETCH: %s", status)
	}
	return list
}

// waitFor returns the bodies of the mailbox once it holds n messages.
func (ic *imapConn) waitFor(n int) []string {
	ic.t.Helper()
	var list []string
	eventually(ic.t, 10*time.Second, "the mailbox does not hold the messages", func() bool {
		list = ic.bodies()
		return len(list) >= n
	})
	if len(list) != n {
		ic.t.Fatalf("%d messages, want %d", len(list), n)
	}
	return list
}

// appendAll stores messages, without waiting for one before the next is sent.
func (ic *imapConn) appendAll(mailbox string, msgs ...[]byte) {
	ic.t.Helper()
	sent := make(chan error, 1)
	first := ic.tag + 1
	ic.tag += len(msgs)
	go func() {
		w := bufio.NewWriterSize(ic.c, 64<<10)
		for i, m := range msgs {
			fmt.Fprintf(w, "t%d APPEND %s {%d+}\r\n", first+i, mailbox, len(m))
			w.Write(m)
			w.WriteString("\r\n")
		}
		sent <- w.Flush()
	}()
	for done := 0; done < len(msgs); {
		line, _ := ic.line()
		if strings.HasPrefix(line, "*") {
			continue
		}
		if want := fmt.Sprintf("t%d OK", first+done); !strings.HasPrefix(line, want) {
			ic.t.Fatalf("APPEND: %q, want %q", line, want)
		}
		done++
	}
	if err := <-sent; err != nil {
		ic.t.Fatal(err)
	}
}
