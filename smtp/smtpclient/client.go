package smtpclient

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"github.com/mailstead/mailstead/smtp"
)

// Client is one connection to a server. One goroutine at a time uses it;
// Close may be called from another.
type Client struct {
	d        *Dialer
	timeouts Timeouts
	host     string
	conn     net.Conn
	in       replyReader
	ahead    lookahead
	out      []byte // commands, reused
	block    []byte // reused by encoder
	tls      *tls.ConnectionState
	caps     Capabilities
	authed   bool
	mails    int      // MAIL commands sent
	sent     int      // messages of which the server took responsibility
	domains  []string // of recipients so far, where they are limited
	since    time.Time
	broken   error // why the connection cannot be used; nil = usable
}

func newClient(d *Dialer, conn net.Conn, host string) *Client {
	c := &Client{d: d, timeouts: d.Timeouts.withDefaults(), host: host, conn: conn, since: time.Now()}
	c.in = replyReader{
		maxLines: orDefault(d.MaxReplyLines, 256),
		maxLine:  orDefault(d.MaxReplyLine, 2048),
	}
	return c
}

// start: greeting, EHLO, STARTTLS and EHLO again, AUTH.
func (c *Client) start(ctx context.Context) error {
	defer c.watch(ctx)()
	if c.d.TLS == TLSImplicit {
		if err := c.handshake(ctx); err != nil {
			return err
		}
	}
	greeting, err := c.reply(ctx, c.timeouts.Greeting)
	if err != nil {
		return err
	}
	if greeting.Code != 220 {
		return &smtp.Error{Reply: greeting}
	}
	if err := c.hello(ctx); err != nil {
		return err
	}
	if c.d.TLS == TLSIfOffered && c.caps.StartTLS || c.d.TLS == TLSRequired {
		if err := c.startTLS(ctx); err != nil {
			return err
		}
	}
	if c.d.Auth != nil {
		return c.authenticate(ctx, c.d.Auth)
	}
	return nil
}

// hello says EHLO, HELO where EHLO is not known (RFC 5321 §3.2), or LHLO.
func (c *Client) hello(ctx context.Context) error {
	name, err := c.d.hello()
	if err != nil {
		return err
	}
	verb := "EHLO "
	if c.d.LMTP {
		verb = "LHLO "
	}
	r, err := c.command(ctx, c.timeouts.Command, verb+name)
	if err != nil {
		return err
	}
	c.caps = Capabilities{}
	if r.Positive() {
		c.caps = parseCapabilities(r)
		return nil
	}
	if c.d.LMTP || !r.Permanent() {
		return &smtp.Error{Reply: r}
	}
	if r, err = c.command(ctx, c.timeouts.Command, "HELO "+name); err != nil {
		return err
	}
	if !r.Positive() {
		return &smtp.Error{Reply: r}
	}
	return nil
}

// asciiDomain is a domain in A-labels (RFC 5890 §2.3.2.1).
func asciiDomain(domain string) (string, error) {
	if !strings.ContainsFunc(domain, func(r rune) bool { return r >= 0x80 }) {
		return domain, nil
	}
	return idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false)).ToASCII(domain)
}

// Capabilities is what the last EHLO or LHLO announced; zero after HELO.
func (c *Client) Capabilities() Capabilities { return c.caps }

// TLS is the state of the TLS connection; nil = no TLS. Channel bindings come
// from it (RFC 9266).
func (c *Client) TLS() *tls.ConnectionState { return c.tls }

// RemoteAddr is the address of the server.
func (c *Client) RemoteAddr() net.Addr { return c.conn.RemoteAddr() }

// Noop asks whether the connection still lives.
func (c *Client) Noop(ctx context.Context) error { return c.simple(ctx, "NOOP") }

// Reset gives up a transaction (RSET). It also asks whether the connection
// still lives, and leaves it ready for the next message.
func (c *Client) Reset(ctx context.Context) error { return c.simple(ctx, "RSET") }

// Quit says goodbye and closes the connection, whatever the server answers.
func (c *Client) Quit(ctx context.Context) error {
	err := c.simple(ctx, "QUIT")
	if closeErr := c.Close(); err == nil {
		err = closeErr
	}
	return err
}

// Close closes the connection without a goodbye. Idempotent.
func (c *Client) Close() error {
	if err := c.conn.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// Usable reports whether another message can be sent on this connection: it
// is in a known state, and neither MAILMAX nor RCPTDOMAINMAX (RFC 9422 §4) is
// reached.
func (c *Client) Usable() bool {
	limit := c.caps.Limits.RcptDomains
	return c.broken == nil && !c.exhausted() && (limit == 0 || len(c.domains) < limit)
}

func (c *Client) exhausted() bool {
	limit := c.caps.Limits.Mails
	return limit > 0 && c.mails >= limit
}

// Sent is the number of messages that the server took on this connection.
func (c *Client) Sent() int { return c.sent }

// Command sends one line and returns its reply, whatever that says. It serves
// commands that have no method here (VRFY, ETRN, XFORWARD) and must not be
// used for those that change the state of the session. ErrCommand: the line
// holds CR, LF or NUL.
func (c *Client) Command(ctx context.Context, line string) (smtp.Reply, error) {
	if strings.ContainsAny(line, "\r\n\x00") {
		return smtp.Reply{}, ErrCommand
	}
	defer c.watch(ctx)()
	return c.command(ctx, c.timeouts.Command, line)
}

func (c *Client) simple(ctx context.Context, line string) error {
	r, err := c.Command(ctx, line)
	if err != nil {
		return err
	}
	if !r.Positive() {
		return &smtp.Error{Reply: r}
	}
	return nil
}
