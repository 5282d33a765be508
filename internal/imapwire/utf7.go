package imapwire

import (
	"encoding/base64"
	"errors"
	"unicode/utf16"
	"unicode/utf8"
)

// ErrUTF7 says that a mailbox name is not what RFC 3501 §5.1.3 prescribes.
var ErrUTF7 = errors.New("imapwire: mailbox name is not modified UTF-7")

// utf7Base64 is the alphabet of RFC 3501 §5.1.3: "," in the place of "/", no
// padding, unused bits zero.
var utf7Base64 = base64.NewEncoding(
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,",
).WithPadding(base64.NoPadding).Strict()

func utf7Direct(c byte) bool { return ' ' <= c && c <= '~' }

// AppendUTF7 adds a UTF-8 name in modified UTF-7. Octets of name that are not
// UTF-8 become U+FFFD.
func AppendUTF7(dst []byte, name string) []byte {
	for i := 0; i < len(name); {
		c := name[i]
		switch {
		case c == '&':
			dst = append(dst, "&-"...)
			i++
		case utf7Direct(c):
			dst = append(dst, c)
			i++
		default:
			j := i
			for j < len(name) && !utf7Direct(name[j]) {
				j++
			}
			dst = appendShifted(dst, name[i:j])
			i = j
		}
	}
	return dst
}

// appendShifted adds "&" base64(UTF-16BE) "-".
func appendShifted(dst []byte, s string) []byte {
	units := make([]byte, 0, 64)
	for _, r := range s {
		if hi, lo := utf16.EncodeRune(r); hi != utf8.RuneError {
			units = append(units, byte(hi>>8), byte(hi), byte(lo>>8), byte(lo))
		} else {
			units = append(units, byte(r>>8), byte(r))
		}
	}
	dst = append(dst, '&')
	dst = utf7Base64.AppendEncode(dst, units)
	return append(dst, '-')
}

// DecodeMailbox decodes a mailbox name or pattern in modified UTF-7 (RFC 3501
// §5.1.3). Names that some client sends in plain UTF-8 are returned as they
// are: no name in modified UTF-7 has such octets.
func DecodeMailbox(wire string) (string, error) {
	for i := range len(wire) {
		if wire[i] >= utf8.RuneSelf {
			return wire, nil
		}
	}
	return DecodeUTF7([]byte(wire))
}

// DecodeUTF7 returns the UTF-8 form of a name in modified UTF-7. It is strict,
// so that each name has exactly one form on the wire: printable US-ASCII must
// stand for itself, a shift must be closed, must not be empty, must not follow
// another one directly, must hold whole UTF-16 units without lone surrogates
// and no bits behind the last unit. Any other name is ErrUTF7.
func DecodeUTF7(name []byte) (string, error) {
	out := make([]byte, 0, len(name))
	closed := -1 // index behind the last shift
	for i := 0; i < len(name); {
		c := name[i]
		if !utf7Direct(c) {
			return "", ErrUTF7
		}
		if c != '&' {
			out = append(out, c)
			i++
			continue
		}
		j := i + 1
		for j < len(name) && name[j] != '-' {
			j++
		}
		if j == len(name) {
			return "", ErrUTF7
		}
		if j == i+1 {
			out = append(out, '&')
			i = j + 1
			continue
		}
		var err error
		if out, err = appendUnshifted(out, name[i+1:j]); err != nil || closed == i {
			return "", ErrUTF7
		}
		i = j + 1
		closed = i
	}
	return string(out), nil
}

// appendUnshifted adds the UTF-8 form of one shifted sequence.
func appendUnshifted(dst, b64 []byte) ([]byte, error) {
	for _, c := range b64 { // the decoder of encoding/base64 skips line ends
		if c == '\r' || c == '\n' {
			return nil, ErrUTF7
		}
	}
	units, err := utf7Base64.AppendDecode(nil, b64)
	if err != nil || len(units)%2 != 0 {
		return nil, ErrUTF7
	}
	for i := 0; i < len(units); i += 2 {
		r := rune(units[i])<<8 | rune(units[i+1])
		if utf16.IsSurrogate(r) {
			if i+3 >= len(units) {
				return nil, ErrUTF7
			}
			r = utf16.DecodeRune(r, rune(units[i+2])<<8|rune(units[i+3]))
			if r == utf8.RuneError {
				return nil, ErrUTF7
			}
			i += 2
		}
		if r < utf8.RuneSelf && utf7Direct(byte(r)) {
			return nil, ErrUTF7
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst, nil
}
