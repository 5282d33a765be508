package imapcmd

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
)

// ErrArgument: what the caller wants has no form in the protocol.
var ErrArgument = errors.New("imapclient: argument has no form in the protocol")

// Form is how a server wants what depends on it.
type Form struct {
	UTF8         bool              // names of mailboxes are UTF-8, not modified UTF-7
	LiteralPlus  bool              // RFC 7888 §4
	LiteralMinus bool              // RFC 7888 §5
	Names        map[string]string // UTF-8 → wire, of names that came in another form than ours
}

// Line is a command while it is put together. Its octets may be sent up to each
// of Cuts; there a continuation request has to come first. Errors of arguments
// are kept until Err.
type Line struct {
	Form
	Name   string // of the command, for errors and traces
	B      []byte
	Cuts   []int
	Lits   [][2]int // where octets of literals are
	Secret bool     // what is behind the name is not traced
	Long   bool     // the server may take its time
	err    error
}

// Begin begins a command with a tag and a name of one word or several. What was in l
// before is gone.
func (l *Line) Begin(f Form, tag uint64, name string) *Line {
	*l = Line{Form: f, Name: name, B: l.B[:0], Cuts: l.Cuts[:0], Lits: l.Lits[:0]}
	l.B = append(l.B, 'a')
	l.B = strconv.AppendUint(l.B, tag, 10)
	l.B = append(l.B, ' ')
	for w := range strings.SplitSeq(name, " ") {
		if !IsWord(w) {
			l.Fail(fmt.Errorf("%w: command %q", ErrArgument, name))
		}
	}
	return l.Text(name)
}

// Rest empties l for more of the same command, once what was in it is sent.
func (l *Line) Rest() { l.B, l.Cuts, l.Lits = l.B[:0], l.Cuts[:0], l.Lits[:0] }

// Err is the first error of an argument.
func (l *Line) Err() error { return l.err }

// Fail keeps an error.
func (l *Line) Fail(err error) {
	if l.err == nil {
		l.err = err
	}
}

// Slow marks a command for which the server may take its time.
func (l *Line) Slow() *Line {
	l.Long = true
	return l
}

// Text adds what is known to be fit for a line.
func (l *Line) Text(s string) *Line {
	l.B = append(l.B, s...)
	return l
}

// SP adds a space and a text.
func (l *Line) SP(s string) *Line {
	l.B = append(append(l.B, ' '), s...)
	return l
}

// Atom adds a space and a word of the caller's.
func (l *Line) Atom(s string) *Line { return l.Text(" ").Word(s) }

// Raw adds a space and values of the caller's: words, strings in quotes and lists,
// all of them whole.
func (l *Line) Raw(s string) *Line {
	if open, ok := lists(s); !ok || open != 0 {
		l.Fail(fmt.Errorf("%w: %q", ErrArgument, s))
	}
	return l.SP(s)
}

// Piece is Raw with lists that other arguments begin or end; there is no space in
// front of what ends one.
func (l *Line) Piece(s string) *Line {
	if _, ok := lists(s); !ok {
		l.Fail(fmt.Errorf("%w: %q", ErrArgument, s))
	}
	if strings.HasPrefix(s, ")") {
		return l.Text(s)
	}
	return l.SP(s)
}

// lists is how many lists s leaves open; -1: it ends one that it has not begun. ok:
// it has no line end, no quotes left open behind which one of a literal would count,
// and no "{", behind which the next command would be taken for a literal.
func lists(s string) (open int, ok bool) {
	closes := false
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\r', '\n', 0, '{':
			return 0, false
		case '(':
			open++
		case ')':
			open--
			closes = closes || open < 0
		case '"':
			n := quoted(s[i:])
			if n == 0 {
				return 0, false
			}
			i += n - 1
		}
	}
	if closes {
		return -1, true
	}
	return open, true
}

// quoted is the length of the string in quotes at the start of s; 0 = it is none.
func quoted(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return i + 1
		case '\r', '\n', 0:
			return 0
		case '\\':
			if i++; i == len(s) || s[i] != '"' && s[i] != '\\' {
				return 0
			}
		}
	}
	return 0
}

// maxQuoted is the longest quoted string; longer ones are literals.
const maxQuoted = 1000

// Str adds a space and a string.
func (l *Line) Str(s string) *Line {
	l.B = append(l.B, ' ')
	return l.Value(s)
}

// Value adds a string: quoted where it is short and in US-ASCII, else a literal.
func (l *Line) Value(s string) *Line {
	quoted := len(s) <= maxQuoted
	for i := 0; quoted && i < len(s); i++ {
		quoted = s[i] >= ' ' && s[i] < 0x7f
	}
	if quoted {
		l.B = imapwire.AppendQuoted(l.B, s)
		return l
	}
	if strings.IndexByte(s, 0) >= 0 {
		l.Fail(fmt.Errorf("%w: NUL in a string", ErrArgument))
	}
	return l.literal(s, false)
}

// literal adds a literal whose octets are known.
func (l *Line) literal(s string, binary bool) *Line {
	l.Announce(int64(len(s)), binary)
	l.Lits = append(l.Lits, [2]int{len(l.B), len(l.B) + len(s)})
	l.B = append(l.B, s...)
	return l
}

// Announce adds the announcement of a literal with its line end.
func (l *Line) Announce(size int64, binary bool) {
	lit := imapwire.Literal{Size: size, Binary: binary, NonSync: l.nonSync(size)}
	l.B = imapwire.AppendLiteralHeader(l.B, lit)
	if !lit.NonSync {
		l.Cuts = append(l.Cuts, len(l.B))
	}
}

// nonSync reports whether a literal may be sent at once (RFC 7888 §4, §5).
func (f *Form) nonSync(size int64) bool { return f.LiteralPlus || size <= 4096 && f.LiteralMinus }

// Mailbox adds a space and the name of a mailbox.
func (l *Line) Mailbox(name string) *Line {
	l.B = append(l.B, ' ')
	return l.MailboxValue(name)
}

// MailboxValue adds the name of a mailbox, or a pattern.
func (l *Line) MailboxValue(name string) *Line {
	wire, odd := l.Names[name]
	switch {
	case name == "" || strings.ContainsAny(name, "\x00\r\n"):
		l.Fail(fmt.Errorf("%w: mailbox %q", ErrArgument, name))
		return l
	case odd:
		return l.Value(wire)
	case !l.UTF8:
		return l.Value(string(imapwire.AppendUTF7(nil, name)))
	case len(name) <= maxQuoted && utf8.ValidString(name):
		l.B = imapwire.AppendQuoted(l.B, name)
		return l
	}
	return l.Value(name)
}

// UIDs adds a space and a set.
func (l *Line) UIDs(set imap.UIDSet) *Line {
	if len(set) == 0 {
		l.Fail(fmt.Errorf("%w: empty set", ErrArgument))
	}
	l.B = append(l.B, ' ')
	l.B = appendUIDs(l.B, set)
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

// Cut splits off as much of a set as a command may hold.
func Cut(set imap.UIDSet) (head, tail imap.UIDSet) {
	var b [24]byte
	size := 0
	for i := range set {
		if size += 1 + len(appendUIDs(b[:0], set[i:i+1])); size > maxSet {
			return set[:i], set[i:]
		}
	}
	return set, nil
}

// Flags adds a space and a list of flags.
func (l *Line) Flags(system imap.Flags, keywords []string) *Line {
	l.B = append(l.B, " ("...)
	l.B = imap.AppendFlagNames(l.B, system)
	for i, k := range keywords {
		if i > 0 || system != 0 {
			l.B = append(l.B, ' ')
		}
		l.Flag(k)
	}
	l.B = append(l.B, ')')
	return l
}

// Date adds a space and a date-time.
func (l *Line) Date(t time.Time) *Line {
	l.B = imapwire.AppendDateTime(append(l.B, ' '), t)
	return l
}

// Number adds a space and a number.
func (l *Line) Number(n int64) *Line {
	l.B = strconv.AppendInt(append(l.B, ' '), n, 10)
	return l
}

// Word adds a word of the caller's, without a space.
func (l *Line) Word(s string) *Line {
	if !IsWord(s) {
		l.Fail(fmt.Errorf("%w: %q is no atom", ErrArgument, s))
	}
	return l.Text(s)
}

// IsWord reports whether s is 1*<any printable US-ASCII but space, parentheses, "{"
// and quotes>.
func IsWord(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || strings.IndexByte(`(){"`, s[i]) >= 0 {
			return false
		}
	}
	return s != ""
}

// Flag adds one flag, without a space.
func (l *Line) Flag(f string) *Line {
	if _, n, err := imapwire.ConsumeFlag([]byte(f + " ")); err != nil || n != len(f) {
		l.Fail(fmt.Errorf("%w: flag %q", ErrArgument, f))
	}
	return l.Text(f)
}

// Bytes adds a string that may hold anything: a literal8 where it has to.
func (l *Line) Bytes(b []byte) *Line {
	if bytes.IndexByte(b, 0) >= 0 {
		return l.literal(string(b), true)
	}
	return l.Value(string(b))
}

// First splits off the n smallest UIDs of a set.
func First(set imap.UIDSet, n int64) (head, tail imap.UIDSet) {
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
