package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/deliver/route"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtptest"
)

// withOutbound is a data directory with this outbound.toml.
func withOutbound(t *testing.T, text string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, outboundFileName), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A domain that is here in part: one user has an account, another one is known
// to an older server, and a foreign domain has a relay of its own.
func TestRoutes(t *testing.T) {
	old, partner := smtptest.NewServer(t), smtptest.NewServer(t)
	dir := withOutbound(t, fmt.Sprintf(`
[targets.old]
smtp = %q
tls = { level = "none", override = true }
[targets.partner]
smtp = %q
[[routes]]
recipient = "bob@example.org"
to = "old"
[[routes]]
recipient = "partner.example"
sender = "example.org"
to = "partner"
`, old.Addr, partner.Addr))
	s := running(t, "-data", dir, "-domain", "example.org", "-user", "alice@example.org:x", "-sent", "off")
	gated := smtp.Chain(s.intake, deliver.Gate(s.known, func(m *smtp.Mail) bool { return m.Peer.Identity != "" }))
	mail := &smtp.Mail{Peer: &smtp.Peer{Identity: "alice@example.org"}, ReversePath: smtp.ReversePath{Path: smtp.Path{Local: "alice", Domain: "example.org"}}}
	offer(t, gated, mail, "Subject: hello\r\n\r\n", "alice@example.org", "bob@example.org", "joe@partner.example")
	if texts, _ := waitFor(t, s, "alice@example.org", "INBOX", 1); len(texts) != 1 {
		t.Errorf("%q", texts)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for to, target := range map[string]*smtptest.Server{"bob@example.org": old, "joe@partner.example": partner} {
		got, err := target.Wait(ctx, 1)
		if err != nil || len(got) != 1 || len(got[0].Recipients) != 1 || got[0].Recipients[0].ForwardPath.Path.String() != to {
			t.Errorf("%s: %+v, %v", to, got, err)
		}
	}
	tx, err := s.operatorReceiver(true).Begin(ctx, &smtp.Mail{ID: smtp.NewID()})
	if err != nil {
		t.Fatal(err)
	}
	bob := &smtp.Recipient{ForwardPath: smtp.ForwardPath{Path: smtp.Path{Local: "bob", Domain: "example.org"}}}
	if errs := tx.Rcpt(ctx, []*smtp.Recipient{bob}); errs[0] != nil {
		t.Errorf("the operator's mail to a host of the table: %v", errs[0])
	}
	tx.Abort()
	unknown := smtp.ForwardPath{Path: smtp.Path{Local: "carol", Domain: "example.org"}}
	if e, err := deliver.LookupOne(t.Context(), s.known, unknown); err != nil || e.Kind != deliver.Unknown {
		t.Errorf("an address that nobody has: %+v, %v", e, err)
	}
}

func TestRoutesFile(t *testing.T) {
	for text, want := range map[string]string{
		"[targets.a]": "smtp or lmtp",
		"[targets.a]\nsmtp = 'x:25'\nlmtp = '/x'":                                                "smtp or lmtp",
		"[targets.a]\nsmtp = 'x'":                                                                "host:port",
		"[targets.a]\nlmtp = 'x'":                                                                "host:port",
		"[targets.a]\nsmtp = 'x:25'\ntls = { level = 'may' }":                                    "opportunistic",
		"[targets.a]\nsmtp = 'x:25'\ntls = { level = 'dane-only' }":                              "dane-only",
		"[targets.a]\nsmtp = 'x:25'\nuser = 'u'\npassword-file = 'none'":                         "password-file",
		"[targets.a]\nsmtp = 'x:25'\nuser = 'u'\npassword-file = 'p'\ntls = { level='encrypt' }": "password needs",
		"[targets.a]\nport = 'x:25'":                                                             "unknown name",
		"[queue]\nsuppress-bounced-days = 106752":                                                "suppress-bounced-days",
	} {
		if _, err := outboundOf(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for text, want := range map[string]error{
		"[[routes]]\nrecipient = 'a b'\nto = 'x'\n[targets.x]\nlmtp = '/run/x'": route.ErrPattern,
		"[[routes]]\nto = 'x'\n[targets.x]\nsmtp = 'mx.example.org:2525'\n":     route.ErrLoop,
	} {
		_, err := newTestServer(t, "-data", withOutbound(t, text), "-hostname", "mx.example.org", "-user", "alice@example.org:x")
		if !errors.Is(err, want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// What a user sends beyond the budget is accepted and held.
func TestBudget(t *testing.T) {
	dir := withOutbound(t, `
[queue.budget]
messages-per-hour = 2
[queue.budget.users."carol@example.org"]
messages-per-hour = -1
`)
	s, err := newTestServer(t, "-data", dir, "-domain", "example.org", "-user", "alice@example.org:x", "-sent", "off")
	if err != nil {
		t.Fatal(err)
	}
	for user, held := range map[string]int{"alice@example.org": 1, "carol@example.org": 0} {
		for range 3 {
			offer(t, s.intake, &smtp.Mail{Peer: &smtp.Peer{Identity: user}}, "Subject: x\r\n\r\n", "joe@foreign.example")
		}
		n := 0
		for j, err := range s.engine.queue.List(t.Context(), queue.Filter{Identity: user}) {
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(j.Hold, "budget") {
				n++
			}
		}
		if n != held {
			t.Errorf("%s: %d held, want %d", user, n, held)
		}
	}
}
