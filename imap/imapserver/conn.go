package imapserver

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/internal/inflate"
	"github.com/mailstead/mailstead/internal/listen"
	"github.com/mailstead/mailstead/internal/proxyproto"
	"github.com/mailstead/mailstead/internal/tlspeer"
)

// conn is a connection: octets, deadlines and TLS. What the octets mean is the
// session's.
type conn struct {
	server *Server
	nc     net.Conn // the transport
	rw     net.Conn // nc, or the TLS layer on it
	peer   Peer
	log    *slog.Logger
	ctx    context.Context // ends with the connection
	cancel context.CancelFunc
	dec    *imapwire.Decoder
	enc    *imapwire.Encoder

	certificate *x509.Certificate // what the client was shown; nil = not known
	deflated    *deflated         // on rw; nil = no compression

	loginBy time.Time // until the login; zero = logged in, or no limit
	readErr error     // ended the connection
	ahead   []byte    // read by watch, and not by Read yet

	began    time.Time
	accepted bool // Trace.Connected was told
	traffic  Traffic
	said     responseTrace // for Trace.Line

	mu      sync.Mutex
	waiting bool // between two commands: a wake-up interrupts
	reading bool // in a Read
	woken   bool // not seen yet
	expired bool // the server ends now: no read blocks any more
	ending  bool // Shutdown was called
	opening bool // in a PROXY header or TLS handshake: there is nothing to lose

	polite bool // the client ends the session, or waits: it sends no more
}

// errExpired ends a read when the time of Shutdown is up.
var errExpired = errors.New("imapserver: the time of shutdown is up")

// errEnding ends what comes before a session when the server ends.
var errEnding = errors.New("imapserver: shutting down")

// errWoken ends a wait: somebody called wake. It is a timeout, so that the
// Decoder does not take it for the end of the connection.
type errWoken struct{}

func (errWoken) Error() string { return "imapserver: woken" }
func (errWoken) Timeout() bool { return true }

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{server: s, began: time.Now()}
	c.ctx, c.cancel = context.WithCancel(s.ctx)
	c.peer.ConnID = rand.Text()[:12]
	c.peer.Addr = listen.AddrOf(nc).Addr()
	if s.cfg.isProxy(c.peer.Addr) {
		nc = &proxyproto.Conn{Conn: nc}
	}
	c.nc, c.rw = nc, nc
	c.log = c.logger()
	c.enc = imapwire.NewEncoder(connWriter{c})
	return c
}

func (c *conn) logger() *slog.Logger {
	return c.server.log.With("conn", c.peer.ConnID, "peer", c.peer.Addr)
}

// Wake implements listen.Conn. now ends also a read within a command, so that
// the session can say goodbye. What comes before a session ends at once.
func (c *conn) Wake(now bool) {
	c.mu.Lock()
	c.ending, c.expired = true, c.expired || now
	if c.opening {
		_ = c.nc.SetDeadline(time.Unix(1, 0))
	}
	c.mu.Unlock()
	c.wake()
}

// Close implements listen.Conn: it ends the connection at once.
func (c *conn) Close() error {
	c.cancel()
	return c.nc.Close()
}

// serve runs the connection to its end. A panic ends this connection alone.
//
// Its frame, and those of all that a parked session waits in, are small: Go's
// collector halves a stack only while less than a quarter of it is used.
func (c *conn) serve() {
	defer c.ended()
	defer c.contain()
	if !c.begin() {
		return
	}
	s := newSession(c)
	defer s.end()
	s.run()
	c.goodbye()
}

// begin does what comes before a session; false: there is none.
func (c *conn) begin() bool {
	if p, ok := c.nc.(*proxyproto.Conn); ok && c.readProxy(p) != nil {
		return false
	}
	c.accepted = true
	if f := c.server.cfg.Trace.Connected; f != nil {
		f(c.peer)
	}
	c.awaitLogin()
	return c.secure() == nil
}

// ended closes the connection, and gives back what it holds.
func (c *conn) ended() {
	if f := c.server.cfg.Trace.Closed; f != nil && c.accepted {
		c.tellClosed(f)
	}
	c.Close()
	c.endDeflate()
	c.server.group.Done(c)
}

func (c *conn) tellClosed(f func(Peer, Traffic)) {
	defer c.contain()
	c.traffic.Connected = time.Since(c.began)
	f(c.peer, c.traffic)
}

// contain ends a panic here: it costs this connection alone.
func (c *conn) contain() {
	if r := recover(); r != nil {
		c.log.Error("imap: panic", "panic", r, "stack", string(debug.Stack()))
	}
}

// secure does the handshake of a connection that starts with TLS: on an
// ImplicitTLS server, or from a listener that makes TLS connections itself.
func (c *conn) secure() error {
	if tc := tlsConn(c.nc); tc != nil {
		return c.handshake(tc)
	}
	if c.server.cfg.ImplicitTLS {
		return c.startTLS()
	}
	return nil
}

// startTLS puts the TLS layer on the connection.
func (c *conn) startTLS() error {
	tc, shown := tlspeer.Server(c.nc, c.server.cfg.TLSConfig)
	err := c.handshake(tc)
	c.certificate = shown.Certificate()
	return err
}

func (c *conn) handshake(tc *tls.Conn) error {
	if err := c.open(time.Time{}); err != nil {
		return err
	}
	state, err := tlspeer.Handshake(c.ctx, tc, c.server.cfg.Limits.TLSHandshakeTimeout)
	if err = c.opened(err); err != nil {
		c.log.Info("imap: TLS handshake failed", "err", err)
		return err
	}
	c.rw, c.peer.TLS = tc, state
	return nil
}

// open begins what comes before a session, and Shutdown does not wait for.
// errEnding: it was called.
func (c *conn) open(deadline time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ending {
		return errEnding
	}
	c.opening = true
	return c.nc.SetDeadline(deadline)
}

// opened is the outcome of what open began.
func (c *conn) opened(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.opening = false
	if c.ending {
		return errEnding
	}
	_ = c.nc.SetDeadline(time.Time{})
	return err
}

// tlsConn is the TLS layer of a listener of crypto/tls; nil = there is none.
func tlsConn(nc net.Conn) *tls.Conn {
	tc, _ := nc.(*tls.Conn)
	return tc
}

// deflate puts the compression layer on the connection; begun is what was read
// of it already.
func (c *conn) deflate(begun []byte) { c.deflated = &deflated{c: c, raw: begun} }

// endDeflate takes the layer off, and gives back what it holds.
func (c *conn) endDeflate() {
	if c.deflated != nil {
		c.deflated.end()
		c.deflated = nil
		c.server.releaseInflate()
	}
}

// goodbye ends the layers on the connection in order, so that the last word
// arrives.
func (c *conn) goodbye() {
	if c.enc.Flush() != nil {
		return
	}
	if d := c.deflated; d != nil && !d.leaving {
		_ = c.nc.SetWriteDeadline(time.Now().Add(time.Second))
		d.last = true
		_, _ = d.write(nil)
	}
	listen.Linger(c.nc, c.rw, !c.polite || len(c.dec.Buffered()) > 0)
}

// wake interrupts the wait for the next command, now or as soon as it begins.
// It never blocks on the connection.
func (c *conn) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.woken = true
	switch {
	case !c.reading:
	case c.expired, c.waiting:
		_ = c.nc.SetReadDeadline(time.Unix(1, 0))
	}
}

// await waits until the client says something; wake may interrupt.
func (c *conn) await() error {
	c.mu.Lock()
	c.waiting = true
	c.mu.Unlock()
	err := c.dec.Wait()
	c.mu.Lock()
	c.waiting = false
	c.mu.Unlock()
	return err
}

// Read reads for the Decoder. It flushes first: whoever has to wait for the
// client has answered all that came before.
func (c *conn) Read(p []byte) (n int, err error) {
	waiting, err := c.beginRead()
	if err != nil {
		return 0, err
	}
	for n == 0 && err == nil {
		var in []byte
		if in, n, err = c.room(p, waiting); in == nil {
			continue
		}
		if n, err = c.rw.Read(in); n > 0 && c.deflated != nil {
			c.deflated.came(in, n)
			n, err = 0, nil // an error comes again
		}
	}
	return c.endRead(n, waiting, err)
}

// beginRead sets the deadline, or says what ends the read before it begins.
func (c *conn) beginRead() (waiting bool, err error) {
	if err := c.enc.Flush(); err != nil {
		return false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.expired {
		c.readErr = errExpired
		return false, errExpired
	}
	if c.waiting && c.woken {
		c.woken = false
		return false, errWoken{}
	}
	_ = c.nc.SetReadDeadline(c.deadlineLocked())
	c.reading = true
	return c.waiting, nil
}

// endRead takes the outcome of a read.
func (c *conn) endRead(n int, waiting bool, err error) (int, error) {
	c.traffic.In += int64(n)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reading = false
	if n > 0 {
		c.waiting = false // a command has begun
	}
	if n == 0 && c.expired && errors.Is(err, os.ErrDeadlineExceeded) {
		err = errExpired
	} else if n == 0 && waiting && c.woken && errors.Is(err, os.ErrDeadlineExceeded) {
		c.woken = false
		return 0, errWoken{}
	}
	if err != nil {
		c.readErr = err
	}
	return n, err
}

// room gives what has come already, inflated where there is compression, or says
// where to read what comes; nil = call again, if it gave nothing.
func (c *conn) room(p []byte, waiting bool) (in []byte, n int, err error) {
	d := c.deflated
	switch {
	case d != nil && d.leaving:
		if in, err = d.leave(waiting); in == nil && err == nil {
			c.ahead = bytes.Clone(d.raw)
			c.endDeflate()
		}
	case d != nil:
		in, n, err = d.read(p, waiting)
	case len(c.ahead) > 0:
		n = c.takeAhead(p)
	default:
		in = p
	}
	if errors.Is(err, inflate.ErrCorrupt) {
		c.log.Info("imap: what came is not compressed", "err", err)
	}
	return in, n, err
}

// deadlineLocked is until when the next octets have to come.
func (c *conn) deadlineLocked() time.Time {
	l := c.server.cfg.Limits
	if !c.loginBy.IsZero() {
		return c.loginBy
	}
	d := l.ReadTimeout
	if c.waiting {
		d = l.IdleTimeout
	}
	if d < 0 {
		return time.Time{}
	}
	return time.Now().Add(d)
}

// connWriter writes for the Encoder.
type connWriter struct{ c *conn }

func (w connWriter) Write(p []byte) (int, error) {
	if d := w.c.server.cfg.Limits.WriteTimeout; d > 0 {
		_ = w.c.nc.SetWriteDeadline(time.Now().Add(d))
	}
	w.c.traffic.Out += int64(len(p))
	if w.c.server.cfg.Trace.Line != nil {
		w.c.traceResponse(p)
	}
	if d := w.c.deflated; d != nil && !d.leaving {
		return d.write(p)
	}
	return w.c.rw.Write(p)
}

// failed returns the error that ended the connection; nil while it lives.
func (c *conn) failed() error {
	if err := c.enc.Err(); err != nil {
		return err
	}
	return c.readErr
}

// awaitLogin sets the deadline for the login.
func (c *conn) awaitLogin() {
	if t := c.server.cfg.Limits.LoginTimeout; t > 0 {
		c.loginBy = time.Now().Add(t)
	}
}

// loggedIn lifts the deadline for the login.
func (c *conn) loggedIn() { c.loginBy = time.Time{} }

// turnAway tells a client that there is no room for it.
func (c *conn) turnAway() {
	if c.server.cfg.ImplicitTLS || tlsConn(c.nc) != nil {
		return
	}
	_ = c.nc.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = io.WriteString(c.nc, "* BYE [UNAVAILABLE] Too many connections, try again later\r\n")
}
