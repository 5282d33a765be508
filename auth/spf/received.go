package spf

import (
	"net/netip"
	"strings"

	"github.com/mailstead/mailstead/auth/authres"
)

// Received returns the header field Received-SPF of a verdict (RFC 7208 §9.1),
// folded, with CRLF at its end. What the client said stands in it only quoted
// and without line ends and octets that are not printable ASCII.
func (v *Verdict) Received(q Query, receiver string) []byte {
	b := append([]byte("Received-SPF: "), v.Result...)
	b = append(b, "\r\n\t("...)
	b = appendComment(b, v.comment(q.IP.Unmap()))
	b = append(b, ')')
	pair := func(name, value string) {
		if value == "" {
			return
		}
		b = append(append(b, "\r\n\t"...), name...)
		b = appendValue(append(b, '='), value)
		b = append(b, ';')
	}
	pair("receiver", receiver)
	pair("identity", string(v.Identity))
	pair("client-ip", q.IP.Unmap().String())
	pair("envelope-from", q.Sender)
	pair("helo", q.Helo)
	if v.Result != PermError && v.Result != TempError {
		pair("mechanism", v.Mechanism)
	}
	if b[len(b)-1] == ';' {
		b = b[:len(b)-1]
	}
	return append(b, "\r\n"...)
}

// Statement is the verdict as it stands in Authentication-Results (RFC 8601
// §2.7.2), with the domain that was asked: smtp.mailfrom or smtp.helo.
func (v *Verdict) Statement() authres.Statement {
	s := authres.Statement{Method: authres.SPF, Result: v.Result}
	if v.Domain != "" {
		s.Properties = []authres.Property{{Type: "smtp", Name: string(v.Identity), Value: v.Domain}}
	}
	return s
}

// comment is the verdict for people.
func (v *Verdict) comment(ip netip.Addr) string {
	domain := shorten(v.Domain)
	switch v.Result {
	case Pass:
		return domain + " designates " + ip.String() + " as permitted sender"
	case Fail:
		return domain + " does not designate " + ip.String() + " as permitted sender"
	case SoftFail:
		return domain + " does probably not designate " + ip.String() + " as permitted sender"
	case Neutral:
		return domain + " neither permits nor denies " + ip.String()
	case None:
		return "no policy of " + domain
	case TempError:
		return "temporary error with the policy of " + domain
	}
	return "the policy of " + domain + " cannot be interpreted"
}

// appendComment adds text of a comment (RFC 5322 §3.2.2).
func appendComment(b []byte, s string) []byte {
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c > '~':
			b = append(b, '?')
		case strings.IndexByte(`()\`, c) >= 0:
			b = append(b, '\\', c)
		default:
			b = append(b, c)
		}
	}
	return b
}

// maxValue bounds a value in the field, so that its line stays below 998
// octets.
const maxValue = 400

// appendValue adds a dot-atom, or a quoted-string (RFC 7208 §9.1).
func appendValue(b []byte, s string) []byte {
	s = s[:min(len(s), maxValue)]
	plain := s != ""
	for i := range len(s) {
		c := s[i]
		plain = plain && (isAlpha(c) || isDigit(c) || strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0 || c == '.' && i > 0 && i < len(s)-1)
	}
	if plain && !strings.Contains(s, "..") {
		return append(b, s...)
	}
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c > '~':
			b = append(b, '?')
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
