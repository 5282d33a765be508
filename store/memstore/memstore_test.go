package memstore

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/memblob"
)

// TestFirstMessage goes the way of one message: stored, listed, read, gone.
func TestFirstMessage(t *testing.T) {
	ctx := t.Context()
	s := New(nil)
	if err := s.Create(ctx, "alice@example.org", store.AccountInfo{}); err != nil {
		t.Fatal(err)
	}
	a, err := s.Open(ctx, "alice@example.org")
	if err != nil {
		t.Fatal(err)
	}
	inbox, err := store.MailboxByName(ctx, a, "inbox")
	if err != nil {
		t.Fatal(err)
	}
	r, err := store.AppendMessage(ctx, s, a, "", store.NewMessage{
		Mailbox: inbox.ID, Body: strings.NewReader("Subject: hello\r\n\r\nhi\r\n"), BodySize: -1, Prefix: []byte("X: y\r\n"),
	})
	if err != nil {
		t.Fatal(err)
	}
	uid := r.Ops[0].Dest.Min()
	if got := read(t, a, inbox.ID, uid); got != "X: y\r\nSubject: hello\r\n\r\nhi\r\n" {
		t.Errorf("content = %q", got)
	}
	if _, err := a.Apply(ctx, store.Change{Ops: []store.Op{store.Expunge{Mailbox: inbox.ID, UIDs: store.UIDs(uid)}}}); err != nil {
		t.Fatal(err)
	}
	inbox, err = store.MailboxByID(ctx, a, inbox.ID)
	if err != nil || inbox.Messages != 0 || inbox.UIDNext != 2 {
		t.Errorf("after EXPUNGE: %+v, %v", inbox, err)
	}
	if _, err := s.Open(context.Background(), "nobody"); !errors.Is(err, store.ErrNoAccount) {
		t.Errorf("Open of an unknown account: %v", err)
	}
}

// TestGivenBlobs: the store uses the blob store it is given.
func TestGivenBlobs(t *testing.T) {
	blobs := memblob.New()
	if s := New(blobs); s.Blobs() != blob.Blobs(blobs) {
		t.Errorf("Blobs() = %v", s.Blobs())
	}
}

func read(t *testing.T, a store.Account, id store.MailboxID, uid store.UID) string {
	t.Helper()
	c, err := a.Content(t.Context(), id, uid)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b, err := io.ReadAll(io.NewSectionReader(c, 0, c.Size()))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
