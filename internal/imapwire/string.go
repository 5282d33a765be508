package imapwire

import (
	"bytes"
	"io"
	"math"
	"unicode/utf8"
)

// ConsumeQuoted takes
//
//	quoted      = DQUOTE *QUOTED-CHAR DQUOTE
//	QUOTED-CHAR = <any TEXT-CHAR except quoted-specials> /
//	              "\" quoted-specials / UTF8-2 / UTF8-3 / UTF8-4
//
// NUL, CR, LF, an escape of anything but a quoted-special, and octets that are
// not UTF-8 are refused. The result is a part of b, or a copy without the
// escapes.
func ConsumeQuoted(b []byte) ([]byte, int, error) {
	if len(b) == 0 {
		return nil, 0, io.ErrUnexpectedEOF
	}
	if b[0] != '"' {
		return nil, 0, syntax(0, "quoted string expected")
	}
	var out []byte // set once an escape was seen
	from := 1      // b[from:i] is not in out yet
	for i := 1; i < len(b); {
		switch c := b[i]; {
		case c == '"':
			if out == nil {
				return b[1:i], i + 1, nil
			}
			return append(out, b[from:i]...), i + 1, nil
		case c == '\\':
			if i+1 == len(b) {
				return nil, 0, io.ErrUnexpectedEOF
			}
			if b[i+1] != '"' && b[i+1] != '\\' {
				return nil, 0, syntax(i+1, "bad escape in quoted string")
			}
			if out == nil {
				out = make([]byte, 0, bytes.IndexByte(b[i+1:], '"')+i+16)
			}
			out = append(out, b[from:i]...)
			from, i = i+1, i+2
		case is(c, quotedChar):
			i++
		case c < utf8.RuneSelf:
			return nil, 0, syntax(i, "bad octet in quoted string")
		default:
			if !utf8.FullRune(b[i:]) {
				return nil, 0, io.ErrUnexpectedEOF
			}
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n == 1 {
				return nil, 0, syntax(i, "quoted string is not UTF-8")
			}
			i += n
		}
	}
	return nil, 0, io.ErrUnexpectedEOF
}

// Literal is what a literal announces before its octets.
type Literal struct {
	Size    int64 // octets, 0..2^63-1
	NonSync bool  // "{n+}": the octets follow without a continuation request (RFC 7888)
	Binary  bool  // "~{n}": literal8, may hold NUL (RFC 3516 §4.4)
}

// ConsumeLiteralHeader takes the announcement of a literal with its line end:
//
//	literal  = "{" number64 ["+"] "}" CRLF *CHAR8
//	literal8 = "~{" number64 ["+"] "}" CRLF *OCTET
func ConsumeLiteralHeader(b []byte) (Literal, int, error) {
	l, n, err := consumeLiteralCount(b)
	if err != nil {
		return Literal{}, 0, err
	}
	for _, c := range []byte("\r\n") {
		if n == len(b) {
			return Literal{}, 0, io.ErrUnexpectedEOF
		}
		if b[n] != c {
			return Literal{}, 0, syntax(n, "CRLF expected after literal size")
		}
		n++
	}
	return l, n, nil
}

// consumeLiteralCount takes the announcement without its line end.
func consumeLiteralCount(b []byte) (l Literal, n int, err error) {
	if len(b) > 0 && b[0] == '~' {
		l.Binary, n = true, 1
	}
	if n == len(b) {
		return l, 0, io.ErrUnexpectedEOF
	}
	if b[n] != '{' {
		return l, 0, syntax(n, "literal expected")
	}
	n++
	size, m, err := ConsumeNumber64(b[n:])
	if err != nil {
		return l, 0, shift(err, n)
	}
	l.Size, n = size, n+m
	if b[n] == '+' { // a number is always followed by an octet
		l.NonSync = true
		n++
	}
	if n == len(b) {
		return l, 0, io.ErrUnexpectedEOF
	}
	if b[n] != '}' {
		return l, 0, syntax(n, "bad literal size")
	}
	return l, n + 1, nil
}

// ConsumeString takes
//
//	string = quoted / literal
//
// and literal8, where a literal stands whole in b. A literal that is not a
// literal8 may not hold NUL. The result is a part of b or a copy.
func ConsumeString(b []byte) ([]byte, int, error) {
	if len(b) == 0 {
		return nil, 0, io.ErrUnexpectedEOF
	}
	if b[0] != '{' && b[0] != '~' {
		return ConsumeQuoted(b)
	}
	l, n, err := ConsumeLiteralHeader(b)
	if err != nil {
		return nil, 0, err
	}
	if l.Size > int64(math.MaxInt-n) || int64(len(b)-n) < l.Size {
		return nil, 0, io.ErrUnexpectedEOF
	}
	s := b[n : n+int(l.Size)]
	if !l.Binary {
		if i := bytes.IndexByte(s, 0); i >= 0 {
			return nil, 0, syntax(n+i, "NUL in literal")
		}
	}
	return s, n + int(l.Size), nil
}

// ConsumeNString takes
//
//	nstring = string / nil
//
// and returns nil for NIL, and a slice that is not nil for any string.
func ConsumeNString(b []byte) ([]byte, int, error) {
	if n, err := consumeNIL(b); n > 0 || err != nil {
		return nil, n, err
	}
	s, n, err := ConsumeString(b)
	if err == nil && s == nil {
		s = []byte{}
	}
	return s, n, err
}

// consumeNIL takes "NIL" in any case; n is 0 where b holds something else.
func consumeNIL(b []byte) (n int, err error) {
	const word = "nil"
	for i := range word {
		if i == len(b) {
			return 0, io.ErrUnexpectedEOF
		}
		if b[i]|0x20 != word[i] {
			return 0, nil
		}
	}
	if len(b) == len(word) {
		return 0, io.ErrUnexpectedEOF
	}
	if is(b[len(word)], astringChar) {
		return 0, nil
	}
	return len(word), nil
}
