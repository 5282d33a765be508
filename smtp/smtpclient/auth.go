package smtpclient

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/smtp"
)

// Authenticator chooses how to authenticate, from the mechanisms that the
// server announced (upper case, in its order) and the state of the TLS
// connection; nil = no TLS. So it decides whether a password may travel
// without TLS, and finds the channel bindings of the -PLUS mechanisms. It
// makes a new sasl.Client for each exchange. ErrNoAuth: nothing fits.
type Authenticator func(mechanisms []string, state *tls.ConnectionState) (sasl.Client, error)

// Authenticate lets choose pick a mechanism and authenticates with it.
func (c *Client) Authenticate(ctx context.Context, choose Authenticator) error {
	defer c.watch(ctx)()
	return c.authenticate(ctx, choose)
}

func (c *Client) authenticate(ctx context.Context, choose Authenticator) error {
	client, err := choose(slices.Clone(c.caps.Mechanisms), c.tls)
	if err != nil {
		return err
	}
	return c.auth(ctx, client)
}

// Auth authenticates with one mechanism (RFC 4954 §4). A refusal is a
// *smtp.Error with the server's reply. ErrNoAuth: the mechanism is not offered.
// Whether a password may travel without TLS is decided by the caller, who
// knows TLS.
//
// A client with a method Outcome() error is asked after the server's success:
// SCRAM finds out whether the server knows the password, too (RFC 5802 §5). Its
// error is returned, and the connection must not be used.
func (c *Client) Auth(ctx context.Context, client sasl.Client) error {
	defer c.watch(ctx)()
	return c.auth(ctx, client)
}

// maxAuthLine bounds the challenges of the server (RFC 4954 §4).
const maxAuthLine = 12288

func (c *Client) auth(ctx context.Context, client sasl.Client) error {
	mech, ir, err := client.Start()
	if err != nil {
		return err
	}
	if !slices.Contains(c.caps.Mechanisms, strings.ToUpper(mech)) {
		return ErrNoAuth
	}
	usual := c.in.maxLine
	c.in.maxLine = max(usual, maxAuthLine)
	defer func() { c.in.maxLine = usual }()
	line := "AUTH " + mech
	if ir != nil && len(line)+1+base64.StdEncoding.EncodedLen(len(ir)) <= smtp.MaxReplyLine-2 {
		line += " " + encodeResponse(ir)
		ir = nil
	}
	r, err := c.exchange(ctx, client, line, ir)
	if err != nil {
		return err
	}
	if !r.Positive() {
		return &smtp.Error{Reply: r}
	}
	if judge, ok := client.(interface{ Outcome() error }); ok {
		if err := judge.Outcome(); err != nil {
			return err
		}
	}
	c.authed = true
	return nil
}

// exchange answers challenges until the server decides. ir is an initial
// response that did not fit into the AUTH line.
func (c *Client) exchange(ctx context.Context, client sasl.Client, line string, ir []byte) (smtp.Reply, error) {
	r, err := c.command(ctx, c.timeouts.Command, line)
	for err == nil && r.Code == 334 {
		var response []byte
		if response, err = c.respond(client, r, &ir); err != nil {
			// RFC 4954 §4: the client cancels with "*"; the reply is a 501.
			if _, cancelErr := c.command(ctx, c.timeouts.Command, "*"); cancelErr != nil {
				return r, cancelErr
			}
			return r, err
		}
		r, err = c.command(ctx, c.timeouts.Command, base64.StdEncoding.EncodeToString(response))
	}
	return r, err
}

// respond answers one challenge; an initial response that did not fit into
// the AUTH line answers the first, which is empty.
func (c *Client) respond(client sasl.Client, r smtp.Reply, ir *[]byte) ([]byte, error) {
	if *ir != nil {
		response := *ir
		*ir = nil
		return response, nil
	}
	challenge, err := base64.StdEncoding.DecodeString(strings.TrimSpace(r.Lines[0]))
	if err != nil {
		return nil, ErrBadReply
	}
	return client.Next(challenge)
}

// encodeResponse: an empty initial response is "=" (RFC 4954 §4).
func encodeResponse(ir []byte) string {
	if len(ir) == 0 {
		return "="
	}
	return base64.StdEncoding.EncodeToString(ir)
}
