package saslmech

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// gs2Header is what SCRAM and OAUTHBEARER messages begin with (RFC 5801 §4,
// RFC 5802 §7).
type gs2Header struct {
	flag    byte   // 'n', 'y' or 'p'
	binding string // of flag 'p'
	authzid string
}

// consumeGS2Header reads
//
//	gs2-header = gs2-cbind-flag "," [ "a=" saslname ] ","
//
// and returns its length in octets.
func consumeGS2Header(b []byte) (h gs2Header, n int, ok bool) {
	flag, rest, ok := bytes.Cut(b, []byte{','})
	if !ok {
		return h, 0, false
	}
	authzid, _, ok := bytes.Cut(rest, []byte{','})
	if !ok {
		return h, 0, false
	}
	n = len(flag) + 1 + len(authzid) + 1
	name, named := bytes.CutPrefix(flag, []byte("p="))
	switch {
	case named && isBindingName(name):
		h.flag, h.binding = 'p', string(name)
	case len(flag) == 1 && (flag[0] == 'n' || flag[0] == 'y'):
		h.flag = flag[0]
	default:
		return h, 0, false
	}
	if len(authzid) == 0 {
		return h, n, true
	}
	escaped, ok := bytes.CutPrefix(authzid, []byte("a="))
	if !ok {
		return h, 0, false
	}
	h.authzid, ok = unescapeName(escaped)
	return h, n, ok
}

// isBindingName: cb-name = 1*(ALPHA / DIGIT / "." / "-").
func isBindingName(b []byte) bool {
	for _, c := range b {
		if !isAlphanumeric(c) && c != '.' && c != '-' {
			return false
		}
	}
	return len(b) > 0 && len(b) <= 64
}

// unescapeName reads saslname = 1*(value-safe-char / "=2C" / "=3D").
func unescapeName(b []byte) (string, bool) {
	if len(b) == 0 || len(b) > 3*MaxName || !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0 || bytes.IndexByte(b, ',') >= 0 {
		return "", false
	}
	var name strings.Builder
	for {
		before, after, found := bytes.Cut(b, []byte{'='})
		name.Write(before)
		if !found {
			return name.String(), name.Len() <= MaxName
		}
		switch {
		case bytes.HasPrefix(after, []byte("2C")):
			name.WriteByte(',')
		case bytes.HasPrefix(after, []byte("3D")):
			name.WriteByte('=')
		default:
			return "", false
		}
		b = after[2:]
	}
}

// escapeName is the reverse of unescapeName.
func escapeName(name string) string {
	return strings.NewReplacer("=", "=3D", ",", "=2C").Replace(name)
}
