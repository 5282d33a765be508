package imapwire

import (
	"encoding/base64"
	"io"
)

// ConsumeBase64 takes
//
//	base64 = *(4base64-char) [base64-terminal]
//
// or the "=" that stands for an empty initial response (RFC 9051 §6.2.2), and
// returns the decoded octets, never nil. Bits behind the last octet must be
// zero.
func ConsumeBase64(b []byte) ([]byte, int, error) {
	n := 0
	for n < len(b) && isBase64(b[n]) {
		n++
	}
	if n == len(b) {
		return nil, 0, io.ErrUnexpectedEOF
	}
	if n == 1 && b[0] == '=' {
		return []byte{}, 1, nil
	}
	out := make([]byte, base64.StdEncoding.DecodedLen(n))
	m, err := base64.StdEncoding.Strict().Decode(out, b[:n])
	if err != nil {
		return nil, 0, syntax(0, "bad base64")
	}
	return out[:m], n, nil
}

func isBase64(c byte) bool {
	return isDigit(c) || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' ||
		c == '+' || c == '/' || c == '='
}
