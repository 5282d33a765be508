package deliver_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
	"github.com/mailstead/mailstead/smtp/smtptest"
)

// sendMail sends content with r to hosts; what it returns is "ok" or the reply's
// code and enhanced code.
func sendMail(t *testing.T, r deliver.Relay, m smtp.Mail, text string, hosts ...string) string {
	t.Helper()
	r.Hosts = func(context.Context) ([]string, error) { return hosts, nil }
	m.ID, m.PerRecipient = "i", true
	tx, err := r.Begin(t.Context(), &m)
	if err != nil {
		t.Fatal(err)
	}
	tx.Rcpt(t.Context(), []*smtp.Recipient{{ForwardPath: address("a@example.com")}})
	statuses, err := tx.Data(t.Context(), smtp.NewBody(strings.NewReader(text), int64(len(text))))
	if err == nil {
		err = statuses[0].Err
	}
	if err == nil {
		return "ok"
	}
	reply := smtp.ReplyOf(err)
	return fmt.Sprint(reply.Code, " ", reply.Enhanced)
}

// dialing is a Relay that verifies nothing by itself but trusts srv's
// certificate.
func dialing(srv *smtptest.Server) deliver.Relay {
	cfg := srv.ClientTLS()
	if cfg == nil {
		cfg = &tls.Config{}
	}
	cfg.InsecureSkipVerify = true
	return deliver.Relay{Dialer: &smtpclient.Dialer{Hello: "client.example", TLSConfig: cfg}}
}

// A message that requires TLS goes to a host with a valid certificate, which
// knows REQUIRETLS, or to none (RFC 8689 §4.2.1).
func TestRequireTLS(t *testing.T) {
	knows := []string{"PIPELINING", "REQUIRETLS"}
	good := smtptest.NewServerWith(t, smtptest.Options{StartTLS: true, Extensions: knows})
	implicit := smtptest.NewServerWith(t, smtptest.Options{ImplicitTLS: true, Extensions: knows})
	old := smtptest.NewServerWith(t, smtptest.Options{StartTLS: true})
	plain := smtptest.NewServerWith(t, smtptest.Options{Extensions: knows})
	stranger := smtptest.NewServerWith(t, smtptest.Options{StartTLS: true, Extensions: knows})
	const down = "127.0.0.1:1"
	secret := smtp.Mail{ReversePath: smtp.ReversePath(address("me@example.org")), Params: smtp.MailParams{RequireTLS: true}}

	at465 := dialing(implicit)
	at465.Dialer.TLS = smtpclient.TLSImplicit
	retrying := dialing(plain)
	retrying.PlaintextRetry = true
	for _, test := range []struct {
		name  string
		relay deliver.Relay
		hosts []string
		want  string
	}{
		{"all is well", dialing(good), []string{good.Addr}, "ok"},
		{"implicit TLS", at465, []string{implicit.Addr}, "ok"},
		{"no REQUIRETLS", dialing(old), []string{old.Addr}, "550 5.7.30"},
		{"no TLS", dialing(plain), []string{plain.Addr}, "550 5.7.10"},
		{"no TLS, opportunistic", retrying, []string{plain.Addr}, "550 5.7.10"},
		{"nobody vouches for the certificate", dialing(good), []string{stranger.Addr}, "550 5.7.10"},
		{"the next one is well", dialing(good), []string{plain.Addr, stranger.Addr, down, good.Addr}, "ok"},
		{"one is down, which might do", dialing(good), []string{plain.Addr, down}, "450 4.4.1"},
		{"many that do not", dialing(good), []string{plain.Addr, plain.Addr, plain.Addr, plain.Addr, plain.Addr, plain.Addr, good.Addr}, "ok"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := sendMail(t, test.relay, secret, content, test.hosts...); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
	for _, srv := range []*smtptest.Server{old, plain, stranger} {
		if n := len(srv.Messages()); n != 0 {
			t.Errorf("%d messages went to a host that does not do", n)
		}
	}
	var hellos atomic.Int64
	changed := smtptest.NewServerWith(t, smtptest.Options{StartTLS: true, Extensions: knows, Reply: func(command string) string {
		if strings.HasPrefix(command, "EHLO") && hellos.Add(1) == 2 {
			return "250-first under TLS\r\n250 PIPELINING"
		}
		return ""
	}})
	if got := sendMail(t, dialing(changed), secret, content, changed.Addr, changed.Addr); got != "ok" || hellos.Load() != 4 {
		t.Errorf("the second host knows it: %s", got)
	}
	for _, m := range append(good.Messages(), implicit.Messages()...) {
		if !m.TLS || !m.Params.RequireTLS {
			t.Errorf("%+v", m)
		}
	}
	if got := sendMail(t, dialing(old), smtp.Mail{Params: secret.Params}, content, old.Addr); got != "ok" || old.Messages()[0].Params.RequireTLS {
		t.Errorf("a bounce: %s", got)
	}
	if got := sendMail(t, dialing(old), smtp.Mail{Params: secret.Params}, content, down, old.Addr); got != "ok" {
		t.Errorf("a bounce, and one of two hosts is down: %s", got)
	}
	if got := sendMail(t, dialing(good), smtp.Mail{Params: secret.Params}, content, down); got != "450 4.4.1" {
		t.Errorf("a bounce, and the only host is down: %s", got)
	}
}

// An attempt that is cut short has not asked all hosts: the next one may do.
func TestRelayCutShort(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	plain := smtptest.NewServerWith(t, smtptest.Options{Reply: func(command string) string {
		if command == "QUIT" {
			cancel()
		}
		return ""
	}})
	r := dialing(plain)
	r.Hosts = func(context.Context) ([]string, error) { return []string{plain.Addr, plain.Addr}, nil }
	params := smtp.MailParams{DeliverBy: smtp.DeliverBy{Seconds: 60, Mode: smtp.ByReturn}}
	tx, err := r.Begin(ctx, &smtp.Mail{ID: "i", PerRecipient: true, ReversePath: smtp.ReversePath(address("me@example.org")), Params: params})
	if err != nil {
		t.Fatal(err)
	}
	tx.Rcpt(ctx, []*smtp.Recipient{{ForwardPath: address("a@example.com")}})
	if _, err = tx.Data(ctx, smtp.NewBody(strings.NewReader(content), -1)); err == nil || smtp.IsPermanent(err) {
		t.Errorf("%v, want a deferral", err)
	}
}

// The name of a mail host has to be beyond doubt as well.
func TestVouch(t *testing.T) {
	good := smtptest.NewServerWith(t, smtptest.Options{StartTLS: true, Extensions: []string{"REQUIRETLS"}})
	secret := smtp.Mail{ReversePath: smtp.ReversePath(address("me@example.org")), Params: smtp.MailParams{RequireTLS: true}}
	for want, vouch := range map[string]func(context.Context, string) (bool, error){
		"ok":         func(context.Context, string) (bool, error) { return true, nil },
		"550 5.7.10": func(context.Context, string) (bool, error) { return false, nil },
		"450 4.4.1":  func(context.Context, string) (bool, error) { return false, errors.New("no answer") },
	} {
		r := dialing(good)
		r.Vouch = vouch
		if got := sendMail(t, r, secret, content, good.Addr); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if got := sendMail(t, r, smtp.Mail{}, content, good.Addr); got != "ok" {
			t.Errorf("another message: %s", got)
		}
	}
}

// "TLS-Required: No" gets around a policy that would keep the message
// (RFC 8689 §4.2.2), unless a password is at stake.
func TestTLSNotRequired(t *testing.T) {
	const no = "Subject: x\r\nTLS-Required:\r\n No\r\n\r\nbody\r\n"
	for _, test := range []struct {
		name, text string
		params     smtp.MailParams
		login      string
		want       string
	}{
		{"the policy holds", content, smtp.MailParams{}, "", "450 4.4.1"},
		{"waived", no, smtp.MailParams{}, "", "ok"},
		{"in the body it says nothing", content + no, smtp.MailParams{}, "", "450 4.4.1"},
		{"twice", "TLS-Required: No\r\n" + no, smtp.MailParams{}, "", "450 4.4.1"},
		{"something else", "TLS-Required: Yes\r\n\r\n", smtp.MailParams{}, "", "450 4.4.1"},
		{"REQUIRETLS wins", no, smtp.MailParams{RequireTLS: true}, "", "550 5.7.10"},
		{"the operator wants TLS", no, smtp.MailParams{}, "operator", "450 4.4.1"},
		{"with Login", no, smtp.MailParams{}, "Login", "450 4.4.1"},
		{"with Auth", no, smtp.MailParams{}, "Auth", "450 4.4.1"},
		{"with Auth of the Dialer", no, smtp.MailParams{}, "Dialer", "450 4.4.1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			plain := smtptest.NewServerWith(t, smtptest.Options{Auth: func(string, string) bool { return true }})
			r := deliver.Relay{Dialer: &smtpclient.Dialer{Hello: "client.example", TLS: smtpclient.TLSRequired}, RecipientTLS: true}
			switch test.login {
			case "operator":
				r.RecipientTLS = false
			case "Login":
				r.Login = func(context.Context, *smtpclient.Client) error { return nil }
			case "Dialer":
				r.Dialer.Auth = func([]string, *tls.ConnectionState) (sasl.Client, error) {
					return sasl.NewPlainClient("", "u", "p"), nil
				}
			case "Auth":
				r.Auth, r.PlaintextAuth = func() sasl.Client { return sasl.NewPlainClient("", "u", "p") }, true
			}
			m := smtp.Mail{ReversePath: smtp.ReversePath(address("me@example.org")), Params: test.params}
			if got := sendMail(t, r, m, test.text, plain.Addr); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
			if got := plain.Messages(); len(got) > 0 && string(got[0].Data) != test.text {
				t.Errorf("it went as %q", got[0].Data)
			}
		})
	}
	secure := smtptest.NewServerWith(t, smtptest.Options{StartTLS: true})
	r := deliver.Relay{Dialer: &smtpclient.Dialer{Hello: "client.example", TLS: smtpclient.TLSRequired}, RecipientTLS: true}
	if got := sendMail(t, r, smtp.Mail{}, no, secure.Addr); got != "ok" || !secure.Messages()[0].TLS {
		t.Errorf("%s: TLS is used where it is offered, whatever the certificate", got)
	}
}

// BY= with "return" goes to a host that keeps it.
func TestRelayDeliverBy(t *testing.T) {
	old := smtptest.NewServer(t)
	knows := smtptest.NewServerWith(t, smtptest.Options{Extensions: []string{"DELIVERBY"}})
	by := smtp.Mail{ReversePath: smtp.ReversePath(address("me@example.org")), Params: smtp.MailParams{DeliverBy: smtp.DeliverBy{Seconds: 60, Mode: smtp.ByReturn}}}
	if got := sendMail(t, dialing(old), by, content, old.Addr, knows.Addr); got != "ok" || len(knows.Messages()) != 1 {
		t.Errorf("the second host knows it: %s", got)
	}
	if got := sendMail(t, dialing(old), by, content, old.Addr); got != "554 5.3.3" || len(old.Messages()) != 0 {
		t.Errorf("nobody knows it: %s", got)
	}
	by.Params.DeliverBy.Mode = smtp.ByNotify
	if got := sendMail(t, dialing(old), by, content, old.Addr); got != "ok" {
		t.Errorf("notify: %s", got)
	}
}
