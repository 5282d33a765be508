package imapconn

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/flate"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/clientconn"
	"github.com/mailstead/mailstead/internal/imapcmd"
)

// Conn is one connection.
type Conn struct {
	Config
	raw  net.Conn // for deadlines and Close
	conn net.Conn // raw, or TLS on it
	tls  *tls.ConnectionState
	busy atomic.Bool
	err  error                // why it cannot be used; nil = usable
	bye  *imap.StatusResponse // what the server said at the end
	ctx  context.Context      // of the call that runs

	// Input. See ready.
	in       input
	block    bool     // octets of a text are awaited
	response Response // reused
	wait     time.Duration
	until    time.Time
	idleCtx  context.Context // of Idle, while it waits
	idle     time.Time       // when IDLE ends; zero = it does not run

	// Output.
	out     []byte
	deflate *flate.Writer // into packed; nil = not compressed
	packed  bytes.Buffer

	// Commands.
	pending  []*Call
	lastTag  uint64
	line     imapcmd.Line
	contd    bool   // a continuation request came
	contText []byte // what it says
	unasked  int    // responses that no command asked for
	hide     bool   // what the server asks is not traced
}

// New is a connection of which nothing was read. Long responses are not taken
// before Unlimit.
func New(conn net.Conn, cfg Config) *Conn {
	cfg.Timeouts, cfg.Limits = cfg.Timeouts.WithDefaults(), cfg.Limits.WithDefaults()
	c := &Conn{Config: cfg, raw: conn, conn: conn}
	c.in = input{src: conn, ready: c.ready, max: c.Limits.Line, maxLiteral: int64(c.Limits.Line)}
	if cfg.Trace != nil {
		c.in.trace = c.traceIn
	}
	return c
}

// Unlimit allows long responses, now that the server is one that knows the user.
func (c *Conn) Unlimit() { c.in.max, c.in.maxLiteral = c.Limits.Response, c.Limits.Literal }

// Err is why the connection cannot be used any more; nil = it can.
func (c *Conn) Err() error { return c.err }

// TLS is the state of the TLS connection; nil = no TLS.
func (c *Conn) TLS() *tls.ConnectionState { return c.tls }

// RemoteAddr is the address of the server.
func (c *Conn) RemoteAddr() net.Addr { return c.raw.RemoteAddr() }

// Close closes the connection without a goodbye. Any goroutine may call it.
func (c *Conn) Close() error { return c.raw.Close() }

// End closes the connection behind the goodbye of both sides.
func (c *Conn) End() {
	c.conn.Close()
	if c.err == nil {
		c.err = ErrClosed
	}
}

// past is a deadline that ends every wait.
var past = time.Unix(1, 0)

// Begin takes the connection for one call, and makes the end of ctx end every
// wait on it, until the function that it returns is called.
func (c *Conn) Begin(ctx context.Context) (end func(), err error) {
	if !c.busy.CompareAndSwap(false, true) {
		return nil, ErrBusy
	}
	if err = c.err; err == nil {
		err = ctx.Err()
	}
	if err != nil {
		c.busy.Store(false)
		return nil, err
	}
	stop := clientconn.Watch(ctx, c.raw)
	c.ctx, c.unasked = ctx, 0
	return func() {
		c.ctx = nil
		stop()
		c.busy.Store(false)
	}, nil
}

// Run is Begin, f and its end.
func (c *Conn) Run(ctx context.Context, f func() error) error {
	end, err := c.Begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	return f()
}

// arm sets a deadline, see clientconn.Arm.
func (c *Conn) arm(set func(time.Time) error, timeout time.Duration) error {
	return clientconn.Arm(c.ctx, set, timeout)
}

// ready runs before each read: what is still to be sent leaves, and the wait
// gets its bound. A wait for a response has one in all, one for octets of a text
// begins anew with each read.
func (c *Conn) ready() error {
	if err := c.flush(); err != nil {
		return err
	}
	if c.block {
		return c.arm(c.raw.SetReadDeadline, c.Timeouts.Block)
	}
	if !c.idle.IsZero() {
		c.raw.SetReadDeadline(c.idle)
		if c.idleCtx != nil && c.idleCtx.Err() != nil {
			return os.ErrDeadlineExceeded // its end was overtaken by the deadline
		}
		return nil
	}
	if c.until.IsZero() && c.wait > 0 {
		c.until = time.Now().Add(c.wait)
	}
	c.raw.SetReadDeadline(c.until)
	return c.ctx.Err()
}

// Lost notes that the connection is in an unknown state, and closes it. The error
// is the reason, or what came before it: the end of the context, or a BYE.
func (c *Conn) Lost(err error) error {
	if c.err != nil {
		return c.err
	}
	switch {
	case c.ctx != nil && c.ctx.Err() != nil:
		err = c.ctx.Err()
	case c.bye != nil:
		err = c.Refused("", *c.bye)
	}
	if !errors.Is(err, ErrClosed) {
		err = fmt.Errorf("%w: %w", ErrClosed, err)
	}
	c.err = err
	c.pending = nil
	c.raw.Close()
	return err
}

// Handshake starts TLS for a server of this name. What the server sent in front of
// it is its caller's to refuse (Buffered).
func (c *Conn) Handshake(cfg *tls.Config, host string) error {
	if err := c.arm(c.raw.SetDeadline, 0); err != nil {
		return c.Lost(err)
	}
	tc, state, err := clientconn.Handshake(c.ctx, c.raw, cfg, host, c.Timeouts.Connect)
	if err != nil {
		return c.Lost(err)
	}
	c.conn, c.tls, c.in.src = tc, state, tc
	return nil
}

// Buffered reports whether octets of the server wait that nobody has read.
func (c *Conn) Buffered() bool { return c.in.buffered() }
