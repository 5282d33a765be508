package imapclient

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
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
	offered := c.mechanisms()
	if !slices.Contains(offered, sasl.Plain) && c.takesLogin() {
		offered = append(offered, sasl.Plain)
	}
	return a.Login(ctx, offered, c.tls, func(_ context.Context, client sasl.Client) error {
		return c.authenticate(client)
	})
}

// takesLogin reports whether the LOGIN command may be used (RFC 9051 §6.2.3).
func (c *Client) takesLogin() bool { return !c.caps.has[imap.CapLoginDisabled] }

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
	since := c.caps.fresh
	switch {
	case c.Has(imap.CapAuth(strings.ToUpper(mech))):
		err = c.exchange(client, mech, ir)
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
			return c.lost(err)
		}
	}
	c.state = Authenticated
	c.unlimit()
	return c.ensureCapabilities(since)
}

// loginCommand is LOGIN with what PLAIN says (RFC 4616 §2).
func (c *Client) loginCommand(ir []byte) error {
	parts := bytes.Split(ir, []byte{0})
	if len(parts) != 3 || len(parts[0]) > 0 && !bytes.Equal(parts[0], parts[1]) {
		return fmt.Errorf("%w: LOGIN cannot act for another user", ErrNoAuth)
	}
	l := c.command("LOGIN")
	l.secret = true
	return c.simple(l.str(string(parts[1])).str(string(parts[2])))
}

// maxInitial is the longest initial response that goes with the command.
const maxInitial = 6000

// exchange is AUTHENTICATE.
func (c *Client) exchange(client sasl.Client, mech string, ir []byte) error {
	l := c.command("AUTHENTICATE").atom(mech)
	l.secret = true
	if ir != nil && c.Has(imap.CapSASLIR) && len(ir) <= maxInitial { // RFC 4959 §3
		l.sp(encodeResponse(ir))
		ir = nil
	}
	c.hide = true
	defer func() { c.hide = false }()
	k, err := c.send(l)
	if err != nil {
		return err
	}
	for {
		if err := c.awaitContinue(k); err != nil {
			return err
		}
		if k.done {
			return k.err()
		}
		response, err := c.respond(client, &ir)
		if err != nil {
			return c.cancel(k, err)
		}
		if err := c.answer(base64.StdEncoding.EncodeToString(response)); err != nil {
			return err
		}
	}
}

// respond answers one challenge; an initial response that did not go with the
// command answers the first, which is empty.
func (c *Client) respond(client sasl.Client, ir *[]byte) ([]byte, error) {
	if *ir != nil {
		response := *ir
		*ir = nil
		return response, nil
	}
	text := bytes.TrimSpace(c.contText)
	challenge := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(challenge, text)
	if err != nil {
		return nil, fmt.Errorf("%w: challenge is no base64", ErrProtocol)
	}
	return client.Next(challenge[:n])
}

// cancel ends an exchange of which this side wants no more (RFC 9051 §6.2.2).
func (c *Client) cancel(k *call, why error) error {
	if err := c.answer("*"); err != nil {
		return err
	}
	if err := c.await(k, nil); err != nil {
		return err
	}
	if k.status.Condition == imap.ConditionOK {
		return c.lost(errors.Join(ErrProtocol, why))
	}
	return why
}

// answer sends a line of an exchange.
func (c *Client) answer(text string) error {
	if c.d.Trace != nil {
		c.d.Trace(true, []byte("***\r\n"))
	}
	return c.write(append([]byte(text), '\r', '\n'))
}

// encodeResponse: an empty initial response is "=" (RFC 4959 §3).
func encodeResponse(ir []byte) string {
	if len(ir) == 0 {
		return "="
	}
	return base64.StdEncoding.EncodeToString(ir)
}
