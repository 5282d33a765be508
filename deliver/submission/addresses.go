package submission

import (
	"bytes"
	"context"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtppolicy"
)

// rewrite maps the addresses of the sender in the header.
func (f *Fixes) rewrite(ctx context.Context, h *smtppolicy.Header) error {
	if f.Map == nil {
		return nil
	}
	var failed error
	h.Rewrite(func(name string, field []byte) []byte {
		switch name {
		case "from", "sender", "reply-to":
			out, err := mapField(ctx, f.Map, field)
			if err != nil {
				failed = notNow(err)
				return field
			}
			return out
		}
		return field
	})
	return failed
}

// mapField replaces addresses of a whole field and leaves all else as it is:
// names, comments, folds.
func mapField(ctx context.Context, m Map, field []byte) ([]byte, error) {
	var out []byte
	last := 0
	colon := bytes.IndexByte(field, ':') + 1
	for _, s := range findAddresses(field[colon:]) {
		to, ok, err := m.Map(ctx, s.path)
		if err != nil {
			return nil, err
		}
		if ok && to != s.path {
			out = append(append(out, field[last:colon+s.start]...), to.String()...)
			last = colon + s.end
		}
	}
	if last == 0 {
		return field, nil
	}
	return append(out, field[last:]...), nil
}

// span is where an address stands in a text.
type span struct {
	start, end int
	path       smtp.Path
}

// addressScanner finds the addresses of an address list (RFC 5322 §3.4) with
// their places. What it does not take for an address in one piece, with white
// space or comments in the middle, it passes over.
type addressScanner struct {
	b     []byte
	i     int
	out   []span
	found span // of the mailbox under way; end 0 = none
	words int  // of that mailbox, outside of angle brackets
	angle bool // it had angle brackets
	group bool // in a group
}

func findAddresses(b []byte) []span {
	s := addressScanner{b: b}
	for s.i < len(b) {
		s.step()
	}
	s.endMailbox()
	return s.out
}

// step takes one token.
func (s *addressScanner) step() {
	switch c := s.b[s.i]; c {
	case ' ', '\t', '\r', '\n':
		s.i++
	case ',', ';':
		s.endMailbox()
		s.group = s.group && c == ','
		s.i++
	case ':', '>':
		if c == ':' && s.found.end == 0 && !s.angle && !s.group {
			s.group, s.words = true, 0 // it was the name of a group
		} else {
			s.words++ // out of place: what stands beside it is not taken
		}
		s.i++
	case '(':
		s.i = skipComment(s.b, s.i)
	case '<':
		s.i++
		s.inAngle()
	default:
		s.words++
		if at, ok := s.word(); ok && !s.angle {
			s.found = at
		}
	}
}

// endMailbox keeps the address of a mailbox: the one in angle brackets, or the
// only word.
func (s *addressScanner) endMailbox() {
	if s.found.end > 0 && (s.angle || s.words == 1) {
		s.out = append(s.out, s.found)
	}
	s.found, s.words, s.angle = span{}, 0, false
}

// inAngle reads behind "<", also past the commas and the colon of a route. The
// brackets hold one word, or no address that is taken.
func (s *addressScanner) inAngle() {
	again := s.angle
	s.found, s.angle = span{}, true
	words, routed, bad := 0, false, again
	for s.i < len(s.b) && s.b[s.i] != '>' {
		switch s.b[s.i] {
		case ' ', '\t', '\r', '\n':
			s.i++
		case '<', ';':
			bad = true
			s.i++
		case ',', ':': // of a route, which ends with one colon
			bad = bad || routed
			routed = s.b[s.i] == ':'
			s.found, words = span{}, 0
			s.i++
		case '(':
			s.i = skipComment(s.b, s.i)
		default:
			words++
			s.found, _ = s.word()
		}
	}
	if words != 1 || bad || s.i == len(s.b) {
		s.found = span{}
	}
	s.i++ // the ">"
}

// word reads up to white space or a separator; ok: it is an address.
func (s *addressScanner) word() (span, bool) {
	start := s.i
	for s.i < len(s.b) && bytes.IndexByte([]byte(" \t\r\n,;:<>("), s.b[s.i]) < 0 {
		switch s.b[s.i] {
		case '"':
			s.i = skipTo(s.b, s.i, '"')
		case '[':
			s.i = skipTo(s.b, s.i, ']')
		default:
			s.i++
		}
	}
	text := s.b[start:s.i]
	if bytes.IndexByte(text, '@') < 0 {
		return span{}, false
	}
	p, err := smtp.ParseMailbox(string(text), true)
	if err != nil {
		return span{}, false
	}
	return span{start, s.i, p}, true
}

// skipTo is behind the octet that ends what begins at i; a backslash takes the
// next octet with it.
func skipTo(b []byte, i int, end byte) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case end:
			return i + 1
		}
	}
	return len(b)
}

// skipComment is behind a comment; comments nest.
func skipComment(b []byte, i int) int {
	depth := 0
	for ; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(b)
}
