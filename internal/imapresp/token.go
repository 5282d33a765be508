package imapresp

import (
	"bytes"
	"io"
	"math"

	"github.com/mailstead/mailstead/internal/imapwire"
)

// MaxDepth bounds the nesting of lists.
const MaxDepth = 256

// syntax is the error of octet n.
func syntax(n int, reason string) error {
	return &imapwire.SyntaxError{Pos: int64(n), Reason: reason}
}

// spaces is the number of spaces at the start of b.
func spaces(b []byte) int {
	n := 0
	for n < len(b) && b[n] == ' ' {
		n++
	}
	return n
}

// isAtom: what can stand in a word that is no string.
func isAtom(c byte) bool {
	switch c {
	case ' ', '(', ')', '"', '\r', '\n', 0:
		return false
	}
	return true
}

// ConsumeWord takes 1*<any but space, parentheses, quotes and line ends>, up to
// "[" where bracket is set. The result is a part of b.
func ConsumeWord(b []byte, bracket bool) ([]byte, int, error) {
	n := 0
	for n < len(b) && isAtom(b[n]) && (!bracket || b[n] != '[') {
		n++
	}
	switch n {
	case len(b):
		return nil, 0, io.ErrUnexpectedEOF
	case 0:
		return nil, 0, syntax(0, "word expected")
	}
	return b[:n], n, nil
}

// ConsumeQuoted takes a quoted string of any octets but line ends. The result is
// a part of b, or a copy without the escapes.
func ConsumeQuoted(b []byte) ([]byte, int, error) {
	switch {
	case len(b) == 0:
		return nil, 0, io.ErrUnexpectedEOF
	case b[0] != '"':
		return nil, 0, syntax(0, "quoted string expected")
	}
	var out []byte
	from := 1
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '"':
			if out == nil {
				return b[1:i:i], i + 1, nil
			}
			return append(out, b[from:i]...), i + 1, nil
		case '\r', '\n':
			return nil, 0, syntax(i, "line ends within quotes")
		case '\\':
			if out == nil {
				out = make([]byte, 0, 2*i)
			}
			out = append(out, b[from:i]...)
			from = i + 1
			i++
		}
	}
	return nil, 0, io.ErrUnexpectedEOF
}

// ConsumeString takes a quoted string or a literal that stands whole in b. The
// result is a part of b or a copy, and not nil.
func ConsumeString(b []byte) ([]byte, int, error) {
	if len(b) > 0 && b[0] == '"' {
		return ConsumeQuoted(b)
	}
	l, n, err := imapwire.ConsumeLiteralHeader(b)
	if err != nil {
		return nil, 0, err
	}
	if l.Size > math.MaxInt32 || int64(len(b)-n) < l.Size {
		return nil, 0, io.ErrUnexpectedEOF
	}
	end := n + int(l.Size)
	return b[n:end:end], end, nil
}

// startsString reports whether b begins with a string.
func startsString(b []byte) bool {
	return len(b) > 0 && (b[0] == '"' || b[0] == '{' || b[0] == '~' && len(b) > 1 && b[1] == '{')
}

// ConsumeAString takes a string, or a word. The result is a part of b or a copy.
func ConsumeAString(b []byte) ([]byte, int, error) {
	if startsString(b) {
		return ConsumeString(b)
	}
	return ConsumeWord(b, false)
}

// ConsumeNString takes NIL, for which it returns nil, or what ConsumeAString
// takes.
func ConsumeNString(b []byte) ([]byte, int, error) {
	s, n, err := ConsumeAString(b)
	if err == nil && !startsString(b) && isNil(s) {
		return nil, n, nil
	}
	return s, n, err
}

func isNil(word []byte) bool { return len(word) == 3 && bytes.EqualFold(word, []byte("NIL")) }

// consumeText is ConsumeNString with "" for NIL.
func consumeText(b []byte) (string, int, error) {
	s, n, err := ConsumeNString(b)
	return string(s), n, err
}

// consumeSpaced takes spaces, and then what take takes.
func consumeSpaced[T any](b []byte, take func([]byte) (T, int, error)) (T, int, error) {
	sp := spaces(b)
	v, n, err := take(b[sp:])
	if err != nil {
		return v, 0, err
	}
	return v, sp + n, nil
}

// ConsumeList takes a list in parentheses with an item for each turn of item,
// which takes one at the start of its argument.
func ConsumeList(b []byte, item func(b []byte) (n int, err error)) (int, error) {
	switch {
	case len(b) == 0:
		return 0, io.ErrUnexpectedEOF
	case b[0] != '(':
		return 0, syntax(0, "list expected")
	}
	n := 1
	for {
		n += spaces(b[n:])
		switch {
		case n == len(b):
			return 0, io.ErrUnexpectedEOF
		case b[n] == ')':
			return n + 1, nil
		}
		m, err := item(b[n:])
		if err != nil {
			return 0, err
		}
		n += m
	}
}

// isNilWord reports whether b begins with NIL.
func isNilWord(b []byte) bool {
	return len(b) > 3 && isNil(b[:3]) && !isAtom(b[3])
}

// SkipValue is the length of the value at the start of b: a string, a word, or
// a list of values.
func SkipValue(b []byte) (int, error) {
	depth := 0
	for n := 0; ; {
		n += spaces(b[n:])
		if n == len(b) {
			return 0, io.ErrUnexpectedEOF
		}
		switch b[n] {
		case '(':
			if depth++; depth > MaxDepth {
				return 0, &imapwire.SyntaxError{Pos: int64(n), Reason: "nested too deeply", Err: imapwire.ErrNesting}
			}
			n++
		case ')':
			if depth == 0 {
				return 0, syntax(n, "value expected")
			}
			depth--
			n++
		default:
			_, m, err := ConsumeAString(b[n:])
			if err != nil {
				return 0, err
			}
			n += m
		}
		if depth == 0 {
			return n, nil
		}
	}
}

// ConsumeNumber takes a number of up to 63 bits, also in quotes, and also one
// that is negative, as 0.
func ConsumeNumber(b []byte) (int64, int, error) {
	if len(b) > 0 && b[0] == '"' {
		s, n, err := ConsumeQuoted(b)
		if err != nil {
			return 0, 0, err
		}
		v, m, err := imapwire.ConsumeNumber64(append(s[:len(s):len(s)], ' '))
		if err != nil || m != len(s) {
			return 0, 0, syntax(0, "number expected")
		}
		return v, n, nil
	}
	if len(b) > 0 && b[0] == '-' {
		_, n, err := imapwire.ConsumeNumber64(b[1:])
		return 0, n + 1, err
	}
	return imapwire.ConsumeNumber64(b)
}

// consumeCount is ConsumeNumber with 0 for NIL and for no number at all.
func consumeCount(b []byte) (int64, int, error) {
	if v, n, err := ConsumeNumber(b); err == nil || err == io.ErrUnexpectedEOF {
		return v, n, err
	}
	_, n, err := ConsumeNString(b)
	return 0, n, err
}
