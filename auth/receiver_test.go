package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dmarc"
	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/smtp"
)

// TestRefusalStands: V7, whatever the Receiver makes of the end of a body.
func TestRefusalStands(t *testing.T) {
	w := newWorld(t)
	in := &Inspector{Verifier: &Verifier{Resolver: w}, ID: "mx.example.net", Logger: slog.New(slog.DiscardHandler)}
	for name, data := range map[string]smtp.EachRcpt{
		"takes an error for the end": func(_ context.Context, env *smtp.Envelope, b *smtp.Body) ([]smtp.RcptStatus, error) {
			io.Copy(io.Discard, b)
			return smtp.Accepted(len(env.Recipients)), nil
		},
		"has an error of its own": func(_ context.Context, _ *smtp.Envelope, b *smtp.Body) ([]smtp.RcptStatus, error) {
			if _, err := io.ReadAll(b); err != nil {
				return nil, errors.New("disk full")
			}
			return nil, nil
		},
	} {
		tx, err := smtp.Chain(data, in.Middleware()).Begin(t.Context(), mailFrom(stranger, "joe@example.org"))
		if err != nil {
			t.Fatal(err)
		}
		tx.Rcpt(t.Context(), []*smtp.Recipient{{}})
		status, err := tx.Data(t.Context(), smtp.NewBody(strings.NewReader(plain), -1))
		if smtp.ReplyOf(err).Code != 550 || status != nil {
			t.Errorf("%s: %v %v", name, status, err)
		}
	}
}

// TestNothingLeft: a body that ends badly, or is not read, leaves no question open
// and is judged by nobody.
func TestNothingLeft(t *testing.T) {
	judged := 0
	in := &Inspector{Verifier: &Verifier{Resolver: blackHole{}}, Observe: func(*smtp.Mail, *Result, Decision) { judged++ }}
	unread := smtp.EachRcpt(func(context.Context, *smtp.Envelope, *smtp.Body) ([]smtp.RcptStatus, error) {
		return nil, errors.New("no room")
	})
	for _, r := range []smtp.Receiver{unread, discard} {
		for _, data := range []bool{true, false} {
			tx, err := smtp.Chain(r, in.Middleware()).Begin(t.Context(), mailFrom(client, "joe@example.org"))
			if err != nil {
				t.Fatal(err)
			}
			tx.Rcpt(t.Context(), []*smtp.Recipient{{}})
			if data {
				_, err := tx.Data(t.Context(), smtp.NewBody(io.MultiReader(strings.NewReader(plain), errReader{}), -1))
				if err == nil {
					t.Error("accepted")
				}
			}
			tx.Abort()
			tx.Abort()
		}
	}
	in.Verifier.Wait()
	if judged > 0 {
		t.Errorf("%d judged", judged)
	}
}

// TestPeerIsNotTold: V6. The log has what went wrong, the reply does not.
func TestPeerIsNotTold(t *testing.T) {
	w := newWorld(t)
	secret := &faulty{zone: &w.zone, change: func(_ int, name string, typ dnsx.Type, a *dnsx.Answer, err error) (*dnsx.Answer, error) {
		if name == "example.org" {
			return nil, &dnsx.Error{Name: name, Type: typ, Kind: dnsx.ErrServFail, Err: errors.New("10.0.0.53: secret")}
		}
		return a, err
	}}
	var log bytes.Buffer
	in := &Inspector{Verifier: &Verifier{Resolver: secret}, ID: "mx.example.net", Logger: slog.New(slog.NewTextHandler(&log, nil))}
	tx, _ := smtp.Chain(discard, in.Middleware()).Begin(t.Context(), mailFrom(client, "joe@example.org"))
	tx.Rcpt(t.Context(), []*smtp.Recipient{{}})
	_, err := tx.Data(t.Context(), smtp.NewBody(strings.NewReader(plain), -1))
	if got := smtp.ReplyOf(err).String(); got != "451 4.7.24 Cannot find out who this message is from, try again later" {
		t.Error(got)
	}
	if !strings.Contains(log.String(), "secret") || !strings.Contains(log.String(), "action=defer") {
		t.Errorf("log %s", log.String())
	}
}

// TestSideBySide: one Inspector, many messages; each gets its own result.
func TestSideBySide(t *testing.T) {
	w := newWorld(t)
	var passed, failed atomic.Int64
	in := &Inspector{
		Verifier: &Verifier{Resolver: &dnsx.Cache{Resolver: w}}, ID: "mx.example.net", Logger: slog.New(slog.DiscardHandler),
		Observe: func(_ *smtp.Mail, r *Result, d Decision) {
			switch {
			case r.DMARC.Result == dmarc.Pass && d.Action == Accept:
				passed.Add(1)
			case r.DMARC.Result == authres.Fail && d.Action == Reject:
				failed.Add(1)
			}
		},
	}
	signed := sign(t, plain, w.keys...)
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			m, message := mailFrom(client, fmt.Sprintf("u%d@example.org", i)), signed
			if i%2 == 1 {
				m, message = mailFrom(stranger, fmt.Sprintf("u%d@evil.example", i)), plain
			}
			tx, err := smtp.Chain(discard, in.Middleware()).Begin(t.Context(), m)
			if err != nil {
				t.Error(err)
				return
			}
			tx.Rcpt(t.Context(), []*smtp.Recipient{{}})
			tx.Data(t.Context(), smtp.NewBody(strings.NewReader(message), -1))
		})
	}
	wg.Wait()
	in.Verifier.Wait()
	if passed.Load() != 20 || failed.Load() != 20 {
		t.Errorf("%d passed, %d failed", passed.Load(), failed.Load())
	}
}

// TestZeroInspector: it has a name, and judges.
func TestZeroInspector(t *testing.T) {
	in := &Inspector{}
	if in.id() == "" || in.verifier().resolver() == nil {
		t.Error("nothing")
	}
	if !in.skips(&smtp.Mail{}) || in.skips(mailFrom(client, "")) {
		t.Error("skips")
	}
}

// FuzzVerifier: any octets have a verdict, however they are cut, and fields that
// can be read back.
func FuzzVerifier(f *testing.F) {
	w := newWorld(f)
	for _, s := range []string{plain, sign(f, plain, w.keys...), w.relisted(f, plain, session), crlf(rfc8463), "From: a@b.example\r\n\r\n", "\r", ""} {
		f.Add(s, "joe@example.org", "mx.example.org")
	}
	f.Fuzz(func(t *testing.T, message, sender, helo string) {
		v := &Verifier{Resolver: still{w.records}, SeveralAuthors: true}
		s := Session{IP: client, Helo: helo, MailFrom: sender}
		r, _ := v.Verify(t.Context(), s, strings.NewReader(message))
		m := v.Start(t.Context(), s)
		for i := range len(message) {
			m.Write([]byte{message[i]})
		}
		if again := m.Finish(t.Context()); words(again) != words(r) {
			t.Fatalf("octet by octet %s, whole %s", words(again), words(r))
		}
		field := r.Field("mx.example.net").String()
		if got, err := authres.Parse(strings.TrimPrefix(field, authres.Name+":")); err != nil || len(got.Statements) != len(r.Statements()) {
			t.Fatalf("%v\n%s", err, field)
		}
		(&Policy{}).Decide(r)
	})
}
