package tlspeer

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

func certificate(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// handshake returns what the server thinks it showed, and what the client saw.
func handshake(t *testing.T, server, client *tls.Config) (shown *x509.Certificate, seen tls.ConnectionState) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan *x509.Certificate, 1)
	go func() {
		defer close(done)
		nc, err := l.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		tc, shown := Server(nc, server)
		if tc.Handshake() == nil {
			done <- shown.Certificate()
			tc.Write([]byte("x"))
		}
	}()
	c, err := tls.Dial("tcp", l.Addr().String(), client)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Read(make([]byte, 1)) // the session ticket comes before it
	return <-done, c.ConnectionState()
}

func TestShown(t *testing.T) {
	one, two := certificate(t, "one.example"), certificate(t, "two.example")
	get := func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if hello.ServerName == "two.example" {
			return &two, nil
		}
		return &one, nil
	}
	inner := &tls.Config{Certificates: []tls.Certificate{two}}
	for name, cfg := range map[string]*tls.Config{
		"certificates":       {Certificates: []tls.Certificate{one, two}},
		"GetCertificate":     {GetCertificate: get},
		"both":               {Certificates: []tls.Certificate{one}, GetCertificate: get},
		"GetConfigForClient": {Certificates: []tls.Certificate{one}, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return inner, nil }},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			for _, sni := range []string{"one.example", "two.example", ""} {
				server := Config(cfg)
				client := &tls.Config{
					ServerName: sni, InsecureSkipVerify: true, MaxVersion: version,
					ClientSessionCache: tls.NewLRUClientSessionCache(1),
				}
				for round := range 2 {
					shown, seen := handshake(t, server, client)
					if shown == nil || !shown.Equal(seen.PeerCertificates[0]) {
						t.Errorf("%s, %x, %q, round %d: shown %v, seen %v", name, version, sni, round, shown != nil, seen.PeerCertificates[0].DNSNames)
					}
					if round == 1 && sni != "" && !seen.DidResume {
						t.Errorf("%s, %x, %q: no session was resumed", name, version, sni)
					}
				}
			}
		}
	}
}

// A certificate that is replaced meanwhile is not the one that was shown.
func TestReplaced(t *testing.T) {
	one, two := certificate(t, "one.example"), certificate(t, "two.example")
	n := 0
	server := Config(&tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		if n++; n == 1 {
			return &one, nil
		}
		return &two, nil
	}})
	shown, seen := handshake(t, server, &tls.Config{ServerName: "x", InsecureSkipVerify: true})
	if shown == nil || !shown.Equal(seen.PeerCertificates[0]) {
		t.Errorf("not the certificate that the client saw: %v", seen.PeerCertificates[0].DNSNames)
	}
}

// A client that does not go on is given up.
func TestHandshakeLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		defer here.Close()
		tc, shown := Server(there, Config(&tls.Config{Certificates: []tls.Certificate{certificate(t, "one.example")}}))
		begun := time.Now()
		state, err := Handshake(t.Context(), tc, time.Second)
		if d := time.Since(begun); state != nil || !errors.Is(err, context.DeadlineExceeded) || d != time.Second {
			t.Errorf("%v, %v after %v", state, err, d)
		}
		if shown.Certificate() != nil {
			t.Error("a certificate that was not shown")
		}
	})
}

func TestNoConfig(t *testing.T) {
	if Config(nil) != nil {
		t.Error("a configuration out of none")
	}
}
