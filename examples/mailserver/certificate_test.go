package main

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
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
	if string(shown(first).Certificate[0]) != string(shown(second).Certificate[0]) {
		t.Error("a second start made another certificate")
	}
	if info, _ := os.Stat(filepath.Join(o.data, "key.pem")); info.Mode().Perm() != 0o600 {
		t.Errorf("the key has mode %v", info.Mode())
	}
	handshake(t, first, "mail.example.org")
	handshake(t, first, "127.0.0.1")
}

func shown(c certificate) *tls.Certificate {
	pair, _ := c.GetCertificate(nil) // the error is always nil
	return pair
}

// handshake connects and verifies the certificate for name.
func handshake(t *testing.T, c certificate, name string) {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(shown(c).Leaf)
	here, there := net.Pipe()
	go tls.Server(there, c.config(false)).Handshake()
	if err := tls.Client(here, &tls.Config{RootCAs: pool, ServerName: name}).Handshake(); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}
