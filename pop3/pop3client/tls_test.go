package pop3client_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"testing"

	"github.com/mailstead/mailstead/internal/certtest"
	"github.com/mailstead/mailstead/pop3/pop3client"
	"github.com/mailstead/mailstead/pop3/pop3test"
)

const offersSTLS = `
	S: +OK ready
	C: CAPA
	S: +OK
	S: STLS
	S: .
`

func TestTLSModes(t *testing.T) {
	server, client := certificates(t)
	for _, c := range []struct {
		name               string
		implicit, starttls bool
		mode               pop3client.TLSMode
		tls                bool
		err                error
	}{
		{"implicit", true, false, pop3client.TLSImplicit, true, nil},
		{"offered and taken", false, true, pop3client.TLSIfOffered, true, nil},
		{"not offered", false, false, pop3client.TLSIfOffered, false, nil},
		{"required", false, true, pop3client.TLSRequired, true, nil},
		{"required and not offered", false, false, pop3client.TLSRequired, false, pop3client.ErrTLSRequired},
		{"never", false, true, pop3client.TLSNever, false, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := pop3test.NewServer(t, pop3test.Options{StartTLS: c.starttls, ImplicitTLS: c.implicit, TLSConfig: server})
			d := &pop3client.Dialer{Net: srv, TLS: c.mode, TLSConfig: client}
			cl, err := d.Dial(t.Context(), "tcp", "pop.example:110")
			if !errors.Is(err, c.err) {
				t.Fatal(err)
			}
			if err != nil {
				return
			}
			defer cl.Close()
			if got := cl.TLS() != nil; got != c.tls {
				t.Errorf("TLS: %v", got)
			}
			if err := cl.UserPass(t.Context(), "ann", "x"); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestWrongCertificates: nothing is said over a connection whose certificate is
// not right.
func TestWrongCertificates(t *testing.T) {
	ca, other := certtest.New(t), certtest.New(t)
	pool := x509.NewCertPool()
	pool.AddCert(ca.Cert)
	serve := func(a *certtest.Authority, name string) *tls.Config {
		key, cert := a.Issue(t, &x509.Certificate{DNSNames: []string{name}})
		return &tls.Config{Certificates: []tls.Certificate{certtest.Chain(key, cert)}}
	}
	for name, server := range map[string]*tls.Config{
		"another name": serve(ca, "other.example"), "another authority": serve(other, "pop.example"),
	} {
		for _, implicit := range []bool{false, true} {
			srv := pop3test.NewServer(t, pop3test.Options{StartTLS: !implicit, ImplicitTLS: implicit, TLSConfig: server})
			d := &pop3client.Dialer{Net: srv, TLSConfig: &tls.Config{RootCAs: pool}}
			if implicit {
				d.TLS = pop3client.TLSImplicit
			}
			_, err := d.Dial(t.Context(), "tcp", "pop.example:110")
			_, isTLS := errors.AsType[*pop3client.TLSError](err)
			if _, isCert := errors.AsType[*tls.CertificateVerificationError](err); !isTLS || !isCert {
				t.Errorf("%s, implicit %v: %v", name, implicit, err)
			}
			for _, command := range srv.Commands() {
				if command != "CAPA" && command != "STLS" {
					t.Errorf("%s: the client said %q", name, command)
				}
			}
		}
	}
}

// TestInjection: plain text behind the reply to STLS is refused, and so is a
// server that takes its offer back.
func TestInjection(t *testing.T) {
	for text, want := range map[string]error{
		"C: STLS\nR: \"+OK go\\r\\n+OK injected\\r\\n\"": pop3client.ErrInjected,
		"C: STLS\nR: \"+OK go\\r\\n+\"":                  pop3client.ErrInjected,
		"C: STLS\nS: +OK go":                             nil,
		"C: STLS\nS: -ERR [SYS/TEMP] no":                 nil,
		"C: STLS":                                        nil,
	} {
		for _, mode := range []pop3client.TLSMode{pop3client.TLSIfOffered, pop3client.TLSRequired} {
			d := &pop3client.Dialer{Net: newScript(t, offersSTLS+text), TLS: mode}
			_, err := d.Dial(t.Context(), "tcp", "pop.example:110")
			if _, ok := errors.AsType[*pop3client.TLSError](err); !ok || want != nil && !errors.Is(err, want) {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
}
