package smtp

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// AppendXtext appends s as xtext (RFC 3461 §4): "+", "=" and everything that
// is not printable ASCII becomes "+" and two upper-case hexadecimal digits.
func AppendXtext(dst []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := 0; i < len(s); i++ {
		if c := s[i]; isXchar(c) {
			dst = append(dst, c)
		} else {
			dst = append(dst, '+', hex[c>>4], hex[c&15])
		}
	}
	return dst
}

// ParseXtext decodes xtext strictly (RFC 3461 §4): lower-case hexadecimal
// digits, a bare "=" and octets outside of printable ASCII are ErrSyntax. The
// result may hold any octet, controls included: its user judges that.
func ParseXtext(s string) (string, error) {
	plain := true
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			plain = false
		case !isXchar(s[i]):
			return "", syntaxError("xtext")
		}
	}
	if plain {
		return s, nil
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '+' {
			out = append(out, s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", syntaxError("xtext ends inside a hexchar")
		}
		hi, lo := upperHex(s[i+1]), upperHex(s[i+2])
		if hi < 0 || lo < 0 {
			return "", syntaxError("hexchar in xtext")
		}
		out = append(out, byte(hi<<4|lo))
		i += 2
	}
	return string(out), nil
}

// isXchar: xchar = %d33-42 / %d44-60 / %d62-126 (RFC 3461 §4).
func isXchar(c byte) bool { return c > ' ' && c < 0x7f && c != '+' && c != '=' }

func upperHex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// AppendUnitext appends s, which is UTF-8, as utf-8-addr-xtext (RFC 6533 §3),
// which is safe also without SMTPUTF8; with utf8Allowed as
// utf-8-addr-unitext, which keeps the characters beyond ASCII.
func AppendUnitext(dst []byte, s string, utf8Allowed bool) []byte {
	for _, r := range s {
		switch {
		case r < utf8.RuneSelf && isXchar(byte(r)) && r != '\\':
			dst = append(dst, byte(r))
		case r >= 0xa0 && r != utf8.RuneError && utf8Allowed:
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, `\x{`...)
			if r < 0x10 {
				dst = append(dst, '0')
			}
			dst = append(dst, strings.ToUpper(strconv.FormatInt(int64(r), 16))...)
			dst = append(dst, '}')
		}
	}
	return dst
}

// ParseUnitext decodes utf-8-addr-xtext and utf-8-addr-unitext (RFC 6533 §3).
// Octets beyond ASCII have to be valid UTF-8. An EmbeddedUnicodeChar has 2 to
// 6 upper-case hexadecimal digits and names a character, no surrogate.
func ParseUnitext(s string) (string, error) {
	if err := checkUTF8([]byte(s), true); err != nil {
		return "", err
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= utf8.RuneSelf || isXchar(c) && c != '\\' {
			out = append(out, c)
			continue
		}
		rest, ok := strings.CutPrefix(s[i:], `\x{`)
		end := strings.IndexByte(rest, '}')
		if !ok || end < 2 || end > 6 {
			return "", syntaxError("unitext")
		}
		r := rune(0)
		for j := range end {
			d := upperHex(rest[j])
			if d < 0 {
				return "", syntaxError("hexpoint in unitext")
			}
			r = r<<4 | rune(d)
		}
		if !utf8.ValidRune(r) {
			return "", syntaxError("hexpoint in unitext")
		}
		out = utf8.AppendRune(out, r)
		i += len(`\x{`) + end
	}
	return string(out), nil
}
