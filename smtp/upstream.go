package smtp

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Upstream is the client for which a peer speaks: what XCLIENT and XFORWARD
// say (Postfix, XCLIENT_README and XFORWARD_README). The zero value, and each
// zero field, means "not known". Values hold printable ASCII without spaces.
type Upstream struct {
	Name     string         // NAME: host name that the address was resolved to
	Addr     netip.AddrPort // ADDR and PORT
	Protocol string         // PROTO: SMTP, ESMTP; with XFORWARD any word
	Hello    string         // HELO
	Login    string         // LOGIN: account name; XCLIENT only
	Dest     netip.AddrPort // DESTADDR and DESTPORT: where the client connected to; XCLIENT only
	Ident    string         // IDENT: queue id at the upstream host; XFORWARD only
	Source   string         // SOURCE: LOCAL or REMOTE; XFORWARD only
}

// The attributes of each command, as they stand behind its keyword in the
// reply to EHLO.
const (
	XClientAttributes  = "NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT"
	XForwardAttributes = "NAME ADDR PORT PROTO HELO IDENT SOURCE"
)

// maxAttribute is the longest value of an attribute, decoded.
const maxAttribute = 255

// Apply takes the arguments of one XCLIENT or XFORWARD command, whose
// attributes are those of offered (see XClientAttributes). What is not
// mentioned keeps its value; [UNAVAILABLE] and [TEMPUNAVAIL] clear it. Errors
// are ErrSyntax, ErrRepeated and ErrTooLong; u is then unchanged.
//
//	1*( SP attribute-name "=" xtext )
func (u *Upstream) Apply(args []byte, offered string) error {
	next, seen := *u, ""
	fields := strings.FieldsFunc(string(args), func(r rune) bool { return r == ' ' })
	if len(fields) == 0 {
		return syntaxError("no attribute")
	}
	for _, f := range fields {
		name, value, ok := strings.Cut(f, "=")
		name = upperASCII(name)
		switch {
		case !ok || !hasWord(offered, name):
			return syntaxError("attribute")
		case hasWord(seen, name):
			return repeated([]byte(name))
		}
		seen += " " + name
		if err := next.set(name, value); err != nil {
			return err
		}
	}
	*u = next
	return nil
}

func upperASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' {
			r -= 'a' - 'A'
		}
		return r
	}, s)
}

func hasWord(list, word string) bool {
	for w := range strings.FieldsSeq(list) {
		if w == word {
			return true
		}
	}
	return false
}

func (u *Upstream) set(name, value string) error {
	value, err := parseAttribute(value)
	if err != nil {
		return err
	}
	switch name {
	case "NAME":
		u.Name = value
	case "PROTO":
		u.Protocol = value
	case "HELO":
		u.Hello = value
	case "LOGIN":
		u.Login = value
	case "IDENT":
		u.Ident = value
	case "SOURCE":
		u.Source = value
	case "ADDR":
		u.Addr, err = withAddr(u.Addr, value)
	case "DESTADDR":
		u.Dest, err = withAddr(u.Dest, value)
	case "PORT":
		u.Addr, err = withPort(u.Addr, value)
	case "DESTPORT":
		u.Dest, err = withPort(u.Dest, value)
	}
	return err
}

// parseAttribute decodes a value; "" where it is not available.
func parseAttribute(s string) (string, error) {
	if equalFoldASCII(s, "[UNAVAILABLE]") || equalFoldASCII(s, "[TEMPUNAVAIL]") {
		return "", nil
	}
	value, err := ParseXtext(s)
	switch {
	case err != nil:
		return "", err
	case value == "":
		return "", syntaxError("empty attribute")
	case len(value) > maxAttribute:
		return "", fmt.Errorf("%w: attribute", ErrTooLong)
	}
	for i := 0; i < len(value); i++ {
		if value[i] <= ' ' || value[i] >= 0x7f || strings.IndexByte(`<>()\",;`, value[i]) >= 0 {
			return "", syntaxError("character in an attribute")
		}
	}
	return value, nil
}

// withAddr: an IPv4 address, or "IPV6:" and an IPv6 address.
func withAddr(a netip.AddrPort, value string) (netip.AddrPort, error) {
	if value == "" {
		return netip.AddrPortFrom(netip.Addr{}, a.Port()), nil
	}
	const tag = "IPV6:"
	six := len(value) > len(tag) && equalFoldASCII(value[:len(tag)], tag)
	if six {
		value = value[len(tag):]
	}
	addr, err := netip.ParseAddr(value)
	if err != nil || addr.Is4() == six || addr.Zone() != "" {
		return a, syntaxError("address in an attribute")
	}
	return netip.AddrPortFrom(addr.Unmap(), a.Port()), nil
}

func withPort(a netip.AddrPort, value string) (netip.AddrPort, error) {
	if value == "" {
		return netip.AddrPortFrom(a.Addr(), 0), nil
	}
	n, err := parseDigits(value)
	if err != nil || n > 65535 {
		return a, syntaxError("port in an attribute")
	}
	return netip.AddrPortFrom(a.Addr(), uint16(n)), nil
}

// AppendAttributes appends the attributes that offered names, each with a
// space in front, as they stand behind XCLIENT or XFORWARD; what is not known
// as [UNAVAILABLE]. offered is what the server's reply to EHLO has behind the
// keyword.
func (u *Upstream) AppendAttributes(dst []byte, offered string) []byte {
	for name := range strings.FieldsSeq(upperASCII(offered)) {
		value, known := u.attribute(name)
		if !known {
			continue
		}
		dst = append(append(append(dst, ' '), name...), '=')
		if value == "" {
			dst = append(dst, "[UNAVAILABLE]"...)
		} else {
			dst = AppendXtext(dst, value)
		}
	}
	return dst
}

func (u *Upstream) attribute(name string) (value string, known bool) {
	switch name {
	case "NAME":
		return u.Name, true
	case "PROTO":
		return u.Protocol, true
	case "HELO":
		return u.Hello, true
	case "LOGIN":
		return u.Login, true
	case "IDENT":
		return u.Ident, true
	case "SOURCE":
		return u.Source, true
	case "ADDR":
		return addrValue(u.Addr), true
	case "DESTADDR":
		return addrValue(u.Dest), true
	case "PORT":
		return portValue(u.Addr), true
	case "DESTPORT":
		return portValue(u.Dest), true
	}
	return "", false
}

func addrValue(a netip.AddrPort) string {
	switch addr := a.Addr().Unmap().WithZone(""); {
	case !addr.IsValid():
		return ""
	case addr.Is6():
		return "IPV6:" + addr.String()
	default:
		return addr.String()
	}
}

func portValue(a netip.AddrPort) string {
	if a.Port() == 0 {
		return ""
	}
	return strconv.Itoa(int(a.Port()))
}
