package smtpserver

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/mailstead/mailstead/internal/listen"
	"github.com/mailstead/mailstead/internal/proxyproto"
	"github.com/mailstead/mailstead/internal/smtpinput"
	"github.com/mailstead/mailstead/internal/tlspeer"
	"github.com/mailstead/mailstead/smtp"
)

// conn is the connection of one session: its octets, time limits and end. One
// goroutine serves it; Wake and Close come from others.
type conn struct {
	srv    *Server
	cfg    *Config
	raw    net.Conn // the connection as accepted
	nc     net.Conn // raw, or TLS on it
	ctx    context.Context
	cancel context.CancelFunc
	peer   *smtp.Peer
	in     smtpinput.Buffer

	trusted bool   // the peer is one of Config.Proxies
	out     []byte // replies that are held back

	certificate *x509.Certificate // what the peer was shown; nil = none

	body    progress
	closing bool // the loop ends once the replies are written
	polite  bool // the peer ends the session, or is gone
	asked   bool // the hooks of Config know of the connection

	triedAuth bool // what follows may be a secret

	mu       sync.Mutex    // guards what follows
	waiting  bool          // the goroutine waits for the peer and owes nothing
	draining bool          // Shutdown was called
	expired  bool          // and its time is up
	sleeper  chan struct{} // closed by Wake; nil = rest is not running
}

// Why a session ends.
var (
	errDraining = errors.New("smtpserver: shutting down")
	errTooSlow  = errors.New("smtpserver: peer too slow")
)

func newConn(ctx context.Context, srv *Server, nc net.Conn) *conn {
	c := &conn{srv: srv, cfg: &srv.cfg}
	c.ctx, c.cancel = context.WithCancel(ctx)
	c.peer = &smtp.Peer{Addr: addrPort(nc.RemoteAddr()), LocalAddr: addrPort(nc.LocalAddr())}
	c.trusted = c.cfg.isProxy(c.peer.Addr.Addr())
	if c.trusted && c.cfg.Extensions&PROXY != 0 {
		nc = &proxyproto.Conn{Conn: nc}
	}
	c.raw, c.nc = nc, nc
	c.in.Init(&srv.buffers)
	return c
}

// addrPort is the end of a TCP connection. A listener on both families has
// IPv4 peers as IPv4-mapped addresses, which no list and no policy means.
func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(interface{ AddrPort() netip.AddrPort }); ok && t != nil {
		ap := t.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}

// serve runs the session to its end.
func (c *conn) serve() {
	defer c.srv.group.Done(c)
	stop := context.AfterFunc(c.ctx, func() { c.raw.SetDeadline(time.Unix(1, 0)) })
	defer func() {
		stop()
		if c.closing && !c.polite && c.ctx.Err() == nil {
			listen.Linger(c.raw, c.nc, true)
		}
		c.cancel()
		c.nc.Close()
		c.in.Skip(len(c.in.Buffered()))
		c.in.Release()
	}()
	s := &session{conn: c, state: fresh}
	defer s.contain(new(error))
	defer s.callClosed()
	defer s.reset()
	if p, ok := c.raw.(*proxyproto.Conn); ok && c.readProxy(p) != nil {
		return
	}
	if c.cfg.ImplicitTLS && c.handshake() != nil {
		return
	}
	s.run()
}

// turnAway ends a connection that is not served. The 421 fits into the empty
// send buffer, so that the accepting goroutine does not wait for the peer.
func (c *conn) turnAway() {
	c.cancel()
	c.busy()
	c.raw.Close()
}

// busy says that there are too many connections, where no TLS is expected.
func (c *conn) busy() {
	if c.cfg.ImplicitTLS {
		return
	}
	c.raw.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	c.raw.Write(busyReply().AppendReply(nil, false))
}

func busyReply() smtp.Reply {
	return smtp.NewReply(421, smtp.EnhancedCode{}, "Too busy, try again later")
}

// handshake puts TLS on the connection.
func (c *conn) handshake() error {
	tc, shown := tlspeer.Server(c.raw, c.cfg.TLSConfig)
	if err := c.wait(time.Time{}, false); err != nil {
		return err
	}
	c.raw.SetWriteDeadline(time.Time{})
	state, err := tlspeer.Handshake(c.ctx, tc, c.cfg.Limits.TLSHandshake)
	if err != nil {
		c.log(slog.LevelInfo, "smtp: TLS handshake failed", err)
		return err
	}
	c.mu.Lock()
	c.waiting = false
	c.mu.Unlock()
	c.peer = c.peer.Clone()
	c.peer.TLS = state
	c.certificate = shown.Certificate()
	c.nc = tc
	return nil
}

// Wake implements listen.Conn: it ends a connection that waits for a command,
// and lets one with a transaction finish it; now, it ends both.
func (c *conn) Wake(now bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.draining, c.expired = true, now
	if c.waiting || now {
		c.raw.SetReadDeadline(time.Unix(1, 0))
		c.wakeLocked()
	}
}

// Close implements listen.Conn.
func (c *conn) Close() error {
	c.cancel()
	return c.raw.Close()
}

// wait sets the deadline of the next read. owing: a transaction is open, so
// that Shutdown has to wait. errDraining: it has come already.
func (c *conn) wait(deadline time.Time, owing bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.draining && !owing || c.expired {
		return errDraining
	}
	c.waiting = !owing
	c.raw.SetReadDeadline(deadline)
	return nil
}

// waited judges the error of a read that brought nothing.
func (c *conn) waited(err error, owing bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = false
	switch {
	case c.ctx.Err() != nil:
		return c.ctx.Err()
	case !errors.Is(err, os.ErrDeadlineExceeded):
		return err
	case c.draining && !owing || c.expired:
		return errDraining
	}
	return errTooSlow
}

// isDraining reports whether Shutdown was called.
func (c *conn) isDraining() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.draining
}

// flush writes the replies that are held back.
func (c *conn) flush() error {
	if len(c.out) == 0 {
		return nil
	}
	if c.cfg.Trace != nil {
		c.traceReplies(c.out)
	}
	c.raw.SetWriteDeadline(time.Now().Add(c.cfg.Limits.Command))
	_, err := c.nc.Write(c.out)
	c.out = c.out[:0]
	if cap(c.out) > 4<<10 {
		c.out = nil
	}
	if err == nil && c.ctx.Err() != nil {
		err = c.ctx.Err()
	}
	return err
}

// fillCommand reads more of a command line. owing: a transaction is open, so
// that Shutdown has to wait. Held replies leave first: a partial line never
// holds a reply back.
func (c *conn) fillCommand(owing bool) error {
	if err := c.flush(); err != nil {
		return err
	}
	return c.fill(time.Now().Add(c.cfg.Limits.Command), owing)
}

// fill reads more, until the deadline.
func (c *conn) fill(deadline time.Time, owing bool) error {
	space, err := c.in.Room()
	if err != nil {
		return err
	}
	if err := c.wait(deadline, owing); err != nil {
		return err
	}
	n, err := c.nc.Read(space)
	c.in.Filled(n)
	return c.read(n, err, owing)
}

// read is the outcome of a read of n octets.
func (c *conn) read(n int, err error, owing bool) error {
	if err = c.waited(err, owing); n > 0 && c.ctx.Err() == nil {
		return nil
	}
	return err
}

// progress measures a body's rate. Only time spent in waiting for the peer
// counts: a slow receiver is not the peer's fault.
type progress struct {
	left  time.Duration // of the current period
	got   int64         // octets in the current period
	until time.Time     // the end of the transaction
}

func (c *conn) newProgress() progress {
	l := &c.cfg.Limits
	return progress{left: l.Progress, until: time.Now().Add(l.Transaction)}
}

// fillBody reads more of a body.
func (c *conn) fillBody() error {
	if err := c.flush(); err != nil {
		return err
	}
	space, err := c.in.Room()
	if err != nil {
		return err
	}
	p, l := &c.body, &c.cfg.Limits
	start := time.Now()
	deadline := start.Add(p.left)
	if p.until.Before(deadline) {
		deadline = p.until
	}
	if err := c.wait(deadline, true); err != nil {
		return err
	}
	n, err := c.nc.Read(space)
	c.in.Filled(n)
	p.left -= time.Since(start)
	if p.got += int64(n); p.got >= l.DataRate*int64(l.Progress/time.Second) {
		p.got, p.left = 0, l.Progress
	}
	return c.read(n, err, true)
}

func (c *conn) log(level slog.Level, msg string, err error) {
	c.cfg.Logger.LogAttrs(c.ctx, level, msg, slog.Any("peer", c.peer.Addr), slog.Any("error", err))
}
