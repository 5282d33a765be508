package ldap

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"github.com/mailstead/mailstead/auth/login"
)

// formsOf are the values of the placeholders for a name: one, and for an
// address in an internationalised domain two, as directories keep the domain
// in A-labels (mail is ASCII by its schema) or in U-labels. A name that no
// entry can have has none.
func formsOf(name, defaultDomain string) []names {
	if name == "" || len(name) > login.MaxUsername || !utf8.ValidString(name) || strings.IndexByte(name, 0) >= 0 {
		return nil
	}
	i := strings.LastIndexByte(name, '@')
	if i < 0 {
		return []names{{name: name, local: name, domain: defaultDomain}}
	}
	n := names{name: name, local: name[:i], domain: name[i+1:]}
	ascii, err := idna.Lookup.ToASCII(n.domain)
	if err != nil || ascii == n.domain {
		return []names{n}
	}
	return []names{{name: n.local + "@" + ascii, local: n.local, domain: ascii}, n}
}
