package imapclient_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/saslmech"
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/imap/imapserver"
	"github.com/mailstead/mailstead/imap/imaptest"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/memstore"
)

// scripted starts a session of which the server says and gets lines: "S: …" and
// "C: …". It returns the error of the start, and what was not said.
func scripted(t *testing.T, d imapclient.Dialer, lines ...string) (*imapclient.Client, error) {
	t.Helper()
	ours, theirs := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer theirs.Close()
		for _, line := range lines {
			if text, ok := strings.CutPrefix(line, "S: "); ok {
				says(theirs, text)
				continue
			}
			gets(t, theirs, strings.TrimPrefix(line, "C: "))
		}
		io.Copy(io.Discard, theirs)
	}()
	c, err := d.NewClient(t.Context(), ours, "mail.example")
	t.Cleanup(func() {
		ours.Close()
		<-done
	})
	return c, err
}

func password(user string) imapclient.Authenticator {
	return login.Client{
		Credentials: saslmech.Credentials{Username: user, Password: "pass\"word"}, Policy: saslmech.Policy{AllowPlaintext: true},
	}
}

func TestLogins(t *testing.T) {
	plain := imapclient.Dialer{TLS: imapclient.TLSNever, Auth: password("alice")}
	for _, tt := range []struct {
		name  string
		lines []string
		err   error // nil = logged in
	}{
		{"PLAIN with an initial response", []string{
			"S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] x", "C: a1 AUTHENTICATE PLAIN AGFsaWNlAHBhc3Mid29yZA==", "S: a1 OK [CAPABILITY IMAP4rev1] x",
		}, nil},
		{"PLAIN without", []string{
			"S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] x", "C: a1 AUTHENTICATE PLAIN", "S: + ", "C: AGFsaWNlAHBhc3Mid29yZA==", "S: a1 OK x",
			"C: a2 CAPABILITY", "S: * CAPABILITY IMAP4rev1 IDLE", "S: a2 OK",
		}, nil},
		{"the LOGIN command", []string{
			"S: * OK x", "C: a1 CAPABILITY", "S: * CAPABILITY IMAP4rev1", "S: a1 OK", `C: a2 LOGIN "alice" "pass\"word"`,
			"S: * CAPABILITY IMAP4rev1", "S: a2 OK x",
		}, nil},
		{"LOGINDISABLED", []string{"S: * OK [CAPABILITY IMAP4rev1 LOGINDISABLED] x"}, saslmech.ErrNoMechanism},
		{"refused", []string{
			"S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] x", "C: a1 AUTHENTICATE PLAIN AGFsaWNlAHBhc3Mid29yZA==", "S: a1 NO [AUTHENTICATIONFAILED] x",
		}, &imapclient.Error{}},
		{"a challenge that is no base64", []string{
			"S: * OK [CAPABILITY IMAP4rev1 AUTH=CRAM-MD5 LOGINDISABLED] x", "C: a1 AUTHENTICATE CRAM-MD5", "S: + !!", "C: *", "S: a1 BAD cancelled",
		}, imapclient.ErrProtocol},
		{"PREAUTH", []string{"S: * PREAUTH [CAPABILITY IMAP4rev1] x"}, nil},
		{"BYE", []string{"S: * BYE too many"}, &imapclient.Error{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := scripted(t, plain, tt.lines...)
			_, refused := errors.AsType[*imapclient.Error](err)
			_, wantRefused := tt.err.(*imapclient.Error)
			switch {
			case tt.err == nil && (err != nil || c.State() != imapclient.Authenticated):
				t.Error(err)
			case wantRefused && !refused, tt.err != nil && !wantRefused && !errors.Is(err, tt.err):
				t.Errorf("%v, want %v", err, tt.err)
			}
		})
	}
}

// Every mechanism logs in to our own server, and a token is asked for again where
// the first one is refused.
func TestMechanisms(t *testing.T) {
	users := &login.Memory{}
	c := login.Credentials{Hash: "{PLAIN}secret", Secrets: []string{"{PLAIN}secret"}}
	for _, m := range []string{saslmech.SCRAMSHA1, saslmech.SCRAMSHA256} {
		secret, err := login.HashSCRAM(m, login.NewPassword("secret"), saslmech.MinIterations)
		if err != nil {
			t.Fatal(err)
		}
		c.Secrets = append(c.Secrets, secret)
	}
	if err := users.SetCredentials(t.Context(), "alice", c); err != nil {
		t.Fatal(err)
	}
	svc := &login.Service{
		Backend: users, Guard: login.Unguarded{}, Logger: slog.New(slog.DiscardHandler), SCRAMIterations: saslmech.MinIterations,
		Enable: []string{saslmech.Login, saslmech.CRAMMD5, saslmech.SCRAMSHA1, saslmech.SCRAMSHA256},
	}
	st := memstore.New(nil)
	defer st.Close()
	if err := st.Create(t.Context(), "alice", store.AccountInfo{}); err != nil {
		t.Fatal(err)
	}
	addr := serve(t, func(cfg *imapserver.Config) { cfg.Store, cfg.Auth = st, svc.Authenticator() })
	d := imapclient.Dialer{TLS: imapclient.TLSNever}
	first, err := d.Dial(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	var offered []string
	for _, w := range first.Capabilities() {
		if m, ok := strings.CutPrefix(string(w), "AUTH="); ok {
			offered = append(offered, m)
		}
	}
	first.Close()
	tried := 0
	for _, m := range offered {
		if strings.Contains(m, "PLUS") || strings.Contains(m, "OAUTH") || m == "EXTERNAL" || m == "ANONYMOUS" {
			continue
		}
		tried++
		for _, secret := range []string{"secret", "wrong"} {
			d.Auth = login.Client{
				Credentials: saslmech.Credentials{Username: "alice", Password: secret},
				Policy:      saslmech.Policy{AllowPlaintext: true, Mechanisms: []string{m}},
			}
			c, err := d.Dial(t.Context(), "tcp", addr)
			if (err == nil) != (secret == "secret") {
				t.Errorf("%s with %s: %v", m, secret, err)
			}
			if err == nil {
				c.Close()
			}
		}
	}
	if tried < 3 {
		t.Errorf("offered are %q", offered)
	}
}

// bearer refuses the first token by the mechanism.
type tokens struct{ n int }

func (s *tokens) Token(_ context.Context, refused string) (string, error) {
	s.n++
	return fmt.Sprintf("token%d", s.n), nil
}

func TestTokenSource(t *testing.T) {
	source := &tokens{}
	d := imapclient.Dialer{TLS: imapclient.TLSNever, Auth: login.Client{
		Credentials: saslmech.Credentials{Username: "alice"}, Tokens: source, Policy: saslmech.Policy{AllowPlaintext: true},
	}}
	ir := func(n int) string {
		_, b, _ := saslmech.NewXOAuth2Client(saslmech.BearerRequest{Authzid: "alice", Token: fmt.Sprintf("token%d", n)}).Start()
		return b64(b)
	}
	c, err := scripted(t, d, "S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] x",
		"C: a1 AUTHENTICATE XOAUTH2 "+ir(1), "S: + "+b64([]byte(`{"status":"401"}`)), "C: ", "S: a1 NO x",
		"C: a2 AUTHENTICATE XOAUTH2 "+ir(2), "S: a2 OK [CAPABILITY IMAP4rev1] x")
	if err != nil || c.State() != imapclient.Authenticated || source.n != 2 {
		t.Errorf("%v, %d tokens", err, source.n)
	}
}

// No secret is in a trace, whichever way it travels.
func TestTraceWithoutSecrets(t *testing.T) {
	for _, lines := range [][]string{
		{"S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] x", "C: a1 AUTHENTICATE PLAIN AGFsaWNlAHBhc3Mid29yZA==", "S: a1 OK [CAPABILITY IMAP4rev1] x"},
		{"S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] x", "C: a1 AUTHENTICATE PLAIN", "S: + c2VjcmV0", "C: AGFsaWNlAHBhc3Mid29yZA==", "S: a1 OK [CAPABILITY IMAP4rev1] x"},
		{"S: * OK [CAPABILITY IMAP4rev1] x", `C: a1 LOGIN "alice" "pass\"word"`, "S: a1 OK [CAPABILITY IMAP4rev1] x"},
	} {
		var trace bytes.Buffer
		d := imapclient.Dialer{TLS: imapclient.TLSNever, Auth: password("alice"), Trace: func(_ bool, line []byte) { trace.Write(line) }}
		if _, err := scripted(t, d, lines...); err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"word", "AGFsaWNl", "c2VjcmV0"} {
			if strings.Contains(trace.String(), secret) {
				t.Errorf("%q in %q", secret, trace.String())
			}
		}
		if !strings.Contains(trace.String(), "***") {
			t.Errorf("%q", trace.String())
		}
	}
}

// STARTTLS: what came before it does not count, and no handler hears of it.
func TestStartTLS(t *testing.T) {
	server, roots := imaptest.Certificate(imaptest.Host)
	addr := serve(t, func(cfg *imapserver.Config) {
		cfg.TLSConfig, cfg.AllowPlaintextAuth, cfg.RequireTLS = server, false, true
	})
	for _, mode := range []imapclient.TLSMode{imapclient.TLSRequired, imapclient.TLSIfOffered} {
		d := imapclient.Dialer{TLS: mode, Auth: alice(), TLSConfig: &tls.Config{RootCAs: roots, ServerName: imaptest.Host}}
		c, err := d.Dial(t.Context(), "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if c.TLS() == nil || c.Has(imap.CapStartTLS) || c.State() != imapclient.Authenticated {
			t.Error(c.Capabilities())
		}
		c.Close()
	}
	heard := 0
	d := imapclient.Dialer{TLS: imapclient.TLSRequired, Handler: imapclient.Handler{
		Response: func(imap.StatusResponse) { heard++ }, Unknown: func([]byte) { heard++ }, Mailbox: func(*imap.ListEntry) { heard++ },
	}}
	_, err := scripted(t, d, "S: * OK [CAPABILITY IMAP4rev1 STARTTLS] x", "C: a1 STARTTLS", "S: * LIST () NIL evil", "S: * X evil", "S: a1 OK x\r\n* CAPABILITY EVIL")
	if !errors.Is(err, imapclient.ErrInjected) || heard != 0 {
		t.Errorf("%v, heard %d", err, heard)
	}
	for name, lines := range map[string][]string{
		"not offered": {"S: * OK [CAPABILITY IMAP4rev1] x"},
		"PREAUTH":     {"S: * PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] x"},
	} {
		if _, err := scripted(t, imapclient.Dialer{TLS: imapclient.TLSRequired}, lines...); !errors.Is(err, imapclient.ErrTLSRequired) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Implicit TLS, and a certificate that is not the host's.
func TestImplicitTLS(t *testing.T) {
	server, roots := imaptest.Certificate(imaptest.Host)
	addr := serve(t, func(cfg *imapserver.Config) { cfg.TLSConfig, cfg.ImplicitTLS = server, true })
	d := imapclient.Dialer{Auth: alice(), TLSConfig: &tls.Config{RootCAs: roots, ServerName: imaptest.Host}}
	c, err := d.Dial(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, c, "INBOX", 200)
	if box := open(t, c, "INBOX"); box.Exists != 200 {
		t.Error(box.Exists)
	}
	if err := c.Logout(t.Context()); err != nil {
		t.Error(err)
	}
	d.TLSConfig = &tls.Config{RootCAs: roots}
	_, err = d.Dial(t.Context(), "tcp", addr)
	if _, ok := errors.AsType[*imapclient.TLSError](err); !ok {
		t.Error(err)
	}
}

// ID and capabilities that change with the login.
func TestPrepare(t *testing.T) {
	d := imapclient.Dialer{
		TLS: imapclient.TLSNever, Auth: password("alice"), ID: map[string]string{"name": "x"},
		Enable: []imap.Capability{imap.CapQResync, imap.CapUTF8Accept},
	}
	c, err := scripted(t, d, "S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] x", "C: a1 AUTHENTICATE PLAIN AGFsaWNlAHBhc3Mid29yZA==",
		"S: a1 OK [CAPABILITY imap4rev1 id ENABLE QRESYNC RIGHTS=texk APPENDLIMIT=123] x", `C: a2 ID ("name" "x")`, `S: * ID ("name" "srv" "version" NIL)`, "S: a2 OK",
		"C: a3 ENABLE QRESYNC", "S: * ENABLED qresync X-EVIL", "S: a3 OK")
	if err != nil {
		t.Fatal(err)
	}
	limit, ok := c.CapabilityValue(imap.CapAppendLimit)
	if !c.Enabled(imap.CapQResync) || !c.Enabled(imap.CapCondStore) || c.Enabled("X-EVIL") || !c.Has(imap.CapRights) || limit != "123" || !ok ||
		c.Has(imap.CapAuth(sasl.Plain)) || !slices.Contains(c.Capabilities(), imap.CapIMAP4rev1) {
		t.Errorf("%v", c.Capabilities())
	}
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
