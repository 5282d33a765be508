package smtptest

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailstead/mailstead/internal/script"
)

// NewPeer starts a server for one connection that follows a script, one step
// a line, and fails the test when the client leaves it. It returns its
// address.
//
//	S: 220 hello        sends the text and CRLF
//	R: "raw\r\n"        sends a Go string as it is
//	C: EHLO ...         reads a line, which has to start with the text
//	D:                  reads a body up to its end mark
//	N: 1000             reads that many octets
//	T:                  starts TLS, with a certificate for 127.0.0.1
//	X:                  closes the connection
//
// Behind the last step it waits for the client to close.
func NewPeer(tb testing.TB, script string) (addr string) {
	tb.Helper()
	addr, _ = NewTLSPeer(tb, script)
	return addr
}

// NewTLSPeer is NewPeer; it also returns what a client needs to trust the
// certificate of the step T.
func NewTLSPeer(tb testing.TB, script string) (addr string, client *tls.Config) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("smtptest: %v", err)
	}
	p := &peer{}
	p.server, client = Certificate(tb)
	var work sync.WaitGroup
	work.Go(func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		p.use(c)
		if err := p.follow(script); err != nil {
			tb.Errorf("smtptest: %v", err)
		}
	})
	tb.Cleanup(func() {
		l.Close()
		work.Wait()
	})
	return l.Addr().String(), client
}

type peer struct {
	server *tls.Config
	c      net.Conn
	r      *bufio.Reader
}

func (p *peer) use(c net.Conn) { p.c, p.r = c, bufio.NewReader(c) }

func (p *peer) follow(script string) error {
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		op, text, _ := strings.Cut(line, ":")
		if op == "X" {
			return nil
		}
		if err := p.step(op, strings.TrimPrefix(text, " ")); err != nil {
			return fmt.Errorf("at %q: %w", line, err)
		}
	}
	io.Copy(io.Discard, p.r)
	return nil
}

func (p *peer) step(op, text string) (err error) {
	switch op {
	case "S":
		_, err = io.WriteString(p.c, text+"\r\n")
	case "R":
		if text, err = strconv.Unquote(text); err == nil {
			_, err = io.WriteString(p.c, text)
		}
	case "C":
		var got string
		if got, err = p.r.ReadString('\n'); err == nil && !strings.HasPrefix(got, text) {
			err = fmt.Errorf("client sent %q", got)
		}
	case "D":
		_, err = readDots(p.r)
	case "N":
		var n int64
		if n, err = strconv.ParseInt(text, 10, 64); err == nil {
			_, err = io.CopyN(io.Discard, p.r, n)
		}
	case "T":
		tc := tls.Server(p.c, p.server)
		err = tc.Handshake()
		p.use(tc)
	default:
		err = fmt.Errorf("unknown step")
	}
	return err
}

// Play plays the client of a dialogue against the server at addr and fails
// the test at the line that does not come true.
//
//	S: 250 2.1.0        reads a reply, whose last line has to start with the text
//	L: SIZE             that reply has a line that starts with the text
//	C: MAIL FROM:<>     sends the text and CRLF; neighbours leave in one write
//	R: "raw\r\n"        sends a Go string as it is
//	T:                  starts TLS; any certificate will do
//	X:                  the server closes
func Play(tb testing.TB, addr, dialogue string) {
	tb.Helper()
	s, err := script.Parse(tb.Name(), dialogue)
	if err != nil {
		tb.Fatalf("smtptest: %v", err)
	}
	c, err := net.Dial("tcp", addr)
	if err != nil {
		tb.Fatalf("smtptest: %v", err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(playTime))
	if err := (&script.Player{Conn: c, StartTLS: anyTLS}).Play(s); err != nil {
		tb.Errorf("smtptest: %v", err)
	}
}

func anyTLS(c net.Conn) (net.Conn, error) {
	tc := tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	return tc, tc.Handshake()
}

// playTime bounds a dialogue.
const playTime = 30 * time.Second
