package itest

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// startTLS says what has to be said before the handshake, and how the answers
// begin.
var startTLS = map[string][][2]string{
	"smtp":       {{"", "220"}, {"EHLO client.example", "250"}, {"STARTTLS", "220"}},
	"submission": {{"", "220"}, {"EHLO client.example", "250"}, {"STARTTLS", "220"}},
	"lmtp":       {{"", "220"}, {"LHLO client.example", "250"}, {"STARTTLS", "220"}},
	"imap":       {{"", "* OK"}, {"a STARTTLS", "a OK"}},
	"pop3":       {{"", "+OK"}, {"STLS", "+OK"}},
	"imaps":      nil, "pop3s": nil, "submissions": nil,
}

// certificate is the name in the certificate of a listener.
func (s *mailserver) certificate(t *testing.T, listener string) string {
	t.Helper()
	c, err := net.Dial("tcp", s.ports[listener])
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(30 * time.Second))
	r := bufio.NewReader(c)
	for _, st := range startTLS[listener] {
		if st[0] != "" {
			fmt.Fprintf(c, "%s\r\n", st[0])
		}
		expect(t, r, st[1])
	}
	tc := tls.Client(c, insecure())
	if err := tc.Handshake(); err != nil {
		t.Fatalf("%s: %v", listener, err)
	}
	return tc.ConnectionState().PeerCertificates[0].Subject.CommonName
}

// TestCertificate asserts that every listener has TLS, first with the
// certificate that the server signed itself, then with one from files that
// change while it runs; files that do not fit leave the last one in use.
func TestCertificate(t *testing.T) {
	s := newServer(t)
	for listener := range startTLS {
		if name := s.certificate(t, listener); name != "mx.example.org" {
			t.Errorf("%s: certificate of %q", listener, name)
		}
	}
	s.stop()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	put := func(name string) {
		c, k := selfSigned(t, name)
		for file, data := range map[string][]byte{cert: c, key: k} {
			if err := os.WriteFile(file, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	put("first.example")
	s.args = append(s.args, "-tls-cert", cert, "-tls-key", key)
	s.start()
	if name := s.certificate(t, "imaps"); name != "first.example" {
		t.Errorf("certificate of %q, want that of the file", name)
	}
	put("second.example")
	eventually(t, 10*time.Second, "the new certificate is not used", func() bool { return s.certificate(t, "smtp") == "second.example" })
	if err := os.WriteFile(key, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "the broken key is not reported", func() bool {
		if name := s.certificate(t, "pop3s"); name != "second.example" {
			t.Fatalf("certificate of %q behind a broken key", name)
		}
		return bytes.Contains([]byte(s.log.tail()), []byte("cannot reload the certificate"))
	})
}

// selfSigned makes a certificate and its key.
func selfSigned(t *testing.T, name string) (cert, key []byte) {
	t.Helper()
	priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, priv.Public(), priv)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(priv)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
}
