package pop3client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"iter"
	"net"
	"strings"

	"github.com/mailstead/mailstead/pop3"
)

// Client is one session with a server. One goroutine at a time uses it; Close
// may be called from another.
type Client struct {
	d        *Dialer
	timeouts Timeouts
	limits   limits
	host     string
	conn     net.Conn
	in       input
	out      []byte // commands, reused
	tls      *tls.ConnectionState
	caps     Capabilities
	greeting pop3.Reply
	stamp    string // of APOP; "" = not offered
	secrets  []string
	pending  int    // replies that are awaited
	scratch  []byte // for bodies, made when it is needed
	busy     int    // bodies, listings and loops that are not finished
	broken   error  // why the connection cannot be used; nil = usable
}

func newClient(d *Dialer, conn net.Conn, host string) *Client {
	return &Client{d: d, timeouts: d.Timeouts.withDefaults(), limits: d.limits(), host: host, conn: conn}
}

// start: greeting, CAPA, STLS and CAPA again, UTF8, login.
func (c *Client) start(ctx context.Context) error {
	defer c.watch(ctx)()
	if c.d.TLS == TLSImplicit {
		if err := c.handshake(ctx); err != nil {
			return err
		}
	}
	if err := c.greet(ctx); err != nil {
		return err
	}
	if err := c.askCapabilities(ctx); err != nil {
		return err
	}
	if c.d.TLS == TLSIfOffered && c.caps.STLS || c.d.TLS == TLSRequired {
		if err := c.startTLS(ctx); err != nil {
			return err
		}
	}
	if c.d.UTF8 && c.caps.UTF8 {
		if err := c.enableUTF8(ctx); err != nil && !refusal(err) {
			return err
		}
	}
	if c.d.Login == nil && c.d.APOP == nil {
		return nil
	}
	return c.login(ctx, c.d.Login, c.d.APOP)
}

// greet reads the greeting and the timestamp of APOP in it (RFC 1939 §7).
func (c *Client) greet(ctx context.Context) error {
	c.pending = 1
	line, err := c.replyLine(ctx, c.timeouts.Greeting)
	if err != nil {
		return err
	}
	r, err := c.parse(ctx, line)
	if err != nil {
		return err
	}
	c.greeting, c.stamp = r, timestamp(line)
	if !r.OK {
		return &Error{Reply: r}
	}
	return nil
}

// refusal reports whether an error is no more than the server's no.
func refusal(err error) bool {
	_, ok := errors.AsType[*Error](err)
	return ok
}

// askCapabilities: CAPA (RFC 2449 §5). A server without it refuses.
func (c *Client) askCapabilities(ctx context.Context) error {
	var lines []string
	for line, err := range c.lines(ctx, "CAPA") {
		switch {
		case refusal(err):
			c.caps = Capabilities{}
			return nil
		case err != nil:
			return err
		case len(lines) == maxCapabilities:
			return c.lost(ctx, fmt.Errorf("%w: more than %d capabilities", ErrListing, maxCapabilities))
		}
		lines = append(lines, string(line))
	}
	c.caps = parseCapabilities(lines)
	return nil
}

const maxCapabilities = 256

// Capabilities is what the server announced last: before the login, and again
// behind it where there may be more to learn.
func (c *Client) Capabilities() Capabilities { return c.caps }

// Greeting is the first reply.
func (c *Client) Greeting() pop3.Reply { return c.greeting }

// TLS is the state of the TLS connection; nil = no TLS. Channel bindings come
// from it (RFC 9266).
func (c *Client) TLS() *tls.ConnectionState { return c.tls }

// RemoteAddr is the address of the server.
func (c *Client) RemoteAddr() net.Addr { return c.conn.RemoteAddr() }

// Usable reports whether another command can be sent.
func (c *Client) Usable() bool { return c.broken == nil && c.busy == 0 }

// Close closes the connection without QUIT: the server deletes nothing.
// Idempotent.
func (c *Client) Close() error {
	if err := c.conn.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// Quit has the server delete what was marked, and closes the connection. It
// tells apart:
//
//	nil               +OK: the deletions are made
//	*Error            -ERR: some of them, or none, were made
//	ErrUnknown        QUIT left, and no answer came: they were made, or not
//	any other error   QUIT did not leave: nothing is deleted
//
// Before the login there is nothing to delete. A body that is open is ErrBusy,
// and the connection stays.
func (c *Client) Quit(ctx context.Context) error {
	if c.busy > 0 && c.broken == nil {
		return ErrBusy
	}
	defer c.Close()
	defer c.watch(ctx)()
	if err := c.send(ctx, "QUIT"); err != nil {
		return err
	}
	r, err := c.reply(ctx, c.timeouts.Quit)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	c.lost(ctx, errors.New("QUIT"))
	return c.judge("QUIT", r)
}

// Noop keeps the server from closing an idle connection.
func (c *Client) Noop(ctx context.Context) error { return c.simple(ctx, "NOOP") }

// Rset takes back all marks of Dele.
func (c *Client) Rset(ctx context.Context) error { return c.simple(ctx, "RSET") }

// Lang has the server use another language for the texts of its replies (RFC
// 6856 §3), "*" for the one that its administrator prefers, and returns the tag
// of the one it chose.
func (c *Client) Lang(ctx context.Context, languageRange string) (tag string, err error) {
	r, err := c.Command(ctx, "LANG "+languageRange)
	if err != nil {
		return "", err
	}
	tag, _, _ = strings.Cut(r.Text, " ")
	return tag, nil
}

// Languages lists what Lang may choose: tags, each with a space and the
// language's name where the server has one.
func (c *Client) Languages(ctx context.Context) iter.Seq2[string, error] {
	return c.Lines(ctx, "LANG")
}

// UTF8 switches to UTF-8 (RFC 6856 §2.1). It is for before the login.
func (c *Client) UTF8(ctx context.Context) error {
	if err := c.ready(); err != nil {
		return err
	}
	defer c.watch(ctx)()
	return c.enableUTF8(ctx)
}

func (c *Client) enableUTF8(ctx context.Context) error {
	r, err := c.command(ctx, "UTF8")
	if err == nil {
		err = c.judge("UTF8", r)
	}
	return err
}

// Command sends one line and returns its reply, of one line; -ERR is an *Error.
// It serves commands that have no method here, and must not be used for those
// that change the state of the session. ErrCommand: the line holds CR, LF or
// NUL, or begins with a blank.
func (c *Client) Command(ctx context.Context, line string) (pop3.Reply, error) {
	if err := c.ready(); err != nil {
		return pop3.Reply{}, err
	}
	if !sendable(line) {
		return pop3.Reply{}, ErrCommand
	}
	defer c.watch(ctx)()
	r, err := c.command(ctx, line)
	if err != nil {
		return r, err
	}
	return r, c.judge(verb(line), r)
}

// Lines is Command for replies of several lines, whose lines it returns as
// they come, without their dot-stuffing. An error ends it. Leaving the loop
// skips the rest, or closes the connection where that is long.
func (c *Client) Lines(ctx context.Context, line string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if err := c.ready(); err != nil {
			yield("", err)
			return
		}
		if !sendable(line) {
			yield("", ErrCommand)
			return
		}
		defer c.watch(ctx)()
		for text, err := range c.lines(ctx, line) {
			if !yield(string(text), err) {
				return
			}
		}
	}
}

func (c *Client) simple(ctx context.Context, line string) error {
	_, err := c.Command(ctx, line)
	return err
}

// sendable reports whether a line is one command.
func sendable(line string) bool {
	return line != "" && line[0] > ' ' && !strings.ContainsAny(line, "\r\n\x00")
}

// judge makes an *Error of a -ERR.
func (c *Client) judge(verb string, r pop3.Reply) error {
	if r.OK {
		return nil
	}
	e := &Error{Verb: verb, Reply: r, coded: c.caps.AuthRespCode}
	switch verb {
	case "USER", "PASS", "APOP", "AUTH":
		e.login = true
	}
	return e
}
