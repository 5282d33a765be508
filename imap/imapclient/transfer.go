package imapclient

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapresp"
)

// StoreMode says what Store does with flags.
type StoreMode uint8

// The modes.
const (
	StoreAdd StoreMode = iota
	StoreRemove
	StoreReplace // all but \Recent
)

// StoreOptions of Store.
type StoreOptions struct {
	Mode     StoreMode
	Flags    imap.Flags
	Keywords []string

	// Silent asks for no FETCH responses; those that come go to the Handler, as all
	// others.
	Silent bool

	// UnchangedSince leaves messages as they are that changed later (RFC 7162
	// §3.1.3); nil = no condition. 0 is a condition, too.
	UnchangedSince *imap.ModSeq
}

// Store changes flags of messages. A long set becomes several commands. modified
// are the messages that UnchangedSince left as they are; then err is nil, also
// where the server said NO because of them.
func (c *Client) Store(ctx context.Context, uids imap.UIDSet, o StoreOptions) (modified imap.UIDSet, err error) {
	err = c.each(ctx, uids, 0, func(set imap.UIDSet) error {
		l := c.command("UID STORE").uids(set)
		if o.UnchangedSince != nil {
			l.text(" (UNCHANGEDSINCE").number(int64(*o.UnchangedSince)).text(")")
		}
		l.sp([...]string{"+FLAGS", "-FLAGS", "FLAGS"}[min(o.Mode, StoreReplace)])
		if o.Silent {
			l.text(".SILENT")
		}
		status, err := c.do(l.flags(o.Flags, o.Keywords), nil)
		if e := refusal(err); e != nil {
			status = *e
		}
		if status.Code != imap.CodeModified {
			return err
		}
		some, ok := imapresp.ParseUIDSet(status.Args, c.limits.Ranges)
		if !ok {
			return c.lost(fmt.Errorf("%w: MODIFIED", ErrProtocol))
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
	return c.run(ctx, func() error {
		if c.box == nil {
			return ErrState
		}
		for len(uids) > 0 {
			var head imap.UIDSet
			head, uids = cut(uids)
			if limit > 0 {
				var more imap.UIDSet
				head, more = first(head, limit)
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
	return c.run(ctx, func() error {
		if c.box == nil {
			return ErrState
		}
		for {
			before := c.box.Exists
			l := c.command("EXPUNGE")
			l.long = true
			c.low = 0
			if err := c.simple(l); err != nil || c.low <= 1 || c.box.Exists >= before {
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
		l := c.command("UID EXPUNGE").uids(set)
		l.long = true
		return c.simple(l)
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
		l := c.command(verb).uids(set).mailbox(mailbox)
		l.long = true
		status, err := c.do(l, func(r *response) (bool, error) {
			return r.name == "OK" && note(&r.status), nil // RFC 6851 §4.3
		})
		note(&status)
		return err
	})
	return all, err
}

// saveLimit is how many messages one COPY or MOVE may name (RFC 9738 §3); 0 = any
// number.
func (c *Client) saveLimit() int64 {
	for _, name := range []imap.Capability{imap.CapSaveLimit, imap.CapMessageLimit} {
		if v, ok := c.CapabilityValue(name); ok {
			if n, err := strconv.ParseInt(v, 10, 64); err == nil && n > 0 {
				return n
			}
		}
	}
	return 0
}

// first splits off the n smallest UIDs of a set.
func first(set imap.UIDSet, n int64) (head, tail imap.UIDSet) {
	for i, r := range set {
		size := int64(r.Last-r.First) + 1
		if size <= n {
			n -= size
			continue
		}
		head = slices.Clone(set[:i])
		if n > 0 {
			head = append(head, imap.UIDRange{First: r.First, Last: r.First + imap.UID(n) - 1})
		}
		tail = append(imap.UIDSet{{First: r.First + imap.UID(n), Last: r.Last}}, set[i+1:]...)
		return head, tail
	}
	return set, nil
}
