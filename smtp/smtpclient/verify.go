package smtpclient

import (
	"context"

	"github.com/mailstead/mailstead/smtp"
)

// Verify asks whether the server would take mail for each of to: MAIL, RCPT for
// each, and RSET. The replies are those to RCPT, in order. An error is that of
// MAIL (a *smtp.Error), or of the connection; then nothing is known of any.
func (c *Client) Verify(ctx context.Context, from smtp.ReversePath, to []smtp.ForwardPath) ([]smtp.Reply, error) {
	mail := "MAIL FROM:<" + from.String() + ">"
	utf8 := from.NeedsUTF8()
	for _, p := range to {
		utf8 = utf8 || p.NeedsUTF8()
	}
	if utf8 {
		if !c.caps.Has("SMTPUTF8") {
			return nil, lacks(550, smtp.EnhancedCode{Class: 5, Subject: 6, Detail: 7}, "SMTPUTF8")
		}
		mail += " SMTPUTF8"
	}
	if err := c.simple(ctx, mail); err != nil {
		return nil, err
	}
	replies := make([]smtp.Reply, len(to))
	for i, p := range to {
		r, err := c.command(ctx, c.timeouts.Command, "RCPT TO:<"+p.String()+">")
		if err != nil {
			return nil, err
		}
		replies[i] = r
	}
	return replies, c.Reset(ctx)
}
