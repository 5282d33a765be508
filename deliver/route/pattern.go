package route

import (
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/smtp"
)

// ErrPattern: what stands in a row is no pattern.
var ErrPattern = errors.New("route: not an address, a domain, a domain behind a dot, or *")

// The patterns that are no addresses or domains.
const (
	everybody  = "*"
	nullSender = "<>"
)

// parsePattern returns the canonical form of a pattern:
//
//	user@example.org  that address, in any case; also with a sub-address
//	example.org       every address of the domain
//	.example.org      every address of the domains below it, at any depth
//	*                 everybody, as is the empty string
//	<>                the null sender, of senders only
func parsePattern(s string, sender bool) (string, error) {
	switch {
	case s == "" || s == everybody:
		return everybody, nil
	case s == nullSender && sender:
		return nullSender, nil
	}
	address, dot := s, ""
	if strings.HasPrefix(s, ".") {
		dot, address = ".", s[1:]
	}
	isDomain := dot != "" || !strings.Contains(s, "@")
	if isDomain {
		address = "x@" + strings.TrimSuffix(address, ".")
	}
	p, err := smtp.ParseMailbox(address, true)
	if err != nil || dot != "" && strings.HasPrefix(p.Domain, "[") {
		return "", fmt.Errorf("%w: %q", ErrPattern, s)
	}
	if isDomain {
		return dot + deliver.CanonicalDomain(p.Domain), nil
	}
	return deliver.CanonicalAddress(p), nil
}

// addresses are the patterns that name exactly p: with its sub-address, and
// without.
func addresses(p smtp.Path, separator string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if p.Domain == "" {
			return
		}
		all := deliver.CanonicalAddress(p)
		if !yield(all) {
			return
		}
		at := strings.LastIndexByte(all, '@')
		if user, _, ok := strings.Cut(all[:at], separator); ok && user != "" && separator != noSeparator {
			yield(user + all[at:])
		}
	}
}

// patterns are all patterns that take p in, the most specific first.
func patterns(p smtp.Path, separator string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if p.IsZero() && !yield(nullSender) {
			return
		}
		for a := range addresses(p, separator) {
			if !yield(a) {
				return
			}
		}
		if p.Domain != "" {
			domain := deliver.CanonicalDomain(p.Domain)
			if !yield(domain) {
				return
			}
			for above := domain; !strings.HasPrefix(domain, "["); {
				dot := strings.IndexByte(above, '.')
				if dot < 0 {
					break
				}
				if !yield(above[dot:]) {
					return
				}
				above = above[dot+1:]
			}
		}
		yield(everybody)
	}
}
