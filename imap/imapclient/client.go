package imapclient

import (
	"context"
	"crypto/tls"
	"net"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapcmd"
	"github.com/mailstead/mailstead/internal/imapconn"
	"github.com/mailstead/mailstead/internal/imapresp"
)

// What the layers below call a command, one that was sent, and what comes back.
type (
	line     = imapcmd.Line
	call     = imapconn.Call
	response = imapconn.Response
)

// Client is one connection to a server. One goroutine at a time uses it, and no
// method that does I/O may be called while another runs, from a Handler or in a
// loop over Fetch (ErrBusy). Close may be called by any goroutine.
type Client struct {
	d       *Dialer
	conn    *imapconn.Conn
	limits  imapconn.Limits
	host    string
	handler Handler
	low     imap.UID // of MESSAGELIMIT, in the command that ends; 0 = it did all

	// Session.
	state    State
	deaf     bool              // what comes is not authentic yet: handlers hear nothing
	greets   string            // text of the greeting
	serverID map[string]string // what it answered to ID
	caps     imap.CapabilitySet
	told     uint64 // counts the announcements of caps
	enabled  map[imap.Capability]bool
	words    map[string]string
	oddNames map[string]string // UTF-8 → wire, for names whose form on the wire is another one than ours

	// Mailbox.
	box       *imap.SelectedMailbox // selected; nil = none
	opening   *imap.SelectedMailbox // being selected
	permanent bool                  // PERMANENTFLAGS were said
	closing   bool                  // what comes belongs to box until CLOSED is said
	changed   func(*Message)        // of SelectOptions

	// FETCH.
	message  Message // reused
	discards int64   // octets that may be skipped in the response at hand
	spare    int64   // of them, once a loop was left
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
		d: d, host: host, handler: d.Handler, enabled: map[imap.Capability]bool{}, words: map[string]string{}, oddNames: map[string]string{},
	}
	c.conn = imapconn.New(conn, imapconn.Config{
		Timeouts: imapconn.Timeouts(d.Timeouts), Limits: imapconn.Limits(d.Limits), Trace: d.Trace, Handle: c.handle, Refused: refused,
	})
	c.limits = c.conn.Limits
	c.message.c = c
	c.message.fetch = imapresp.Fetch{Data: &c.message.Fetched, Word: c.word}
	return c
}

// State is where the session stands.
func (c *Client) State() State { return c.state }

// TLS is the state of the TLS connection; nil = no TLS.
func (c *Client) TLS() *tls.ConnectionState { return c.conn.TLS() }

// Greeting is the text of the first response, and ServerID what the server
// answered to the last ID (RFC 2971 §3.3), keys in lower case; nil = nothing, or
// it was not asked. Both are for people, and to tell servers with quirks apart.
func (c *Client) Greeting() string            { return c.greets }
func (c *Client) ServerID() map[string]string { return c.serverID }

// RemoteAddr is the address of the server.
func (c *Client) RemoteAddr() net.Addr { return c.conn.RemoteAddr() }

// Err is why the connection cannot be used any more; nil = it can.
func (c *Client) Err() error { return c.conn.Err() }

// SetHandler replaces the Dialer's Handler.
func (c *Client) SetHandler(h Handler) { c.handler = h }

// Mailbox is the one that is selected; nil = none. Its counters follow what the
// server says. It is valid until another is selected.
func (c *Client) Mailbox() *imap.SelectedMailbox { return c.box }

// Close closes the connection without a goodbye. Idempotent.
func (c *Client) Close() error { return c.conn.Close() }

// Logout says goodbye and closes the connection, whatever the server answers.
func (c *Client) Logout(ctx context.Context) error {
	end, err := c.conn.Begin(ctx)
	if err != nil {
		c.conn.Close()
		return err
	}
	defer end()
	c.state = LoggedOut
	err = c.simple(c.command("LOGOUT"))
	c.conn.End()
	return err
}

// Noop asks whether the connection still lives, and lets the server say what is
// new.
func (c *Client) Noop(ctx context.Context) error {
	return c.run(ctx, func() error { return c.simple(c.command("NOOP")) })
}

// run is a call of a method.
func (c *Client) run(ctx context.Context, f func() error) error {
	return c.conn.Run(ctx, func() error {
		c.low = 0
		return f()
	})
}

// inBox is run where a mailbox is selected; ErrState where none is.
func (c *Client) inBox(ctx context.Context, f func() error) error {
	return c.run(ctx, func() error {
		if c.box == nil {
			return ErrState
		}
		return f()
	})
}

// command begins a command.
func (c *Client) command(name string) *line {
	return c.conn.Command(imapcmd.Form{
		UTF8: c.utf8(), LiteralPlus: c.Has(imap.CapLiteralPlus), LiteralMinus: c.Has(imap.CapLiteralMinus), Names: c.oddNames,
	}, name)
}

// simple sends a command that has no results.
func (c *Client) simple(l *line) error {
	_, err := c.conn.Do(l, nil)
	return err
}

// ask sends a command and has parse read the responses of a name.
func (c *Client) ask(l *line, name string, parse func(args []byte) error) error {
	_, err := c.conn.Do(l, func(r *response) (bool, error) {
		if r.Name != name {
			return false, nil
		}
		return true, parse(r.Args)
	})
	return err
}

// asking is a call of a method that asks for one thing. need is the capability
// that it takes; "" = none.
func asking[T any](ctx context.Context, c *Client, need imap.Capability, f func() (T, error)) (v T, err error) {
	if need != "" {
		if err := c.need(need); err != nil {
			return v, err
		}
	}
	err = c.run(ctx, func() error {
		v, err = f()
		return err
	})
	return v, err
}

// doing is asking where there is nothing to tell.
func (c *Client) doing(ctx context.Context, need imap.Capability, build func() *line) error {
	if need != "" {
		if err := c.need(need); err != nil {
			return err
		}
	}
	return c.run(ctx, func() error { return c.simple(build()) })
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
	return c.enabled[imap.CapUTF8Accept] || c.enabled[imap.CapIMAP4rev2] || c.caps.Rev2Only()
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
