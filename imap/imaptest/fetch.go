package imaptest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/mailstead/mailstead/imap"
)

// Parts of FETCH: its modifiers, and its items with their sections.
var (
	changedSince = regexp.MustCompile(`\(CHANGEDSINCE (\d+)( VANISHED)?\)$`)
	fetchItem    = regexp.MustCompile(`[A-Z0-9.]+(?:\[[^\]]*\](?:<\d+\.\d+>)?)?`)
)

func (c *Conn) fetch(cmd *Command) error {
	set, rest, _ := strings.Cut(cmd.Args, " ")
	rest = strings.ToUpper(rest)
	var since imap.ModSeq
	mod := changedSince.FindStringSubmatch(rest)
	if mod != nil {
		rest = strings.TrimSuffix(rest, mod[0])
		n, _ := strconv.ParseUint(mod[1], 10, 63)
		since = imap.ModSeq(n)
	}
	uid := strings.HasPrefix(cmd.Name, "UID ")
	items := fetchItem.FindAllString(rest, -1)
	var lines []string
	told := false
	err := c.within(cmd, func(b *Box) error {
		list, seqs, err := c.messages(b, set, uid)
		if err != nil || len(items) == 0 {
			return errSyntax
		}
		if mod != nil && mod[2] != "" {
			uids, _ := uidSet(set, b.last())
			if gone := b.vanished(uids, since); len(gone) > 0 {
				lines = append(lines, "* VANISHED (EARLIER) "+gone.String())
			}
		}
		for i, m := range list {
			if m.ModSeq > since {
				lines = append(lines, fmt.Sprintf("* %d FETCH (%s)", seqs[i], m.items(items, uid, mod != nil)))
			}
		}
		for _, line := range lines {
			c.Send("%s", line)
		}
		told = true
		return nil
	})
	if err != nil || !told {
		return err
	}
	return c.Tell(cmd, "OK done")
}

// items are the values of what was asked for.
func (m *Message) items(names []string, uid, modseq bool) string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if uid {
		add("UID %d", m.UID)
	}
	for _, name := range names {
		switch name {
		case "UID":
			if !uid {
				add("UID %d", m.UID)
			}
		case "FLAGS":
			add("FLAGS %s", flagList(m.Flags))
		case "INTERNALDATE":
			add("INTERNALDATE %q", m.Date.Format("02-Jan-2006 15:04:05 -0700"))
		case "RFC822.SIZE":
			add("RFC822.SIZE %d", len(m.Body))
		case "ENVELOPE":
			add("ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)")
		case "BODY", "BODYSTRUCTURE":
			add(`%s ("TEXT" "PLAIN" NIL NIL NIL "7BIT" %d 1)`, name, len(m.Body))
		case "MODSEQ":
			modseq = true
		default:
			if strings.HasSuffix(name, "]") || strings.HasSuffix(name, ">") {
				out = append(out, m.section(name))
			}
		}
	}
	if modseq {
		add("MODSEQ (%d)", m.ModSeq)
	}
	return strings.Join(out, " ")
}

// section is the value of BODY[...]. Parts and lists of fields are not looked
// into: the header stands for HEADER.FIELDS, the text for TEXT and parts.
func (m *Message) section(name string) string {
	name = strings.Replace(name, ".PEEK", "", 1)
	text := m.Body
	header, body, _ := strings.Cut(m.Body, "\r\n\r\n")
	open, end := strings.IndexByte(name, '['), strings.IndexByte(name, ']')
	switch section := name[open+1 : end]; {
	case strings.HasPrefix(section, "HEADER"):
		text = header + "\r\n\r\n"
	case section != "":
		text = body
	}
	if partial := strings.Trim(name[end+1:], "<>"); partial != "" {
		from, count, _ := strings.Cut(partial, ".")
		offset, _ := strconv.Atoi(from)
		n, _ := strconv.Atoi(count)
		offset = min(offset, len(text))
		text = text[offset:min(len(text), offset+n)]
		name = fmt.Sprintf("%s<%d>", name[:end+1], offset)
	}
	return fmt.Sprintf("%s {%d}\r\n%s", name, len(text), text)
}

func (c *Conn) search(cmd *Command) error {
	uid := strings.HasPrefix(cmd.Name, "UID ")
	words := strings.Fields(strings.ToUpper(cmd.Args))
	var hits []string
	told := false
	err := c.within(cmd, func(b *Box) error {
		match := func(*Message, int) bool { return true }
		for i := 0; i < len(words); i++ {
			next, used, err := c.searchKey(b, words[i:])
			if err != nil {
				return err
			}
			before := match
			match = func(m *Message, seq int) bool { return before(m, seq) && next(m, seq) }
			i += used - 1
		}
		for i, u := range c.sel.uids {
			m := b.find(u)
			if m == nil || !match(m, i+1) {
				continue
			}
			if uid {
				hits = append(hits, strconv.Itoa(int(u)))
			} else {
				hits = append(hits, strconv.Itoa(i+1))
			}
		}
		c.Send("%s", strings.TrimSuffix("* SEARCH "+strings.Join(hits, " "), " "))
		told = true
		return nil
	})
	if err != nil || !told {
		return err
	}
	return c.Tell(cmd, "OK done")
}

// searchKey reads one key, and says how many words it takes.
func (c *Conn) searchKey(b *Box, words []string) (match func(m *Message, seq int) bool, used int, err error) {
	flag := func(name string, want bool) (func(*Message, int) bool, int, error) {
		return func(m *Message, _ int) bool { return strings.Contains(flagList(m.Flags), name) == want }, 1, nil
	}
	switch words[0] {
	case "ALL":
		return func(*Message, int) bool { return true }, 1, nil
	case "SEEN", "UNSEEN":
		return flag(`\Seen`, words[0] == "SEEN")
	case "DELETED", "UNDELETED":
		return flag(`\Deleted`, words[0] == "DELETED")
	case "UID":
		if len(words) < 2 {
			return nil, 0, errSyntax
		}
		set, err := uidSet(words[1], b.last())
		return func(m *Message, _ int) bool { return set.Contains(m.UID) }, 2, err
	}
	set, err := uidSet(words[0], imap.UID(len(c.sel.uids)))
	return func(_ *Message, seq int) bool { return set.Contains(imap.UID(seq)) }, 1, err
}
