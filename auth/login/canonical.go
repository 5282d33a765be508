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

// canonicalLocal folds a local name.
func canonicalLocal(local string) (string, error) {
	return untilStable(local, func(s string) (string, error) {
		out, err := precis.UsernameCaseMapped.String(s)
		if err != nil || out == "" {
			return "", ErrUsername
		}
		return out, nil
	})
}

// canonicalDomain folds a domain.
func canonicalDomain(domain string) (string, error) {
	if len(domain) > maxDomain {
		return "", ErrUsername
	}
	return untilStable(domain, foldDomain)
}

// untilStable applies fold until nothing changes: what is stored must find
// itself again. RFC 8264 §7 knows strings that need more than one pass, and
// gives up after a few.
func untilStable(s string, fold func(string) (string, error)) (string, error) {
	for range 4 {
		out, err := fold(s)
		if err != nil || out == s {
			return out, err
		}
		s = out
	}
	return "", ErrUsername
}

func foldDomain(domain string) (string, error) {
	domain = strings.TrimSuffix(domain, ".")
	if domain == "" || domain[0] == '.' || domain[len(domain)-1] == '.' {
		return "", ErrUsername
	}
	if u, err := idna.Lookup.ToUnicode(domain); err == nil {
		return u, nil
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
