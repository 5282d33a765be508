package dmarc

import (
	"errors"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/mailstead/mailstead/internal/dnsname"
)

// errDomain is why a text is no domain.
var errDomain = errors.New("dmarc: not a domain name")

// canonical is a domain in A-labels and lower case. It has letters, digits,
// "-" and "_" only, and labels of 1 to 63 octets, 253 in all (RFC 9989 §5.3.1).
func canonical(s string) (string, error) {
	s, err := dnsname.ToASCII(s)
	if err != nil || !dnsname.Valid(s) {
		return "", errDomain
	}
	return s, nil
}

// parent is a domain without its first label; "" for a single label.
func parent(domain string) string {
	_, rest, _ := strings.Cut(domain, ".")
	return rest
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
	if suffix == domain || !dnsname.Within(domain, suffix) {
		return domain
	}
	return childOf(domain, suffix)
}
