package dane

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mailstead/mailstead/auth/dnsx"
)

// The numbers of RFC 6698 §2.1 that are used.
const (
	daneTA = 2
	daneEE = 3

	selectCert = 0
	selectSPKI = 1

	matchFull   = 0
	matchSHA256 = 1
	matchSHA512 = 2
)

// Why a server is not authenticated; tested with errors.Is.
var (
	// ErrMismatch: no record matches what the server shows.
	ErrMismatch = errors.New("dane: no TLSA record matches the certificate")
	// ErrName: a trust anchor matches, but the certificate has another name. An
	// x509.HostnameError is behind it.
	ErrName = errors.New("dane: name of the certificate")
	// ErrChain: a trust anchor matches, but the chain to it does not hold. The
	// error of crypto/x509 is behind it.
	ErrChain = errors.New("dane: chain of certificates")
)

// usable returns the records that can authenticate a server: of each usage and
// selector, digests of the strongest kind only (RFC 7671 §9).
func usable(all []dnsx.Association) []dnsx.Association {
	var list []dnsx.Association
	var strong [4][2]bool
	for _, a := range all {
		if !isUsable(a) {
			continue
		}
		list = append(list, a)
		if a.Matching == matchSHA512 {
			strong[a.Usage][a.Selector] = true
		}
	}
	return slices.DeleteFunc(list, func(a dnsx.Association) bool {
		return a.Matching == matchSHA256 && strong[a.Usage][a.Selector]
	})
}

func isUsable(a dnsx.Association) bool {
	if a.Usage != daneTA && a.Usage != daneEE || a.Selector > selectSPKI {
		return false
	}
	switch a.Matching {
	case matchSHA256:
		return len(a.Data) == sha256.Size
	case matchSHA512:
		return len(a.Data) == sha512.Size
	case matchFull:
		var err error
		if a.Selector == selectCert {
			_, err = x509.ParseCertificate(a.Data)
		} else {
			_, err = x509.ParsePKIXPublicKey(a.Data)
		}
		return err == nil
	}
	return false
}

// forms are what records can say about one certificate.
type forms struct {
	cert *x509.Certificate
	made [2][3][]byte
}

// matches reports whether a record is about this certificate.
func (f *forms) matches(a dnsx.Association) bool {
	form := &f.made[a.Selector][a.Matching]
	if *form == nil {
		raw := f.cert.Raw
		if a.Selector == selectSPKI {
			raw = f.cert.RawSubjectPublicKeyInfo
		}
		switch a.Matching {
		case matchSHA256:
			sum := sha256.Sum256(raw)
			raw = sum[:]
		case matchSHA512:
			sum := sha512.Sum512(raw)
			raw = sum[:]
		}
		*form = raw
	}
	return bytes.Equal(*form, a.Data)
}

// TLSConfig is base (nil = the zero one) as the policy wants it. The caller
// requires TLS unless the level is NotApplicable, for which base is returned as
// it is. A VerifyConnection of base goes on being called, after that of the
// policy.
func (p *Policy) TLSConfig(base *tls.Config) *tls.Config {
	if p.Level == NotApplicable {
		return base
	}
	c := &tls.Config{}
	if base != nil {
		c = base.Clone()
	}
	c.ServerName = p.Base
	c.MinVersion = max(c.MinVersion, tls.VersionTLS12)
	c.InsecureSkipVerify = true // what follows verifies, or nothing does (§2.2)
	if p.Level == Authenticate {
		also := c.VerifyConnection
		c.VerifyConnection = func(cs tls.ConnectionState) error {
			if err := p.Verify(cs.PeerCertificates); err != nil || also == nil {
				return err
			}
			return also(cs)
		}
	}
	return c
}

// Verify authenticates a server by the certificates that it shows, its own
// first (RFC 7671 §5). Without usable records there is nothing to verify. The
// error is ErrMismatch, ErrName or ErrChain.
func (p *Policy) Verify(chain []*x509.Certificate) error {
	if p.Level != Authenticate {
		return nil
	}
	if len(chain) == 0 {
		return ErrMismatch
	}
	shown := make([]forms, len(chain))
	for i, cert := range chain {
		shown[i].cert = cert
	}
	anchors := x509.NewCertPool()
	found := false
	for _, a := range p.usable {
		if a.Usage == daneEE {
			if shown[0].matches(a) {
				return nil // neither names nor dates count (RFC 7671 §5.1)
			}
			continue
		}
		for i := range shown {
			if (i > 0 || selfIssued(chain[0])) && shown[i].matches(a) {
				anchors.AddCert(chain[i])
				found = true
			}
		}
		if a.Selector == selectCert && a.Matching == matchFull {
			if cert, err := x509.ParseCertificate(a.Data); err == nil {
				anchors.AddCert(cert)
				found = true
			}
		}
	}
	if !found {
		return ErrMismatch
	}
	return p.verifyChain(chain, anchors)
}

// verifyChain is the check of a trust anchor (RFC 7671 §5.2).
func (p *Policy) verifyChain(chain []*x509.Certificate, anchors *x509.CertPool) error {
	between := x509.NewCertPool()
	for _, cert := range chain[1:] {
		between.AddCert(cert)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: anchors, Intermediates: between, CurrentTime: time.Now()})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrChain, err)
	}
	for _, name := range p.Names {
		if hasName(chain[0], name) {
			return nil
		}
	}
	return fmt.Errorf("%w: %w", ErrName, x509.HostnameError{Certificate: chain[0], Host: p.Base})
}

func selfIssued(c *x509.Certificate) bool { return bytes.Equal(c.RawIssuer, c.RawSubject) }

// hasName compares names (RFC 7672 §3.2.3): those of the subjectAltName, or the
// common name where it has none; "*" stands for the first label.
func hasName(c *x509.Certificate, name string) bool {
	presented := c.DNSNames
	if len(presented) == 0 {
		presented = []string{c.Subject.CommonName}
	}
	_, parent, _ := strings.Cut(name, ".")
	return slices.ContainsFunc(presented, func(s string) bool {
		s = clean(s)
		suffix, wild := strings.CutPrefix(s, "*.")
		return s != "" && s == name || wild && suffix != "" && suffix == parent
	})
}
