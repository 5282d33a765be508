package verp

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"strings"

	"github.com/mailstead/mailstead/internal/dnsname"
	"github.com/mailstead/mailstead/smtp"
)

// The errors of Encode and Decode.
var (
	ErrNotVERP = errors.New("verp: not an address of the scheme")
	ErrHash    = errors.New("verp: the hash is wrong")
	ErrTooLong = errors.New("verp: the prefix leaves no room within 64 octets")
	ErrConfig  = errors.New("verp: Prefix and Domain are required, secrets have at least 8 octets")
)

// Scheme makes and reads reverse-paths. Prefix and Domain are required; the
// fields are set before the first use. Any number of goroutines may use it.
type Scheme struct {
	Prefix string // the local-part without a recipient: "news"
	Domain string

	// Separator stands behind Prefix; zero = '+'. Whoever delivers the bounces
	// has to know it as that of sub-addresses.
	Separator byte

	// Secrets key the hashes: the first makes them, all check them; none = no
	// hash. At least 8 octets each.
	Secrets []string
}

// Address is the recipient that a reverse-path stands for: Path, or where that
// was too long Token, which Scheme.Token makes of the path.
type Address struct {
	Path  smtp.Path
	Token string
}

func (s *Scheme) validate() error {
	if s.Prefix == "" || s.Domain == "" {
		return ErrConfig
	}
	for _, secret := range s.Secrets {
		if len(secret) < 8 {
			return ErrConfig
		}
	}
	return nil
}

func (s *Scheme) head() string {
	if s.Separator == 0 {
		return s.Prefix + "+"
	}
	return s.Prefix + string([]byte{s.Separator})
}

// Encode is the reverse-path for mail to a recipient. A domain in U-labels stands
// there in A-labels, so that the message needs no SMTPUTF8 for it (RFC 5890
// §2.3.2.1). The error is ErrConfig, or ErrTooLong where not even a token fits
// behind Prefix.
func (s *Scheme) Encode(rcpt smtp.Path) (smtp.ReversePath, error) {
	if err := s.validate(); err != nil {
		return smtp.ReversePath{}, err
	}
	rcpt = inALabels(rcpt)
	user := rcpt.Local + "=" + rcpt.Domain
	if len(s.Secrets) > 0 {
		user = s.sum(s.Secrets[0], rcpt)[:hashLength] + "=" + user
	}
	for _, rest := range []string{user, "=" + s.Token(rcpt)} {
		p := smtp.ReversePath{Path: smtp.Path{Local: s.head() + rest, Domain: s.Domain}}
		if len(smtp.QuoteLocal(p.Local)) <= smtp.MaxLocalPart {
			return p, nil
		}
	}
	return smtp.ReversePath{}, ErrTooLong
}

// Token names a recipient by a hash, without regard to letter case. With
// several secrets it is that of the first one: a token that was kept
// stays good.
func (s *Scheme) Token(rcpt smtp.Path) string {
	secret := ""
	if len(s.Secrets) > 0 {
		secret = s.Secrets[0]
	}
	return s.sum(secret, inALabels(rcpt))[:tokenLength]
}

func inALabels(p smtp.Path) smtp.Path {
	if ascii, err := dnsname.ToASCII(p.Domain); err == nil && p.Domain != "" && !isASCII(p.Domain) {
		p.Domain = ascii
	}
	return p
}

func isASCII(s string) bool { return !strings.ContainsFunc(s, func(r rune) bool { return r > '~' }) }

// Decode is the recipient of a reverse-path that came back as a forward-path, in
// whatever letter case. The error is ErrNotVERP, ErrHash or ErrConfig. A token is
// as it was found: whether it is one of ours, the look-up says.
func (s *Scheme) Decode(p smtp.Path) (Address, error) {
	if err := s.validate(); err != nil {
		return Address{}, err
	}
	head := s.head()
	if !strings.EqualFold(strings.TrimSuffix(p.Domain, "."), s.Domain) || len(p.Local) < len(head) || !strings.EqualFold(p.Local[:len(head)], head) {
		return Address{}, ErrNotVERP
	}
	rest := p.Local[len(head):]
	if token, ok := strings.CutPrefix(rest, "="); ok {
		if len(token) != tokenLength {
			return Address{}, ErrNotVERP
		}
		return Address{Token: strings.ToLower(token)}, nil
	}
	hash := ""
	if len(s.Secrets) > 0 {
		var ok bool
		if hash, rest, ok = strings.Cut(rest, "="); !ok {
			return Address{}, ErrNotVERP
		}
	}
	at := strings.LastIndexByte(rest, '=') // no domain has one
	if at < 1 {
		return Address{}, ErrNotVERP
	}
	rcpt := smtp.Path{Local: rest[:at], Domain: rest[at+1:]}
	if _, err := smtp.ParseForwardPath("<"+rcpt.String()+">", true); err != nil {
		return Address{}, ErrNotVERP
	}
	if len(s.Secrets) > 0 && !s.check(hash, rcpt) {
		return Address{}, ErrHash
	}
	return Address{Path: rcpt}, nil
}

const (
	hashLength  = 8  // 40 bits
	tokenLength = 26 // 130 bits
)

var letters = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func (s *Scheme) sum(secret string, rcpt smtp.Path) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(strings.ToLower(s.Prefix + "\x00" + s.Domain + "\x00" + rcpt.Local + "\x00" + rcpt.Domain)))
	return letters.EncodeToString(mac.Sum(nil))
}

func (s *Scheme) check(hash string, rcpt smtp.Path) bool {
	ok := false
	for _, secret := range s.Secrets {
		ok = hmac.Equal([]byte(s.sum(secret, rcpt)[:hashLength]), []byte(strings.ToLower(hash))) || ok
	}
	return ok
}
