package imapresp

import (
	"io"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
)

// URLFetch is a piece of a URLFETCH response, up to a text whose octets follow.
type URLFetch struct {
	Found     bool // there is more than NIL
	Text      *SectionValue
	Structure *imap.BodyPart // of BODYPARTSTRUCTURE
}

// ParseURLFetch reads a piece of a response about one URL: with first the URL and
// what follows, else the rest of it (RFC 4467 §8, RFC 5524 §5). more: it ends with
// the announcement of a literal that is the text.
func ParseURLFetch(b []byte, first, more bool) (f URLFetch, err error) {
	if first {
		_, n, err := consumeSpaced(b, ConsumeAString)
		if err != nil {
			return f, err
		}
		b = b[n:]
	}
	for depth := 0; ; {
		b = b[spaces(b):]
		switch {
		case len(b) == 0 && more && f.Text != nil && f.Text.Behind:
			return f, nil
		case len(b) == 0:
			return f, io.ErrUnexpectedEOF
		case b[0] == '\r' || b[0] == '\n':
			return f, nil
		case b[0] == ')' && depth == 0 && first:
			return f, syntax(0, "value expected")
		case b[0] == ')':
			b = b[1:]
			depth = max(depth-1, 0)
			continue
		case b[0] == '(':
			depth++
			b = b[1:]
		}
		n, err := f.value(b, depth > 0, more)
		if err != nil {
			return f, err
		}
		b = b[n:]
	}
}

// value takes a text, or with named an item of RFC 5524 and its value.
func (f *URLFetch) value(b []byte, named, more bool) (n int, err error) {
	name := []byte("BODY")
	if named {
		if name, n, err = ConsumeWord(b, false); err != nil {
			return 0, err
		}
		n += spaces(b[n:])
	}
	if equalWord(name, "BODYPARTSTRUCTURE") {
		f.Found = true
		if isNilWord(b[n:]) {
			return n + len("NIL"), nil
		}
		structure, m, err := ConsumeBody(b[n:])
		f.Structure = structure
		return n + m, err
	}
	text, m, err := consumeSectionValue(b[n:], more)
	if err != nil {
		return 0, err
	}
	if f.Text != nil {
		return 0, syntax(n, "second text of a URL")
	}
	f.Text, f.Found = &text, f.Found || !text.IsNil
	return n + m, nil
}

// consumeSectionValue takes NIL, a string within b, or the announcement of a
// literal at the end of b, whose octets follow where more is set.
func consumeSectionValue(b []byte, more bool) (v SectionValue, n int, err error) {
	if len(b) > 0 && (b[0] == '{' || b[0] == '~') {
		lit, n, err := imapwire.ConsumeLiteralHeader(b)
		if err != nil {
			return v, 0, err
		}
		v.Size, v.Binary = lit.Size, lit.Binary
		if more && n == len(b) {
			v.Behind = true
			return v, n, nil
		}
	}
	s, n, err := ConsumeNString(b)
	v.IsNil, v.Here, v.Size = s == nil, s, int64(len(s))
	return v, n, err
}

// ParseWords reads up to limit strings or words.
func ParseWords(b []byte, limit int) (words []string, err error) {
	for b = b[spaces(b):]; len(b) > 0 && b[0] != '\r' && b[0] != '\n'; b = b[spaces(b):] {
		s, n, err := ConsumeAString(b)
		if err != nil {
			return nil, err
		}
		if len(words) >= limit {
			return nil, ErrTooMany
		}
		words = append(words, string(s))
		b = b[n:]
	}
	return words, nil
}
