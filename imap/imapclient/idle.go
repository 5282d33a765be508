package imapclient

import (
	"context"
	"time"

	"github.com/mailstead/mailstead/imap"
)

// IdleOptions of Idle.
type IdleOptions struct {
	// Max is how long it lasts; zero = Timeouts.Idle.
	Max time.Duration

	// Wake is asked whenever all that came has been handled: true ends IDLE. nil =
	// never.
	Wake func() bool
}

// Idle waits for news, which the Handler gets (RFC 2177): until ctx ends, Max is
// over or Wake says so. Then the server is told, what it says until its answer is
// handled, and the Client can be used again. The error is nil in all these cases,
// also when ctx has ended. ErrNotOffered without IDLE.
func (c *Client) Idle(ctx context.Context, o IdleOptions) error {
	if err := c.need(imap.CapIdle); err != nil {
		return err
	}
	// The end of ctx must not break the connection: the command is ended first.
	return c.run(context.WithoutCancel(ctx), func() error {
		if ctx.Err() != nil {
			return nil
		}
		k, err := c.conn.Send(c.command("IDLE"))
		if err != nil {
			return err
		}
		if err := c.conn.AwaitContinue(k); err != nil {
			return err
		}
		if k.Done {
			return c.conn.Failed(k)
		}
		if err := c.conn.Idle(ctx, k, o.Max, o.Wake); err != nil {
			return err
		}
		if !k.Done {
			if err := c.conn.Answer("DONE", false); err != nil {
				return err
			}
			if err := c.conn.Await(k, nil); err != nil {
				return err
			}
		}
		return c.conn.Failed(k)
	})
}

// Notify replaces what the server tells without being asked; the Handler hears it
// in Status, Mailbox, and the functions of the selected mailbox. status: it tells
// the status of all those mailboxes first. No groups: it tells nothing.
// ErrNotOffered without NOTIFY.
func (c *Client) Notify(ctx context.Context, status bool, groups ...imap.NotifyGroup) error {
	return c.doing(ctx, imap.CapNotify, func() *line {
		l := c.command("NOTIFY").Slow()
		if len(groups) == 0 {
			return l.Text(" NONE")
		}
		l.Text(" SET")
		if status {
			l.Text(" STATUS")
		}
		for i := range groups {
			l.Notify(&groups[i])
		}
		return l
	})
}
