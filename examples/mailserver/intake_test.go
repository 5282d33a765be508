package main

import (
	"context"
	"io"
	"strings"
	"testing"

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
