package imapclient

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
)

// line is a command while it is put together.
type line struct {
	c      *Client
	name   string
	b      []byte
	cuts   []int    // where a continuation request has to come first
	lits   [][2]int // where octets of literals are
	secret bool     // what is behind the name is not traced
	long   bool     // Timeouts.Long
	err    error
}

// command begins a command.
func (c *Client) command(name string) *line {
	l := &c.line
	c.lastTag++
	*l = line{c: c, name: name, b: l.b[:0], cuts: l.cuts[:0], lits: l.lits[:0]}
	l.b = append(l.b, 'a')
	l.b = strconv.AppendUint(l.b, c.lastTag, 10)
	l.b = append(append(l.b, ' '), name...)
	return l
}

func (l *line) fail(err error) {
	if l.err == nil {
		l.err = err
	}
}

// text adds what is known to be fit for a line.
func (l *line) text(s string) *line {
	l.b = append(l.b, s...)
	return l
}

// sp adds a space and a text.
func (l *line) sp(s string) *line {
	l.b = append(append(l.b, ' '), s...)
	return l
}

// atom adds a space and a word of the caller's.
func (l *line) atom(s string) *line { return l.text(" ").word(s) }

// raw adds a space and a text of the caller's, which may be more than a word.
func (l *line) raw(s string) *line {
	if strings.ContainsAny(s, "\r\n\x00") {
		l.fail(fmt.Errorf("%w: line end in %q", ErrArgument, s))
	}
	return l.sp(s)
}

// maxQuoted is the longest quoted string; longer ones are literals.
const maxQuoted = 1000

// str adds a space and a string.
func (l *line) str(s string) *line {
	l.b = append(l.b, ' ')
	return l.value(s)
}

// value adds a string: quoted where it is short and in US-ASCII, else a literal.
func (l *line) value(s string) *line {
	quoted := len(s) <= maxQuoted
	for i := 0; quoted && i < len(s); i++ {
		quoted = s[i] >= ' ' && s[i] < 0x7f
	}
	if quoted {
		l.b = imapwire.AppendQuoted(l.b, s)
		return l
	}
	if strings.IndexByte(s, 0) >= 0 {
		l.fail(fmt.Errorf("%w: NUL in a string", ErrArgument))
	}
	return l.literal(s, false)
}

// literal adds a literal whose octets are known.
func (l *line) literal(s string, binary bool) *line {
	l.announce(int64(len(s)), binary)
	l.lits = append(l.lits, [2]int{len(l.b), len(l.b) + len(s)})
	l.b = append(l.b, s...)
	return l
}

// announce adds the announcement of a literal with its line end.
func (l *line) announce(size int64, binary bool) {
	lit := imapwire.Literal{Size: size, Binary: binary, NonSync: l.c.nonSync(size)}
	l.b = imapwire.AppendLiteralHeader(l.b, lit)
	if !lit.NonSync {
		l.cuts = append(l.cuts, len(l.b))
	}
}

// nonSync reports whether a literal may be sent at once (RFC 7888 §4, §5).
func (c *Client) nonSync(size int64) bool {
	return c.Has(imap.CapLiteralPlus) || size <= 4096 && c.Has(imap.CapLiteralMinus)
}

// mailbox adds a space and the name of a mailbox.
func (l *line) mailbox(name string) *line {
	l.b = append(l.b, ' ')
	return l.mailboxValue(name)
}

// mailboxValue adds the name of a mailbox, or a pattern.
func (l *line) mailboxValue(name string) *line {
	wire, odd := l.c.oddNames[name]
	switch {
	case name == "" || strings.ContainsAny(name, "\x00\r\n"):
		l.fail(fmt.Errorf("%w: mailbox %q", ErrArgument, name))
		return l
	case odd:
		return l.value(wire)
	case !l.c.utf8():
		return l.value(string(imapwire.AppendUTF7(nil, name)))
	case len(name) <= maxQuoted && utf8.ValidString(name):
		l.b = imapwire.AppendQuoted(l.b, name)
		return l
	}
	return l.value(name)
}

// uids adds a space and a set.
func (l *line) uids(set imap.UIDSet) *line {
	if len(set) == 0 {
		l.fail(fmt.Errorf("%w: empty set", ErrArgument))
	}
	l.b = append(l.b, ' ')
	l.b = appendUIDs(l.b, set)
	return l
}

func appendUIDs(b []byte, set imap.UIDSet) []byte {
	for i, r := range set {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(r.First), 10)
		if r.Last != r.First {
			b = append(b, ':')
			b = strconv.AppendUint(b, uint64(r.Last), 10)
		}
	}
	return b
}

// maxSet is how long the set of one command may be, in octets: RFC 7162 §4 wants
// servers to take lines of 8192 octets.
const maxSet = 6000

// cut splits off as much of a set as a command may hold.
func cut(set imap.UIDSet) (head, tail imap.UIDSet) {
	var b [24]byte
	size := 0
	for i := range set {
		if size += 1 + len(appendUIDs(b[:0], set[i:i+1])); size > maxSet {
			return set[:i], set[i:]
		}
	}
	return set, nil
}

// flags adds a space and a list of flags.
func (l *line) flags(system imap.Flags, keywords []string) *line {
	l.b = append(l.b, " ("...)
	l.b = imap.AppendFlagNames(l.b, system)
	for i, k := range keywords {
		if i > 0 || system != 0 {
			l.b = append(l.b, ' ')
		}
		l.flag(k)
	}
	l.b = append(l.b, ')')
	return l
}

// date adds a space and a date-time.
func (l *line) date(t time.Time) *line {
	l.b = imapwire.AppendDateTime(append(l.b, ' '), t)
	return l
}

// number adds a space and a number.
func (l *line) number(n int64) *line {
	l.b = strconv.AppendInt(append(l.b, ' '), n, 10)
	return l
}

// word adds a word of the caller's, without a space.
func (l *line) word(s string) *line {
	if s == "" || strings.ContainsAny(s, " (){\"\r\n\x00") {
		l.fail(fmt.Errorf("%w: %q is no atom", ErrArgument, s))
	}
	return l.text(s)
}

// flag adds one flag, without a space.
func (l *line) flag(f string) *line {
	if _, n, err := imapwire.ConsumeFlag([]byte(f + " ")); err != nil || n != len(f) {
		l.fail(fmt.Errorf("%w: flag %q", ErrArgument, f))
	}
	return l.text(f)
}

// bytes adds a string that may hold anything: a literal8 where it has to.
func (l *line) bytes(b []byte) *line {
	if bytes.IndexByte(b, 0) >= 0 {
		return l.literal(string(b), true)
	}
	return l.value(string(b))
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func uitoa(n uint64) string { return strconv.FormatUint(n, 10) }

// imapErr is the error of a response that cannot be read.
func imapErr(reason string) error { return imapwire.Bad(reason) }
