package passhash

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// encoding is how the octets of a stored hash are written.
type encoding int

const (
	asIs encoding = iota
	inBase64
	inHex
)

// decode returns the octets that text stands for. suffix is what followed the
// name of the scheme, def what counts without one. Where the size of the octets
// is fixed and nothing says how they are written, hexadecimal digits of just
// that size are taken for what they are.
func decode(text, suffix string, def encoding, size int) (string, error) {
	enc := def
	switch suffix {
	case "":
		if size > 0 && len(text) == hex.EncodedLen(size) {
			enc = inHex
		}
	case "B64", "BASE64":
		enc = inBase64
	case "HEX":
		enc = inHex
	default:
		return "", ErrScheme
	}
	octets, err := []byte(text), error(nil)
	switch enc {
	case inHex:
		octets, err = hex.DecodeString(text)
	case inBase64:
		octets, err = base64.RawStdEncoding.Strict().DecodeString(strings.TrimRight(text, "="))
	}
	if err != nil || size > 0 && len(octets) != size {
		return "", ErrDamaged
	}
	return string(octets), nil
}

// cryptDigits is the alphabet of crypt(3), bcrypt's too in another order.
const cryptDigits = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// allIn reports whether text has only octets of the set.
func allIn(text, set string) bool {
	for i := range len(text) {
		if strings.IndexByte(set, text[i]) < 0 {
			return false
		}
	}
	return true
}
