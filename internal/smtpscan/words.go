package smtpscan

import "unicode/utf8"

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
