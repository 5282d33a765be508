package imapclient

import (
	"context"
	"fmt"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/clientconn"
	"github.com/mailstead/mailstead/internal/imapresp"
)

// start: greeting, STARTTLS, login, ID, ENABLE, COMPRESS.
func (c *Client) start(ctx context.Context) error {
	end, err := c.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if c.d.TLS == TLSImplicit {
		if err := c.handshake(); err != nil {
			return err
		}
	}
	c.deaf = c.d.TLS == TLSRequired || c.d.TLS == TLSIfOffered
	if err := c.greeting(); err != nil {
		return err
	}
	if err := c.secure(); err != nil {
		return err
	}
	c.deaf = false
	if c.state == NotAuthenticated && c.d.Auth != nil {
		if err := c.login(ctx, c.d.Auth); err != nil {
			return err
		}
	}
	if c.state != Authenticated {
		return nil
	}
	c.unlimit()
	return c.prepare()
}

// unlimit allows long responses, now that the server is one that knows the user.
func (c *Client) unlimit() {
	c.in.max, c.in.maxLiteral = c.limits.Response, c.limits.Literal
}

// prepare is what the Dialer wants behind a login.
func (c *Client) prepare() error {
	if err := c.ensureCapabilities(0); err != nil {
		return err
	}
	if len(c.d.ID) > 0 && c.Has(imap.CapID) {
		if _, err := c.id(c.d.ID); err != nil && c.err != nil {
			return err // a refusal does no harm
		}
	}
	if len(c.d.Enable) > 0 {
		if _, err := c.enable(c.d.Enable); err != nil {
			return err
		}
	}
	if c.d.Compress && c.Has(imap.CapCompress) {
		return c.startCompress()
	}
	return nil
}

// greeting reads the first response (RFC 9051 §7.1).
func (c *Client) greeting() error {
	c.wait = c.timeouts.Greeting
	r, err := c.next()
	if err != nil {
		return err
	}
	if err := c.route(&r); err != nil {
		return err
	}
	c.greets = r.status.Text
	switch r.name {
	case "OK":
		return nil
	case "PREAUTH":
		c.state = Authenticated
		return nil
	case "BYE":
		return c.lost(c.bye)
	}
	return c.lost(fmt.Errorf("%w: no greeting", ErrProtocol))
}

// secure starts TLS as the Dialer says. A session that is authenticated at once
// cannot (RFC 9051 §6.2.1): whoever greets with PREAUTH must not lead around TLS.
func (c *Client) secure() error {
	if c.tls != nil || c.d.TLS == TLSNever {
		return nil
	}
	if c.state == Authenticated {
		if c.d.TLS == TLSRequired {
			return c.lost(fmt.Errorf("%w: it greets with PREAUTH", ErrTLSRequired))
		}
		return nil
	}
	if err := c.ensureCapabilities(0); err != nil {
		return err
	}
	if c.caps.has[imap.CapStartTLS] {
		return c.startTLS()
	}
	if c.d.TLS == TLSRequired {
		return c.lost(ErrTLSRequired)
	}
	return nil
}

// startTLS: STARTTLS and the handshake. What the server said before counts no
// more (RFC 9051 §6.2.1).
func (c *Client) startTLS() error {
	if err := c.simple(c.command("STARTTLS")); err != nil {
		return &TLSError{err}
	}
	if c.in.buffered() {
		return &TLSError{c.lost(ErrInjected)}
	}
	if err := c.handshake(); err != nil {
		return err
	}
	c.caps = capabilities{}
	return c.capability()
}

func (c *Client) handshake() error {
	if err := c.arm(c.raw.SetDeadline, 0); err != nil {
		return c.lost(err)
	}
	tc, state, err := clientconn.Handshake(c.ctx, c.raw, c.d.TLSConfig, c.host, c.timeouts.Connect)
	if err != nil {
		return &TLSError{c.lost(err)}
	}
	c.conn, c.tls, c.in.src = tc, state, tc
	return nil
}

// TLSError is the error of a server that offers TLS and then refuses STARTTLS or
// fails the handshake.
type TLSError struct {
	Err error // never nil
}

func (e *TLSError) Error() string { return "TLS: " + e.Err.Error() }
func (e *TLSError) Unwrap() error { return e.Err }

// ID tells the server who this is, and returns what it tells (RFC 2971 §3.1);
// keys are in lower case. Empty params tell nothing.
func (c *Client) ID(ctx context.Context, params map[string]string) (server map[string]string, err error) {
	err = c.run(ctx, func() (err error) {
		server, err = c.id(params)
		return err
	})
	return server, err
}

func (c *Client) id(params map[string]string) (map[string]string, error) {
	l := c.command("ID")
	if len(params) == 0 {
		l.text(" NIL")
	} else {
		l.text(" (")
		first := true
		for k, v := range params {
			if !first {
				l.text(" ")
			}
			first = false
			l.value(k).str(v)
		}
		l.text(")")
	}
	var server map[string]string
	_, err := c.do(l, func(r *response) (bool, error) {
		if r.name != "ID" {
			return false, nil
		}
		var err error
		server, err = imapresp.ParseID(r.args, c.limits.List)
		c.serverID = server
		return true, err
	})
	return server, err
}

// Compress compresses the connection from here on (RFC 4978). ErrNotOffered
// without COMPRESS=DEFLATE.
func (c *Client) Compress(ctx context.Context) error {
	return c.run(ctx, func() error {
		if !c.Has(imap.CapCompress) {
			return fmt.Errorf("%w: %s", ErrNotOffered, imap.CapCompress)
		}
		return c.startCompress()
	})
}

func (c *Client) startCompress() error {
	err := c.simple(c.command("COMPRESS DEFLATE"))
	if Code(err) == imap.CodeCompressionActive {
		return nil // by TLS
	}
	if err != nil {
		return err
	}
	return c.compress()
}

// Unauthenticate ends the login, not the connection (RFC 8437).
func (c *Client) Unauthenticate(ctx context.Context) error {
	return c.run(ctx, func() error {
		switch {
		case !c.Has(imap.CapUnauthenticate):
			return fmt.Errorf("%w: %s", ErrNotOffered, imap.CapUnauthenticate)
		case c.deflate != nil:
			return fmt.Errorf("%w: the connection is compressed", ErrState)
		}
		since := c.caps.fresh
		if err := c.simple(c.command("UNAUTHENTICATE")); err != nil {
			return err
		}
		c.state, c.box = NotAuthenticated, nil
		clear(c.enabled)
		return c.ensureCapabilities(since)
	})
}
