package imaptest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/imap"
)

// view is the selected mailbox as a client knows it.
type view struct {
	name     string
	readOnly bool
	validity imap.UIDValidity
	uids     []imap.UID // by sequence number
	seen     imap.ModSeq
}

// sync tells the client what has changed: messages that are gone, new ones and
// flags, in this order. quiet leaves expunged messages for later, as the commands with sequence
// numbers need it (RFC 9051 §7.5.1).
func (c *Conn) sync(quiet bool) {
	v := c.sel
	if v == nil {
		return
	}
	var gone []int // sequence numbers, from the greatest
	var vanished imap.UIDSet
	var fetch []string
	exists := 0
	c.Server.Account.read(v.name, func(b *Box) {
		if b.UIDValidity != v.validity { // as if nothing had happened: clients have to see it themselves
			return
		}
		if !quiet {
			for i := len(v.uids) - 1; i >= 0; i-- {
				if b.find(v.uids[i]) == nil {
					gone = append(gone, i+1)
					vanished.Add(v.uids[i])
					v.uids = slices.Delete(v.uids, i, i+1)
				}
			}
		}
		for i := range b.Messages {
			m := &b.Messages[i]
			seq, known := slices.BinarySearch(v.uids, m.UID)
			if !known {
				v.uids = append(v.uids, m.UID)
				exists = len(v.uids)
			} else if m.ModSeq > v.seen {
				fetch = append(fetch, c.flagsLine(b, m, seq+1))
			}
		}
		v.seen = b.HighestModSeq
	})
	if c.Enabled("QRESYNC") && len(vanished) > 0 {
		c.Send("* VANISHED %s", vanished)
		gone = nil
	}
	for _, seq := range gone {
		c.Send("* %d EXPUNGE", seq)
	}
	if exists > 0 {
		c.Send("* %d EXISTS", exists)
	}
	for _, line := range fetch {
		c.Send("%s", line)
	}
}

// flagsLine tells of the flags of a message.
func (c *Conn) flagsLine(b *Box, m *Message, seq int) string {
	items := fmt.Sprintf("UID %d FLAGS %s", m.UID, flagList(m.Flags))
	if c.Enabled("CONDSTORE") && !b.NoModSeq {
		items += fmt.Sprintf(" MODSEQ (%d)", m.ModSeq)
	}
	return fmt.Sprintf("* %d FETCH (%s)", seq, items)
}

// messages are those of a set, as the view knows them, with their sequence
// numbers; uid: the set is of UIDs.
func (c *Conn) messages(b *Box, text string, uid bool) (list []*Message, seqs []int, err error) {
	set, err := imap.ParseNumSet(text)
	if err != nil {
		return nil, nil, err
	}
	last := uint32(len(c.sel.uids))
	if uid && last > 0 {
		last = uint32(c.sel.uids[last-1])
	}
	resolved := set.Resolve(last)
	for i, u := range c.sel.uids {
		n := imap.UID(i + 1)
		if uid {
			n = u
		}
		if !resolved.Contains(n) {
			continue
		}
		if m := b.find(u); m != nil {
			list, seqs = append(list, m), append(seqs, i+1)
		}
	}
	return list, seqs, nil
}

// within runs f on the selected mailbox, and refuses the command when that is
// gone or f fails.
func (c *Conn) within(cmd *Command, f func(b *Box) error) error {
	var err error
	ok := c.Server.Account.update(c.sel.name, func(b *Box) { err = f(b) })
	switch {
	case !ok:
		return c.Tell(cmd, "NO [NONEXISTENT] no such mailbox")
	case err != nil:
		return c.Tell(cmd, "BAD "+err.Error())
	}
	c.sync(!strings.HasPrefix(cmd.Name, "UID ") && cmd.Name != "EXPUNGE" && cmd.Name != "MOVE")
	return nil
}
