package imapclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/flate"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapresp"
)

// Client is one connection to a server. One goroutine at a time uses it, and no
// method that does I/O may be called while another runs, from a Handler or in a
// loop over Fetch (ErrBusy). Close may be called by any goroutine.
type Client struct {
	d        *Dialer
	timeouts Timeouts
	limits   Limits
	host     string
	handler  Handler

	raw  net.Conn // for deadlines and Close
	conn net.Conn // raw, or TLS on it
	tls  *tls.ConnectionState
	busy atomic.Bool
	err  error  // why the connection cannot be used; nil = usable
	bye  *Error // what the server said at the end

	// Input and output. See ready.
	in      input
	block   bool // octets of a text are awaited
	wait    time.Duration
	until   time.Time
	idleCtx context.Context // of Idle, while it waits
	idle    time.Time       // when IDLE ends; zero = it does not run
	ctx     context.Context // of the call that runs
	out     []byte
	deflate *flate.Writer // into packed; nil = not compressed
	packed  bytes.Buffer

	// Commands.
	pending  []*call
	lastTag  uint64
	line     line
	contd    bool     // a continuation request came
	contText []byte   // what it says
	unasked  int      // responses that no command asked for
	low      imap.UID // of MESSAGELIMIT, in the command that ends; 0 = it did all
	hide     bool     // what the server asks is not traced

	// Session.
	state    State
	deaf     bool              // what comes is not authentic yet: handlers hear nothing
	greets   string            // text of the greeting
	serverID map[string]string // what it answered to ID
	caps     capabilities
	enabled  map[imap.Capability]bool
	box      *Mailbox       // selected; nil = none
	opening  *Mailbox       // being selected
	closing  bool           // what comes belongs to box until CLOSED is said
	changed  func(*Message) // of SelectOptions
	message  Message        // reused
	discards int64          // octets that may be skipped in the response at hand
	spare    int64          // of them, once a loop was left
	words    map[string]string
	oddNames map[string]string // UTF-8 → wire, for names whose form on the wire is another one than ours
}

// State is where a session stands (RFC 9051 §3).
type State uint8

// The states.
const (
	NotAuthenticated State = iota
	Authenticated
	Selected
	LoggedOut
)

func newClient(d *Dialer, conn net.Conn, host string) *Client {
	c := &Client{
		d: d, timeouts: d.Timeouts.withDefaults(), limits: d.Limits.withDefaults(), host: host, handler: d.Handler,
		raw: conn, conn: conn, enabled: map[imap.Capability]bool{}, words: map[string]string{}, oddNames: map[string]string{},
	}
	c.in = input{src: conn, ready: c.ready, max: c.limits.Line, maxLiteral: int64(c.limits.Line)}
	if d.Trace != nil {
		c.in.trace = c.traceIn
	}
	c.message.c = c
	c.line.c = c
	return c
}

// State is where the session stands.
func (c *Client) State() State { return c.state }

// TLS is the state of the TLS connection; nil = no TLS.
func (c *Client) TLS() *tls.ConnectionState { return c.tls }

// Greeting is the text of the first response, and ServerID what the server
// answered to the last ID (RFC 2971 §3.3), keys in lower case; nil = nothing, or
// it was not asked. Both are for people, and to tell servers with quirks apart.
func (c *Client) Greeting() string            { return c.greets }
func (c *Client) ServerID() map[string]string { return c.serverID }

// RemoteAddr is the address of the server.
func (c *Client) RemoteAddr() net.Addr { return c.raw.RemoteAddr() }

// Err is why the connection cannot be used any more; nil = it can.
func (c *Client) Err() error { return c.err }

// SetHandler replaces the Dialer's Handler.
func (c *Client) SetHandler(h Handler) { c.handler = h }

// Mailbox is the one that is selected; nil = none. Its counters follow what the
// server says. It is valid until another is selected.
func (c *Client) Mailbox() *Mailbox { return c.box }

// Close closes the connection without a goodbye. Idempotent.
func (c *Client) Close() error { return c.raw.Close() }

// Logout says goodbye and closes the connection, whatever the server answers.
func (c *Client) Logout(ctx context.Context) error {
	end, err := c.begin(ctx)
	if err != nil {
		c.raw.Close()
		return err
	}
	defer end()
	c.state = LoggedOut
	err = c.simple(c.command("LOGOUT"))
	c.conn.Close()
	if c.err == nil {
		c.err = ErrClosed
	}
	return err
}

// Noop asks whether the connection still lives, and lets the server say what is
// new.
func (c *Client) Noop(ctx context.Context) error {
	return c.run(ctx, func() error { return c.simple(c.command("NOOP")) })
}

// run is a call of a method.
func (c *Client) run(ctx context.Context, f func() error) error {
	end, err := c.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	return f()
}

// mailboxName is the UTF-8 form of a name from the server.
func (c *Client) mailboxName(wire []byte) string {
	name, same := imapresp.MailboxName(wire, c.utf8())
	if !same && len(c.oddNames) < c.limits.List {
		c.oddNames[name] = string(wire)
	}
	return name
}

// utf8 reports whether names go and come in UTF-8.
func (c *Client) utf8() bool {
	return c.enabled[imap.CapUTF8Accept] || c.enabled[imap.CapIMAP4rev2] ||
		c.caps.has[imap.CapIMAP4rev2] && !c.caps.has[imap.CapIMAP4rev1]
}

// maxWords bounds the keywords that are kept once for all messages.
const maxWords = 1000

// word makes a string of a keyword.
func (c *Client) word(b []byte) string {
	if s, ok := c.words[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(c.words) < maxWords && len(s) <= 128 {
		c.words[s] = s
	}
	return s
}
