package imapmeta

import (
	"strings"

	"github.com/mailstead/mailstead/internal/imapwire"
)

// The first level of a name says whose the value is (RFC 5464 §3.2).
const (
	Private = "/private/" // each user has his own
	Shared  = "/shared/"  // one for all
)

// MaxName is the longest name of an entry in octets.
const MaxName = 512

// Clean returns the form in which the name of an entry is kept and compared: in
// lower case, as names are case-insensitive. Refused with an
// *[imapwire.SyntaxError], which is BAD, is what RFC 5464 §3.2 forbids.
func Clean(name string) (string, error) {
	switch {
	case len(name) > MaxName:
		return "", imapwire.Bad("Entry name too long")
	case strings.Contains(name, "//") || strings.HasSuffix(name, "/"):
		return "", imapwire.Bad("Entry name with an empty level")
	case strings.ContainsFunc(name, func(r rune) bool { return r < 0x20 || r > 0x7e || r == '*' || r == '%' }):
		return "", imapwire.Bad("Bad octet in entry name")
	}
	name = strings.ToLower(name)
	if !strings.HasPrefix(name+"/", Private) && !strings.HasPrefix(name+"/", Shared) {
		return "", imapwire.Bad("Entry name must begin with /private/ or /shared/")
	}
	return name, nil
}

// IsPrivate reports whether a clean name is one that each user has a value of
// his own for.
func IsPrivate(name string) bool { return strings.HasPrefix(name, Private) }

// holdsValue reports whether an entry of that clean name can have a value: the
// first level alone names a scope, and a vendor's names have four levels.
func holdsValue(name string) bool {
	levels := strings.Count(name, "/")
	vendor := strings.HasPrefix(name+"/", Private+"vendor/") || strings.HasPrefix(name+"/", Shared+"vendor/")
	return levels >= 4 || levels >= 2 && !vendor
}
