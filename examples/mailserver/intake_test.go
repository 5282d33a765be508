package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/deliver/submission"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/webhook"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store"
)

// running has its queue run until the end of the test.
func running(t *testing.T, args ...string) *server {
	t.Helper()
	s, err := newTestServer(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.runner.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return s
}

// offer gives a message to a receiver of the server.
func offer(t *testing.T, r smtp.Receiver, m *smtp.Mail, text string, to ...string) {
	t.Helper()
	m.ID = smtp.NewID()
	var rcpts []*smtp.Recipient
	for _, a := range to {
		p, err := smtp.ParseForwardPath("<"+a+">", true)
		if err != nil {
			t.Fatal(err)
		}
		rcpts = append(rcpts, &smtp.Recipient{ForwardPath: p})
	}
	if err := smtp.Hand(t.Context(), r, m, rcpts, smtp.NewBody(strings.NewReader(text), int64(len(text)))); err != nil {
		t.Fatal(err)
	}
}

// waitFor returns the texts of a mailbox as soon as it has n messages.
func waitFor(t *testing.T, s *server, id store.AccountID, name string, n int) (texts []string, flags []store.Flags) {
	t.Helper()
	acct, err := s.engine.store.Open(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	for {
		boxes, seq, err := acct.Mailboxes(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		for i := range boxes {
			if boxes[i].Name == name && boxes[i].Messages >= int64(n) {
				return contents(t, acct, boxes[i].ID)
			}
		}
		if _, err := acct.Wait(t.Context(), seq); err != nil {
			t.Fatal(err)
		}
	}
}

func contents(t *testing.T, acct store.Account, box store.MailboxID) (texts []string, flags []store.Flags) {
	t.Helper()
	for m, err := range acct.Messages(t.Context(), box, store.Query{UIDs: store.AllUIDs(), Fields: store.FieldContent}) {
		if err != nil {
			t.Fatal(err)
		}
		c, err := acct.Content(t.Context(), box, m.UID)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(io.NewSectionReader(c, 0, c.Size()))
		c.Close()
		if err != nil {
			t.Fatal(err)
		}
		texts, flags = append(texts, string(b)), append(flags, m.Flags)
	}
	return texts, flags
}

// A submitted message is fixed, and its copy is in the mailbox for sent mail.
func TestSentCopy(t *testing.T) {
	s := running(t, "-user", "alice@example.org:x", "-user", "bob@example.org:x", "-sent", "on")
	s.intake.Steps[1].(*submission.Sent).Delay = 0
	m := &smtp.Mail{Peer: &smtp.Peer{Protocol: "ESMTPSA", Identity: "alice@example.org"}}
	offer(t, s.submissionConfig(false).Receiver, m, "Bcc: x@example.org\r\nFrom: bob@example.org\r\n\r\nhello\r\n", "bob@example.org")
	copies, flags := waitFor(t, s, "alice@example.org", "Sent", 1)
	got, _ := waitFor(t, s, "bob@example.org", "INBOX", 1)
	if !strings.HasPrefix(copies[0], "Bcc: x@example.org\r\nReceived: ") || flags[0] != store.Seen || strings.Contains(got[0], "Bcc") {
		t.Errorf("copy\n%s\nflags %v, message\n%s", copies[0], flags[0], got[0])
	}
	for _, text := range append(copies, got...) {
		for _, want := range []string{"\r\nFrom: bob@example.org\r\nSender: alice@example.org\r\nDate: ", "\r\nMessage-ID: <" + m.ID + "@mail.example.org>\r\n\r\nhello\r\n"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is missing in\n%s", want, text)
			}
		}
	}
}

// Each port reports what it accepts.
func TestJournal(t *testing.T) {
	s := running(t, "-user", "alice@example.org:x", "-user", "bob@example.org:x", "-user", "journal@example.org:x", "-journal", "journal@example.org")
	const text = "From: x@foreign.example\r\nTo: bob@example.org\r\nSubject: hi\r\n\r\nbody\r\n"
	ports := []struct {
		r    smtp.Receiver
		peer *smtp.Peer
		kind string
	}{
		{s.mxConfig().Receiver, &smtp.Peer{Protocol: "ESMTP"}, "Recipient"},
		{s.lmtpConfig().Receiver, &smtp.Peer{Protocol: "LMTP"}, "Recipient"},
		{s.submissionConfig(false).Receiver, &smtp.Peer{Protocol: "ESMTPSA", Identity: "alice@example.org"}, "Bcc"},
	}
	for i, port := range ports {
		offer(t, port.r, &smtp.Mail{Peer: port.peer, PerRecipient: true}, text, "bob@example.org", "alice@example.org")
		waitFor(t, s, "bob@example.org", "INBOX", i+1)
		reports, _ := waitFor(t, s, "journal@example.org", "INBOX", i+1)
		got := reports[i]
		for _, want := range []string{"Sender: <>\r\nSubject: hi\r\n", "To: bob@example.org\r\n" + port.kind + ": alice@example.org\r\n", "Content-Type: message/rfc822\r\n", "\r\nbody\r\n\r\n--"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: the report lacks %q:\n%s", port.peer.Protocol, want, got)
			}
		}
		if !strings.HasSuffix(got, "--\r\n") {
			t.Errorf("%s: the report has no end:\n%s", port.peer.Protocol, got)
		}
	}
}

// Webhooks are told of messages, and not of the copies and reports made of them.
func TestWebhooksOfMessages(t *testing.T) {
	s, err := newTestServer(t, "-user", "alice@example.org:x", "-user", "journal@example.org:x", "-sent", "on", "-journal", "journal@example.org")
	if err != nil {
		t.Fatal(err)
	}
	m := &smtp.Mail{Peer: &smtp.Peer{Protocol: "ESMTPSA", Identity: "alice@example.org"}}
	offer(t, s.submissionConfig(false).Receiver, m, "From: alice@example.org\r\n\r\nhello\r\n", "bob@foreign.example")
	w := webhookFile{Name: "crm", URL: "https://crm.example.org/", SecretFile: "s"}
	dir, text := t.TempDir(), webhook.NewSecret().Reveal()
	if err := os.WriteFile(filepath.Join(dir, "s"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.compile(dir); err != nil {
		t.Fatal(err)
	}
	hooks := &webhook.Hooks{Endpoints: []webhook.Endpoint{w.endpoint}}
	var told []string
	jobs := 0
	for j, err := range s.engine.queue.List(t.Context(), queue.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if jobs++; len(hooks.Notify([]queue.Event{{Kind: queue.EventAccepted, Job: j}})) > 0 {
			told = append(told, j.Destination)
		}
	}
	if jobs != 3 || !slices.Equal(told, []string{"foreign.example"}) {
		t.Errorf("%d jobs, told of %q", jobs, told)
	}
}
