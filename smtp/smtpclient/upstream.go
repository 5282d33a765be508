package smtpclient

import (
	"context"

	"github.com/mailstead/mailstead/smtp"
)

// XClient tells the server for whom this side speaks: from now on it treats
// the connection as one of that client (Postfix, XCLIENT_README). The server
// greets again, and EHLO is said again. ErrUnsupported: not offered to us.
func (c *Client) XClient(ctx context.Context, u *smtp.Upstream) error {
	defer c.watch(ctx)()
	if err := c.attributes(ctx, "XCLIENT", u, 220); err != nil {
		return err
	}
	c.authed = u.Login != ""
	return c.hello(ctx)
}

// XForward tells the server, for its logs and filters, where the next message
// came from (Postfix, XFORWARD_README). ErrUnsupported: not offered to us.
func (c *Client) XForward(ctx context.Context, u *smtp.Upstream) error {
	defer c.watch(ctx)()
	return c.attributes(ctx, "XFORWARD", u, 250)
}

func (c *Client) attributes(ctx context.Context, verb string, u *smtp.Upstream, want int) error {
	offered, ok := c.caps.Param(verb)
	if !ok {
		return ErrUnsupported
	}
	line := u.AppendAttributes([]byte(verb), offered)
	r, err := c.command(ctx, c.timeouts.Command, string(line))
	if err != nil {
		return err
	}
	if r.Code != want {
		return &smtp.Error{Reply: r}
	}
	return nil
}
