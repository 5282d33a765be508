package login

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/secure/precis"
)

// Bounds of what is looked at, in octets. RFC 4616 §2 asks for at least 255.
const (
	MaxUsername = 1024
	MaxPassword = 1024
)

// maxDomain is the longest domain name in octets (RFC 1035 §2.3.4).
const maxDomain = 255

// Canonical returns the form of a user name under which it is stored and
// compared. The local name goes through UsernameCaseMapped (RFC 8265 §3.3:
// narrow forms, lower case, NFC). Of an address the domain becomes lower-case
// U-labels without a final dot; a domain that IDNA refuses (an address
// literal, an underscore) stays, in lower case, if it is printable ASCII.
//
// ErrUsername: empty, longer than MaxUsername, not UTF-8, with spaces, control
// characters or others that no user name has.
func Canonical(username string) (string, error) {
	if username == "" || len(username) > MaxUsername || !utf8.ValidString(username) {
		return "", ErrUsername
	}
	local, domain, isAddress := cutLast(username, '@')
	local, err := canonicalLocal(local)
	if err != nil || !isAddress {
		return local, err
	}
	if domain, err = canonicalDomain(domain); err != nil {
		return "", err
	}
	return local + "@" + domain, nil
}

// cutLast splits at the last sep: a quoted local part may hold '@'.
func cutLast(s string, sep byte) (before, after string, found bool) {
	i := strings.LastIndexByte(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// canonicalLocal applies the profile until nothing changes: RFC 8264 §7 knows
// strings that need more than one pass, and gives up after a few.
func canonicalLocal(local string) (string, error) {
	for range 4 {
		out, err := precis.UsernameCaseMapped.String(local)
		if err != nil || out == "" {
			return "", ErrUsername
		}
		if out == local {
			return out, nil
		}
		local = out
	}
	return "", ErrUsername
}

func canonicalDomain(domain string) (string, error) {
	domain = strings.TrimSuffix(domain, ".")
	if domain == "" || len(domain) > maxDomain {
		return "", ErrUsername
	}
	// Twice the same answer, or none: what is stored must find itself again.
	if u, err := idna.Lookup.ToUnicode(domain); err == nil && u != "" {
		if again, err := idna.Lookup.ToUnicode(u); err == nil && again == u {
			return u, nil
		}
		return "", ErrUsername
	}
	for i := range len(domain) {
		if c := domain[i]; c <= ' ' || c >= 0x7f {
			return "", ErrUsername
		}
	}
	return strings.ToLower(domain), nil
}

// preparePassword applies OpaqueString (RFC 8265 §4.2: NFC, other spaces
// become U+0020). A password that it refuses cannot have been set either.
func preparePassword(p Password) (string, error) {
	text := p.Reveal()
	if text == "" || len(text) > MaxPassword || strings.IndexByte(text, 0) >= 0 {
		return "", ErrPassword
	}
	out, err := precis.OpaqueString.String(text)
	if err != nil || out == "" {
		return "", ErrPassword
	}
	return out, nil
}
