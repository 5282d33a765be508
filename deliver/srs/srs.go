package srs

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mailstead/mailstead/internal/dnsname"
	"github.com/mailstead/mailstead/smtp"
)

// The errors of Forward and Reverse, and of Validate.
var (
	ErrTooLong = errors.New("srs: the local-part would be longer than 64 octets")
	ErrNotSRS  = errors.New("srs: not an address of the scheme")
	ErrHash    = errors.New("srs: the hash is wrong")
	ErrExpired = errors.New("srs: the address is too old")
	ErrConfig  = errors.New("srs: Domain and a secret of at least 8 octets are required")
)

// MinSecret is the least length of a secret in octets.
const MinSecret = 8

// Scheme rewrites paths. Domain and Secrets are required; the fields are set
// before the first use. Any number of goroutines may use it.
type Scheme struct {
	// Domain is that of the rewritten paths. Its mail has to arrive here.
	Domain string

	// Secrets key the hashes: the first one makes them, all of them check
	// them, so that a new one is put in front and an old one is removed after
	// MaxAge. At least MinSecret octets each.
	Secrets []string

	// Separator follows the tag SRS0 or SRS1: '=', '-' or '+'; zero = '='. All
	// three are understood.
	Separator byte

	// HashLength is the length of the hashes that are made; zero = 4, at most
	// 27. One of four letters has some 20 bits, which is enough against guesses
	// that each cost an RCPT.
	HashLength int

	// MinHash is the least length of a hash that is believed; zero = the
	// smaller one of HashLength and 4.
	MinHash int

	// MaxAge is how long a rewritten path is good, in whole days; zero = 21
	// days, at most 1,000.
	MaxAge time.Duration

	// IsLocal reports a domain whose senders are not rewritten, since this host
	// may send for it; nil = only Domain.
	IsLocal func(domain string) bool

	// AnySender lets Bounces take mail for a rewritten path from any sender.
	// Else only the null sender may use one: they stand in the Return-Path
	// of each forwarded message, for all to read.
	AnySender bool

	// Now is the clock; nil = time.Now.
	Now func() time.Time
}

// Validate returns ErrConfig where a required field is missing or a field is
// out of its range.
func (s *Scheme) Validate() error {
	switch {
	case s.Domain == "", len(s.Secrets) == 0:
		return ErrConfig
	case s.Separator != 0 && !isSeparator(s.Separator):
		return fmt.Errorf("%w; Separator is one of = - +", ErrConfig)
	case s.HashLength < 0, s.HashLength > maxHash, s.MinHash < 0, s.MinHash > s.hashLength():
		return fmt.Errorf("%w; a hash has 1 to %d letters, and MinHash is not above HashLength", ErrConfig, maxHash)
	case s.MaxAge < 0, s.maxDays() > 1000:
		return fmt.Errorf("%w; MaxAge is at most 1,000 days", ErrConfig)
	}
	for _, secret := range s.Secrets {
		if len(secret) < MinSecret {
			return ErrConfig
		}
	}
	return nil
}

// Is reports whether p is written as a rewritten path of this Domain. Nothing
// is said of its hash.
func (s *Scheme) Is(p smtp.Path) bool {
	tag, _ := cutTag(p.Local)
	return tag != 0 && strings.EqualFold(strings.TrimSuffix(p.Domain, "."), s.Domain)
}

// Forward is the reverse-path under which mail of p is sent on, with the domain of
// p in A-labels where that spares it SMTPUTF8. The null sender and local domains
// come back as they are. The error is ErrTooLong, or that of
// Validate; then p is returned.
func (s *Scheme) Forward(p smtp.ReversePath) (smtp.ReversePath, error) {
	if err := s.Validate(); err != nil {
		return p, err
	}
	if p.IsNull() || strings.EqualFold(p.Domain, s.Domain) || s.IsLocal != nil && s.IsLocal(p.Domain) {
		return p, nil
	}
	from := p.Path
	if ascii, err := dnsname.ToASCII(p.Domain); err == nil && p.NeedsUTF8() {
		if from.Domain = ascii; from.NeedsUTF8() { // the local-part does, anyhow
			from = p.Path
		}
	}
	out := smtp.ReversePath{Path: smtp.Path{Local: s.local(from), Domain: s.Domain}}
	if len(smtp.QuoteLocal(out.Local)) > smtp.MaxLocalPart {
		return p, ErrTooLong
	}
	return out, nil
}

// local is the rewritten local-part: what was rewritten once becomes SRS1,
// and SRS1 changes its hash only, so that a path does not grow with each host.
func (s *Scheme) local(p smtp.Path) string {
	tag, rest := cutTag(p.Local)
	if tag == '1' {
		_, host, user, ok := cut1(rest[1:])
		if _, err := valid(smtp.Path{Local: "SRS0" + user, Domain: host}); ok && err == nil {
			return s.join('1', s.hash(s.Secrets[0], s.hashLength(), host, user), host, user)
		}
	}
	if tag == '0' {
		return s.join('1', s.hash(s.Secrets[0], s.hashLength(), p.Domain, rest), p.Domain, rest)
	}
	day := dayText(s.today())
	return s.join('0', s.hash(s.Secrets[0], s.hashLength(), day, p.Domain, p.Local), day, p.Domain, p.Local)
}

func (s *Scheme) join(tag byte, fields ...string) string {
	sep := s.Separator
	if sep == 0 {
		sep = '='
	}
	return "SRS" + string([]byte{tag, sep}) + strings.Join(fields, "=")
}

// Reverse is the path that a rewritten one of this Domain stands for: the
// sender, or, of an SRS1, the address at the host that rewrote it first. The
// error is ErrNotSRS, ErrHash, ErrExpired, or that of Validate.
func (s *Scheme) Reverse(p smtp.Path) (smtp.Path, error) {
	if err := s.Validate(); err != nil {
		return smtp.Path{}, err
	}
	tag, rest := cutTag(p.Local)
	if tag == 0 || !s.Is(p) {
		return smtp.Path{}, ErrNotSRS
	}
	if tag == '1' {
		hash, host, user, ok := cut1(rest[1:])
		switch {
		case !ok:
			return smtp.Path{}, ErrNotSRS
		case !s.check(hash, host, user):
			return smtp.Path{}, ErrHash
		}
		return valid(smtp.Path{Local: "SRS0" + user, Domain: host})
	}
	f := strings.SplitN(rest[1:], "=", 4)
	if len(f) != 4 {
		return smtp.Path{}, ErrNotSRS
	}
	if !s.check(f[0], f[1:]...) {
		return smtp.Path{}, ErrHash
	}
	if !s.fresh(f[1]) {
		return smtp.Path{}, ErrExpired
	}
	return valid(smtp.Path{Local: f[3], Domain: f[2]})
}

// valid refuses what no transaction can hold, for the case that a secret got
// into other hands, or the fields were moved.
func valid(p smtp.Path) (smtp.Path, error) {
	if _, err := smtp.ParseForwardPath("<"+p.String()+">", true); err != nil {
		return smtp.Path{}, ErrNotSRS
	}
	return p, nil
}

// cutTag splits "SRS0" or "SRS1" off a local-part; the rest begins with a
// separator, and goes on. tag is 0 where there is none.
func cutTag(local string) (tag byte, rest string) {
	if len(local) < 6 || !strings.EqualFold(local[:3], "SRS") || local[3] != '0' && local[3] != '1' || !isSeparator(local[4]) {
		return 0, ""
	}
	return local[3], local[4:]
}

// cut1 splits the fields of an SRS1; user begins with the separator that
// followed SRS0.
func cut1(fields string) (hash, host, user string, ok bool) {
	f := strings.SplitN(fields, "=", 3)
	if len(f) != 3 || f[1] == "" || len(f[2]) < 2 || !isSeparator(f[2][0]) {
		return "", "", "", false
	}
	return f[0], f[1], f[2], true
}

func isSeparator(c byte) bool { return c == '=' || c == '-' || c == '+' }
