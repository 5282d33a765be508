package mimetext

import (
	"bytes"
	"encoding/base64"
	"io"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/transform"
)

// Words decodes the encoded words of one value after the other (RFC 2047). What
// it needs for that is kept, so that a header of ten thousand words costs little
// more than its octets. The zero value is ready; it is not safe for concurrent
// use.
type Words struct {
	text     []byte       // of a word, its encoding taken off
	src      bytes.Reader // of text
	charsets Charsets
}

// Reset turns to another message.
func (d *Words) Reset() { d.charsets.Reset() }

// Append adds an unfolded field value as UTF-8: encoded words are decoded, white
// space between two of them is gone, and what is not UTF-8 becomes U+FFFD. Words
// in an unknown charset keep their US-ASCII characters; what is no word stands as
// it was written.
func (d *Words) Append(dst, value []byte) []byte {
	start := len(dst)
	between := false // the last thing was a word
	for {
		at := bytes.Index(value, []byte("=?"))
		if at < 0 {
			break
		}
		w, ok := cutWord(value[at:])
		if !ok {
			break
		}
		before, behind := value[:at], at+w.size
		if d.text, ok = w.decode(d.text[:0]); !ok {
			dst = append(dst, value[:behind]...)
		} else {
			if !between || len(bytes.TrimLeft(before, " \t\r\n")) > 0 {
				dst = append(dst, before...)
			}
			dst = d.convert(dst, w.charset)
		}
		value, between = value[behind:], ok
	}
	dst = append(dst, value...)
	if !utf8.Valid(dst[start:]) {
		dst = append(dst[:start], bytes.ToValidUTF8(dst[start:], []byte("\ufffd"))...)
	}
	return dst
}

// convert adds d.text, which is in a charset.
func (d *Words) convert(dst, name []byte) []byte {
	switch {
	case equalFold(name, "utf-8"):
		return append(dst, d.text...)
	case equalFold(name, "iso-8859-1"):
		for _, c := range d.text {
			dst = utf8.AppendRune(dst, rune(c))
		}
		return dst
	case equalFold(name, "us-ascii"):
		for _, c := range d.text {
			dst = utf8.AppendRune(dst, asciiRune(c))
		}
		return dst
	}
	if dec := d.charsets.Find(name); dec != nil {
		if out, _, err := transform.Append(dec, dst, d.text); err == nil {
			return out
		}
	} else if r, ok := d.registered(name); ok {
		if text, err := io.ReadAll(r); err == nil {
			return append(dst, text...)
		}
	}
	return append(dst, d.text...)
}

// registered reads d.text in a charset that the application has registered.
func (d *Words) registered(name []byte) (io.Reader, bool) {
	d.src.Reset(d.text)
	return d.charsets.Registered(name, &d.src)
}

func asciiRune(c byte) rune {
	if c >= utf8.RuneSelf {
		return unicode.ReplacementChar
	}
	return rune(c)
}

func equalFold(b []byte, lower string) bool {
	return len(b) == len(lower) && strings.EqualFold(string(b), lower)
}

// word is an encoded word: "=?" charset "?" encoding "?" text "?=".
type word struct {
	charset, text []byte
	encoding      byte
	size          int
}

// cutWord takes the word at the start of b, which begins with "=?". false: neither
// this nor anything behind it is one.
func cutWord(b []byte) (w word, ok bool) {
	rest := b[len("=?"):]
	n := bytes.IndexByte(rest, '?')
	if n < 0 || len(rest) < n+len("?Q??=") {
		return w, false
	}
	w.charset, w.encoding = rest[:n], rest[n+1]
	if rest[n+2] != '?' {
		return w, false
	}
	rest = rest[n+3:]
	end := bytes.Index(rest, []byte("?="))
	if end < 0 {
		return w, false
	}
	w.text = rest[:end]
	w.size = len(b) - len(rest) + end + len("?=")
	return w, true
}

// decode adds the octets of the text; false = it is not in its encoding.
func (w *word) decode(dst []byte) ([]byte, bool) {
	switch w.encoding {
	case 'B', 'b':
		out, err := base64.StdEncoding.AppendDecode(dst, w.text)
		return out, err == nil
	case 'Q', 'q':
		return appendQ(dst, w.text)
	}
	return dst, false
}

func appendQ(dst, text []byte) ([]byte, bool) {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '_':
			dst = append(dst, ' ')
		case c == '=':
			if i+2 >= len(text) {
				return dst, false
			}
			hi, lo := unhex(text[i+1]), unhex(text[i+2])
			if hi < 0 || lo < 0 {
				return dst, false
			}
			dst = append(dst, byte(hi<<4|lo))
			i += 2
		case c >= ' ' && c <= '~', c == '\n', c == '\r', c == '\t':
			dst = append(dst, c)
		default:
			return dst, false
		}
	}
	return dst, true
}

var words = sync.Pool{New: func() any { return new(Words) }}

// AppendWords is Append of a [Words] that is at hand.
func AppendWords(dst, value []byte) []byte {
	d := words.Get().(*Words)
	d.Reset()
	defer words.Put(d)
	return d.Append(dst, value)
}

// DecodeWords is AppendWords as a string.
func DecodeWords(value []byte) string { return string(AppendWords(nil, value)) }
