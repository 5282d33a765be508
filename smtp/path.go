package smtp

import "strings"

// Path is the mailbox of a reverse-path or forward-path (RFC 5321 §4.1.2,
// RFC 6531 §3.3): a local-part and, but for <postmaster>, a domain.
//
// The value is what the address means, not how it was written: quoting is
// removed from Local on parsing and put back, where it is needed, by String.
// Source routes (RFC 5321 appendix C) are dropped on parsing.
type Path struct {
	// Local is the local-part without its quoting, case kept. It may hold any
	// octet of printable ASCII, space, and UTF-8; never CR, LF or NUL.
	Local string

	// Domain is the domain as the peer wrote it, case kept: a name in
	// A-labels or U-labels, or an address literal with its brackets. Empty
	// only for the null reverse-path and for <postmaster>.
	Domain string
}

// IsZero reports whether p holds neither local-part nor domain.
func (p Path) IsZero() bool { return p == Path{} }

// String is the path as it stands between the angle brackets of MAIL and
// RCPT: the local-part quoted where RFC 5321 §4.1.2 wants it, "" for the zero
// Path.
func (p Path) String() string {
	if p.IsZero() {
		return ""
	}
	local := QuoteLocal(p.Local)
	if p.Domain == "" {
		return local
	}
	return local + "@" + p.Domain
}

// Equal reports whether p and q name the same mailbox as far as any host may
// judge: local-parts octet by octet, domains without regard to ASCII case
// (RFC 5321 §2.4).
func (p Path) Equal(q Path) bool {
	return p.Local == q.Local && equalFoldASCII(p.Domain, q.Domain)
}

// NeedsUTF8 reports whether the path can be sent only under SMTPUTF8
// (RFC 6531 §3.2).
func (p Path) NeedsUTF8() bool { return !isASCII(p.Local) || !isASCII(p.Domain) }

// ReversePath is the argument of MAIL FROM (RFC 5321 §4.1.1.2). Its zero value
// is the null sender "<>".
type ReversePath struct{ Path }

// IsNull reports whether this is the null sender "<>" (RFC 5321 §4.5.5).
func (p ReversePath) IsNull() bool { return p.IsZero() }

// ForwardPath is the argument of RCPT TO (RFC 5321 §4.1.1.3). Its zero value
// names nobody and never stands in a transaction.
type ForwardPath struct{ Path }

// IsPostmaster reports whether this is the bare "<postmaster>", in any case,
// which every host must accept (RFC 5321 §4.5.1).
func (p ForwardPath) IsPostmaster() bool {
	return p.Domain == "" && equalFoldASCII(p.Local, "postmaster")
}

// QuoteLocal returns the local-part as it is written on the wire: unchanged
// where it is a Dot-string, else as a Quoted-string (RFC 5321 §4.1.2).
func QuoteLocal(local string) string {
	if isDotString(local) {
		return local
	}
	var b strings.Builder
	b.Grow(len(local) + 2)
	b.WriteByte('"')
	for i := 0; i < len(local); i++ {
		if c := local[i]; c == '"' || c == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(local[i])
	}
	b.WriteByte('"')
	return b.String()
}

// isDotString: Atom *("." Atom) (RFC 5321 §4.1.2), UTF-8 allowed as atext by
// RFC 6531 §3.3.
func isDotString(s string) bool {
	prev := byte('.')
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '.' {
			if prev == '.' {
				return false
			}
		} else if !isAtext(c) {
			return false
		}
		prev = c
	}
	return prev != '.'
}

// isAtext: atext of RFC 5322 §3.2.3 and, from RFC 6531 §3.3, any octet of
// UTF-8 beyond ASCII.
func isAtext(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c >= 0x80:
		return true
	}
	return strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// equalFoldASCII compares without regard to the case of ASCII letters only;
// no other folding is right for protocol words.
func equalFoldASCII(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		if lowerASCII(a[i]) != lowerASCII(b[i]) {
			return false
		}
	}
	return true
}

func lowerASCII(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
