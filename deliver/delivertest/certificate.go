package delivertest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"sync"
	"time"
)

// authority signs the certificates of an Internet.
type authority struct {
	once   sync.Once
	key    *ecdsa.PrivateKey
	cert   *x509.Certificate
	err    error
	serial int64
}

// lifetime is how long certificates live, from an hour before the authority was
// made: longer than any test's clock runs.
const lifetime = 10 * 365 * 24 * time.Hour

func (a *authority) make() {
	a.once.Do(func() {
		if a.key, a.err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); a.err != nil {
			return
		}
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "delivertest"},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(lifetime),
			KeyUsage: x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
		}
		var der []byte
		if der, a.err = x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key); a.err == nil {
			a.cert, a.err = x509.ParseCertificate(der)
		}
	})
}

// Roots are what a client needs to trust certificates of Internet.Certificate.
func (n *Internet) Roots() *x509.CertPool {
	n.tb.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ca.make(); n.ca.err != nil {
		n.tb.Fatalf("delivertest: %v", n.ca.err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(n.ca.cert)
	return roots
}

// Certificate makes a certificate for these names, valid up to a time; zero =
// for longer than the test lasts.
func (n *Internet) Certificate(until time.Time, names ...string) *tls.Config {
	n.tb.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ca.make()
	cert, err := n.ca.sign(until, names)
	if err != nil {
		n.tb.Fatalf("delivertest: %v", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}}
}

func (a *authority) sign(until time.Time, names []string) (tls.Certificate, error) {
	if a.err != nil {
		return tls.Certificate{}, a.err
	}
	if until.IsZero() {
		until = a.cert.NotAfter
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	a.serial++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1 + a.serial), Subject: pkix.Name{CommonName: "host"}, DNSNames: names,
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key, Leaf: leaf}, err
}
