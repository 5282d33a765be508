package smtpscan

import (
	"bytes"
	"unicode/utf8"
)

// maxDomain: RFC 5321 §4.5.3.1.2.
const maxDomain = 255

// EHLOLine reports an ehlo-line (RFC 5321 §4.1.1.1), loosely: printable ASCII
// that starts with a letter or digit.
func EHLOLine(line string) bool {
	if line == "" || len(line) > 400 {
		return false
	}
	c := line[0] | 0x20 // lower case
	return ('a' <= c && c <= 'z' || '0' <= line[0] && line[0] <= '9') && Printable([]byte(line))
}

// Printable reports octets that are all printable ASCII or space.
func Printable(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// ASCII reports octets that are all below 0x80.
func ASCII(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// CleanText reports valid UTF-8 without control characters.
func CleanText(b []byte) bool {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == utf8.RuneError && n == 1 {
			return false
		}
		b = b[n:]
	}
	return true
}

// Hello takes any single word of printable ASCII: what stands there is a
// claim that no rule may rest on, and wrong names are common.
func Hello(b []byte) bool {
	if len(b) == 0 || len(b) > maxDomain {
		return false
	}
	for _, c := range b {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

// SplitVerb cuts a command line at its first space; blanks at the end are
// dropped (RFC 5321 §4.1.1).
func SplitVerb(line []byte) (name, arg []byte) {
	line = bytes.TrimRight(line, " \t")
	i := bytes.IndexByte(line, ' ')
	if i < 0 {
		return line, nil
	}
	return line[:i], bytes.TrimLeft(line[i:], " ")
}

// EqualFold compares a word in upper case with octets, folding ASCII only.
func EqualFold(upper string, b []byte) bool {
	if len(upper) != len(b) {
		return false
	}
	for i := range b {
		c := b[i]
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		if c != upper[i] {
			return false
		}
	}
	return true
}

// CutKeyword cuts "FROM:" or "TO:" off. Blanks behind the colon are tolerated;
// many clients send one.
func CutKeyword(arg []byte, keyword string) ([]byte, bool) {
	if len(arg) < len(keyword) || !EqualFold(keyword, arg[:len(keyword)]) {
		return nil, false
	}
	return bytes.TrimLeft(arg[len(keyword):], " "), true
}

// MechanismChars are those of a SASL mechanism's name (RFC 4422 §3.1), in any
// case.
const MechanismChars = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// CutAuth returns what stands behind AUTH, however it is written: also where it
// is no command by the grammar, for the secret is one all the same.
func CutAuth(line []byte) (arg []byte, ok bool) {
	line = bytes.TrimLeft(line, blanks)
	if len(line) < 4 || !EqualFold("AUTH", line[:4]) {
		return nil, false
	}
	arg = bytes.TrimLeft(line[4:], blanks)
	return arg, len(arg) < len(line)-4 || len(arg) == 0
}

// blanks are what may be taken for a space.
const blanks = " \t\v\f\r\x00"
