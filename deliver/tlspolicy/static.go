package tlspolicy

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/internal/dnsname"
)

// Level is how strict an operator wants TLS to be, the weakest first.
type Level uint8

// The levels.
const (
	// Opportunistic: TLS where it works, with whatever certificate.
	Opportunistic Level = iota
	// None: connections without TLS, for hosts whose TLS does harm. It needs
	// Static.Override.
	None
	// Encrypt: TLS, with whatever certificate.
	Encrypt
	// Verify: TLS, with a certificate for the MX host. Without DNSSEC its name is
	// whatever the DNS says; Secure is not fooled by that.
	Verify
	// Secure: TLS, with a certificate for the domain or a name below it.
	Secure
	// Fingerprint: TLS, with a certificate or a key that the operator knows.
	Fingerprint
	// DANEOnly: TLS with a host that usable TLSA records authenticate, found by
	// validated MX records (RFC 7672 §6).
	DANEOnly
)

var levels = [...]string{"opportunistic", "none", "encrypt", "verify", "secure", "fingerprint", "dane-only"}

// String is the word for the level.
func (l Level) String() string { return levels[min(int(l), len(levels)-1)] }

// ParseLevel is the level of a word.
func ParseLevel(word string) (Level, error) {
	i := slices.Index(levels[:], word)
	if i < 0 {
		return 0, fmt.Errorf("tlspolicy: %q is none of %s", word, strings.Join(levels[:], ", "))
	}
	return Level(i), nil
}

// authenticates reports whether the level asks for a certificate of the
// operator's choice.
func (l Level) authenticates() bool { return l == Verify || l == Secure || l == Fingerprint }

// Static is what an operator asks of the hosts of a domain. The zero value asks
// for nothing. It is not changed once it is in use.
type Static struct {
	Level Level

	// Override: what the domain publishes (DANE, MTA-STS) does not count, be it
	// weaker or stronger. Otherwise both hold: Level is the least that is done.
	Override bool

	// Names are those of which the certificate must have one, for Verify and
	// Secure, in A-labels; with a dot in front, any below it. Empty = the MX host
	// for Verify, the domain and all below it for Secure.
	Names []string

	// Fingerprints are SHA-256 digests, of the certificate or of its public key
	// (SubjectPublicKeyInfo), one of which has to match. For Fingerprint.
	Fingerprints [][sha256.Size]byte
}

// ParseFingerprint reads a SHA-256 digest in hex, with or without colons.
func ParseFingerprint(text string) (sum [sha256.Size]byte, err error) {
	b, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	if err != nil || len(b) != len(sum) {
		return sum, fmt.Errorf("tlspolicy: %q is no SHA-256 digest in hex", text)
	}
	return [sha256.Size]byte(b), nil
}

// Validate says what is wrong.
func (s *Static) Validate() error {
	var errs []error
	if int(s.Level) >= len(levels) {
		errs = append(errs, fmt.Errorf("tlspolicy: no level %d", s.Level))
	}
	if s.Level == None && !s.Override {
		errs = append(errs, errors.New("tlspolicy: none needs Override, as it is weaker than what a domain may ask for"))
	}
	if (s.Level == Fingerprint) != (len(s.Fingerprints) > 0) {
		errs = append(errs, errors.New("tlspolicy: fingerprints and the level fingerprint go together"))
	}
	if len(s.Names) > 0 && s.Level != Verify && s.Level != Secure {
		errs = append(errs, fmt.Errorf("tlspolicy: names do not go with the level %v", s.Level))
	}
	for _, name := range s.Names {
		if !dnsname.Valid(strings.TrimPrefix(name, ".")) {
			errs = append(errs, fmt.Errorf("tlspolicy: %q is no name", name))
		}
	}
	return errors.Join(errs...)
}

// Table is the static policies by domain. The zero value has none. It is not
// changed once it is in use.
type Table struct {
	// Default is for domains without an entry.
	Default Static

	// Domains are entries by name, in A-labels and lower case; one with a dot in
	// front is for the names below it that have no entry of their own.
	Domains map[string]Static
}

// Find is the entry of a domain: its own, else that of the nearest name above
// it, else Default. A nil Table has none.
func (t *Table) Find(domain string) Static {
	if t == nil {
		return Static{}
	}
	if s, ok := t.Domains[domain]; ok {
		return s
	}
	for i := range len(domain) {
		if domain[i] == '.' {
			if s, ok := t.Domains[domain[i:]]; ok {
				return s
			}
		}
	}
	return t.Default
}

// Validate lists what is wrong, by domain.
func (t *Table) Validate() error {
	errs := []error{t.Default.Validate()}
	for domain, s := range t.Domains {
		if err := s.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", domain, err))
		}
		if name := strings.TrimPrefix(domain, "."); !dnsname.Valid(name) || strings.ToLower(name) != name {
			errs = append(errs, fmt.Errorf("tlspolicy: %q is no domain in lower case", domain))
		}
	}
	return errors.Join(errs...)
}

// Why a certificate is not what the operator asks for; tested with errors.Is.
var (
	// ErrFingerprint: neither the certificate nor its key is known.
	ErrFingerprint = errors.New("tlspolicy: fingerprint of the certificate")
	// ErrName: the certificate has none of the names. An x509.HostnameError is
	// behind it.
	ErrName = errors.New("tlspolicy: name of the certificate")
	// ErrChain: nobody who is trusted vouches for the certificate. The error of
	// crypto/x509 is behind it.
	ErrChain = errors.New("tlspolicy: chain of certificates")
)

// names are those of which the certificate has to have one.
func (s *Static) names(domain, host string) []string {
	switch {
	case len(s.Names) > 0:
		return s.Names
	case s.Level == Secure:
		return []string{domain, "." + domain}
	}
	return []string{host}
}

// identity tells what the entry verifies from what others do.
func (s *Static) identity(domain, host string) string {
	if s.Level != Fingerprint {
		return "static:" + s.Level.String() + ":" + strings.Join(s.names(domain, host), ",")
	}
	h := sha256.New()
	for _, f := range s.Fingerprints {
		h.Write(f[:])
	}
	return "static:fingerprint:" + hex.EncodeToString(h.Sum(nil)[:16])
}

// verify judges what a host shows, its own certificate first.
func (s *Static) verify(chain []*x509.Certificate, roots *x509.CertPool, names []string) error {
	if len(chain) == 0 {
		return ErrChain
	}
	if s.Level == Fingerprint {
		cert, key := sha256.Sum256(chain[0].Raw), sha256.Sum256(chain[0].RawSubjectPublicKeyInfo)
		if slices.Contains(s.Fingerprints, cert) || slices.Contains(s.Fingerprints, key) {
			return nil
		}
		return ErrFingerprint
	}
	if err := verifyChain(chain, roots, ""); err != nil {
		return fmt.Errorf("%w: %w", ErrChain, err)
	}
	var err error
	for _, name := range names {
		if err = hasName(chain[0], name); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%w: %w", ErrName, err)
}

// verifyChain is the check of crypto/tls; host "" = of no name.
func verifyChain(chain []*x509.Certificate, roots *x509.CertPool, host string) error {
	between := x509.NewCertPool()
	for _, cert := range chain[1:] {
		between.AddCert(cert)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, DNSName: host})
	return err
}

func hasName(cert *x509.Certificate, name string) error {
	if !strings.HasPrefix(name, ".") {
		return cert.VerifyHostname(name)
	}
	for _, has := range cert.DNSNames {
		if has = strings.ToLower(has); strings.HasSuffix(has, name) && len(has) > len(name) {
			return nil
		}
	}
	return x509.HostnameError{Certificate: cert, Host: name}
}

// failed is err in the form in which crypto/tls reports certificates.
func failed(chain []*x509.Certificate, err error) error {
	if err == nil {
		return nil
	}
	return &tls.CertificateVerificationError{UnverifiedCertificates: chain, Err: err}
}
