// Package casemap is the collation i;unicode-casemap (RFC 5051), by which SORT
// and THREAD compare texts (RFC 5256 §6): without regard to case, and with
// letters that carry marks beside those that carry none.
//
// # RFCs
//
//	RFC 5051 §2   titlecased canonicalized UTF-8   full; NFKD by a library, which §4 allows
//
// # Invariants
//
//	I1  The key of a text depends on its octets alone: no locale.
//	I2  Equal keys mean equal texts; the order of keys by octets is the order of
//	    the texts.
package casemap

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// AppendKey adds the key of a text. One that is not UTF-8 is its own key.
func AppendKey(dst, text []byte) []byte {
	n := len(dst)
	for i, c := range text {
		if c >= utf8.RuneSelf {
			return appendRunes(dst[:n], text, i)
		}
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

// appendRunes is AppendKey for a text whose first ascii octets are US-ASCII.
func appendRunes(dst, text []byte, ascii int) []byte {
	if !utf8.Valid(text[ascii:]) {
		return append(dst, text...)
	}
	title := make([]byte, 0, len(text)+8)
	for _, r := range string(text) {
		title = utf8.AppendRune(title, unicode.ToTitle(r))
	}
	return norm.NFKD.Append(dst, title...)
}
