package smtp

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"unicode/utf8"
)

// Limits of RFC 5321 §4.5.3.1, in octets as written on the wire.
const (
	MaxLocalPart = 64  // §4.5.3.1.1
	MaxDomain    = 255 // §4.5.3.1.2
	MaxPath      = 256 // §4.5.3.1.3, angle brackets included
)

// Why a path was refused.
var (
	// ErrSyntax: the octets do not follow the grammar.
	ErrSyntax = errors.New("smtp: syntax error")

	// ErrTooLong: a limit of RFC 5321 §4.5.3.1 is exceeded.
	ErrTooLong = errors.New("smtp: too long")

	// ErrNeedsUTF8: the address is valid, but only under SMTPUTF8
	// (RFC 6531 §3.2), which the caller did not allow.
	ErrNeedsUTF8 = errors.New("smtp: address needs SMTPUTF8")
)

// ParseReversePath parses a Reverse-path with its angle brackets, "<>"
// included (RFC 5321 §4.1.2). Octets beyond ASCII are taken only with
// allowUTF8 and only as valid UTF-8 (RFC 6531 §3.3).
func ParseReversePath(s string, allowUTF8 bool) (ReversePath, error) {
	p, n, err := ConsumeReversePath([]byte(s), allowUTF8)
	if err == nil && n != len(s) {
		err = syntaxError("text behind the path")
	}
	if err != nil {
		return ReversePath{}, wholeInput(err)
	}
	return p, nil
}

// ParseForwardPath parses a Forward-path with its angle brackets (RFC 5321
// §4.1.2); <postmaster> without a domain is one.
func ParseForwardPath(s string, allowUTF8 bool) (ForwardPath, error) {
	p, n, err := ConsumeForwardPath([]byte(s), allowUTF8)
	if err == nil && n != len(s) {
		err = syntaxError("text behind the path")
	}
	if err != nil {
		return ForwardPath{}, wholeInput(err)
	}
	return p, nil
}

// ParseMailbox parses a Mailbox (RFC 5321 §4.1.2), local-part "@" domain,
// without angle brackets: what configuration files and AUTH= hold.
func ParseMailbox(s string, allowUTF8 bool) (Path, error) {
	p, n, err := consumeMailbox([]byte(s), allowUTF8)
	if err == nil && n != len(s) {
		err = syntaxError("text behind the mailbox")
	}
	if err != nil {
		return Path{}, wholeInput(err)
	}
	return p, nil
}

// wholeInput turns "need more" into a plain syntax error where no more can come.
func wholeInput(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return syntaxError("path ends too early")
	}
	return err
}

func syntaxError(what string) error { return fmt.Errorf("%w: %s", ErrSyntax, what) }

// ConsumeReversePath parses the Reverse-path that b starts with and returns
// the octets it took. io.ErrUnexpectedEOF means that b ends inside it.
//
//	Reverse-path = Path / "<>"
func ConsumeReversePath(b []byte, allowUTF8 bool) (ReversePath, int, error) {
	if len(b) >= 2 && b[0] == '<' && b[1] == '>' {
		return ReversePath{}, 2, nil
	}
	p, n, err := consumePath(b, allowUTF8)
	return ReversePath{p}, n, err
}

// ConsumeForwardPath parses the Forward-path that b starts with and returns
// the octets it took. io.ErrUnexpectedEOF means that b ends inside it.
//
//	Rcpt = "<Postmaster@" Domain ">" / "<Postmaster>" / Forward-path
func ConsumeForwardPath(b []byte, allowUTF8 bool) (ForwardPath, int, error) {
	const bare = "<postmaster>"
	if len(b) >= len(bare) && equalFoldASCII(string(b[:len(bare)]), bare) {
		return ForwardPath{Path{Local: string(b[1 : len(bare)-1])}}, len(bare), nil
	}
	p, n, err := consumePath(b, allowUTF8)
	return ForwardPath{p}, n, err
}

// consumePath: "<" [ A-d-l ":" ] Mailbox ">" (RFC 5321 §4.1.2). The source
// route A-d-l is checked and dropped (RFC 5321 §3.6.1, appendix C).
func consumePath(b []byte, allowUTF8 bool) (Path, int, error) {
	if len(b) == 0 {
		return Path{}, 0, io.ErrUnexpectedEOF
	}
	if b[0] != '<' {
		return Path{}, 0, syntaxError(`path starts with "<"`)
	}
	i, err := consumeRoute(b[1:], allowUTF8)
	if err != nil {
		return Path{}, 0, err
	}
	i++
	p, n, err := consumeMailbox(b[i:], allowUTF8)
	if err != nil {
		return Path{}, 0, err
	}
	i += n
	switch {
	case i == len(b):
		return Path{}, 0, io.ErrUnexpectedEOF
	case b[i] != '>':
		return Path{}, 0, syntaxError(`path ends with ">"`)
	case i+1 > MaxPath:
		return Path{}, 0, fmt.Errorf("%w: path of %d octets", ErrTooLong, i+1)
	}
	return p, i + 1, nil
}

// consumeRoute: A-d-l ":" where A-d-l = At-domain *( "," At-domain ). Zero
// octets where there is none.
func consumeRoute(b []byte, allowUTF8 bool) (int, error) {
	if len(b) == 0 || b[0] != '@' {
		return 0, nil
	}
	for i := 0; ; {
		if i == len(b) {
			return 0, io.ErrUnexpectedEOF
		}
		if b[i] != '@' {
			return 0, syntaxError("source route")
		}
		n, err := consumeDomain(b[i+1:], allowUTF8)
		if err != nil {
			return 0, err
		}
		i += 1 + n
		if i == len(b) {
			return 0, io.ErrUnexpectedEOF
		}
		if b[i] != ',' && b[i] != ':' {
			return 0, syntaxError("source route")
		}
		i++
		if b[i-1] == ':' {
			return i, nil
		}
	}
}

// consumeMailbox: Local-part "@" ( Domain / address-literal ). Local-part and
// domain of the result share one string.
func consumeMailbox(b []byte, allowUTF8 bool) (Path, int, error) {
	n, err := consumeLocal(b, allowUTF8)
	if err != nil {
		return Path{}, 0, err
	}
	if n == len(b) {
		return Path{}, 0, io.ErrUnexpectedEOF
	}
	if b[n] != '@' {
		return Path{}, 0, syntaxError("local-part")
	}
	d, err := consumeDomain(b[n+1:], allowUTF8)
	if err != nil {
		return Path{}, 0, err
	}
	end := n + 1 + d
	if b[0] == '"' {
		return Path{Local: unquote(b[1 : n-1]), Domain: string(b[n+1 : end])}, end, nil
	}
	s := string(b[:end])
	return Path{Local: s[:n], Domain: s[n+1:]}, end, nil
}

// consumeLocal: Local-part = Dot-string / Quoted-string. It returns the
// octets of the written form.
func consumeLocal(b []byte, allowUTF8 bool) (int, error) {
	if len(b) == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := 0, error(nil)
	if b[0] == '"' {
		n, err = consumeQuoted(b)
	} else {
		for n < len(b) && (b[n] == '.' || isAtext(b[n])) {
			n++
		}
		if n > 0 && n < len(b) && !dotted(b[:n]) || n == 0 {
			err = syntaxError("local-part")
		}
	}
	if err != nil {
		return 0, err
	}
	if n > MaxLocalPart {
		return 0, fmt.Errorf("%w: local-part of %d octets", ErrTooLong, n)
	}
	return n, checkUTF8(b[:n], allowUTF8)
}

// dotted: Atom *("." Atom), given that b holds only atext and dots.
func dotted(b []byte) bool {
	prev := byte('.')
	for _, c := range b {
		if c == '.' && prev == '.' {
			return false
		}
		prev = c
	}
	return prev != '.'
}

// consumeQuoted: Quoted-string = DQUOTE *QcontentSMTP DQUOTE, where
// qtextSMTP = %d32-33 / %d35-91 / %d93-126 and quoted-pairSMTP = "\" %d32-126;
// octets beyond ASCII are qtext by RFC 6531 §3.3.
func consumeQuoted(b []byte) (int, error) {
	for i := 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return i + 1, nil
		case c < ' ' || c == 0x7f:
			return 0, syntaxError("control character in local-part")
		case c == '\\':
			i++
			if i < len(b) && (b[i] < ' ' || b[i] >= 0x7f) {
				return 0, syntaxError("quoted pair in local-part")
			}
		}
	}
	return 0, io.ErrUnexpectedEOF
}

// unquote removes the backslashes of quoted pairs.
func unquote(b []byte) string {
	var s strings.Builder
	s.Grow(len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' {
			i++
		}
		s.WriteByte(b[i])
	}
	return s.String()
}

// checkUTF8 judges octets beyond ASCII: valid UTF-8 without the C1 controls,
// and only where SMTPUTF8 allows them.
func checkUTF8(b []byte, allowUTF8 bool) error {
	ascii := true
	for i := 0; i < len(b); {
		if b[i] < utf8.RuneSelf {
			i++
			continue
		}
		ascii = false
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return syntaxError("not UTF-8")
		}
		if r < 0xa0 {
			return syntaxError("control character")
		}
		i += n
	}
	if !ascii && !allowUTF8 {
		return ErrNeedsUTF8
	}
	return nil
}

// consumeDomain: Domain / address-literal.
//
//	Domain     = sub-domain *("." sub-domain)
//	sub-domain = Let-dig [Ldh-str] / U-label
//
// "_" is taken as a letter: names with it stand in the DNS and in the
// reverse-paths of mail that has to be delivered.
func consumeDomain(b []byte, allowUTF8 bool) (int, error) {
	if len(b) == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	if b[0] == '[' {
		return consumeLiteral(b)
	}
	n, label := 0, 0
	for ; n < len(b); n++ {
		c := b[n]
		if c == '.' {
			if !goodLabel(b[label:n]) {
				return 0, syntaxError("domain")
			}
			label = n + 1
		} else if c != '-' && c != '_' && !isLetDig(c) {
			break
		}
	}
	if n > MaxDomain {
		return 0, fmt.Errorf("%w: domain of %d octets", ErrTooLong, n)
	}
	if !goodLabel(b[label:n]) {
		if n == len(b) && n > 0 {
			return 0, io.ErrUnexpectedEOF
		}
		return 0, syntaxError("domain")
	}
	return n, checkUTF8(b[:n], allowUTF8)
}

// goodLabel: 1..63 octets (RFC 1035 §2.3.4) that neither start nor end with
// "-". U-labels are counted as UTF-8, which is never shorter than they may be.
func goodLabel(l []byte) bool {
	if len(l) == 0 || l[0] == '-' || l[len(l)-1] == '-' {
		return false
	}
	if len(l) <= 63 {
		return true
	}
	return utf8.RuneCount(l) <= 63 && !isASCII(string(l))
}

func isLetDig(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c >= 0x80
}

// consumeLiteral: address-literal = "[" ( IPv4-address-literal /
// IPv6-address-literal / General-address-literal ) "]" (RFC 5321 §4.1.3).
func consumeLiteral(b []byte) (int, error) {
	for i := 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == ']':
			if i+1 > MaxDomain {
				return 0, fmt.Errorf("%w: address literal", ErrTooLong)
			}
			if !goodLiteral(string(b[1:i])) {
				return 0, syntaxError("address literal")
			}
			return i + 1, nil
		case c <= ' ' || c >= 0x7f || c == '[' || c == '\\':
			return 0, syntaxError("address literal")
		}
	}
	return 0, io.ErrUnexpectedEOF
}

func goodLiteral(s string) bool {
	tag, rest, tagged := strings.Cut(s, ":")
	switch {
	case !tagged:
		a, err := netip.ParseAddr(s)
		return err == nil && a.Is4()
	case equalFoldASCII(tag, "IPv6"):
		a, err := netip.ParseAddr(rest)
		return err == nil && a.Is6() && a.Zone() == ""
	}
	// Standardized-tag ":" 1*dcontent; Standardized-tag = Ldh-str.
	for i := 0; i < len(tag); i++ {
		if c := tag[i]; c != '-' && !isLetDig(c) {
			return false
		}
	}
	return tag != "" && tag[len(tag)-1] != '-' && rest != ""
}

// Addr is the IP address of an address literal domain; ok is false for a
// name and for a General-address-literal.
func (p Path) Addr() (addr netip.Addr, ok bool) {
	n := len(p.Domain)
	if n < 2 || p.Domain[0] != '[' || p.Domain[n-1] != ']' {
		return netip.Addr{}, false
	}
	s := p.Domain[1 : n-1]
	if len(s) > 5 && equalFoldASCII(s[:5], "IPv6:") {
		s = s[5:]
	}
	addr, err := netip.ParseAddr(s)
	return addr, err == nil
}
