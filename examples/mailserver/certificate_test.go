package main

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestSelfSignedIsKept(t *testing.T) {
	o := &options{data: t.TempDir(), hostname: "mail.example.org"}
	first, err := newCertificate(o, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	second, err := newCertificate(o, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if string(first.current().Certificate[0]) != string(second.current().Certificate[0]) {
		t.Error("a second start made another certificate")
	}
	if info, _ := os.Stat(filepath.Join(o.data, "key.pem")); info.Mode().Perm() != 0o600 {
		t.Errorf("the key has mode %v", info.Mode())
	}
	handshake(t, first, "mail.example.org")
	handshake(t, first, "127.0.0.1")
}

// handshake connects and verifies the certificate for name.
func handshake(t *testing.T, c *certificate, name string) {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(c.current().Leaf)
	here, there := net.Pipe()
	go tls.Server(there, c.config(false)).Handshake()
	if err := tls.Client(here, &tls.Config{RootCAs: pool, ServerName: name}).Handshake(); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

func TestCertificateIsReloaded(t *testing.T) {
	dir := t.TempDir()
	o := &options{tlsCert: filepath.Join(dir, "c"), tlsKey: filepath.Join(dir, "k")}
	if err := selfSign(o.tlsCert, o.tlsKey, "one.example"); err != nil {
		t.Fatal(err)
	}
	c, err := newCertificate(o, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	look := func() string {
		c.checked = time.Time{} // as if recheck had passed
		return c.current().Leaf.Subject.CommonName
	}
	if err := os.WriteFile(o.tlsCert, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := look(); got != "one.example" {
		t.Errorf("a broken file replaced the certificate: %q", got)
	}
	if err := selfSign(o.tlsCert, o.tlsKey, "two.example"); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Hour)
	os.Chtimes(o.tlsCert, later, later)
	if got := look(); got != "two.example" {
		t.Errorf("got %q, want the new certificate", got)
	}
}
