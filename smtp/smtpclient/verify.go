package smtpclient

import (
	"context"

	"github.com/mailstead/mailstead/internal/downgrade"
	"github.com/mailstead/mailstead/smtp"
)

// Verify asks whether the server would take mail for each of to: MAIL, RCPT for
// each, and RSET. The replies are those to RCPT, in order. An error is that of
// MAIL (a *smtp.Error), or of the connection; then nothing is known of any. To
// a server without SMTPUTF8 domains go in A-labels, and a local-part that needs
// it is refused for all with 550 5.6.7.
func (c *Client) Verify(ctx context.Context, from smtp.ReversePath, to []smtp.ForwardPath) ([]smtp.Reply, error) {
	defer c.watch(ctx)()
	if err := c.ready(); err != nil {
		return nil, err
	}
	lines, err := c.probe(from, to)
	if err != nil {
		return nil, err
	}
	c.mails++
	replies, err := c.commands(ctx, lines)
	if err == nil {
		_, err = c.command(ctx, c.timeouts.Command, "RSET")
	}
	switch {
	case len(replies) > 0 && !replies[0].Positive():
		return nil, &smtp.Error{Reply: replies[0]}
	case err != nil:
		return nil, err
	}
	return replies[1:], nil
}

// probe are the lines of Verify.
func (c *Client) probe(from smtp.ReversePath, to []smtp.ForwardPath) ([]string, error) {
	p := &plan{reverse: from.Path, rcpts: make([]smtp.Recipient, len(to))}
	for i := range to {
		p.rcpts[i].ForwardPath = to[i]
	}
	if err := c.planUTF8(p, &downgrade.Options{}); err != nil {
		return nil, err
	}
	for i := range to {
		if err := p.refused[i]; err != nil {
			return nil, err
		}
	}
	lines := []string{string(p.mail.AppendParams([]byte("MAIL FROM:<" + p.reverse.String() + ">")))}
	for _, r := range p.rcpts {
		lines = append(lines, "RCPT TO:<"+r.ForwardPath.String()+">")
	}
	return lines, nil
}

// commands sends lines and returns their replies, in one flight where the
// server offers PIPELINING. Step by step it ends with the first if that is
// refused.
func (c *Client) commands(ctx context.Context, lines []string) (replies []smtp.Reply, err error) {
	if c.caps.Pipelining {
		c.out = c.out[:0]
		for _, line := range lines {
			c.out = append(append(c.out, line...), '\r', '\n')
		}
		c.expect(len(lines))
		defer c.finish(ctx)
		c.write(ctx, c.out, c.timeouts.Command) // what the server said before stands in the replies
	}
	for _, line := range lines {
		var r smtp.Reply
		if c.caps.Pipelining {
			r, err = c.reply(ctx, c.timeouts.Command)
		} else {
			r, err = c.command(ctx, c.timeouts.Command, line)
		}
		if err != nil {
			return replies, err
		}
		replies = append(replies, r)
		if !c.caps.Pipelining && !replies[0].Positive() {
			break
		}
	}
	return replies, nil
}
