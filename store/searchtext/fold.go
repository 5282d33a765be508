package searchtext

import (
	"slices"
	"unicode"
	"unicode/utf8"
)

// Fold is the form in which texts are compared: case does not count
// (RFC 3501 §6.4.4). It is UTF-8; octets that are not become U+FFFD.
func Fold(s string) string { return string(AppendFold(make([]byte, 0, len(s)), []byte(s))) }

// AppendFold adds text in the form of Fold. dst may be text[:0] where all of it
// is US-ASCII.
func AppendFold(dst, text []byte) []byte {
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

// foldRunes is AppendFold for text that is not US-ASCII.
func foldRunes(dst, text []byte) []byte {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		dst = utf8.AppendRune(dst, unicode.ToLower(unicode.ToUpper(r)))
		text = text[n:]
	}
	return dst
}

// Folder folds a text that comes in pieces. Its zero value is at the start of
// a text.
type Folder struct {
	carry []byte // start of a character
}

// Append adds the next piece of the text, as far as its characters are whole.
func (f *Folder) Append(dst, piece []byte) []byte {
	if len(f.carry) > 0 {
		piece = append(f.carry, piece...)
		f.carry = nil
	}
	whole := len(piece)
	for i := max(0, whole-utf8.UTFMax+1); i < whole; i++ {
		if utf8.RuneStart(piece[i]) && !utf8.FullRune(piece[i:]) {
			whole = i
			break
		}
	}
	if whole < len(piece) {
		f.carry = slices.Clone(piece[whole:])
	}
	return AppendFold(dst, piece[:whole])
}

// End ends the text; a character that is not whole is dropped.
func (f *Folder) End() { f.carry = nil }
