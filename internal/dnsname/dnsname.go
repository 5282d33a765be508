// Package dnsname has what the packages of mail authentication agree on about
// domain names: their form in A-labels, which of them are names, and which lie
// below others.
package dnsname

import (
	"errors"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// ErrDomain is that a text has no form in A-labels.
var ErrDomain = errors.New("dnsname: not a domain name")

const (
	maxName  = 253 // octets, without the dot at the end (RFC 1035 §2.3.4)
	maxLabel = 63

	// maxUnicode is what a name of maxName octets may have in UTF-8: an octet of
	// an A-label is at most one code point.
	maxUnicode = maxName * utf8.UTFMax
)

// ToASCII is a name in A-labels and lower case (RFC 5891 §5, with the mapping of
// UTS #46). ASCII is not looked into, so that "_dmarc" stays as it is; Valid
// judges that. Other text is converted only where it may be short enough for a
// name: the conversion takes time that grows with the square of a label. The
// error is ErrDomain.
func ToASCII(name string) (string, error) {
	if isASCII(name) {
		return strings.ToLower(name), nil
	}
	if len(name) > maxUnicode || !utf8.ValidString(name) {
		return "", ErrDomain
	}
	ascii, err := idna.Lookup.ToASCII(name)
	if err != nil {
		return "", ErrDomain
	}
	return ascii, nil
}

// Valid reports whether a name in A-labels has letters, digits, "-" and "_" only,
// in labels of 1 to 63 octets, at most 253 in all, without a dot at its end.
func Valid(name string) bool {
	label := 0
	for i := range len(name) {
		c := name[i]
		switch {
		case c == '.' && label > 0:
			label = 0
			continue
		case c|0x20 >= 'a' && c|0x20 <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return false
		}
		if label++; label > maxLabel {
			return false
		}
	}
	return label > 0 && len(name) <= maxName
}

// Within reports whether a name is top or lies below it, in any case. Both have
// no dot at their end.
func Within(name, top string) bool {
	n := len(name) - len(top)
	return n >= 0 && strings.EqualFold(name[n:], top) && (n == 0 || n > 1 && name[n-1] == '.')
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
