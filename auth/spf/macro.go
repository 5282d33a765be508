package spf

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// macro is one "%{...}" (RFC 7208 §7.1).
type macro struct {
	letter  byte // in lower case
	escape  bool // the letter was in upper case
	keep    int  // how many parts from the right; 0 = all
	reverse bool
	delims  string
}

// maxExpansion bounds what an expansion keeps.
const maxExpansion = 8 << 10

// parseMacro parses what stands between the braces.
func parseMacro(s string, exp bool) (m macro, ok bool) {
	if s == "" {
		return m, false
	}
	m.letter, m.escape = s[0]|0x20, s[0] < 'a'
	if !isAlpha(s[0]) || !strings.Contains("slodiphv", string(m.letter)) && (!exp || !strings.Contains("crt", string(m.letter))) {
		return m, false
	}
	s = s[1:]
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	if n > 0 {
		keep, err := strconv.ParseUint(s[:n], 10, 31)
		if err != nil { // more parts than there can be
			keep = 1<<31 - 1
		}
		if m.keep = int(keep); m.keep == 0 {
			return m, false
		}
	}
	s = s[n:]
	if s != "" && s[0]|0x20 == 'r' {
		m.reverse, s = true, s[1:]
	}
	m.delims = s
	return m, strings.Trim(s, ".-+,/_=") == ""
}

// checkMacros says what is wrong with a macro-string; exp allows the letters
// of explanations. Spaces are let pass: where they are not allowed, none can
// be.
func checkMacros(s string, exp bool) string {
	for s != "" {
		if s[0] != '%' {
			s = s[1:]
			continue
		}
		if len(s) < 2 {
			return "a lone %"
		}
		switch s[1] {
		case '%', '_', '-':
			s = s[2:]
		case '{':
			end := strings.IndexByte(s, '}')
			if end < 0 {
				return "a macro without its end"
			}
			if _, ok := parseMacro(s[2:end], exp); !ok {
				return "a bad macro"
			}
			s = s[end+1:]
		default:
			return "a bad %"
		}
	}
	return ""
}

// expand expands a valid macro-string for the domain under evaluation. Of a
// domain only the end counts (§7.3), of an explanation the start: more than
// maxExpansion is not kept.
func (c *check) expand(ctx context.Context, s, domain string, tail bool) string {
	var b []byte
	for s != "" {
		i := strings.IndexByte(s, '%')
		if i < 0 {
			i = len(s)
		}
		b = append(b, s[:i]...)
		if s = s[i:]; s == "" {
			break
		}
		n := 2
		switch s[1] {
		case '%':
			b = append(b, '%')
		case '_':
			b = append(b, ' ')
		case '-':
			b = append(b, "%20"...)
		default:
			n = strings.IndexByte(s, '}') + 1
			m, _ := parseMacro(s[2:n-1], true)
			b = m.append(b, c.value(ctx, m.letter, domain))
		}
		s = s[n:]
		if len(b) > maxExpansion {
			if !tail {
				return string(b[:maxExpansion])
			}
			b = b[:copy(b, b[len(b)-maxExpansion/2:])]
		}
	}
	return string(b)
}

// value is what a letter stands for (RFC 7208 §7.2).
func (c *check) value(ctx context.Context, letter byte, domain string) string {
	switch letter {
	case 's':
		return c.sender
	case 'l':
		return c.local
	case 'o':
		return c.senderDomain
	case 'd':
		return domain
	case 'i':
		return dotted(c.ip)
	case 'p':
		return c.validated(ctx, domain)
	case 'v':
		if c.ip.Is4() {
			return "in-addr"
		}
		return "ip6"
	case 'h':
		return c.helo
	case 'c':
		return c.ip.String()
	case 'r':
		if c.hostname == "" {
			return "unknown"
		}
		return c.hostname
	}
	return strconv.FormatInt(c.now.Unix(), 10) // t
}

// dotted is an address as "i" has it: IPv6 in nibbles with dots.
func dotted(ip netip.Addr) string {
	if ip.Is4() {
		return ip.String()
	}
	raw := ip.As16()
	b := make([]byte, 0, 63)
	const digits = "0123456789ABCDEF"
	for _, octet := range raw {
		b = append(b, digits[octet>>4], '.', digits[octet&15], '.')
	}
	return string(b[:63])
}

// append adds a value as the transformers say.
func (m *macro) append(b []byte, value string) []byte {
	if m.delims != "" || m.keep > 0 || m.reverse {
		delims := m.delims
		if delims == "" {
			delims = "."
		}
		parts := splitAny(value, delims)
		if m.reverse {
			slices.Reverse(parts)
		}
		if m.keep > 0 && len(parts) > m.keep {
			parts = parts[len(parts)-m.keep:]
		}
		value = strings.Join(parts, ".")
	}
	if !m.escape {
		return append(b, value...)
	}
	const digits = "0123456789ABCDEF"
	for i := range len(value) { // unreserved of RFC 3986 §2.3
		if ch := value[i]; isAlpha(ch) || isDigit(ch) || strings.IndexByte("-._~", ch) >= 0 {
			b = append(b, ch)
		} else {
			b = append(b, '%', digits[ch>>4], digits[ch&15])
		}
	}
	return b
}

// splitAny splits at each of the delimiters; what is between two of them may be
// empty.
func splitAny(s, delims string) (parts []string) {
	for {
		i := strings.IndexAny(s, delims)
		if i < 0 {
			return append(parts, s)
		}
		parts = append(parts, s[:i])
		s = s[i+1:]
	}
}

// cutDomain makes a name of an expansion: without the dot at its end, and with
// as few labels less from the left as make it 253 octets (§7.3).
func cutDomain(s string) string {
	s = strings.TrimSuffix(s, ".")
	for len(s) > 253 {
		_, rest, ok := strings.Cut(s, ".")
		if !ok {
			return s
		}
		s = rest
	}
	return s
}
