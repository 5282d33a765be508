package spf

import (
	"net/netip"
	"strconv"
	"strings"
)

// record is a policy, parsed and without a syntax error anywhere (RFC 7208
// §4.6).
type record struct {
	mechanisms []mechanism
	redirect   string // domain-spec; "" = none
	exp        string // domain-spec; "" = none
}

// mechanism is a directive (RFC 7208 §4.6.1).
type mechanism struct {
	text   string       // as it stands in the record
	domain string       // domain-spec; "" = the current domain
	net    netip.Prefix // of ip4 and ip6
	kind   kind
	bits4  uint8 // prefix length for IPv4, of a and mx
	bits6  uint8
}

// qualifier is the result where the mechanism matches.
func (m *mechanism) qualifier() Result {
	switch m.text[0] {
	case '-':
		return Fail
	case '~':
		return SoftFail
	case '?':
		return Neutral
	}
	return Pass
}

type kind uint8

const (
	all kind = iota
	include
	a
	mx
	ptr
	ip4
	ip6
	exists
)

var kinds = map[string]kind{"all": all, "include": include, "a": a, "mx": mx, "ptr": ptr, "ip4": ip4, "ip6": ip6, "exists": exists}

// syntaxError is a PermError of the record; its text names the term.
type syntaxError struct{ term, what string }

func (e *syntaxError) Error() string { return e.what + " in " + strconv.Quote(shorten(e.term)) }

// shorten bounds what is cited of a record.
func shorten(s string) string {
	if len(s) > 100 {
		return s[:100]
	}
	return s
}

// isRecord reports whether a TXT record is a policy: the version, and a space
// or nothing behind it (RFC 7208 §4.5).
func isRecord(txt string) bool {
	const version = "v=spf1"
	return len(txt) >= len(version) && strings.EqualFold(txt[:len(version)], version) && (len(txt) == len(version) || txt[len(version)] == ' ')
}

// parse parses a policy: version *( 1*SP ( directive / modifier ) ) *SP.
func parse(txt string) (*record, error) {
	r := &record{}
	for i := range len(txt) {
		if txt[i] < ' ' || txt[i] > '~' {
			return nil, &syntaxError{txt[i:], "an octet that is not printable ASCII"}
		}
	}
	_, terms, _ := strings.Cut(txt, " ")
	for terms != "" {
		var term string
		term, terms, _ = strings.Cut(terms, " ")
		if term == "" {
			continue
		}
		name, rest := cutName(term)
		var what string
		if strings.HasPrefix(rest, "=") {
			what = r.modifier(name, rest[1:])
		} else {
			what = r.directive(term)
		}
		if what != "" {
			return nil, &syntaxError{term, what}
		}
	}
	return r, nil
}

// cutName takes the longest name off: ALPHA *( ALPHA / DIGIT / "-" / "_" / "."
// ).
func cutName(s string) (name, rest string) {
	n := 0
	for n < len(s) && (isAlpha(s[n]) || n > 0 && (isDigit(s[n]) || s[n] == '-' || s[n] == '_' || s[n] == '.')) {
		n++
	}
	return s[:n], s[n:]
}

func isAlpha(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// modifier parses one (RFC 7208 §6) and says what is wrong with it.
func (r *record) modifier(name, value string) string {
	switch strings.ToLower(name) {
	case "":
		return "no name of a modifier"
	case "redirect":
		if r.redirect != "" {
			return "a second redirect"
		}
		r.redirect = value
		return checkDomain(value)
	case "exp":
		if r.exp != "" {
			return "a second exp"
		}
		r.exp = value
		return checkDomain(value)
	}
	return checkMacros(value, true)
}

// directive parses one (RFC 7208 §5) and says what is wrong with it.
func (r *record) directive(term string) string {
	m := mechanism{text: term, bits4: 32, bits6: 128}
	rest := term
	if strings.IndexByte("+-~?", term[0]) >= 0 {
		rest = term[1:]
	}
	end := strings.IndexAny(rest, ":/")
	if end < 0 {
		end = len(rest)
	}
	k, ok := kinds[strings.ToLower(rest[:end])]
	if !ok {
		return "an unknown mechanism"
	}
	m.kind = k
	if what := m.arguments(rest[end:]); what != "" {
		return what
	}
	r.mechanisms = append(r.mechanisms, m)
	return ""
}

// arguments parses what follows the name.
func (m *mechanism) arguments(rest string) string {
	switch m.kind {
	case all:
		if rest != "" {
			return "an argument of all"
		}
		return ""
	case ip4, ip6:
		return m.network(rest)
	case a, mx:
		var ok bool
		if rest, ok = m.cutLengths(rest); !ok {
			return "a bad prefix length"
		}
	}
	if rest == "" {
		if m.kind == include || m.kind == exists {
			return "no domain"
		}
		return ""
	}
	if rest[0] != ':' {
		return "a bad argument"
	}
	m.domain = rest[1:]
	return checkDomain(m.domain)
}

// network parses ":" ip4-network [ "/" length ], or that of ip6.
func (m *mechanism) network(rest string) string {
	text, ok := strings.CutPrefix(rest, ":")
	if !ok {
		return "no network"
	}
	bits := m.bits4
	if m.kind == ip6 {
		bits = m.bits6
	}
	if i := strings.LastIndexByte(text, '/'); i >= 0 {
		if bits, ok = length(text[i+1:], bits); !ok {
			return "a bad prefix length"
		}
		text = text[:i]
	}
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" || addr.Is4() != (m.kind == ip4) {
		return "a bad address"
	}
	m.net = netip.PrefixFrom(addr, int(bits))
	return ""
}

// cutLengths takes dual-cidr-length off the end: [ "/" 1*DIGIT ] [ "//"
// 1*DIGIT ]. What does not look like one belongs to the domain-spec.
func (m *mechanism) cutLengths(s string) (rest string, ok bool) {
	if rest, digits, found := cutDigits(s); found && strings.HasSuffix(rest, "//") {
		if m.bits6, ok = length(digits, 128); !ok {
			return s, false
		}
		s = rest[:len(rest)-2]
	}
	if rest, digits, found := cutDigits(s); found && strings.HasSuffix(rest, "/") {
		if m.bits4, ok = length(digits, 32); !ok {
			return s, false
		}
		s = rest[:len(rest)-1]
	}
	return s, true
}

// cutDigits takes digits off the end.
func cutDigits(s string) (rest, digits string, ok bool) {
	n := len(s)
	for n > 0 && isDigit(s[n-1]) {
		n--
	}
	return s[:n], s[n:], n < len(s)
}

// length parses a prefix length of at most most; no leading zeroes.
func length(s string, most uint8) (uint8, bool) {
	n, err := strconv.ParseUint(s, 10, 8)
	return uint8(n), err == nil && uint8(n) <= most && (s[0] != '0' || len(s) == 1)
}

// checkDomain says what is wrong with a domain-spec (RFC 7208 §7.1): a
// macro-string that ends in a macro, or in "." toplabel [ "." ].
func checkDomain(s string) string {
	if s == "" {
		return "an empty domain"
	}
	if what := checkMacros(s, false); what != "" {
		return what
	}
	if endsInMacro(s) {
		return ""
	}
	s = strings.TrimSuffix(s, ".")
	i := strings.LastIndexByte(s, '.')
	if i < 0 || !isTopLabel(s[i+1:]) {
		return "a bad domain"
	}
	return ""
}

// endsInMacro reports whether a valid macro-string ends in macro-expand.
func endsInMacro(s string) bool {
	last := false
	for len(s) > 0 {
		n := 1
		if last = s[0] == '%'; last {
			if n = 2; s[1] == '{' {
				n = strings.IndexByte(s, '}') + 1
			}
		}
		s = s[n:]
	}
	return last
}

// isTopLabel: letters, digits and hyphens, none at the ends, not digits alone.
func isTopLabel(s string) bool {
	digits := true
	for i := range len(s) {
		switch c := s[i]; {
		case isDigit(c):
		case isAlpha(c):
			digits = false
		case c == '-' && i > 0 && i < len(s)-1:
			digits = false
		default:
			return false
		}
	}
	return !digits
}
