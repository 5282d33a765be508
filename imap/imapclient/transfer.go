package imapclient

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapcmd"
	"github.com/mailstead/mailstead/internal/imapresp"
)

// Store changes flags of messages. A long set becomes several commands. modified
// are the messages that UnchangedSince left as they are; then err is nil, also
// where the server said NO because of them.
func (c *Client) Store(ctx context.Context, uids imap.UIDSet, o imap.StoreOptions) (modified imap.UIDSet, err error) {
	err = c.each(ctx, uids, 0, func(set imap.UIDSet) error {
		l := c.command("UID STORE").UIDs(set)
		if o.UnchangedSince != nil {
			l.Text(" (UNCHANGEDSINCE").Number(int64(*o.UnchangedSince)).Text(")")
		}
		l.SP([...]string{"+FLAGS", "-FLAGS", "FLAGS"}[min(o.Mode, imap.StoreReplace)])
		if o.Silent {
			l.Text(".SILENT")
		}
		status, err := c.conn.Do(l.Flags(o.Flags, o.Keywords), nil)
		if e := refusal(err); e != nil {
			status = *e
		}
		if status.Code != imap.CodeModified {
			return err
		}
		some, ok := imapresp.ParseUIDSet(status.Args, c.limits.Ranges)
		if !ok {
			return c.conn.Lost(fmt.Errorf("%w: MODIFIED", ErrProtocol))
		}
		modified.AddSet(some)
		return nil
	})
	return modified, err
}

// refusal is what the server said in an error; nil = it is another one.
func refusal(err error) *imap.StatusResponse {
	if e, ok := err.(*Error); ok {
		return &e.Response
	}
	return nil
}

// each runs f for the parts of a set that fit into a command, and for what the
// server left out of one (RFC 9738). limit is how many messages one may name; 0 =
// any number.
func (c *Client) each(ctx context.Context, uids imap.UIDSet, limit int64, f func(imap.UIDSet) error) error {
	return c.inBox(ctx, func() error {
		for len(uids) > 0 {
			var head imap.UIDSet
			head, uids = imapcmd.Cut(uids)
			if limit > 0 {
				var more imap.UIDSet
				head, more = imapcmd.First(head, limit)
				uids = slices.Concat(more, uids)
			}
			c.low = 0
			if err := f(head); err != nil {
				return err
			}
			uids = slices.Concat(c.below(head), uids)
		}
		return nil
	})
}

// Expunge removes all messages with \Deleted. The Handler hears which.
func (c *Client) Expunge(ctx context.Context) error {
	return c.inBox(ctx, func() error {
		for {
			before := c.box.Exists
			c.low = 0
			if err := c.simple(c.command("EXPUNGE").Slow()); err != nil || c.low <= 1 || c.box.Exists >= before {
				return err
			}
		}
	})
}

// UIDExpunge removes those of uids that have \Deleted (RFC 4315 §2.1).
// ErrNotOffered without UIDPLUS.
func (c *Client) UIDExpunge(ctx context.Context, uids imap.UIDSet) error {
	if err := c.need(imap.CapUIDPlus); err != nil {
		return err
	}
	return c.each(ctx, uids, 0, func(set imap.UIDSet) error {
		return c.simple(c.command("UID EXPUNGE").Slow().UIDs(set))
	})
}

// Copy copies messages, and tells which UIDs the copies got; zero where the
// server did not say. A long set becomes several commands, of which those before
// a failure have had their effect.
func (c *Client) Copy(ctx context.Context, uids imap.UIDSet, mailbox string) (imap.CopyUID, error) {
	return c.transfer(ctx, "UID COPY", uids, mailbox)
}

// Move is MOVE (RFC 6851), otherwise as Copy. ErrNotOffered without MOVE.
func (c *Client) Move(ctx context.Context, uids imap.UIDSet, mailbox string) (imap.CopyUID, error) {
	if err := c.need(imap.CapMove); err != nil {
		return imap.CopyUID{}, err
	}
	return c.transfer(ctx, "UID MOVE", uids, mailbox)
}

func (c *Client) transfer(ctx context.Context, verb string, uids imap.UIDSet, mailbox string) (all imap.CopyUID, err error) {
	note := func(s *imap.StatusResponse) bool {
		if s.Code != imap.CodeCopyUID {
			return false
		}
		if u, ok := imapresp.ParseCopyUID(s.Args); ok {
			all.UIDValidity = u.UIDValidity
			all.Source = append(all.Source, u.Source...)
			all.Dest = append(all.Dest, u.Dest...)
		}
		return true
	}
	err = c.each(ctx, uids, c.saveLimit(), func(set imap.UIDSet) error {
		l := c.command(verb).Slow().UIDs(set).Mailbox(mailbox)
		status, err := c.conn.Do(l, func(r *response) (bool, error) {
			return r.Name == "OK" && note(&r.Status), nil // RFC 6851 §4.3
		})
		note(&status)
		return err
	})
	return all, err
}

// saveLimit is how many messages one COPY or MOVE may name (RFC 9738 §3); 0 = any
// number.
func (c *Client) saveLimit() int64 {
	return cmp.Or(c.caps.Number(imap.CapSaveLimit), c.caps.Number(imap.CapMessageLimit))
}
