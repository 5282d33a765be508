// Package mailaddr compares mail addresses, and holds the patterns that stand for
// some of them in tables: an address, a domain, the domains below one, everybody.
package mailaddr

import (
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/mailstead/mailstead/smtp"
)

// ErrPattern: a text is no pattern.
var ErrPattern = errors.New("not an address, a domain, a domain behind a dot, or *")

// The patterns that are no addresses or domains.
const (
	Everybody  = "*"
	NullSender = "<>"
)

// NoSeparator is the separator that splits nothing.
const NoSeparator = "none"

// ParsePattern returns the canonical form of a pattern:
//
//	user@example.org  that address, in any case; also with a sub-address
//	example.org       every address of the domain
//	.example.org      every address of the domains below it, at any depth
//	*                 everybody, as is the empty string
//	<>                the null sender, of senders only
func ParsePattern(s string, sender bool) (string, error) {
	switch {
	case s == "" || s == Everybody:
		return Everybody, nil
	case s == NullSender && sender:
		return NullSender, nil
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
		return dot + Domain(p.Domain), nil
	}
	return Address(p), nil
}

// Addresses are the patterns that name exactly p: with its sub-address, and
// without.
func Addresses(p smtp.Path, separator string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if p.Domain == "" {
			return
		}
		all := Address(p)
		if !yield(all) {
			return
		}
		at := strings.LastIndexByte(all, '@')
		if user, _, ok := strings.Cut(all[:at], separator); ok && user != "" && separator != NoSeparator {
			yield(user + all[at:])
		}
	}
}

// Patterns are all patterns that take p in, the most specific first.
func Patterns(p smtp.Path, separator string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if p.IsZero() && !yield(NullSender) {
			return
		}
		for a := range Addresses(p, separator) {
			if !yield(a) {
				return
			}
		}
		if p.Domain != "" {
			domain := Domain(p.Domain)
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
		yield(Everybody)
	}
}
