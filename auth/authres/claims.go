package authres

import (
	"strings"
	"unicode"

	"github.com/mailstead/mailstead/internal/dnsname"
)

// Claims reports whether a reader may take a field for one of the host with
// this authserv-id, so that it has to be removed from what comes from elsewhere
// (RFC 8601 §5). value is what stands behind "Authentication-Results:", folded
// or not, of any length. The id may be in any case and in either form of an
// internationalised domain, quoted, with comments in front, behind and between,
// with a version, or with a dot at its end; control characters are passed over. A
// field that nobody can parse is ours if the id stands anywhere in it; where the id
// is internationalised, also if other text beyond ASCII does. An encoded-word (RFC
// 2047), which some readers decode wherever it stands, is ours in place of an id
// whatever it says, since no id needs one.
func Claims(value, id string) bool {
	id = canonicalID(id)
	if id == "" {
		return false
	}
	h := readHead(value)
	if h.broken {
		return strings.Contains(value, encodedWord) || strings.Contains(strings.ToLower(h.spaced), id) || strings.Contains(strings.ToLower(value), id) ||
			strings.Contains(id, "xn--") && strings.ContainsFunc(value, func(r rune) bool { return r > unicode.MaxASCII })
	}
	if strings.Contains(h.joined, encodedWord) {
		return true
	}
	if f, err := Parse(value); err == nil && canonicalID(f.ID) == id {
		return true
	}
	first := strings.TrimLeftFunc(h.spaced, unicode.IsSpace)
	if i := strings.IndexFunc(first, unicode.IsSpace); i >= 0 {
		first = first[:i]
	}
	first, _, _ = strings.Cut(first, "/")
	if canonicalID(first) == id {
		return true
	}
	return canonicalID(withoutVersion(h.joined)) == id
}

// encodedWord begins one.
const encodedWord = "=?"

// canonicalID makes ids comparable. What is no domain is in lower case, and what
// is too long for one is not converted.
func canonicalID(id string) string {
	id = strings.TrimRight(id, ".")
	if a, err := dnsname.ToASCII(id); err == nil && strings.Trim(a, ".") != "" {
		return strings.TrimRight(a, ".")
	}
	return strings.ToLower(id)
}

// withoutVersion removes " 1" and "/1" from the end, then all white space.
func withoutVersion(s string) string {
	s = strings.TrimRight(s, " ")
	if t := strings.TrimRight(s, "0123456789"); strings.HasSuffix(t, " ") || strings.HasSuffix(t, "/") {
		s = strings.TrimSuffix(strings.TrimRight(t, " "), "/")
	}
	return strings.ReplaceAll(s, " ", "")
}

// head is what stands in front of the first ";", without quotes.
type head struct {
	spaced string // a comment is a space
	joined string // a comment is nothing
	broken bool   // a comment or a quoted-string has no end
}

func readHead(s string) head {
	var spaced, joined strings.Builder
	both := func(c byte) { spaced.WriteByte(c); joined.WriteByte(c) }
	depth, quoted := 0, false
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\\' && (depth > 0 || quoted) && i+1 < len(s) {
			if i++; depth == 0 {
				both(s[i])
			}
			continue
		}
		switch {
		case quoted && c == '"', depth == 0 && c == '"':
			quoted = !quoted
		case !quoted && c == '(':
			depth++
			spaced.WriteByte(' ')
		case !quoted && c == ')' && depth > 0:
			depth--
		case depth > 0 || c == '\r' || c == '\n':
		case !quoted && c == ';':
			return head{spaced: spaced.String(), joined: joined.String()}
		case c == '\t' || c == '\v' || c == '\f':
			both(' ')
		case c < ' ' || c == 0x7f:
		default:
			both(c)
		}
	}
	return head{spaced: spaced.String(), joined: joined.String(), broken: depth > 0 || quoted}
}
