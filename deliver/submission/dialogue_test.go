package submission_test

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth"
	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dkim"
	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/deliver/submission"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtppolicy"
	"github.com/mailstead/mailstead/smtp/smtpserver"
)

// oneKey is a resolver that knows the key of s._domainkey.example.org.
type oneKey string

func (k oneKey) Lookup(_ context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	if name == "s._domainkey.example.org" && t == dnsx.TXT {
		return &dnsx.Answer{Texts: []string{string(k)}}, nil
	}
	return nil, &dnsx.Error{Name: name, Type: t, Kind: dnsx.ErrNXDomain}
}

func newSigner(t *testing.T) (smtp.Middleware, *dkim.Verifier) {
	t.Helper()
	key, err := dkim.GenerateEd25519()
	if err != nil {
		t.Fatal(err)
	}
	record, err := dkim.Record(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	s := &auth.Signer{Keys: auth.KeysOf([]dkim.Key{{Domain: "example.org", Selector: "s", Signer: key}})}
	return s.Middleware(), &dkim.Verifier{Resolver: oneKey(record)}
}

// asAlice is what AUTH does to the peer.
func asAlice(next smtp.Receiver) smtp.Receiver { return &authenticated{next} }

type authenticated struct{ next smtp.Receiver }

func (a *authenticated) Begin(ctx context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	mail := *m
	mail.Peer = m.Peer.Clone()
	mail.Peer.Identity = "alice@example.org"
	return a.next.Begin(ctx, &mail)
}

// talk plays a dialogue with a server: lines "C: " are sent, "S: " are the
// beginnings of replies; what stands before is the data of DATA.
func talk(t *testing.T, cfg smtpserver.Config, script string) {
	t.Helper()
	cfg.Hostname, cfg.Logger = "mail.example.org", quiet()
	srv := smtpserver.New(cfg)
	client, server := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		srv.ServeConn(context.Background(), server)
	}()
	defer func() {
		client.Close()
		<-done
	}()
	buf := make([]byte, 4096)
	for line := range strings.SplitSeq(strings.TrimSpace(script), "\n") {
		op, text := line[:3], line[3:]
		if op == "C: " {
			if _, err := io.WriteString(client, strings.ReplaceAll(text, `\n`, "\r\n")+"\r\n"); err != nil {
				t.Fatal(err)
			}
			continue
		}
		n, err := client.Read(buf)
		if err != nil || !strings.HasPrefix(string(buf[:n]), text) {
			t.Fatalf("%s: got %q, %v", line, buf[:n], err)
		}
	}
}

// A whole submission: what was fixed is signed, and verifies where it arrives,
// and in the copy of the sender.
func TestDialogue(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		var verifier *dkim.Verifier
		w.sign, verifier = newSigner(t)
		table := new(submission.Table)
		if err := table.Set("alice@example.org", "Alice.Smith@example.org"); err != nil {
			t.Fatal(err)
		}
		w.fixes.Map = table
		receiver, runner := w.parts()
		users := &smtppolicy.Users{Messages: []smtppolicy.Rate{{N: 2, Per: time.Hour}}}
		cfg := smtpserver.Config{Receiver: smtp.Chain(receiver, asAlice, users.Limit(), smtppolicy.SenderLogin(owns), submission.RewriteSender(table), submission.Received("mail.example.org"))}
		talk(t, cfg, `
S: 220 
C: EHLO laptop.example
S: 250-
C: MAIL FROM:<ceo@example.org>
S: 553 5.7.1
C: MAIL FROM:<alice@example.org>
S: 250 
C: RCPT TO:<bob@example.net>
S: 250 
C: DATA
S: 354 
C: Bcc: carol@example.net\nFrom: A <alice@example.org>\nSubject: Hello\nReturn-Path: <x@y.example>\n\nText\n.
S: 250 
C: MAIL FROM:<alice@example.org>
S: 250 
C: RCPT TO:<bob@example.net>
S: 250 
C: DATA
S: 354 
C: From: alice@example.org\nFrom: b@example.org\n\nText\n.
S: 554 5.6.0
C: MAIL FROM:<alice@example.org>
S: 450 4.7.1
C: QUIT
S: 221 
`)
		run(t, runner, time.Second)
		left := w.left()
		if len(left) != 1 {
			t.Fatalf("%d messages left", len(left))
		}
		copies, _ := w.box("alice@example.org", "Sent")
		if len(copies) != 1 || copies[0] != "Bcc: carol@example.net\r\n"+left[0] {
			t.Errorf("copy %q", copies)
		}
		for _, text := range append(copies, left...) {
			report, err := verifier.Verify(t.Context(), strings.NewReader(text))
			if err != nil || len(report.Results) != 1 || report.Results[0].Result != authres.Pass {
				t.Errorf("%+v, %v\n%s", report.Results, err, text)
			}
		}
		header, _, _ := strings.Cut(left[0], "\r\n\r\n")
		for want, n := range map[string]int{
			"\r\nFrom: A <Alice.Smith@example.org>\r\n": 1, "\r\nSubject: Hello\r\n": 1, "\r\nDate: ": 1, "\r\nMessage-ID: ": 1,
			"Bcc": 0, "Return-Path": 0, "laptop.example": 0, "DKIM-Signature: ": 1,
		} {
			if got := strings.Count(header, want); got != n {
				t.Errorf("%d of %q in\n%s", got, want, header)
			}
		}
	})
}

// Signed before it is fixed, a message is worth nothing: the order matters.
func TestSignedTooEarly(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sign, verifier := newSigner(t)
		receiver, runner := w.parts()
		if err := submit(t, smtp.Chain(receiver, sign), "From: alice@example.org\r\n\r\nText\r\n"); err != nil {
			t.Fatal(err)
		}
		run(t, runner, time.Second)
		report, err := verifier.Verify(t.Context(), strings.NewReader(w.left()[0]))
		if err != nil || len(report.Results) != 1 || report.Results[0].Result == authres.Pass {
			t.Errorf("%+v, %v", report.Results, err)
		}
	})
}
