package imapsearch

import (
	"bytes"
	"slices"
	"unicode"
	"unicode/utf8"
)

// Fold is the form in which texts are compared: case does not count
// (RFC 3501 §6.4.4).
func Fold(s string) string { return string(fold(make([]byte, 0, len(s)), []byte(s))) }

// fold adds UTF-8 text without its case.
func fold(dst, text []byte) []byte {
	n := len(dst)
	dst = slices.Grow(dst, len(text))[:n+len(text)]
	out := dst[n:]
	for i, c := range text {
		if c >= utf8.RuneSelf {
			return foldRunes(dst[:n+i], text[i:])
		}
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		out[i] = c
	}
	return dst
}

// foldRunes is fold for text that is not US-ASCII.
func foldRunes(dst, text []byte) []byte {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		dst = utf8.AppendRune(dst, unicode.ToLower(unicode.ToUpper(r)))
		text = text[n:]
	}
	return dst
}

// containsFold reports whether text holds the folded needle; text is folded in
// place where that is possible.
func containsFold(text []byte, needle string) bool {
	if isASCII(text) {
		text = fold(text[:0], text)
	} else {
		text = fold(make([]byte, 0, len(text)), text)
	}
	return bytes.Contains(text, []byte(needle))
}

func isASCII(s []byte) bool {
	for _, c := range s {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
