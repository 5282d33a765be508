package dane

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/internal/certtest"
)

// about is the record of a certificate.
func about(c *x509.Certificate, usage, selector, matching uint8) dnsx.Association {
	raw := c.Raw
	if selector == selectSPKI {
		raw = c.RawSubjectPublicKeyInfo
	}
	switch matching {
	case matchSHA256:
		sum := sha256.Sum256(raw)
		raw = sum[:]
	case matchSHA512:
		sum := sha512.Sum512(raw)
		raw = sum[:]
	}
	return dnsx.Association{Usage: usage, Selector: selector, Matching: matching, Data: raw}
}

// shake is a handshake over loopback with a server that shows a chain.
func shake(t *testing.T, shown tls.Certificate, config *tls.Config) (sni string, err error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var server sync.WaitGroup
	server.Go(func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{shown}})
		_ = s.Handshake()
		sni = s.ConnectionState().ServerName
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", l.Addr().String())
	if c != nil {
		c.Close()
	}
	l.Close()
	server.Wait()
	return sni, err
}

func policyOf(names []string, list ...dnsx.Association) *Policy {
	return newPolicy("mx.example", names, records(true, list...))
}

// TestAuthenticate is the table of RFC 7671 §5 and RFC 7672 §3, each with a
// whole handshake.
func TestAuthenticate(t *testing.T) {
	root, other := certtest.New(t), certtest.New(t)
	mid := root.Under(t, "mid")
	named := func(names ...string) *x509.Certificate { return &x509.Certificate{DNSNames: names} }
	chain := func(template *x509.Certificate) (*x509.Certificate, tls.Certificate) {
		key, cert := mid.Issue(t, template)
		return cert, certtest.Chain(key, cert, mid.Cert, root.Cert)
	}
	leaf, shown := chain(named("mx.example"))
	foreign, foreignShown := chain(named("other.example"))
	old := named("mx.example")
	old.NotAfter = time.Now().Add(-time.Hour)
	expired, expiredShown := chain(old)
	_, wildShown := chain(named("*.example"))
	_, nextShown := chain(named("example"))
	_, commonShown := chain(&x509.Certificate{Subject: pkix.Name{CommonName: "mx.example"}})
	common := named("b.example")
	common.Subject.CommonName = "mx.example"
	_, bothShown := chain(common)
	short := shown
	short.Certificate = shown.Certificate[:2] // without the root
	selfKey, self := new(certtest.Authority).Issue(t, &x509.Certificate{DNSNames: []string{"mx.example"}, Subject: pkix.Name{CommonName: "x"}})
	selfShown := certtest.Chain(selfKey, self)
	forgedKey, forged := other.Issue(t, named("mx.example"))
	forgedShown := certtest.Chain(forgedKey, forged, mid.Cert, root.Cert)
	flip := about(leaf, 3, 1, 1)
	flip.Data = append([]byte{flip.Data[0] ^ 1}, flip.Data[1:]...)

	type test struct {
		name    string
		shown   tls.Certificate
		records []dnsx.Association
		want    error
	}
	tests := []test{
		{"EE, other key", shown, []dnsx.Association{about(foreign, 3, 1, 1)}, ErrMismatch},
		{"EE, one bit", shown, []dnsx.Association{flip}, ErrMismatch},
		{"EE, two records", shown, []dnsx.Association{flip, about(leaf, 3, 1, 1)}, nil},
		{"EE of the issuer", shown, []dnsx.Association{about(mid.Cert, 3, 1, 1)}, ErrMismatch},
		{"EE, other name", foreignShown, []dnsx.Association{about(foreign, 3, 1, 1)}, nil},
		{"EE, expired", expiredShown, []dnsx.Association{about(expired, 3, 1, 1)}, nil},
		{"EE, self-signed", selfShown, []dnsx.Association{about(self, 3, 0, 1)}, nil},
		{"SHA-512 before SHA-256", shown, []dnsx.Association{about(foreign, 3, 1, 2), about(leaf, 3, 1, 1)}, ErrMismatch},
		{"SHA-512 of another selector", shown, []dnsx.Association{about(foreign, 3, 0, 2), about(leaf, 3, 1, 1)}, nil},
		{"SHA-512 that is not usable", shown, []dnsx.Association{{Usage: 3, Selector: 1, Matching: 2, Data: []byte("short")}, about(leaf, 3, 1, 1)}, nil},
		{"TA, root", shown, []dnsx.Association{about(root.Cert, 2, 0, 1)}, nil},
		{"TA, in between", short, []dnsx.Association{about(mid.Cert, 2, 1, 1)}, nil},
		{"TA, not shown", short, []dnsx.Association{about(root.Cert, 2, 0, 1)}, ErrMismatch},
		{"TA, not shown, whole in the record", short, []dnsx.Association{about(root.Cert, 2, 0, 0)}, nil},
		{"TA, bare key, not shown", short, []dnsx.Association{about(root.Cert, 2, 1, 0)}, ErrMismatch},
		{"TA, another", shown, []dnsx.Association{about(other.Cert, 2, 0, 1)}, ErrMismatch},
		{"TA, another, whole in the record", shown, []dnsx.Association{about(other.Cert, 2, 0, 0)}, ErrChain},
		{"TA shown, but it has not signed", forgedShown, []dnsx.Association{about(root.Cert, 2, 0, 1)}, ErrChain},
		{"TA, other name", foreignShown, []dnsx.Association{about(root.Cert, 2, 0, 1)}, ErrName},
		{"TA, expired", expiredShown, []dnsx.Association{about(root.Cert, 2, 0, 1)}, ErrChain},
		{"TA, wildcard", wildShown, []dnsx.Association{about(root.Cert, 2, 0, 1)}, nil},
		{"TA, name of the next hop", nextShown, []dnsx.Association{about(root.Cert, 2, 0, 1)}, nil},
		{"TA, common name alone", commonShown, []dnsx.Association{about(root.Cert, 2, 0, 1)}, nil},
		{"TA, common name beside others", bothShown, []dnsx.Association{about(root.Cert, 2, 0, 1)}, ErrName},
		{"TA of the leaf", shown, []dnsx.Association{about(leaf, 2, 0, 1)}, ErrMismatch},
		{"TA, self-signed leaf", selfShown, []dnsx.Association{about(self, 2, 0, 1)}, nil},
		{"TA fails, EE matches", foreignShown, []dnsx.Association{about(root.Cert, 2, 0, 1), about(foreign, 3, 1, 1)}, nil},
		{"nothing usable: any certificate", expiredShown, []dnsx.Association{about(leaf, 1, 1, 1), about(leaf, 0, 0, 1)}, nil},
		{"EE beside what is not usable", expiredShown, []dnsx.Association{about(expired, 1, 1, 1), about(leaf, 3, 1, 1)}, ErrMismatch},
	}
	for selector := range uint8(2) {
		for matching := range uint8(3) {
			tests = append(tests,
				test{"EE, all forms", shown, []dnsx.Association{about(leaf, 3, selector, matching)}, nil},
				test{"TA, all forms", shown, []dnsx.Association{about(root.Cert, 2, selector, matching)}, nil})
		}
	}
	for _, c := range tests {
		p := policyOf([]string{"example"}, c.records...)
		sni, err := shake(t, c.shown, p.TLSConfig(nil))
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if sni != "mx.example" {
			t.Errorf("%s: SNI %q", c.name, sni)
		}
	}
	// Without a validated MX record the next hop is no name of the server.
	if _, err := shake(t, nextShown, policyOf(nil, about(root.Cert, 2, 0, 1)).TLSConfig(nil)); !errors.Is(err, ErrName) {
		t.Error(err)
	}
	if hostErr, ok := errors.AsType[x509.HostnameError](policyOf(nil, about(root.Cert, 2, 0, 1)).Verify([]*x509.Certificate{foreign, mid.Cert, root.Cert})); !ok || hostErr.Host != "mx.example" {
		t.Error(hostErr)
	}
	if err := policyOf(nil, about(leaf, 3, 1, 1)).Verify(nil); !errors.Is(err, ErrMismatch) {
		t.Error(err)
	}
}

func TestTLSConfig(t *testing.T) {
	key, leaf := certtest.New(t).Issue(t, &x509.Certificate{DNSNames: []string{"x"}})
	refused := errors.New("refused")
	base := &tls.Config{ServerName: "y", VerifyConnection: func(tls.ConnectionState) error { return refused }}
	if (&Policy{}).TLSConfig(base) != base || (&Policy{}).Verify(nil) != nil {
		t.Error("not applicable, and yet something is asked for")
	}
	if _, err := shake(t, certtest.Chain(key, leaf), policyOf(nil, about(leaf, 3, 1, 1)).TLSConfig(base)); !errors.Is(err, refused) {
		t.Error("the base does not verify any more: ", err)
	}
	if base.ServerName != "y" || base.InsecureSkipVerify || policyOf(nil).TLSConfig(base).MinVersion != tls.VersionTLS12 {
		t.Error("the base was changed, or TLS may be too old")
	}
}

// TestUsable: what no client can use (RFC 6698 §4.1).
func TestUsable(t *testing.T) {
	_, cert := certtest.New(t).Issue(t, &x509.Certificate{})
	for _, a := range []dnsx.Association{
		{Usage: 3, Selector: 1, Matching: 1, Data: make([]byte, 31)},
		{Usage: 3, Selector: 1, Matching: 1, Data: make([]byte, 33)},
		{Usage: 3, Selector: 1, Matching: 2, Data: make([]byte, 32)},
		{Usage: 3, Selector: 1, Matching: 3, Data: make([]byte, 32)},
		{Usage: 3, Selector: 2, Matching: 1, Data: make([]byte, 32)},
		{Usage: 4, Selector: 1, Matching: 1, Data: make([]byte, 32)},
		{Usage: 255, Selector: 255, Matching: 255},
		{Usage: 3, Selector: 1, Matching: 1},
		{Usage: 3, Selector: 0, Matching: 0},
		{Usage: 3, Selector: 0, Matching: 0, Data: []byte("certificate")},
		{Usage: 2, Selector: 1, Matching: 0, Data: cert.Raw},
		{Usage: 2, Selector: 0, Matching: 0, Data: cert.RawSubjectPublicKeyInfo},
		about(cert, 0, 1, 1),
		about(cert, 1, 0, 2),
	} {
		if p := policyOf(nil, a); p.Level != Encrypt || p.Verify([]*x509.Certificate{cert}) != nil {
			t.Errorf("%+v", a)
		}
	}
}

// FuzzRecords: records of any kind never panic, and never let a foreign
// certificate through.
func FuzzRecords(f *testing.F) {
	ca := certtest.New(f)
	_, leaf := ca.Issue(f, &x509.Certificate{DNSNames: []string{"evil.example"}})
	f.Add(uint8(3), uint8(1), uint8(1), make([]byte, 32))
	f.Add(uint8(2), uint8(0), uint8(0), ca.Cert.Raw)
	f.Add(uint8(2), uint8(1), uint8(0), ca.Cert.RawSubjectPublicKeyInfo)
	f.Fuzz(func(t *testing.T, usage, selector, matching uint8, data []byte) {
		a := dnsx.Association{Usage: usage, Selector: selector, Matching: matching, Data: data}
		p := policyOf(nil, a)
		err := p.Verify([]*x509.Certificate{leaf, ca.Cert})
		if (p.Level == Authenticate) != isUsable(a) || p.Level == Authenticate && err == nil && usage != daneEE || p.Level == Encrypt && err != nil {
			t.Fatalf("%+v: %v, %v", a, p.Level, err)
		}
		_ = p.Lines()
	})
}
