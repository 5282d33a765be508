package gosmtp

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"sync"
	"time"

	gosmtp "github.com/emersion/go-smtp"

	"github.com/mailstead/mailstead/smtp"
)

// session is a go-smtp session together with the Conn that it was made for.
//
// Only go-smtp itself can make a Conn. So each connection has a go-smtp server of
// its own that serves one line, on which a client says EHLO and then nothing. It
// calls the backend's NewSession, and at the end of the line Logout.
type session struct {
	gosmtp.Session
	secure bool // TLS was on when it was made
	line   *line
	server *gosmtp.Server
}

// made is what NewSession said.
type made struct {
	session gosmtp.Session
	err     error
}

func openSession(from *gosmtp.Server, p *smtp.Peer) (*session, error) {
	verb := "EHLO "
	if from.LMTP {
		verb = "LHLO "
	}
	l := &line{peer: p, pending: verb + p.Hello + "\r\n", ended: make(chan struct{})}
	result := make(chan made, 1)
	inner := copyOptions(from)
	inner.Backend = gosmtp.BackendFunc(func(c *gosmtp.Conn) (gosmtp.Session, error) {
		s, err := from.Backend.NewSession(c)
		result <- made{s, err}
		return s, err
	})
	inner.Serve(&listener{conn: l}) // returns once the line is served on its goroutine
	s := &session{secure: p.TLS != nil, line: l, server: inner}
	var m made
	select {
	case m = <-result:
	case <-l.ended: // NewSession panicked, or closed the Conn before it was done
		select {
		case m = <-result:
		default:
			m.err = errNoSession
		}
	}
	if m.err == nil && m.session == nil {
		m.err = errNoSession
	}
	if m.err != nil {
		s.close()
		return nil, m.err
	}
	s.Session = m.session
	return s, nil
}

var errNoSession = errors.New("gosmtp: NewSession made no session")

// copyOptions is a server with the options of from that a backend can see.
func copyOptions(from *gosmtp.Server) *gosmtp.Server {
	s := gosmtp.NewServer(nil)
	s.Network, s.Addr, s.TLSConfig, s.LMTP, s.Domain = from.Network, from.Addr, from.TLSConfig, from.LMTP, from.Domain
	s.MaxRecipients, s.MaxMessageBytes = from.MaxRecipients, from.MaxMessageBytes
	s.AllowInsecureAuth = from.AllowInsecureAuth
	s.ErrorLog = from.ErrorLog
	if s.ErrorLog == nil {
		s.ErrorLog = log.New(io.Discard, "", 0)
	}
	s.EnableSMTPUTF8, s.EnableREQUIRETLS = from.EnableSMTPUTF8, from.EnableREQUIRETLS
	s.EnableBINARYMIME, s.EnableDSN = from.EnableBINARYMIME, from.EnableDSN
	s.EnableRRVS, s.EnableMTPRIORITY = from.EnableRRVS, from.EnableMTPRIORITY
	s.EnableDELIVERBY, s.MinimumDeliverByTime = from.EnableDELIVERBY, from.MinimumDeliverByTime
	s.MaxLineLength = 0 // smtpserver has judged the line
	return s
}

// close ends the line, and waits until go-smtp has called Logout.
func (s *session) close() {
	s.line.Close()
	s.server.Shutdown(context.Background())
}

// alive is the error of a session whose Conn the backend closed.
func (s *session) alive() error {
	select {
	case <-s.line.ended:
		return errClosedByBackend()
	default:
		return nil
	}
}

// listener accepts one connection.
type listener struct{ conn net.Conn }

func (l *listener) Accept() (net.Conn, error) {
	c := l.conn
	if c == nil {
		return nil, io.EOF
	}
	l.conn = nil
	return c, nil
}

func (l *listener) Close() error   { return nil }
func (l *listener) Addr() net.Addr { return addr{} }

// line is a connection on which a client says hello, and then nothing until it
// is closed.
type line struct {
	peer    *smtp.Peer
	pending string // read by go-smtp's goroutine only
	once    sync.Once
	ended   chan struct{} // closed by Close
}

func (l *line) Read(p []byte) (int, error) {
	if l.pending != "" {
		n := copy(p, l.pending)
		l.pending = l.pending[n:]
		return n, nil
	}
	<-l.ended
	return 0, io.EOF
}

func (l *line) Write(p []byte) (int, error) { return len(p), nil }

func (l *line) Close() error {
	l.once.Do(func() { close(l.ended) })
	return nil
}

func (l *line) LocalAddr() net.Addr  { return address(l.peer.LocalAddr) }
func (l *line) RemoteAddr() net.Addr { return address(l.peer.Addr) }

func (l *line) SetDeadline(time.Time) error      { return nil }
func (l *line) SetReadDeadline(time.Time) error  { return nil }
func (l *line) SetWriteDeadline(time.Time) error { return nil }
