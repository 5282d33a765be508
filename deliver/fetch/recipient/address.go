package recipient

import (
	"bytes"
	"fmt"
	"iter"
	"strings"

	"github.com/mailstead/mailstead/internal/dnsname"
	"github.com/mailstead/mailstead/internal/mailaddr"
	"github.com/mailstead/mailstead/internal/mime"
	"github.com/mailstead/mailstead/smtp"
)

// set is a set of patterns: addresses, domains, the domains below one.
type set struct {
	patterns  map[string]bool
	separator string
}

func newSet(patterns []string, separator, what string) (set, []error) {
	s := set{patterns: make(map[string]bool, len(patterns)), separator: separator}
	var faults []error
	for i, text := range patterns {
		p, err := mailaddr.ParsePattern(text, false)
		if err == nil && p == mailaddr.Everybody {
			err = fmt.Errorf("%q takes addresses of everybody", text)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("recipient: %s %d: %w", what, i+1, err))
		}
		s.patterns[p] = true
	}
	return s, faults
}

func (s *set) has(p smtp.Path) bool {
	for pattern := range mailaddr.Patterns(p, s.separator) {
		if s.patterns[pattern] {
			return true
		}
	}
	return false
}

// isOurs reports an address that a header may make a recipient.
func (r *Resolver) isOurs(p smtp.Path) bool { return r.accept.has(p) && !r.own.has(p) }

// addresses yields what can be read as an address in an unfolded list, whoever's
// it is.
func addresses(list []byte) iter.Seq[smtp.Path] {
	return func(yield func(smtp.Path) bool) {
		quotes := bytes.IndexByte(list, '"') >= 0
		for a := range mime.Addresses(list) {
			if a.Kind != mime.Mailbox {
				continue
			}
			if !quotes && bytes.ContainsAny(a.Local, " \t@<") {
				// Addresses without commas between them, or worse.
				for word := range bytes.FieldsSeq(append(append(bytes.Clone(a.Local), '@'), a.Domain...)) {
					if p, ok := loose(string(word)); ok && !yield(p) {
						return
					}
				}
				continue
			}
			if p, ok := mailbox(a); ok && !yield(p) {
				return
			}
		}
	}
}

// mailbox is an address as a path. One within quotes as a whole is an address,
// too: some programs write it so.
func mailbox(a mime.Address) (smtp.Path, bool) {
	if a.Domain == nil {
		return loose(string(a.Local))
	}
	if len(a.Local) > smtp.MaxLocalPart || len(a.Domain) > smtp.MaxDomain {
		return smtp.Path{}, false
	}
	return check(smtp.Path{Local: string(a.Local), Domain: string(a.Domain)})
}

// loose reads an address that may have quotes or brackets around it.
func loose(text string) (smtp.Path, bool) {
	text = strings.Trim(text, `'"<>,; `)
	at := strings.LastIndexByte(text, '@')
	if at < 0 || strings.Contains(text[:at], "@") || len(text) > smtp.MaxPath {
		return smtp.Path{}, false
	}
	return check(smtp.Path{Local: text[:at], Domain: text[at+1:]})
}

// check returns an address that may stand in an envelope: a domain in U-labels is
// in A-labels there, unless the local-part needs SMTPUTF8 anyway.
func check(p smtp.Path) (smtp.Path, bool) {
	if strings.HasPrefix(p.Local, "'") && strings.HasSuffix(p.Domain, "'") {
		p.Local, p.Domain = p.Local[1:], p.Domain[:len(p.Domain)-1]
	}
	p.Domain = strings.TrimSuffix(p.Domain, ".")
	if p.NeedsUTF8() && !(smtp.Path{Local: p.Local, Domain: "x"}).NeedsUTF8() {
		if ascii, err := dnsname.ToASCII(p.Domain); err == nil {
			p.Domain = ascii
		}
	}
	q, err := smtp.ParseMailbox(p.String(), true)
	return q, err == nil
}

// ours returns the addresses of a field that may be recipients; strip takes the
// prefixes of the provider off.
func (r *Resolver) ours(dst []smtp.Path, value []byte, strip bool) []smtp.Path {
	for p := range addresses(mime.AppendUnfolded(nil, value)) {
		if strip {
			p.Local = r.stripped(p.Local)
		}
		if len(dst) <= r.maxRecipients && r.isOurs(p) {
			dst = append(dst, p)
		}
	}
	return dst
}

// stripped is a local-part without the longest prefix of Config.Strip.
func (r *Resolver) stripped(local string) string {
	for _, prefix := range r.strip {
		if len(local) > len(prefix) && strings.EqualFold(local[:len(prefix)], prefix) {
			return local[len(prefix):]
		}
	}
	return local
}
