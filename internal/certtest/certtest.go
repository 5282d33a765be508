// Package certtest issues certificates for the TLS servers of tests.
package certtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"
)

// Authority is a certification authority.
type Authority struct {
	Key  *ecdsa.PrivateKey
	Cert *x509.Certificate
}

// New makes an authority that signs itself.
func New(t testing.TB) *Authority {
	t.Helper()
	return new(Authority).Under(t, "root")
}

// Under makes an authority below a.
func (a *Authority) Under(t testing.TB, name string) *Authority {
	t.Helper()
	b := &Authority{}
	b.Key, b.Cert = a.Issue(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	return b
}

// Issue fills the template, whose end is tomorrow unless it has one, and signs
// it; an empty Authority lets it sign itself.
func (a *Authority) Issue(t testing.TB, template *x509.Certificate) (*ecdsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62)); err != nil {
		t.Fatal(err)
	}
	template.NotBefore = time.Now().Add(-48 * time.Hour)
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(24 * time.Hour)
	}
	parent, signer := a.Cert, a.Key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return key, cert
}

// Chain is what a server with the key shows: its own certificate, and those
// above it.
func Chain(key *ecdsa.PrivateKey, certs ...*x509.Certificate) tls.Certificate {
	c := tls.Certificate{PrivateKey: key}
	for _, cert := range certs {
		c.Certificate = append(c.Certificate, cert.Raw)
	}
	return c
}
