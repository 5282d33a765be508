package store

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Inbox is the one name that every account has (RFC 9051 §5.1).
const Inbox = "INBOX"

// Separator stands between the levels of a mailbox name.
const Separator = "/"

// MaxName is the greatest length of a mailbox name in octets.
const MaxName = 1024

// CleanName returns the form in which a mailbox name is kept and compared, or
// ErrName. The name is brought to NFC (Net-Unicode, RFC 5198 §2; RFC 9051
// §6.3.4 lets a server convert), and a first level that spells INBOX in any
// case becomes "INBOX". Refused are: invalid UTF-8, more than MaxName octets,
// an empty level (so also a leading or trailing "/"), and control characters
// including U+2028 and U+2029. Every backend passes each name it is given
// through here; cleaning a clean name changes nothing.
func CleanName(name string) (string, error) {
	if len(name) > 4*MaxName || !utf8.ValidString(name) {
		return "", ErrName
	}
	name = norm.NFC.String(name)
	if len(name) > MaxName || strings.ContainsFunc(name, isControl) {
		return "", ErrName
	}
	for level := range strings.SplitSeq(name, Separator) {
		if level == "" {
			return "", ErrName
		}
	}
	first, _, _ := strings.Cut(name, Separator)
	if len(first) == len(Inbox) && strings.EqualFold(first, Inbox) {
		name = Inbox + name[len(first):]
	}
	return name, nil
}

// ValidateName reports whether name is clean: CleanName would return it as it
// is. Otherwise ErrName.
func ValidateName(name string) error {
	if clean, err := CleanName(name); err != nil || clean != name {
		return ErrName
	}
	return nil
}

func isControl(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
}

// ParentName is the name one level up; "" for a top level name.
func ParentName(name string) string {
	i := strings.LastIndex(name, Separator)
	if i < 0 {
		return ""
	}
	return name[:i]
}

// IsBelow reports whether name lies below parent, at any depth. Both are
// clean.
func IsBelow(name, parent string) bool {
	return len(name) > len(parent) && name[len(parent)] == Separator[0] && name[:len(parent)] == parent
}
