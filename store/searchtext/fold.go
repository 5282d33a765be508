package searchtext

import (
	"encoding/binary"
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
	dst = slices.Grow(dst, len(text))
	for {
		n := len(dst)
		dst = dst[:n+foldASCII(dst[n:min(n+len(text), cap(dst))], text)]
		text = text[len(dst)-n:]
		if len(text) == 0 {
			return dst
		}
		if text[0] < utf8.RuneSelf { // the form grew: there is no room
			dst = slices.Grow(dst, len(text))
			continue
		}
		for len(text) > 0 && text[0] >= utf8.RuneSelf {
			r, n := utf8.DecodeRune(text)
			dst = utf8.AppendRune(dst, foldRune(r))
			text = text[n:]
		}
	}
}

// foldRune is the form of a character. Most that are not US-ASCII have no case.
func foldRune(r rune) rune {
	switch {
	case 0xe0 <= r && r <= 0xfe && r != 0xf7, r == 0xdf: // Latin-1, small
		return r
	case 0xc0 <= r && r <= 0xde && r != 0xd7: // Latin-1, capital
		return r + 0x20
	case 0x2000 <= r && r < 0x2100, 0x3000 <= r && r < 0xa000, 0xac00 <= r && r < 0xd7a4, r == utf8.RuneError:
		return r // punctuation; Chinese, Japanese; Korean
	}
	return unicode.ToLower(unicode.ToUpper(r))
}

const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// foldASCII folds the US-ASCII at the start of text into dst, as far as there is
// room, and returns its length.
func foldASCII(dst, text []byte) int {
	text = text[:min(len(text), cap(dst))]
	dst = dst[:len(text)]
	i := 0
	for ; i+8 <= len(text); i += 8 {
		w := binary.LittleEndian.Uint64(text[i:])
		if w&highs != 0 {
			break
		}
		// The high bit of each octet: it is A or greater, but not greater than Z.
		capital := (w + (0x80-'A')*ones) &^ (w + (0x7f-'Z')*ones) & highs
		binary.LittleEndian.PutUint64(dst[i:], w|capital>>2)
	}
	for ; i < len(text) && text[i] < utf8.RuneSelf; i++ {
		c := text[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		dst[i] = c
	}
	return i
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
