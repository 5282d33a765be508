package smtpclient

import (
	"context"
	"crypto/tls"
	"net"
	"strconv"
	"strings"

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
	out      []byte // commands not yet written
	block    []byte // reused by dotWriter
	tls      *tls.ConnectionState
	caps     Capabilities
	authed   bool
	broken   error // why the connection cannot be used; nil = usable
}

func newClient(d *Dialer, conn net.Conn, host string) *Client {
	c := &Client{d: d, timeouts: d.Timeouts.withDefaults(), host: host, conn: conn}
	c.in = replyReader{
		maxLines: orDefault(d.MaxReplyLines, 256),
		buf:      make([]byte, orDefault(d.MaxReplyLine, 2048)),
	}
	return c
}

// start: greeting, EHLO, STARTTLS and EHLO again.
func (c *Client) start(ctx context.Context, mode TLSMode) error {
	if mode == TLSImplicit {
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
	if mode == TLSIfOffered && c.caps.Has("STARTTLS") || mode == TLSRequired {
		return c.startTLS(ctx)
	}
	return nil
}

// hello says EHLO, HELO where EHLO is not known (RFC 5321 §3.2), or LHLO.
func (c *Client) hello(ctx context.Context) error {
	verb := "EHLO "
	if c.d.LMTP {
		verb = "LHLO "
	}
	r, err := c.command(ctx, c.timeouts.Command, verb+c.d.hello())
	if err != nil {
		return err
	}
	c.caps = nil
	if r.Positive() {
		c.caps = parseCapabilities(r)
		return nil
	}
	if c.d.LMTP || !r.Permanent() {
		return &smtp.Error{Reply: r}
	}
	if r, err = c.command(ctx, c.timeouts.Command, "HELO "+c.d.hello()); err != nil {
		return err
	}
	if !r.Positive() {
		return &smtp.Error{Reply: r}
	}
	return nil
}

// Capabilities is what the last EHLO or LHLO announced; nil after HELO.
func (c *Client) Capabilities() Capabilities { return c.caps }

// TLS is the state of the TLS connection; nil = no TLS.
func (c *Client) TLS() *tls.ConnectionState { return c.tls }

// RemoteAddr is the address of the server.
func (c *Client) RemoteAddr() net.Addr { return c.conn.RemoteAddr() }

// Noop asks whether the connection still lives.
func (c *Client) Noop(ctx context.Context) error { return c.simple(ctx, "NOOP") }

// Reset gives up a transaction (RSET).
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
func (c *Client) Close() error { return c.conn.Close() }

// Usable reports whether another message can be sent on this connection.
func (c *Client) Usable() bool { return c.broken == nil }

func (c *Client) simple(ctx context.Context, line string) error {
	r, err := c.command(ctx, c.timeouts.Command, line)
	if err != nil {
		return err
	}
	if !r.Positive() {
		return &smtp.Error{Reply: r}
	}
	return nil
}

// Capabilities are the lines of an EHLO reply behind the first, as received.
type Capabilities []string

func parseCapabilities(r smtp.Reply) Capabilities {
	return Capabilities(r.Lines[min(1, len(r.Lines)):])
}

// Has reports whether the keyword was announced, in any case.
func (c Capabilities) Has(keyword string) bool {
	_, ok := c.Param(keyword)
	return ok
}

// Param returns what stands behind the keyword.
func (c Capabilities) Param(keyword string) (params string, ok bool) {
	for _, line := range c {
		word, rest, _ := strings.Cut(line, " ")
		if strings.EqualFold(word, keyword) {
			return rest, true
		}
	}
	return "", false
}

// MaxSize is the parameter of SIZE (RFC 1870 §4); 0 = not announced, or no
// limit.
func (c Capabilities) MaxSize() int64 {
	p, _ := c.Param("SIZE")
	n, err := strconv.ParseInt(strings.TrimSpace(p), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// Mechanisms are the SASL mechanisms announced by AUTH (RFC 4954 §3).
func (c Capabilities) Mechanisms() []string {
	p, _ := c.Param("AUTH")
	return strings.Fields(p)
}
