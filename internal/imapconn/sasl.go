package imapconn

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapcmd"
)

// maxInitial is the longest initial response that goes with the command.
const maxInitial = 6000

// Authenticate sends AUTHENTICATE and answers what the server asks (RFC 9051
// §6.2.2). ir is the initial response, nil = none; it goes with the command where
// the server takes that (RFC 4959 §3). Nothing of it is traced.
func (c *Conn) Authenticate(l *imapcmd.Line, client sasl.Client, ir []byte, withCommand bool) error {
	l.Secret = true
	if ir != nil && withCommand && len(ir) <= maxInitial {
		l.SP(encodeResponse(ir))
		ir = nil
	}
	c.hide = true
	defer func() { c.hide = false }()
	k, err := c.Send(l)
	if err != nil {
		return err
	}
	for {
		if err := c.AwaitContinue(k); err != nil {
			return err
		}
		if k.Done {
			return c.Failed(k)
		}
		response, err := c.respond(client, &ir)
		if err != nil {
			return c.cancel(k, err)
		}
		if err := c.Answer(base64.StdEncoding.EncodeToString(response), true); err != nil {
			return err
		}
	}
}

// respond answers one challenge; an initial response that did not go with the
// command answers the first, which is empty.
func (c *Conn) respond(client sasl.Client, ir *[]byte) ([]byte, error) {
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
func (c *Conn) cancel(k *Call, why error) error {
	if err := c.Answer("*", true); err != nil {
		return err
	}
	if err := c.Await(k, nil); err != nil {
		return err
	}
	if k.Status.Condition == imap.ConditionOK {
		return c.Lost(errors.Join(ErrProtocol, why))
	}
	return why
}

// encodeResponse: an empty initial response is "=" (RFC 4959 §3).
func encodeResponse(ir []byte) string {
	if len(ir) == 0 {
		return "="
	}
	return base64.StdEncoding.EncodeToString(ir)
}
