package pop3server

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/mailstead/mailstead/internal/listen"
	"github.com/mailstead/mailstead/internal/proxyproto"
	"github.com/mailstead/mailstead/internal/tlspeer"
	"github.com/mailstead/mailstead/pop3"
)

// conn is one connection: its octets, time limits and end. One goroutine
// serves it; Wake and Close come from others.
type conn struct {
	srv    *Server
	raw    net.Conn // as accepted
	nc     net.Conn // raw, or TLS on it
	peer   Peer
	log    *slog.Logger
	ctx    context.Context // ends with the connection
	cancel context.CancelFunc
	in     input
	out    output
	sess   session

	certificate *x509.Certificate // what the peer was shown; nil = none

	loginBy time.Time // zero = no limit
	known   bool      // to Trace.Connected
	polite  bool      // the peer ends the session, or is gone

	mu      sync.Mutex // guards what follows
	waiting bool       // for the peer
	ending  bool       // Shutdown was called
}

// Why a session ends.
var (
	errEnd      = errors.New("pop3server: end of session") // its last answer was given
	errShutdown = errors.New("pop3server: shutting down")
	errIdle     = errors.New("pop3server: idle for too long")
	errTLSHere  = errors.New("pop3server: a TLS handshake where none is expected")
)

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{srv: s, raw: nc, nc: nc}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.peer = Peer{ConnID: rand.Text()[:12], Addr: listen.AddrOf(nc).Addr()}
	c.log = s.cfg.Logger
	if s.cfg.isProxy(c.peer.Addr) {
		c.raw = &proxyproto.Conn{Conn: nc}
		c.nc = c.raw
	}
	c.out = output{pool: &s.buffers, write: c.write}
	c.sess.conn = c
	return c
}

// Close implements listen.Conn.
func (c *conn) Close() error {
	c.cancel()
	return c.raw.Close()
}

// Wake implements listen.Conn: whoever waits for the peer stops; now, whoever
// writes does, too.
func (c *conn) Wake(now bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ending = true
	switch {
	case now:
		_ = c.raw.SetDeadline(time.Unix(1, 0))
	case c.waiting:
		_ = c.raw.SetReadDeadline(time.Unix(1, 0))
	}
}

// serve runs the connection to its end. A panic ends this connection alone.
func (c *conn) serve() {
	defer c.srv.group.Done(c)
	defer c.Close()
	c.contain(c.run)
	c.contain(c.sess.end)
	c.contain(func() { _ = c.out.flush() }) // what was answered before a panic
	c.contain(c.closed)
}

// connected tells Trace of the connection.
func (c *conn) connected() {
	c.known = true
	if f := c.srv.cfg.Trace.Connected; f != nil {
		f(c.peer)
	}
}

// closed tells Trace of the end of a connection that it knows.
func (c *conn) closed() {
	if f := c.srv.cfg.Trace.Closed; f != nil && c.known {
		f(c.peer)
	}
}

func (c *conn) contain(f func()) {
	defer func() {
		if v := recover(); v != nil {
			c.logs(slog.LevelError, "pop3: session panicked", "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
		}
	}()
	f()
}

// logs writes a record with what names the connection.
func (c *conn) logs(level slog.Level, msg string, args ...any) {
	c.log.Log(c.ctx, level, msg, append(args, "conn", c.peer.ConnID, "peer", c.peer.Addr, "account", c.sess.account)...)
}

// run is the session.
func (c *conn) run() {
	if t := c.srv.cfg.Limits.LoginTimeout; t > 0 {
		c.loginBy = time.Now().Add(t)
	}
	if p, ok := c.raw.(*proxyproto.Conn); ok && c.readProxy(p) != nil {
		return
	}
	c.connected()
	if c.srv.cfg.ImplicitTLS && c.handshake() != nil {
		return
	}
	err := c.sess.greet()
	for err == nil {
		err = c.sess.next()
	}
	switch {
	case errors.Is(err, errEnd):
	case errors.Is(err, errShutdown):
		c.polite = true // it waited
		c.fail(pop3.CodeSysTemp, textShutdown)
	default: // an idle client is told nothing (RFC 1939 §3)
		return
	}
	if c.out.flush() == nil {
		listen.Linger(c.raw, c.nc, !c.polite || c.in.r < c.in.w)
	}
}

// write is the writer behind c.out.
func (c *conn) write(p []byte) error {
	if d := c.srv.cfg.Limits.WriteTimeout; d > 0 {
		_ = c.raw.SetWriteDeadline(time.Now().Add(d))
	}
	_, err := c.nc.Write(p)
	return err
}

// handshake puts TLS on the connection. It holds no Shutdown up: a connection
// without a session has nothing to lose.
func (c *conn) handshake() error {
	if err := c.wait(time.Time{}); err != nil {
		return err
	}
	defer c.waited(nil)
	_ = c.raw.SetWriteDeadline(time.Time{})
	tc, shown := tlspeer.Server(c.raw, c.srv.cfg.TLSConfig)
	state, err := tlspeer.Handshake(c.ctx, tc, c.srv.cfg.Limits.TLSHandshakeTimeout)
	if err != nil {
		c.logs(slog.LevelInfo, "pop3: TLS handshake failed", "error", err)
		return err
	}
	c.nc, c.peer.TLS, c.certificate = tc, state, shown.Certificate()
	return nil
}

// deadline is until when the next command has to be there: the whole of it.
func (c *conn) deadline() time.Time {
	l := &c.srv.cfg.Limits
	switch {
	case !c.sess.open():
		return c.loginBy
	case l.IdleTimeout > 0:
		return time.Now().Add(l.IdleTimeout)
	}
	return time.Time{}
}

// holdFor is how long a session that waits keeps what it read ahead.
const holdFor = time.Second

// fill reads more, so that at most limit octets are in the buffer. Answers
// leave first, and with them the buffer that they lie in. What the session has
// in hand for the next command is given up if that does not come soon.
func (c *conn) fill(deadline time.Time, limit int) error {
	if err := c.out.flush(); err != nil {
		return err
	}
	space, err := c.in.room(limit)
	if err != nil {
		return err
	}
	if c.sess.pause() {
		if soon := time.Now().Add(holdFor); deadline.IsZero() || soon.Before(deadline) {
			if err := c.receive(space, soon); !errors.Is(err, errIdle) {
				return err
			}
		}
		c.sess.parked()
	}
	return c.receive(space, deadline)
}

// receive reads what comes until the deadline: one octet at least.
func (c *conn) receive(space []byte, deadline time.Time) error {
	if err := c.wait(deadline); err != nil {
		return err
	}
	n, err := c.nc.Read(space)
	c.in.w += n
	if err = c.waited(err); n > 0 {
		return nil
	}
	return err
}

// wait sets the deadline of the next read. errShutdown: the server ends.
func (c *conn) wait(deadline time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ending {
		return errShutdown
	}
	c.waiting = true
	return c.raw.SetReadDeadline(deadline)
}

// waited judges the error of what came after wait.
func (c *conn) waited(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = false
	switch {
	case !errors.Is(err, os.ErrDeadlineExceeded):
		return err
	case c.ending:
		return errShutdown
	}
	return errIdle
}

// readLine returns the next line without its end, at most limit octets with
// it; a bare LF ends one too. It is valid until the next call. errLineTooLong:
// it was longer and is read to its end.
func (c *conn) readLine(limit int) ([]byte, error) {
	deadline := c.deadline()
	for {
		if b := c.in.buffered(); isAuth(b) && !c.sess.open() {
			limit = maxAuthLine // it may carry an initial response
		} else if len(b) > 0 && b[0] == tlsHandshake && c.sess.commands == 0 {
			return nil, errTLSHere
		}
		line := c.in.line()
		switch {
		case len(line) > limit:
			return nil, errLineTooLong
		case line != nil:
			line = line[:len(line)-1]
			if n := len(line); n > 0 && line[n-1] == '\r' {
				line = line[:n-1]
			}
			return line, nil
		}
		err := c.fill(deadline, limit)
		if errors.Is(err, errLineTooLong) {
			return nil, c.skipLine(deadline)
		}
		if err != nil {
			return nil, err
		}
	}
}

// tlsHandshake is the first octet of a TLS connection (RFC 8446 §5.1).
const tlsHandshake = 0x16

// isAuth reports a line that may carry an initial response.
func isAuth(b []byte) bool { return len(b) >= 5 && bytes.EqualFold(b[:5], []byte("AUTH ")) }

// maxSkip bounds how much of an over-long line is read to find its end.
const maxSkip = 64 << 10

// skipLine reads an over-long line to its end and returns errLineTooLong; a
// line that does not end ends the connection.
func (c *conn) skipLine(deadline time.Time) error {
	for skipped := 0; skipped < maxSkip; {
		if c.in.line() != nil {
			return errLineTooLong
		}
		skipped += c.in.w - c.in.r
		c.in.r = c.in.w
		if err := c.fill(deadline, flightSize); err != nil {
			return err
		}
	}
	c.fail("", textTooLong)
	return errEnd
}
