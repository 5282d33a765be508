package smtpclient

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/smtp"
)

// Auth authenticates with one mechanism (RFC 4954 §4). A refusal is a
// *smtp.Error with the server's reply. ErrNoAuth: the mechanism is not offered.
// Whether a password may travel without TLS is decided by the caller, who
// knows TLS.
//
// A client with a method Outcome() error is asked after the server's success:
// SCRAM finds out whether the server knows the password, too (RFC 5802 §5). Its
// error is returned, and the connection must not be used.
func (c *Client) Auth(ctx context.Context, client sasl.Client) error {
	mech, ir, err := client.Start()
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(c.caps.Mechanisms(), func(m string) bool { return strings.EqualFold(m, mech) }) {
		return ErrNoAuth
	}
	line := "AUTH " + mech
	if late := ir != nil && len(line)+base64.StdEncoding.EncodedLen(len(ir)) > smtp.MaxReplyLine-4; ir != nil && !late {
		line += " " + encodeResponse(ir)
		ir = nil
	}
	r, err := c.command(ctx, c.timeouts.Command, line)
	for err == nil && r.Code == 334 {
		var response []byte
		if response, err = c.respond(client, r, &ir); err != nil {
			// RFC 4954 §4: the client cancels with "*"; the reply is a 501.
			if _, cancelErr := c.command(ctx, c.timeouts.Command, "*"); cancelErr != nil {
				return cancelErr
			}
			return err
		}
		r, err = c.command(ctx, c.timeouts.Command, base64.StdEncoding.EncodeToString(response))
	}
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
