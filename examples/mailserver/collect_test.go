package main

import (
	"io"
	"testing"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
)

// Only the body that neither a mailbox nor the queue holds is freed.
func TestCollect(t *testing.T) {
	s, err := newTestServer(t, "-user", "alice@example.org:x")
	if err != nil {
		t.Fatal(err)
	}
	commit := func(text string) blob.Ref {
		w, err := s.engine.blobs.Create(t.Context(), -1)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, text)
		ref, err := w.Commit(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return ref
	}
	queued, delivered, orphan := commit("A: queued\r\n\r\n"), commit("A: delivered\r\n\r\n"), commit("A: orphan\r\n\r\n")

	to := smtp.ForwardPath{Path: smtp.Path{Local: "x", Domain: "foreign.example"}}
	job := queue.Job{
		ID: "job", Message: "message", Destination: s.queue.Router.Key(to), Blob: queued, Size: 13,
		Recipients: []queue.Recipient{{Recipient: smtp.Recipient{ForwardPath: to}}},
	}
	if err := s.engine.queue.Put(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	acct, err := s.engine.store.Open(t.Context(), "alice@example.org")
	if err != nil {
		t.Fatal(err)
	}
	inbox, err := store.MailboxByName(t.Context(), acct, "INBOX")
	if err != nil {
		t.Fatal(err)
	}
	op := store.Append{Mailbox: inbox.ID, EmailID: store.NewEmailID(), Blob: delivered, Size: 16}
	if _, err := acct.Apply(t.Context(), store.Change{Ops: []store.Op{op}}); err != nil {
		t.Fatal(err)
	}

	c := s.collector()
	c.MinAge = -1
	if _, err := c.Collect(t.Context()); err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[blob.Ref]bool{queued: true, delivered: true, orphan: false} {
		b, err := s.engine.blobs.Open(t.Context(), ref)
		if (err == nil) != want {
			t.Errorf("%s: %v, want kept %v", ref, err, want)
		}
		if err == nil {
			b.Close()
		}
	}
}
