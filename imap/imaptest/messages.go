package imaptest

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/mailstead/mailstead/imap"
)

// qresyncParam is the parameter of SELECT (RFC 7162 §3.2.5); the sample of
// sequence numbers is not looked at.
var qresyncParam = regexp.MustCompile(`QRESYNC \((\d+) (\d+)(?: ([\d:,]+))?`)

func (c *Conn) selectBox(cmd *Command) error {
	a := newArgs(cmd.Args)
	name, err := a.mailbox()
	if err != nil {
		return c.Tell(cmd, "BAD syntax")
	}
	param := strings.ToUpper(a.rest())
	if c.sel != nil && c.Enabled("QRESYNC") {
		c.Send("* OK [CLOSED] closed")
	}
	c.sel = nil
	if strings.Contains(param, "CONDSTORE") && c.Has("CONDSTORE") && !c.Enabled("CONDSTORE") {
		c.enabled = append(c.enabled, "CONDSTORE")
	}
	known := qresyncParam.FindStringSubmatch(param)
	if strings.Contains(param, "QRESYNC") && (known == nil || !c.Enabled("QRESYNC")) {
		return c.Tell(cmd, "BAD QRESYNC is not enabled")
	}
	v := &view{name: name, readOnly: cmd.Name == "EXAMINE"}
	var lines []string
	ok := c.Server.Account.read(name, func(b *Box) {
		v.name, v.validity, v.seen = b.Name, b.UIDValidity, b.HighestModSeq
		for _, m := range b.Messages {
			v.uids = append(v.uids, m.UID)
		}
		lines = c.opening(b, known)
	})
	if !ok {
		return c.Tell(cmd, "NO [NONEXISTENT] no such mailbox")
	}
	for _, line := range lines {
		c.Send("%s", line)
	}
	c.sel = v
	if v.readOnly {
		return c.Tell(cmd, "OK [READ-ONLY] done")
	}
	return c.Tell(cmd, "OK [READ-WRITE] done")
}

// opening is what SELECT tells of a mailbox; known: what the client has.
func (c *Conn) opening(b *Box, known []string) []string {
	lines := []string{
		fmt.Sprintf("* %d EXISTS", len(b.Messages)), "* 0 RECENT",
		`* FLAGS (\Answered \Flagged \Deleted \Seen \Draft)`,
		`* OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft \*)] limited`,
		fmt.Sprintf("* OK [UIDVALIDITY %d] valid", b.UIDValidity), fmt.Sprintf("* OK [UIDNEXT %d] next", b.UIDNext),
	}
	switch {
	case !c.Has("CONDSTORE") && !c.Has("QRESYNC"):
	case b.NoModSeq:
		lines = append(lines, "* OK [NOMODSEQ] none")
	default:
		lines = append(lines, fmt.Sprintf("* OK [HIGHESTMODSEQ %d] highest", b.HighestModSeq))
	}
	if known == nil || b.NoModSeq || known[1] != strconv.FormatUint(uint64(b.UIDValidity), 10) {
		return lines
	}
	since, _ := strconv.ParseUint(known[2], 10, 63)
	set := imap.UIDSet{{First: 1, Last: 1<<32 - 1}}
	if known[3] != "" {
		set, _ = uidSet(known[3], b.last())
	}
	if gone := b.vanished(set, imap.ModSeq(since)); len(gone) > 0 {
		lines = append(lines, "* VANISHED (EARLIER) "+gone.String())
	}
	for i := range b.Messages {
		if m := &b.Messages[i]; m.ModSeq > imap.ModSeq(since) && set.Contains(m.UID) {
			lines = append(lines, c.flagsLine(b, m, i+1))
		}
	}
	return lines
}

func (c *Conn) status(cmd *Command) error {
	a := newArgs(cmd.Args)
	name, err := a.mailbox()
	if err != nil {
		return c.Tell(cmd, "BAD syntax")
	}
	var items []string
	ok := c.Server.Account.read(name, func(b *Box) {
		for _, word := range strings.Fields(strings.ToUpper(strings.Trim(a.rest(), "()"))) {
			n := uint64(0)
			switch word {
			case "MESSAGES":
				n = uint64(len(b.Messages))
			case "UIDNEXT":
				n = uint64(b.UIDNext)
			case "UIDVALIDITY":
				n = uint64(b.UIDValidity)
			case "HIGHESTMODSEQ":
				if !b.NoModSeq {
					n = uint64(b.HighestModSeq)
				}
			case "UNSEEN":
				for _, m := range b.Messages {
					if !slices.Contains(m.Flags, `\Seen`) {
						n++
					}
				}
			}
			items = append(items, word+" "+strconv.FormatUint(n, 10))
		}
	})
	if !ok {
		return c.Tell(cmd, "NO [NONEXISTENT] no such mailbox")
	}
	c.Send("* STATUS %s (%s)", mailboxName(name), strings.Join(items, " "))
	return c.Tell(cmd, "OK done")
}

// appendParts are the flags and the date of APPEND, both optional, and the
// literal.
var appendParts = regexp.MustCompile(`(?s)^(?:\(([^)]*)\) )?(?:"[^"]*" )?~?\{\d+\+?\}\r\n(.*)$`)

func (c *Conn) append(cmd *Command) error {
	a := newArgs(cmd.Args)
	name, err := a.mailbox()
	m := appendParts.FindStringSubmatch(a.rest())
	if err != nil || m == nil {
		return c.Tell(cmd, "BAD syntax")
	}
	var validity imap.UIDValidity
	var uid imap.UID
	ok := c.Server.Account.update(name, func(b *Box) {
		validity, uid = b.UIDValidity, b.add(Message{Body: m[2], Flags: strings.Fields(m[1])})
	})
	if !ok {
		return c.Tell(cmd, "NO [TRYCREATE] no such mailbox")
	}
	c.sync(false)
	if !c.Has("UIDPLUS") {
		return c.Tell(cmd, "OK done")
	}
	return c.Tell(cmd, fmt.Sprintf("OK [APPENDUID %d %d] done", validity, uid))
}

// deleted are the messages of set that have \Deleted.
func (b *Box) deleted(set imap.UIDSet) (uids imap.UIDSet) {
	for _, m := range b.Messages {
		if set.Contains(m.UID) && slices.ContainsFunc(m.Flags, func(f string) bool { return strings.EqualFold(f, `\Deleted`) }) {
			uids.Add(m.UID)
		}
	}
	return uids
}

func (c *Conn) expunge(cmd *Command) error {
	err := c.within(cmd, func(b *Box) error {
		set := imap.UIDSet{{First: 1, Last: 1<<32 - 1}}
		if cmd.Name == "UID EXPUNGE" {
			var err error
			if set, err = uidSet(cmd.Args, b.last()); err != nil {
				return err
			}
		}
		b.remove(b.deleted(set))
		return nil
	})
	if err != nil {
		return err
	}
	return c.Tell(cmd, "OK done")
}

// copy is COPY and MOVE.
func (c *Conn) copy(cmd *Command) error {
	set, rest, _ := strings.Cut(cmd.Args, " ")
	dest, err := newArgs(rest).mailbox()
	if err != nil {
		return c.Tell(cmd, "BAD syntax")
	}
	move := strings.HasSuffix(cmd.Name, "MOVE")
	var copies []Message
	var from, to imap.UIDSet
	c.Server.Account.read(c.sel.name, func(b *Box) {
		list, _, err2 := c.messages(b, set, strings.HasPrefix(cmd.Name, "UID "))
		err = err2
		for _, m := range list {
			copies = append(copies, *m)
			from.Add(m.UID)
		}
	})
	if err != nil {
		return c.Tell(cmd, "BAD syntax")
	}
	var validity imap.UIDValidity
	ok := c.Server.Account.update(dest, func(b *Box) {
		validity = b.UIDValidity
		for _, m := range copies {
			to.Add(b.add(m))
		}
	})
	if !ok {
		return c.Tell(cmd, "NO [TRYCREATE] no such mailbox")
	}
	code := ""
	if c.Has("UIDPLUS") && len(copies) > 0 {
		code = fmt.Sprintf("[COPYUID %d %s %s] ", validity, from, to)
	}
	if !move {
		c.sync(true)
		return c.Tell(cmd, "OK "+code+"done")
	}
	if code != "" {
		c.Send("* OK %smoved", code)
	}
	c.Server.Account.update(c.sel.name, func(b *Box) { b.remove(from) })
	c.sync(false)
	return c.Tell(cmd, "OK done")
}

func (c *Conn) store(cmd *Command) error {
	set, rest, _ := strings.Cut(cmd.Args, " ")
	since := uint64(1<<63 - 1)
	if cond, after, ok := strings.Cut(rest, ") "); ok && strings.HasPrefix(strings.ToUpper(cond), "(UNCHANGEDSINCE ") {
		since, _ = strconv.ParseUint(cond[len("(UNCHANGEDSINCE "):], 10, 63)
		rest = after
	}
	mode, list, _ := strings.Cut(rest, " ")
	mode = strings.ToUpper(mode)
	flags := strings.Fields(strings.Trim(list, "()"))
	silent := strings.HasSuffix(mode, ".SILENT")
	var modified imap.UIDSet
	told := false
	err := c.within(cmd, func(b *Box) error {
		messages, _, err := c.messages(b, set, strings.HasPrefix(cmd.Name, "UID "))
		if err != nil || !strings.Contains(mode, "FLAGS") {
			return errSyntax
		}
		before := b.HighestModSeq
		for _, m := range messages {
			if m.ModSeq > imap.ModSeq(since) {
				modified.Add(m.UID)
				continue
			}
			b.setFlags(m.UID, mergeFlags(m.Flags, flags, mode[0]))
		}
		if silent && !c.Enabled("CONDSTORE") && c.sel.seen == before {
			c.sel.seen = b.HighestModSeq
		}
		told = true
		return nil
	})
	switch {
	case err != nil || !told:
		return err
	case len(modified) > 0:
		return c.Tell(cmd, "OK [MODIFIED "+modified.String()+"] some")
	}
	return c.Tell(cmd, "OK done")
}

// mergeFlags adds ('+'), takes away ('-') or replaces flags.
func mergeFlags(have, flags []string, mode byte) []string {
	has := func(list []string, f string) bool {
		return slices.ContainsFunc(list, func(g string) bool { return strings.EqualFold(f, g) })
	}
	var out []string
	if mode == '+' || mode == '-' {
		for _, f := range have {
			if mode == '+' || !has(flags, f) {
				out = append(out, f)
			}
		}
	}
	if mode != '-' {
		for _, f := range flags {
			if !has(out, f) {
				out = append(out, f)
			}
		}
	}
	return out
}
