package dmarc

import (
	"errors"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// errDomain is why a text is no domain.
var errDomain = errors.New("dmarc: not a domain name")

// canonical is a domain in A-labels and lower case. It has letters, digits,
// "-" and "_" only, and labels of 1 to 63 octets, 253 in all (RFC 9989 §5.3.1).
func canonical(s string) (string, error) {
	if len(s) > 1024 || !utf8.ValidString(s) {
		return "", errDomain
	}
	for i := range len(s) {
		if s[i] >= 0x80 {
			a, err := idna.Lookup.ToASCII(s)
			if err != nil {
				return "", errDomain
			}
			s = a
			break
		}
	}
	if len(s) == 0 || len(s) > 253 {
		return "", errDomain
	}
	label := 0
	for i := range len(s) {
		c := s[i]
		switch {
		case c == '.' && label > 0:
			label = 0
			continue
		case c|0x20 >= 'a' && c|0x20 <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return "", errDomain
		}
		if label++; label > 63 {
			return "", errDomain
		}
	}
	if label == 0 {
		return "", errDomain
	}
	return strings.ToLower(s), nil
}

// parent is a domain without its first label; "" for a single label.
func parent(domain string) string {
	_, rest, _ := strings.Cut(domain, ".")
	return rest
}

// within reports whether a domain is another one or below it.
func within(domain, top string) bool {
	rest, ok := strings.CutSuffix(domain, top)
	return ok && (rest == "" || strings.HasSuffix(rest, "."))
}

// childOf is the name one label below top on the way to domain, which lies
// below top.
func childOf(domain, top string) string {
	rest := strings.TrimSuffix(domain, "."+top)
	return domain[strings.LastIndexByte(rest, '.')+1:]
}

// SuffixList knows public suffixes. publicsuffix.List is one.
type SuffixList interface {
	// PublicSuffix is the public suffix of a domain in A-labels and lower
	// case, the domain itself if it is one. It may be called from any number
	// of goroutines.
	PublicSuffix(domain string) string
}

// OrganizationalDomain is the Organizational Domain by a list of public
// suffixes (RFC 7489 §3.2): the suffix and one label more, or the suffix where
// there is none. nil is the list of x/net. "" for what is no domain.
func OrganizationalDomain(list SuffixList, domain string) string {
	domain, err := canonical(domain)
	if err != nil {
		return ""
	}
	if list == nil {
		list = publicsuffix.List
	}
	suffix := list.PublicSuffix(domain)
	if suffix == domain || !within(domain, suffix) {
		return domain
	}
	return childOf(domain, suffix)
}
