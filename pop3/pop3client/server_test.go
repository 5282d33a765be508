package pop3client_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/saslmech"
	"github.com/mailstead/mailstead/internal/certtest"
	"github.com/mailstead/mailstead/pop3"
	"github.com/mailstead/mailstead/pop3/pop3client"
	"github.com/mailstead/mailstead/pop3/pop3server"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/memstore"
)

const (
	ann      = "ann@example.org"
	password = "pass-word"
	token    = "ya29.token"
)

type tokens struct{}

func (tokens) VerifyToken(_ context.Context, t string) (login.Token, error) {
	if t != token {
		return login.Token{}, login.ErrRejected
	}
	return login.Token{Username: ann}, nil
}

// source gives out a token that was revoked, and then a good one.
type source struct{ asked []string }

func (s *source) Token(_ context.Context, refused string) (string, error) {
	s.asked = append(s.asked, refused)
	if refused == "" {
		return "revoked", nil
	}
	return token, nil
}

// certificates are for a server, and for clients that trust it and have one of
// their own.
func certificates(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	ca := certtest.New(t)
	key, cert := ca.Issue(t, &x509.Certificate{DNSNames: []string{"pop.example"}})
	userKey, userCert := ca.Issue(t, &x509.Certificate{EmailAddresses: []string{ann}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	pool := x509.NewCertPool()
	pool.AddCert(ca.Cert)
	return &tls.Config{Certificates: []tls.Certificate{certtest.Chain(key, cert)}, ClientCAs: pool, ClientAuth: tls.VerifyClientCertIfGiven},
		&tls.Config{RootCAs: pool, Certificates: []tls.Certificate{certtest.Chain(userKey, userCert)}}
}

// ourServer is a pop3server with every mechanism, and messages for ann.
func ourServer(t *testing.T, edit func(*pop3server.Config), messages ...string) (addr string, client *tls.Config) {
	t.Helper()
	st := memstore.New(nil)
	if err := st.Create(t.Context(), ann, store.AccountInfo{}); err != nil {
		t.Fatal(err)
	}
	account, err := st.Open(t.Context(), ann)
	if err != nil {
		t.Fatal(err)
	}
	box, err := store.MailboxByName(t.Context(), account, "INBOX")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		if _, err := store.AppendMessage(t.Context(), st, account, "", store.NewMessage{Mailbox: box.ID, Body: strings.NewReader(m), BodySize: -1}); err != nil {
			t.Fatal(err)
		}
	}
	server, client := certificates(t)
	cfg := pop3server.Config{Store: st, Auth: service(t).Authenticator(), TLSConfig: server, Logger: slog.New(slog.DiscardHandler)}
	if edit != nil {
		edit(&cfg)
	}
	srv, err := pop3server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	t.Cleanup(func() {
		srv.Close()
		<-done
		st.Close()
	})
	client.ServerName = "pop.example"
	return l.Addr().String(), client
}

// shared is for sessions that follow each other faster than the server hears that
// one is over.
func shared(cfg *pop3server.Config) { cfg.SharedMaildrops = true }

func service(t *testing.T) *login.Service {
	t.Helper()
	users := &login.Memory{}
	c := login.Credentials{Hash: "{PLAIN}" + password, Secrets: []string{"{PLAIN}" + password}}
	for _, m := range []string{saslmech.SCRAMSHA1, saslmech.SCRAMSHA256, saslmech.SCRAMSHA512} {
		secret, err := login.HashSCRAM(m, login.NewPassword(password), saslmech.MinIterations)
		if err != nil {
			t.Fatal(err)
		}
		c.Secrets = append(c.Secrets, secret)
	}
	if err := users.SetCredentials(t.Context(), ann, c); err != nil {
		t.Fatal(err)
	}
	return &login.Service{
		Backend: users, Guard: login.Unguarded{}, Logger: slog.New(slog.DiscardHandler), Tokens: tokens{}, SCRAMIterations: saslmech.MinIterations,
		Enable:      []string{saslmech.Login, saslmech.CRAMMD5, saslmech.SCRAMSHA1, saslmech.SCRAMSHA256, saslmech.SCRAMSHA512, login.APOP},
		Certificate: login.CertificateEmail, Anonymous: ann,
	}
}

// TestMechanisms logs in to our server by each mechanism that both know: over
// TLS, but for SCRAM without channel binding, which is refused where it could have
// it.
func TestMechanisms(t *testing.T) {
	addr, client := ourServer(t, shared)
	good := saslmech.Credentials{Username: ann, Password: password, Token: token, Certificate: true, Anonymous: true}
	bad := saslmech.Credentials{Username: ann, Password: "wrong", Token: "wrong"}
	for _, mechanism := range saslmech.Names() {
		t.Run(mechanism, func(t *testing.T) {
			mode := pop3client.TLSRequired
			if _, plus, scram := saslmech.SCRAMOf(mechanism); scram && !plus {
				mode = pop3client.TLSNever
			}
			try := func(c saslmech.Credentials) (string, error) {
				var seen strings.Builder
				d := &pop3client.Dialer{
					TLS: mode, TLSConfig: client,
					Login: login.Client{Credentials: c, Policy: saslmech.Policy{Mechanisms: []string{mechanism}}}.Login,
					Trace: pop3client.Trace{Line: func(_ bool, text string) { seen.WriteString(text + "\n") }},
				}
				cl, err := d.Dial(t.Context(), "tcp", addr)
				if err == nil {
					_, _, err = cl.Stat(t.Context())
					cl.Close()
				}
				return seen.String(), err
			}
			seen, err := try(good)
			if err != nil || !strings.Contains(seen, "AUTH "+mechanism) {
				t.Errorf("%v\n%s", err, seen)
			}
			if mechanism == saslmech.External || mechanism == saslmech.Anonymous {
				return
			}
			again, err := try(bad)
			if e, ok := errors.AsType[*pop3client.Error](err); !ok || !e.BadCredentials() || e.Temporary() {
				t.Errorf("wrong credentials: %v", err)
			}
			for _, secret := range []string{password, token, "wrong"} {
				if strings.Contains(seen+again, secret) {
					t.Errorf("the trace shows %q:\n%s%s", secret, seen, again)
				}
			}
		})
	}
}

// TestLoginSources: USER and PASS, APOP where it is allowed, and a token that has
// to be renewed.
func TestLoginSources(t *testing.T) {
	addr, client := ourServer(t, shared)
	plain := login.Client{Credentials: saslmech.Credentials{Username: ann, Password: password}, Policy: saslmech.Policy{Mechanisms: []string{saslmech.Plain}}}
	tokenSource := &source{}
	bearer := login.Client{Credentials: saslmech.Credentials{Username: ann}, Tokens: tokenSource}
	apop := &pop3client.Password{Username: ann, Password: password}
	for _, c := range []struct {
		name string
		d    pop3client.Dialer
		want string // a command that is seen
		err  error
	}{
		{"STLS", pop3client.Dialer{TLS: pop3client.TLSRequired, Login: plain.Login}, "AUTH PLAIN", nil},
		{"STLS where it is offered", pop3client.Dialer{Login: plain.Login}, "STLS", nil},
		{"no password without TLS", pop3client.Dialer{TLS: pop3client.TLSNever, Login: plain.Login}, "", saslmech.ErrNoMechanism},
		{"APOP behind a login that sends nothing", pop3client.Dialer{TLS: pop3client.TLSNever, Login: plain.Login, APOP: apop}, "APOP", nil},
		{"APOP alone", pop3client.Dialer{TLS: pop3client.TLSNever, APOP: apop}, "APOP", nil},
		{"no APOP where something else is there", pop3client.Dialer{Login: plain.Login, APOP: apop}, "AUTH PLAIN", nil},
		{"a token", pop3client.Dialer{Login: bearer.Login}, "AUTH OAUTHBEARER", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var seen []string
			c.d.TLSConfig = client
			c.d.Trace.Line = func(_ bool, text string) { seen = append(seen, text) }
			cl, err := c.d.Dial(t.Context(), "tcp", addr)
			if !errors.Is(err, c.err) {
				t.Fatal(err)
			}
			if err == nil {
				defer cl.Close()
				if _, _, err := cl.Stat(t.Context()); err != nil {
					t.Error(err)
				}
			}
			if !slices.ContainsFunc(seen, func(s string) bool { return strings.HasPrefix(s, c.want) }) {
				t.Errorf("%q", seen)
			}
			if strings.Contains(c.name, "no APOP") && slices.ContainsFunc(seen, func(s string) bool { return strings.HasPrefix(s, "APOP") }) {
				t.Errorf("%q", seen)
			}
		})
	}
	// What was refused is not tried by other means.
	wrong := plain
	wrong.Credentials.Password = "wrong"
	d := &pop3client.Dialer{TLSConfig: client, Login: wrong.Login, APOP: apop}
	_, err := d.Dial(t.Context(), "tcp", addr)
	if e, ok := errors.AsType[*pop3client.Error](err); !ok || e.Verb != "AUTH" {
		t.Errorf("a wrong password, with APOP: %v", err)
	}
	if want := []string{"", "revoked"}; !slices.Equal(tokenSource.asked, want) {
		t.Errorf("the source was asked for %q, want %q", tokenSource.asked, want)
	}
}

// TestOurServer: messages of all kinds, through our server and back.
func TestOurServer(t *testing.T) {
	messages := []string{
		"Subject: a\r\n\r\n.\r\n..\r\n.a\r\n", "Subject: b\n\nbare\n.\n..\nLF\n.\r\n.\r\n", "Subject: c\r\n\r\na\rb\r\r\n", "no end",
		"Subject: ü\r\n\r\n\xff\x00\r\n", strings.Repeat("x", 1<<20), "Subject: d\r\n\r\n" + strings.Repeat(".\r\n", 5000),
	}
	addr, client := ourServer(t, nil, messages...)
	d := &pop3client.Dialer{TLSConfig: client, UTF8: true, Login: login.Client{Credentials: saslmech.Credentials{Username: ann, Password: password}}.Login}
	c, err := d.Dial(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	drop, err := c.Maildrop(t.Context())
	if err != nil || len(drop.Messages) != len(messages) {
		t.Fatalf("%+v, %v", drop, err)
	}
	for b, err := range c.RetrEach(t.Context(), []int{1, 2, 3, 4, 5, 6, 7, 8}) {
		if b.Number == 8 {
			if _, ok := errors.AsType[*pop3client.Error](err); !ok {
				t.Errorf("8: %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(b.Number, err)
		}
		all, err := io.ReadAll(b)
		want := messages[b.Number-1]
		if !strings.HasSuffix(want, "\r\n") {
			want += "\r\n"
		}
		if err != nil || string(all) != want {
			t.Errorf("%d: %.80q (%d), %v", b.Number, all, len(all), err)
		}
	}
	if err := c.Dele(t.Context(), 2); err != nil {
		t.Error(err)
	}
	second, err := d.Dial(t.Context(), "tcp", addr)
	if e, ok := errors.AsType[*pop3client.Error](err); !ok || !errors.Is(err, pop3.CodeInUse) || !e.Temporary() || second != nil {
		t.Errorf("a second session: %v", err)
	}
	if err := c.Quit(t.Context()); err != nil {
		t.Error(err)
	}
	for c, err = d.Dial(t.Context(), "tcp", addr); errors.Is(err, pop3.CodeInUse); c, err = d.Dial(t.Context(), "tcp", addr) {
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	again, err := c.Maildrop(t.Context())
	if err != nil || len(again.Messages) != len(messages)-1 || again.Messages[1].UniqueID != drop.Messages[2].UniqueID {
		t.Errorf("%+v, %v", again, err)
	}
}
