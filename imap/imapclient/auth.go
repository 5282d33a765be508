package imapclient

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/imap"
)

// Authenticate logs in.
func (c *Client) Authenticate(ctx context.Context, a Authenticator) error {
	return c.run(ctx, func() error { return c.login(ctx, a) })
}

// Auth logs in by one mechanism (RFC 9051 §6.2.2). A refusal is an *Error.
// ErrNoAuth: the mechanism is not offered. PLAIN may become the LOGIN command,
// see Authenticator. Whether a password may travel without TLS is the caller's
// decision.
//
// A client with a method Outcome() error is asked after the server's success:
// SCRAM finds out whether the server knows the password, too (RFC 5802 §5). Its
// error is returned, and the connection is closed.
func (c *Client) Auth(ctx context.Context, client sasl.Client) error {
	return c.run(ctx, func() error { return c.authenticate(client) })
}

func (c *Client) login(ctx context.Context, a Authenticator) error {
	if c.state != NotAuthenticated {
		return ErrState
	}
	if err := c.ensureCapabilities(0); err != nil {
		return err
	}
	offered := c.caps.Mechanisms()
	if !slices.Contains(offered, sasl.Plain) && c.takesLogin() {
		offered = append(offered, sasl.Plain)
	}
	return a.Login(ctx, offered, c.TLS(), func(_ context.Context, client sasl.Client) error {
		return c.authenticate(client)
	})
}

// takesLogin reports whether the LOGIN command may be used (RFC 9051 §6.2.3).
func (c *Client) takesLogin() bool { return !c.caps.Announced(imap.CapLoginDisabled) }

func (c *Client) authenticate(client sasl.Client) error {
	if c.state != NotAuthenticated {
		return ErrState
	}
	if err := c.ensureCapabilities(0); err != nil {
		return err
	}
	mech, ir, err := client.Start()
	if err != nil {
		return err
	}
	since := c.told
	switch {
	case c.Has(imap.CapAuth(strings.ToUpper(mech))):
		err = c.conn.Authenticate(c.command("AUTHENTICATE").Atom(mech), client, ir, c.Has(imap.CapSASLIR))
	case mech == sasl.Plain && c.takesLogin():
		err = c.loginCommand(ir)
	default:
		return fmt.Errorf("%w: %s", ErrNoAuth, mech)
	}
	if err != nil {
		return err
	}
	if judge, ok := client.(interface{ Outcome() error }); ok {
		if err := judge.Outcome(); err != nil {
			return c.conn.Lost(err)
		}
	}
	c.state = Authenticated
	c.conn.Unlimit()
	return c.ensureCapabilities(since)
}

// loginCommand is LOGIN with what PLAIN says (RFC 4616 §2).
func (c *Client) loginCommand(ir []byte) error {
	parts := bytes.Split(ir, []byte{0})
	if len(parts) != 3 || len(parts[0]) > 0 && !bytes.Equal(parts[0], parts[1]) {
		return fmt.Errorf("%w: LOGIN cannot act for another user", ErrNoAuth)
	}
	l := c.command("LOGIN")
	l.Secret = true
	return c.simple(l.Str(string(parts[1])).Str(string(parts[2])))
}
