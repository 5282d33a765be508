package itest

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// An smtpConn is a raw SMTP dialogue: it sends exactly the octets it is given.
type smtpConn struct {
	c net.Conn
	r *bufio.Reader
}

// dialSMTP connects to a listener and reads the greeting.
func (s *mailserver) dialSMTP(listener string) (*smtpConn, error) {
	c, err := net.DialTimeout("tcp", s.ports[listener], 5*time.Second)
	if err != nil {
		return nil, err
	}
	if listener == "submissions" {
		c = tls.Client(c, insecure())
	}
	c.SetDeadline(time.Now().Add(30 * time.Second))
	sc := &smtpConn{c, bufio.NewReader(c)}
	if _, err := sc.want("220"); err != nil {
		c.Close()
		return nil, err
	}
	return sc, nil
}

// mx connects to the MX port and says EHLO.
func (s *mailserver) mx(t *testing.T) *smtpConn {
	t.Helper()
	sc, err := s.dialSMTP("smtp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sc.c.Close() })
	sc.mustCmd(t, "250", "EHLO client.remote.example")
	return sc
}

// send writes octets as they are.
func (sc *smtpConn) send(b string) error {
	sc.c.SetDeadline(time.Now().Add(30 * time.Second))
	_, err := io.WriteString(sc.c, b)
	return err
}

// reply reads one reply with all its lines.
func (sc *smtpConn) reply() (string, error) {
	var all strings.Builder
	for {
		line, err := sc.r.ReadString('\n')
		if err != nil {
			return all.String(), err
		}
		all.WriteString(line)
		if len(line) < 4 {
			return all.String(), fmt.Errorf("reply %q", line)
		}
		if line[3] != '-' {
			return all.String(), nil
		}
	}
}

// want reads a reply that begins with code.
func (sc *smtpConn) want(code string) (string, error) {
	r, err := sc.reply()
	if err == nil && !strings.HasPrefix(r, code) {
		err = fmt.Errorf("reply %q, want %s", r, code)
	}
	return r, err
}

// cmd sends a command line and wants a code.
func (sc *smtpConn) cmd(code, line string) (string, error) {
	if err := sc.send(line + "\r\n"); err != nil {
		return "", err
	}
	r, err := sc.want(code)
	if err != nil {
		err = fmt.Errorf("%s: %w", line, err)
	}
	return r, err
}

func (sc *smtpConn) mustCmd(t *testing.T, code, line string) string {
	t.Helper()
	r, err := sc.cmd(code, line)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// rest reads replies until the server closes the connection.
func (sc *smtpConn) rest() (replies []string, err error) {
	sc.c.SetDeadline(time.Now().Add(30 * time.Second))
	for {
		r, err := sc.reply()
		if r != "" {
			replies = append(replies, r)
		}
		var timeout net.Error
		switch {
		case err == nil:
		case errors.As(err, &timeout) && timeout.Timeout():
			return replies, err
		default: // closed, politely or not
			return replies, nil
		}
	}
}

// deliver sends one message in one transaction; nil means that the server has
// acknowledged it.
func (sc *smtpConn) deliver(from, to string, msg []byte, bdat bool) error {
	if _, err := sc.cmd("250", "MAIL FROM:<"+from+"> BODY=8BITMIME"); err != nil {
		return err
	}
	if _, err := sc.cmd("250", "RCPT TO:<"+to+">"); err != nil {
		return err
	}
	if bdat {
		half := len(msg) / 2
		if err := sc.bdat(msg[:half], ""); err != nil {
			return err
		}
		return sc.bdat(msg[half:], " LAST")
	}
	if _, err := sc.cmd("354", "DATA"); err != nil {
		return err
	}
	if err := sc.send(dotStuff(msg) + ".\r\n"); err != nil {
		return err
	}
	_, err := sc.want("250")
	return err
}

// bdat sends one chunk and wants it accepted.
func (sc *smtpConn) bdat(chunk []byte, last string) error {
	if err := sc.send(fmt.Sprintf("BDAT %d%s\r\n%s", len(chunk), last, chunk)); err != nil {
		return err
	}
	_, err := sc.want("250")
	return err
}

// dotStuff prepares a text that ends in CRLF for DATA.
func dotStuff(msg []byte) string {
	s := strings.ReplaceAll(string(msg), "\r\n.", "\r\n..")
	if strings.HasPrefix(s, ".") {
		s = "." + s
	}
	return s
}
