package imapclient

import (
	"context"
	"fmt"
	"strings"
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
		k, err := c.send(c.command("IDLE"))
		if err != nil {
			return err
		}
		if err := c.awaitContinue(k); err != nil {
			return err
		}
		if k.done {
			return k.err()
		}
		if err := c.idling(ctx, k, &o); err != nil {
			return err
		}
		if !k.done {
			if c.d.Trace != nil {
				c.d.Trace(true, []byte("DONE\r\n"))
			}
			if err := c.write([]byte("DONE\r\n")); err != nil {
				return err
			}
			if err := c.await(k, nil); err != nil {
				return err
			}
		}
		return k.err()
	})
}

// idling reads until IDLE is to end.
func (c *Client) idling(ctx context.Context, k *call, o *IdleOptions) error {
	limit := o.Max
	if limit <= 0 {
		limit = c.timeouts.Idle
	}
	c.idle = never
	if limit > 0 {
		c.idle = time.Now().Add(limit)
	}
	defer func() { c.idle = time.Time{} }()
	ended := make(chan struct{})
	unwatch := context.AfterFunc(ctx, func() {
		defer close(ended)
		c.raw.SetReadDeadline(past)
	})
	defer func() {
		if !unwatch() {
			<-ended
		}
	}()
	for !k.done {
		if !c.in.buffered() {
			c.unasked = 0
			if ctx.Err() != nil || o.Wake != nil && o.Wake() {
				return nil
			}
		}
		c.idleCtx = ctx
		r, err := c.next()
		c.idleCtx = nil
		if timedOut(err) && c.err == nil {
			return nil
		}
		if err == nil {
			err = c.route(&r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// never is a deadline that does not come.
var never = time.Unix(1<<40, 0)

// NotifyGroup says about which mailboxes news are wanted (RFC 5465 §5, §6).
type NotifyGroup struct {
	Filter    string   // "SELECTED", "SELECTED-DELAYED", "PERSONAL", "INBOXES", "SUBSCRIBED", "SUBTREE", "MAILBOXES"
	Mailboxes []string // of SUBTREE and MAILBOXES
	Events    []string // "MessageNew", "MessageExpunge"; nil = NONE

	// Items are what MessageNew tells of a message in SELECTED; nil = nothing.
	Items *FetchOptions
}

// Notify replaces what the server tells without being asked; the Handler hears it
// in Status, Mailbox, and the functions of the selected mailbox. status: it tells
// the status of all those mailboxes first. No groups: it tells nothing.
// ErrNotOffered without NOTIFY.
func (c *Client) Notify(ctx context.Context, status bool, groups ...NotifyGroup) error {
	if err := c.need(imap.CapNotify); err != nil {
		return err
	}
	return c.run(ctx, func() error {
		l := c.command("NOTIFY")
		l.long = true
		if len(groups) == 0 {
			return c.simple(l.text(" NONE"))
		}
		l.text(" SET")
		if status {
			l.text(" STATUS")
		}
		for i := range groups {
			if err := groups[i].add(l); err != nil {
				return err
			}
		}
		return c.simple(l)
	})
}

func (g *NotifyGroup) add(l *line) error {
	l.text(" (").word(g.Filter)
	if len(g.Mailboxes) > 0 {
		l.text(" (")
		for i, m := range g.Mailboxes {
			if i > 0 {
				l.text(" ")
			}
			l.mailboxValue(m)
		}
		l.text(")")
	}
	if len(g.Events) == 0 {
		l.text(" NONE)")
		return nil
	}
	l.text(" (")
	for i, e := range g.Events {
		if i > 0 {
			l.text(" ")
		}
		l.word(e)
		if g.Items != nil && strings.EqualFold(e, "MessageNew") {
			if g.Items.ChangedSince != 0 || g.Items.Partial != (imap.PartialRange{}) {
				return fmt.Errorf("%w: modifiers of NOTIFY", ErrArgument)
			}
			if err := g.Items.add(l); err != nil {
				return err
			}
		}
	}
	l.text("))")
	return nil
}
