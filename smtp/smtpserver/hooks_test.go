package smtpserver

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/smtp"
)

// chatty offers every mechanism. Each exchange asks twice and then fails, with
// a challenge that is a secret too.
type chatty struct{}

var allMechanisms = []string{
	"PLAIN", "LOGIN", "CRAM-MD5", "EXTERNAL", "ANONYMOUS", "XOAUTH2", "OAUTHBEARER",
	"SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS",
}

func (chatty) Mechanisms(*smtp.Peer) []string { return allMechanisms }

func (chatty) Start(context.Context, *smtp.Peer, string, func(string)) (sasl.Server, error) {
	return &chattyServer{}, nil
}

type chattyServer struct{ n int }

func (c *chattyServer) Next([]byte) ([]byte, bool, error) {
	if c.n++; c.n > 2 {
		return nil, false, ErrBadCredentials
	}
	return []byte("secret challenge"), false, nil
}

// Whatever the mechanism, and wherever the server refuses it, neither trace nor
// log shows what was sent for it.
func TestTraceHidesEveryMechanism(t *testing.T) {
	secret := base64.StdEncoding.EncodeToString([]byte("secret"))
	challenge := base64.StdEncoding.EncodeToString([]byte("secret challenge"))
	for _, mech := range append([]string{"X-UNKNOWN", "plain"}, allMechanisms...) {
		for name, lines := range map[string]string{
			"initial response":      "AUTH " + mech + " " + secret + "\r\n" + secret + "\r\n" + secret + "\r\n",
			"asked":                 "AUTH " + mech + "\r\n" + secret + "\r\n" + secret + "\r\n",
			"spaces":                "AUTH  " + mech + "  " + secret + "\r\n" + secret + "\r\n",
			"tabs":                  "AUTH\t" + mech + "\t" + secret + "\r\n" + secret + "\r\n",
			"lower case":            "auth " + mech + " " + secret + "\r\n" + secret + "\r\n",
			"a space in front":      " AUTH " + mech + " " + secret + "\r\n" + secret + "\r\n",
			"in a transaction":      "MAIL FROM:<a@b>\r\nAUTH " + mech + " " + secret + "\r\n" + secret + "\r\n",
			"cancelled, then again": "AUTH " + mech + "\r\n*\r\n" + secret + "\r\n",
		} {
			for _, plaintext := range []bool{true, false} {
				var trace, log bytes.Buffer
				cfg := Config{Receiver: &sink{}, Auth: chatty{}, AllowPlaintextAuth: plaintext}
				cfg.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
				cfg.Trace = func(_ *smtp.Peer, _ bool, text []byte) { trace.Write(append(bytes.Clone(text), '\n')) }
				f := &flights{hello: "EHLO c\r\n", in: []string{lines + "NOOP\r\nQUIT\r\n"}, rounds: 1, keep: true}
				New(cfg).ServeConn(t.Context(), f)
				for _, s := range []string{secret, challenge} {
					if strings.Contains(trace.String(), s) || strings.Contains(log.String(), s) {
						t.Errorf("%s, %s: %q is shown:\n%s\n%s", mech, name, s, trace.String(), log.String())
					}
				}
				if !strings.Contains(strings.ToUpper(trace.String()), "AUTH") || !strings.Contains(trace.String(), "EHLO c") {
					t.Errorf("%s, %s: the trace lacks a command:\n%s", mech, name, trace.String())
				}
			}
		}
	}
}

// Closed comes once for each connection that Connect was asked about.
func TestClosed(t *testing.T) {
	for _, refused := range []bool{false, true} {
		var closed []string
		cfg := quiet(Config{Receiver: &sink{}, Closed: func(p *smtp.Peer) { closed = append(closed, p.Hello) }})
		want := "c"
		if refused {
			cfg.Connect = func(context.Context, *smtp.Peer) error { return errors.New("no") }
			want = ""
		}
		New(cfg).ServeConn(t.Context(), &flights{hello: "EHLO c\r\n"})
		if len(closed) != 1 || closed[0] != want {
			t.Errorf("refused %v: closed %q", refused, closed)
		}
	}
}

// A hook that panics ends nothing but its connection.
func TestHooksPanic(t *testing.T) {
	cfg := quiet(Config{Receiver: &sink{}})
	cfg.Pause = func(*smtp.Peer, string) time.Duration { panic("pause") }
	cfg.Closed = func(*smtp.Peer) { panic("closed") }
	f := &flights{hello: "EHLO c\r\n", in: []string{"NOOP\r\n"}, rounds: 1, keep: true}
	New(cfg).ServeConn(t.Context(), f)
	if !strings.Contains(f.out.String(), "250 2.0.0 OK") {
		t.Errorf("%q", f.out.String())
	}
}

// A pause is bounded, and Pause sees each verb once.
func TestPauseVerbs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var verbs []string
		cfg := quiet(Config{Receiver: &sink{}})
		cfg.Limits.Command = time.Minute
		cfg.Pause = func(_ *smtp.Peer, verb string) time.Duration {
			verbs = append(verbs, verb)
			if verb == "NOOP" {
				return time.Hour
			}
			return 0
		}
		start := time.Now()
		New(cfg).ServeConn(t.Context(), &flights{hello: "ehlo c\r\n", in: []string{threeRcpts, "text\r\n.\r\nNOOP\r\nWHAT\r\nQUIT\r\n"}, rounds: 1})
		if got := strings.Join(verbs, " "); got != " EHLO MAIL RCPT DATA NOOP ? QUIT" {
			t.Errorf("verbs %q", got)
		}
		if d := time.Since(start); d != time.Minute {
			t.Errorf("took %v", d)
		}
	})
}
