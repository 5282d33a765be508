package imapclient

import (
	"context"
	"fmt"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapcmd"
	"github.com/mailstead/mailstead/internal/imapresp"
)

// start: greeting, STARTTLS, login, ID, ENABLE, COMPRESS.
func (c *Client) start(ctx context.Context) error {
	return c.run(ctx, func() error { return c.begin(ctx) })
}

func (c *Client) begin(ctx context.Context) error {
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
	c.conn.Unlimit()
	return c.prepare()
}

// prepare is what the Dialer wants behind a login.
func (c *Client) prepare() error {
	if err := c.ensureCapabilities(0); err != nil {
		return err
	}
	if len(c.d.ID) > 0 && c.Has(imap.CapID) {
		if _, err := c.id(c.d.ID); err != nil && c.conn.Err() != nil {
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
	r, err := c.conn.Greeting()
	if err != nil {
		return err
	}
	c.greets = r.Status.Text
	switch r.Name {
	case "OK":
		return nil
	case "PREAUTH":
		c.state = Authenticated
		return nil
	case "BYE":
		return c.conn.Lost(refused("", r.Status))
	}
	return c.conn.Lost(fmt.Errorf("%w: no greeting", ErrProtocol))
}

// secure starts TLS as the Dialer says. A session that is authenticated at once
// cannot (RFC 9051 §6.2.1): whoever greets with PREAUTH must not lead around TLS.
func (c *Client) secure() error {
	if c.TLS() != nil || c.d.TLS == TLSNever {
		return nil
	}
	if c.state == Authenticated {
		if c.d.TLS == TLSRequired {
			return c.conn.Lost(fmt.Errorf("%w: it greets with PREAUTH", ErrTLSRequired))
		}
		return nil
	}
	if err := c.ensureCapabilities(0); err != nil {
		return err
	}
	if c.caps.Announced(imap.CapStartTLS) {
		return c.startTLS()
	}
	if c.d.TLS == TLSRequired {
		return c.conn.Lost(ErrTLSRequired)
	}
	return nil
}

// startTLS: STARTTLS and the handshake. What the server said before counts no
// more (RFC 9051 §6.2.1).
func (c *Client) startTLS() error {
	if err := c.simple(c.command("STARTTLS")); err != nil {
		return &TLSError{err}
	}
	if c.conn.Buffered() {
		return &TLSError{c.conn.Lost(ErrInjected)}
	}
	if err := c.handshake(); err != nil {
		return err
	}
	return c.capability()
}

func (c *Client) handshake() error {
	if err := c.conn.Handshake(c.d.TLSConfig, c.host); err != nil {
		return &TLSError{err}
	}
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
	return asking(ctx, c, "", func() (map[string]string, error) { return c.id(params) })
}

func (c *Client) id(params map[string]string) (server map[string]string, err error) {
	l := c.command("ID")
	if len(params) == 0 {
		l.Text(" NIL")
	} else {
		imapcmd.Each(l, imapcmd.Keys(params), func(k string) { l.Value(k).Str(params[k]) })
	}
	err = c.ask(l, "ID", func(args []byte) (err error) {
		server, err = imapresp.ParseID(args, c.limits.List)
		c.serverID = server
		return err
	})
	return server, err
}

// Compress compresses the connection from here on (RFC 4978). ErrNotOffered
// without COMPRESS=DEFLATE.
func (c *Client) Compress(ctx context.Context) error {
	if err := c.need(imap.CapCompress); err != nil {
		return err
	}
	return c.run(ctx, c.startCompress)
}

func (c *Client) startCompress() error {
	err := c.simple(c.command("COMPRESS DEFLATE"))
	if Code(err) == imap.CodeCompressionActive {
		return nil // by TLS
	}
	if err != nil {
		return err
	}
	return c.conn.Compress()
}

// Unauthenticate ends the login, not the connection (RFC 8437).
func (c *Client) Unauthenticate(ctx context.Context) error {
	if err := c.need(imap.CapUnauthenticate); err != nil {
		return err
	}
	return c.run(ctx, func() error {
		if c.conn.Compressed() {
			return fmt.Errorf("%w: the connection is compressed", ErrState)
		}
		since := c.told
		if err := c.simple(c.command("UNAUTHENTICATE")); err != nil {
			return err
		}
		c.state, c.box = NotAuthenticated, nil
		clear(c.enabled)
		return c.ensureCapabilities(since)
	})
}

// JMAPAccess is the URL of the JMAP session resource with the same mail (RFC 9698
// §4). ErrNotOffered without JMAPACCESS.
func (c *Client) JMAPAccess(ctx context.Context) (url string, err error) {
	return asking(ctx, c, imap.CapJMAPAccess, func() (string, error) {
		err := c.ask(c.command("GETJMAPACCESS"), "JMAPACCESS", func(args []byte) error {
			words, err := imapresp.ParseWords(args, 1)
			if len(words) == 1 {
				url = words[0]
			}
			return err
		})
		return url, err
	})
}
