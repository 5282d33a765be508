package pop3server

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mailstead/mailstead/internal/listen"
	"github.com/mailstead/mailstead/internal/saslwire"
	"github.com/mailstead/mailstead/internal/tlspeer"
	"github.com/mailstead/mailstead/pop3"
)

// conn is one connection: it reads lines, and writes answers when no further
// line is waiting (RFC 2449 §6.8).
type conn struct {
	srv    *Server
	addr   netip.Addr
	ctx    context.Context
	cancel context.CancelFunc

	mu     sync.Mutex // guards nc and parked against Wake and Close
	nc     net.Conn
	parked bool // waits for a command with nothing under way

	ending atomic.Bool
	br     *bufio.Reader
	bw     *bufio.Writer
	sess   session
	begun  time.Time
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{srv: s, addr: listen.AddrOf(nc).Addr(), nc: nc, begun: time.Now()}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.sess.conn = c
	return c
}

// Close implements listen.Conn.
func (c *conn) Close() error {
	c.cancel()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nc.Close()
}

// Wake implements listen.Conn: a parked read ends at once; now, everything
// does that waits for the peer.
func (c *conn) Wake(now bool) {
	c.ending.Store(true)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case now:
		_ = c.nc.SetDeadline(time.Now())
	case c.parked:
		_ = c.nc.SetReadDeadline(time.Now())
	}
}

// errEnd ends a connection whose last answer was written.
var errEnd = errors.New("pop3server: end of session")

func (c *conn) serve() {
	defer c.srv.group.Done(c)
	defer c.Close()
	defer c.sess.end()
	defer func() {
		if v := recover(); v != nil {
			c.srv.cfg.Logger.Error("pop3: session panicked", "peer", c.addr, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
		}
	}()
	if err := c.start(); err != nil {
		return
	}
	for {
		line, err := c.readLine(false)
		switch {
		case err == nil:
			err = c.sess.command(line)
		case errors.Is(err, errLineTooLong):
			err = c.sess.bad("Line too long")
		}
		if err == nil && c.br.Buffered() == 0 {
			err = c.bw.Flush()
		}
		if err != nil {
			c.goodbye(err)
			return
		}
	}
}

// start does the TLS handshake where it comes first, and greets.
func (c *conn) start() error {
	if c.srv.cfg.ImplicitTLS {
		if err := c.handshake(); err != nil {
			return err
		}
	}
	c.buffers()
	name := ""
	if h := c.srv.cfg.Hostname; h != "" {
		name = h + " "
	}
	c.ok(name + "POP3 server ready")
	return c.bw.Flush()
}

func (c *conn) buffers() {
	c.br = bufio.NewReaderSize(c.nc, pop3.MaxCommandLine*4)
	c.bw = bufio.NewWriterSize(deadlineWriter{c}, 16<<10)
}

// deadlineWriter gives every write its own time.
type deadlineWriter struct{ c *conn }

func (w deadlineWriter) Write(p []byte) (int, error) {
	if d := w.c.srv.cfg.Limits.WriteTimeout; d > 0 {
		_ = w.c.nc.SetWriteDeadline(time.Now().Add(d))
	}
	return w.c.nc.Write(p)
}

// handshake turns the connection into a TLS one. It holds no Shutdown up: a
// connection without a session has nothing to lose.
func (c *conn) handshake() error {
	if !c.parkUntil(time.Time{}) {
		return errShutdown
	}
	defer c.unpark()
	tc, shown := tlspeer.Server(c.nc, c.srv.cfg.TLSConfig)
	ctx, cancel := c.ctx, context.CancelFunc(func() {})
	if d := c.srv.cfg.Limits.TLSHandshakeTimeout; d > 0 {
		ctx, cancel = context.WithTimeout(ctx, d)
	}
	defer cancel()
	if err := tc.HandshakeContext(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	c.nc = tc
	c.mu.Unlock()
	state := tc.ConnectionState()
	c.sess.tls, c.sess.shown = &state, shown.Certificate()
	return nil
}

var errLineTooLong = errors.New("pop3server: command line too long")

// readLine returns the next line without its end; a bare LF ends one too. It
// is valid until the next call. Lines of an exchange of AUTH may be long.
func (c *conn) readLine(exchange bool) ([]byte, error) {
	if !c.park() {
		return nil, errShutdown
	}
	line, err := c.br.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) && (exchange || !c.sess.open() && isAuth(line)) {
		line, err = c.readLong(line)
	}
	c.unpark()
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, c.skipLine()
	case err != nil && c.ending.Load():
		return nil, errShutdown
	case err != nil:
		return nil, err
	}
	line = line[:len(line)-1]
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line, nil
}

// isAuth reports a line that may carry an initial response.
func isAuth(line []byte) bool {
	return len(line) > 5 && bytes.EqualFold(line[:5], []byte("AUTH "))
}

// readLong reads on where a line of an exchange does not fit into the buffer,
// which is small for the sake of all the other connections. The error is
// bufio.ErrBufferFull for a line that is longer than any may be.
func (c *conn) readLong(begun []byte) ([]byte, error) {
	line := bytes.Clone(begun)
	for {
		more, err := c.br.ReadSlice('\n')
		if line = append(line, more...); len(line) > saslwire.MaxLine {
			if err == nil {
				return nil, errLineTooLong // its end was read
			}
			return nil, err
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// maxSkip bounds how much of an over-long line is read to find its end.
const maxSkip = 64 << 10

// skipLine reads an over-long line to its end and returns errLineTooLong; a
// line that does not end ends the connection.
func (c *conn) skipLine() error {
	for range maxSkip / c.br.Size() {
		if _, err := c.br.ReadSlice('\n'); !errors.Is(err, bufio.ErrBufferFull) {
			return errors.Join(err, errLineTooLong)
		}
	}
	return errEnd
}

var errShutdown = errors.New("pop3server: shutting down")

// park sets the deadline of the next command; false: the server is ending.
func (c *conn) park() bool {
	l := c.srv.cfg.Limits
	var deadline time.Time
	switch {
	case !c.sess.open() && l.LoginTimeout > 0:
		deadline = c.begun.Add(l.LoginTimeout)
	case l.IdleTimeout > 0:
		deadline = time.Now().Add(l.IdleTimeout)
	}
	return c.parkUntil(deadline)
}

func (c *conn) parkUntil(deadline time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ending.Load() {
		return false
	}
	c.parked = true
	_ = c.nc.SetReadDeadline(deadline)
	return true
}

func (c *conn) unpark() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.parked = false
}

// goodbye sends what the connection still owes. A client that was idle for too
// long is told nothing (RFC 1939 §3).
func (c *conn) goodbye(err error) {
	switch {
	case errors.Is(err, errEnd):
	case errors.Is(err, errShutdown):
		c.fail(pop3.CodeSysTemp, "Server shutting down")
	default:
		return
	}
	_ = c.bw.Flush()
}
