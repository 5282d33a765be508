package smtpclient_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
	"github.com/mailstead/mailstead/smtp/smtpserver"
)

// serve runs the real server until the test ends.
func serve(t testing.TB, cfg smtpserver.Config) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Logger = slog.New(slog.DiscardHandler)
	srv := smtpserver.New(cfg)
	done := make(chan error, 1)
	go func() { done <- srv.Serve(context.Background(), l) }()
	t.Cleanup(func() {
		srv.Close()
		<-done
	})
	return l.Addr().String()
}

func certificate(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, &tls.Config{RootCAs: roots}
}

// The client against the server: TLS in both forms, AUTH, SMTP and LMTP.
func TestServer(t *testing.T) {
	serverTLS, clientTLS := certificate(t)
	var got bytes.Buffer
	var protocol, identity string
	receiver := smtp.ReceiveFunc(func(_ context.Context, env *smtp.Envelope, r io.Reader) error {
		protocol, identity = env.Mail.Peer.Protocol, env.Mail.Peer.Identity
		got.Reset()
		_, err := io.Copy(&got, r)
		return err
	})
	for _, tt := range []struct {
		mode     smtpclient.TLSMode
		lmtp     bool
		protocol string
	}{
		{smtpclient.TLSIfOffered, false, "ESMTPSA"},
		{smtpclient.TLSRequired, true, "LMTPSA"},
		{smtpclient.TLSImplicit, false, "ESMTPSA"},
	} {
		addr := serve(t, smtpserver.Config{
			Receiver: receiver, TLSConfig: serverTLS, ImplicitTLS: tt.mode == smtpclient.TLSImplicit,
			RequireTLS: true, RequireAuth: true, LMTP: tt.lmtp,
			Auth: authn.PasswordFunc(func(_ context.Context, _ *authn.Peer, user, password string) (string, error) {
				if password != "secret" {
					return "", authn.ErrRejected
				}
				return user + "@example.org", nil
			}),
		})
		c := dial(t, &smtpclient.Dialer{TLS: tt.mode, TLSConfig: clientTLS, LMTP: tt.lmtp}, addr)
		if c.TLS() == nil {
			t.Fatal("no TLS")
		}
		var refused *smtp.Error
		if err := c.Auth(t.Context(), sasl.NewPlainClient("", "u", "wrong")); !errors.As(err, &refused) || refused.Reply.Code != 535 {
			t.Errorf("wrong password: %v", err)
		}
		if err := c.Auth(t.Context(), sasl.NewPlainClient("", "u", "secret")); err != nil {
			t.Fatal(err)
		}
		text := strings.Repeat(".line\r\n..\r\n", 20000)
		for range 2 {
			res, err := c.Send(t.Context(), envelope(t, "a@x", "b@x", "c@x"), body(text))
			if err != nil || outcomes(res) != "delivered(.) delivered(.)" || len(res.QueueID) != 26 {
				t.Fatal(outcomes(res), res.QueueID, err)
			}
			if got.String() != text || protocol != tt.protocol || identity != "u@example.org" {
				t.Errorf("got %d octets by %s from %q", got.Len(), protocol, identity)
			}
		}
		if err := c.Quit(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// A body refused early, while it is being sent, keeps its reply.
func TestEarlyRefusal(t *testing.T) {
	addr := serve(t, smtpserver.Config{
		Receiver:   smtp.ReceiveFunc(func(context.Context, *smtp.Envelope, io.Reader) error { return nil }),
		Extensions: smtpserver.PIPELINING,
		Limits:     smtpserver.Limits{Message: 100_000},
	})
	c := dial(t, &smtpclient.Dialer{}, addr)
	for _, size := range []int{150_000, 20_000_000} { // refused after its end; refused and closed
		res, _ := c.Send(t.Context(), envelope(t, "a@x", "b@x"), body(strings.Repeat("x", size)))
		if got := res.Recipients[0]; got.Outcome != smtpclient.Failed || got.Reply.Code != 552 {
			t.Errorf("%d octets: %s %v", size, got.Outcome, got.Reply)
		}
	}
}

// What the client sends arrives with no octet changed but line ends, and
// never as two messages: by DATA and by BDAT, whole and in blocks.
func FuzzBody(f *testing.F) {
	var got []byte
	messages := 0
	receiver := smtp.ReceiveFunc(func(_ context.Context, _ *smtp.Envelope, r io.Reader) (err error) {
		got, err = io.ReadAll(r)
		messages++
		return err
	})
	var addrs []string
	for _, ext := range []smtpserver.Extensions{smtpserver.DefaultExtensions, smtpserver.DefaultExtensions &^ smtpserver.CHUNKING} {
		addrs = append(addrs, serve(f, smtpserver.Config{Receiver: receiver, Newlines: smtpserver.PreserveNewlines, Extensions: ext}))
	}
	f.Add("a\r\n.\r\nb", uint16(0))
	f.Add("\r.\n.\r\r\n.\n", uint16(30_000))
	f.Add(".\r\n", uint16(21_846))
	f.Fuzz(func(t *testing.T, text string, repeat uint16) {
		text = strings.Repeat(text, 1+min(int(repeat), 200_000/(len(text)+1)))
		for _, addr := range addrs {
			c := dial(t, &smtpclient.Dialer{}, addr)
			before := messages
			res, err := c.Send(t.Context(), envelope(t, "a@x", "b@x"), body(text))
			if err != nil || outcomes(res) != "delivered(.)" || messages != before+1 {
				t.Fatalf("%q: %s, %v", text, outcomes(res), err)
			}
			if want := normal(text); string(got) != want {
				t.Fatalf("%.500q arrived as %.500q, want %.500q", text, got, want)
			}
			c.Quit(t.Context())
		}
	})
}

// normal ends every line in CRLF.
func normal(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	s = strings.ReplaceAll(s, "\r", "\n")
	s = strings.ReplaceAll(s, "\n", "\r\n")
	if s != "" && !strings.HasSuffix(s, "\n") {
		s += "\r\n"
	}
	return s
}

func BenchmarkSend(b *testing.B) {
	addr := serve(b, smtpserver.Config{Receiver: smtp.ReceiveFunc(func(_ context.Context, _ *smtp.Envelope, r io.Reader) error {
		_, err := io.Copy(io.Discard, r)
		return err
	})})
	c, err := (&smtpclient.Dialer{}).Dial(b.Context(), "tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	p, _ := smtp.ParseMailbox("a@example.org", false)
	env := &smtp.Envelope{Mail: &smtp.Mail{}, Recipients: []*smtp.Recipient{{ForwardPath: smtp.ForwardPath{Path: p}}}}
	text := strings.Repeat("0123456789012345678901234567890123456789012345678901234567890123456789\r\n", 60)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Send(b.Context(), env, body(text)); err != nil {
			b.Fatal(err)
		}
	}
}
