package imapcmd

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
)

// token is what a server reads: a word or parenthesis, or a string.
type token struct {
	text string
	str  bool
}

// reading is what a server makes of octets: the tokens of one command, where it had
// to ask for more, and what is left behind the command.
type reading struct {
	tokens []token
	cuts   []int
	rest   string
}

// readCommand reads one command as RFC 9051 §9 has it, and RFC 7888.
func readCommand(b string) (r reading, err error) {
	for n := 0; n < len(b); {
		switch c := b[n]; {
		case c == ' ':
			n++
		case c == '(' || c == ')':
			r.tokens = append(r.tokens, token{text: string(c)})
			n++
		case c == '"':
			s, m, err := readQuoted(b[n:])
			if err != nil {
				return r, err
			}
			r.tokens = append(r.tokens, token{s, true})
			n += m
		case c == '{' || strings.HasPrefix(b[n:], "~{"):
			head, m, sync := readHead(b[n:])
			if m == 0 || len(b)-n-m < head {
				return r, fmt.Errorf("octet %d: literal", n)
			}
			n += m
			if sync {
				r.cuts = append(r.cuts, n)
			}
			if c == '{' && strings.Contains(b[n:n+head], "\x00") {
				return r, fmt.Errorf("octet %d: NUL in a literal", n)
			}
			r.tokens = append(r.tokens, token{b[n : n+head], true})
			n += head
		case strings.HasPrefix(b[n:], "\r\n"):
			r.rest = b[n+2:]
			return r, nil
		default:
			m := strings.IndexAny(b[n:], " (){\"\r\n\x00")
			if m <= 0 {
				return r, fmt.Errorf("octet %d: %q", n, b[n:])
			}
			r.tokens = append(r.tokens, token{text: b[n : n+m]})
			n += m
		}
	}
	return r, errors.New("no end")
}

func readQuoted(b string) (s string, n int, err error) {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '"':
			return s, i + 1, nil
		case '\r', '\n', 0:
			return "", 0, errors.New("line end in quotes")
		case '\\':
			i++
		}
		if i < len(b) {
			s += b[i : i+1]
		}
	}
	return "", 0, errors.New("quotes left open")
}

// readHead reads "{5}\r\n", "{5+}\r\n" or "~{5}\r\n"; n = 0: it is none.
func readHead(b string) (size, n int, sync bool) {
	line, _, ok := strings.Cut(b, "\r\n")
	digits := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(line, "~"), "{"), "}")
	size, err := strconv.Atoi(strings.TrimSuffix(digits, "+"))
	if !ok || err != nil {
		return 0, 0, false
	}
	return size, len(line) + 2, !strings.HasSuffix(digits, "+")
}

// program adds arguments to a line, and knows what a server has to read of it.
type program struct {
	l     Line
	args  []string
	want  []token // in this order
	exact bool    // they are all
	bad   bool    // one of them has no form in the protocol
}

func (p *program) next() string {
	if len(p.args) == 0 {
		return ""
	}
	s := p.args[0]
	p.args = p.args[1:]
	return s
}

// reads says what comes next.
func (p *program) reads(str bool, texts ...string) {
	for _, s := range texts {
		p.want = append(p.want, token{s, str})
	}
}

// mailbox says that the name of a mailbox comes next.
func (p *program) mailbox(name string) {
	wire, odd := p.l.Names[name]
	switch {
	case odd:
	case p.l.UTF8:
		wire = name
	default:
		wire = string(imapwire.AppendUTF7(nil, name))
	}
	p.reads(true, wire)
}

// add adds one argument.
func (p *program) add(op byte) {
	l, s := &p.l, p.next()
	switch op % 6 {
	case 0:
		l.Str(s)
		p.reads(true, s)
	case 1:
		l.Atom(s)
		p.reads(false, s)
	case 2:
		l.Raw(s)
		r, err := readCommand(s + "\r\n")
		depth, balanced := 0, true
		for _, tok := range r.tokens {
			depth += map[token]int{{text: "("}: 1, {text: ")"}: -1}[tok]
			balanced = balanced && depth >= 0
		}
		p.bad = p.bad || err != nil || r.rest != "" || !balanced || depth != 0
		p.want = append(p.want, r.tokens...)
	case 3:
		l.Mailbox(s)
		p.mailbox(s)
	case 4:
		l.Text(" ").Bytes([]byte(s))
		p.reads(true, s)
	case 5:
		l.Flags(0, []string{s})
		p.reads(false, "(", s, ")")
	}
}

// compound adds arguments of which only what the caller gives is told.
func (p *program) compound(op byte) {
	l, s := &p.l, p.next()
	p.exact = false
	switch op % 4 {
	case 0:
		l.Fetch(&imap.FetchOptions{Sections: []imap.Section{{Text: imap.TextFields, Fields: []string{s}}}, Extra: []string{p.next()}})
		p.reads(false, s)
	case 1:
		q := p.criteria(s, 0)
		l.Criteria(&q)
	case 2:
		t := p.next()
		l.Notify(&imap.NotifyGroup{Filter: "SUBTREE", Mailboxes: []string{s}, Events: []string{t}})
		p.reads(false, "SUBTREE")
		p.mailbox(s)
		p.reads(false, t)
	case 3:
		t, entry := p.next(), p.next()
		l.List(&imap.ListOptions{Patterns: []string{s, t}, Metadata: []string{entry}, Uses: true}, func(imap.Capability) bool { return true })
		p.mailbox(s)
		p.mailbox(t)
		p.reads(false, "RETURN")
		p.reads(true, entry)
	}
}

// criteria makes a search, in the order in which its keys are written.
func (p *program) criteria(s string, depth int) (q imap.Criteria) {
	q.From = []string{s}
	p.reads(true, s)
	q.Header = []imap.Param{{Name: p.next(), Value: p.next()}}
	p.reads(true, q.Header[0].Name, q.Header[0].Value)
	q.Since, q.Fuzzy = time.Unix(0, 0), len(s)%2 == 0
	q.Raw = "SEEN"
	if len(p.args) > 0 && depth < 3 {
		q.Not = []imap.Criteria{p.criteria(p.next(), depth+1)}
	}
	if len(p.args) > 0 && depth < 3 {
		q.Or = [][2]imap.Criteria{{p.criteria(p.next(), depth+1), p.criteria(p.next(), depth+1)}}
	}
	return q
}

// run makes a command of a text: the form, the operations, and an argument a line.
func run(form byte, ops, text string) (p *program) {
	p = &program{exact: true, args: strings.Split(text, "|")}
	p.l.Begin(Form{
		UTF8: form&1 != 0, LiteralPlus: form&2 != 0, LiteralMinus: form&4 != 0, Names: map[string]string{"odd": "&\r\n odd"},
	}, 7, "UID X")
	p.reads(false, "a7", "UID", "X")
	for _, op := range []byte(ops[:min(len(ops), 8)]) {
		if op >= 200 {
			p.compound(op)
		} else {
			p.add(op)
		}
	}
	return p
}

// check holds the octets against what the server has to read: exactly one command,
// whatever was given.
func (p *program) check(t *testing.T) {
	if p.l.Err() != nil {
		if !errors.Is(p.l.Err(), ErrArgument) {
			t.Errorf("error %v", p.l.Err())
		}
		return
	}
	if p.bad {
		t.Errorf("no error: %q", p.l.B)
	}
	r, err := readCommand(string(p.l.B) + "\r\n")
	if err != nil || r.rest != "" {
		t.Fatalf("%q: %q is left, %v", p.l.B, r.rest, err)
	}
	if !slices.Equal(r.cuts, p.l.Cuts) {
		t.Errorf("%q: cuts %v, want %v", p.l.B, p.l.Cuts, r.cuts)
	}
	if p.exact && !slices.Equal(r.tokens, p.want) {
		t.Errorf("%q: %+v, want %+v", p.l.B, r.tokens, p.want)
	}
	depth, want := 0, p.want
	for _, tok := range r.tokens {
		if depth += map[token]int{{text: "("}: 1, {text: ")"}: -1}[tok]; depth < 0 {
			t.Fatalf("%q: a list ends that did not begin", p.l.B)
		}
		if len(want) > 0 && tok == want[0] {
			want = want[1:]
		}
	}
	if depth != 0 || len(want) > 0 {
		t.Errorf("%q: %d lists left open, %+v not read", p.l.B, depth, want)
	}
	for _, lit := range p.l.Lits {
		if !bytes.HasSuffix(p.l.B[:lit[0]], []byte("}\r\n")) || !slices.Contains(r.tokens, token{string(p.l.B[lit[0]:lit[1]]), true}) {
			t.Errorf("%q: no literal at %v", p.l.B, lit)
		}
	}
}

// FuzzLine: no argument ends a line, or is read as more than it is.
func FuzzLine(f *testing.F) {
	f.Add(byte(0), "\x00\x01\x02\x03\x04\x05", "a|b|(c \"d)\")|odd|\x00x|$label")
	f.Add(byte(2), "\x00\x00\x03", "ü\r\na8 LOGOUT|\"\\|Büro & Co")
	f.Add(byte(5), "\x02\x00", "X {3}|abc")
	f.Add(byte(4), "\x02\x00", "\"abc|\r\na8 DELETE INBOX")
	f.Add(byte(0), "\x01", "a b")
	f.Add(byte(0), "\x00", "a\x00b")
	f.Add(byte(0), "\x02\x02", "a)|(b")
	f.Add(byte(0), "\xc9", "ä|b|c|d\n|e|f|ö|g|h|i|ü|j|k|l|m")
	f.Add(byte(1), "\xc8\xca\xcb", "Subject|X-A|a b|MessageNew|p|q*|/private/x")
	f.Fuzz(func(t *testing.T, form byte, ops, text string) { run(form, ops, text).check(t) })
}

// What would end a line, or make the next command a literal, has no form.
func TestRaw(t *testing.T) {
	for text, want := range map[string][2]bool{ // Raw, Piece
		"":                      {true, true},
		`X-GM-RAW "a \"b\\{"`:   {true, true},
		`BODY[HEADER (A)]<1.2>`: {true, true},
		`(a`:                    {false, true},
		`a) (b`:                 {false, true},
		`"(a`:                   {false, false},
		`"a\b"`:                 {false, false},
		"x {3}":                 {false, false},
		"x ~{3+}":               {false, false},
		"a\nb":                  {false, false},
		"a\rb":                  {false, false},
		"a\x00":                 {false, false},
		"\"a\r\"":               {false, false},
	} {
		var raw, piece Line
		raw.Begin(Form{}, 1, "X").Raw(text)
		piece.Begin(Form{}, 1, "X").Piece(text)
		if got := [2]bool{raw.Err() == nil, piece.Err() == nil}; got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	for _, name := range []string{"", "UID ", "X {3}", "NOOP\r\na9 LOGOUT", `X "`, "X\x7f"} {
		if l := new(Line).Begin(Form{}, 1, name); !errors.Is(l.Err(), ErrArgument) {
			t.Errorf("%q: %v", name, l.Err())
		}
	}
}
