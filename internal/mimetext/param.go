package mimetext

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-message/charset"
)

// AppendExtended adds an extended parameter value (RFC 2231 §4), as in
// "iso-8859-1'de'Gr%FC%DFe", as UTF-8. One that is not in that form, or in a
// charset that is not known or does not fit, is added as it was written.
func AppendExtended(dst, value []byte) []byte {
	name, rest, ok := bytes.Cut(value, []byte{'\''})
	if !ok {
		return append(dst, value...)
	}
	_, rest, ok = bytes.Cut(rest, []byte{'\''})
	if !ok {
		return append(dst, value...)
	}
	start := len(dst)
	dst = appendUnescaped(dst, rest)
	switch cs := strings.ToLower(string(name)); cs {
	case "", "utf-8", "us-ascii":
	default:
		text, err := decodeCharset(cs, dst[start:])
		if err != nil {
			return append(dst[:start], value...)
		}
		dst = append(dst[:start], text...)
	}
	if !utf8.Valid(dst[start:]) {
		return append(dst[:start], value...)
	}
	return dst
}

func decodeCharset(name string, text []byte) ([]byte, error) {
	r, err := charset.Reader(name, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	_, err = b.ReadFrom(r)
	return b.Bytes(), err
}

// appendUnescaped adds text with each percent sign and two hexadecimal digits as
// the octet that they stand for.
func appendUnescaped(dst, text []byte) []byte {
	for i := 0; i < len(text); i++ {
		if text[i] == '%' && i+2 < len(text) {
			hi, lo := unhex(text[i+1]), unhex(text[i+2])
			if hi >= 0 && lo >= 0 {
				dst = append(dst, byte(hi<<4|lo))
				i += 2
				continue
			}
		}
		dst = append(dst, text[i])
	}
	return dst
}

func unhex(c byte) int {
	if 'A' <= c && c <= 'F' {
		c |= 0x20
	}
	return strings.IndexByte("0123456789abcdef", c)
}
