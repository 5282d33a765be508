package imapmsg

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/internal/mime"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/memstore"
)

// counting counts how often the octets of a message are opened.
type counting struct {
	store.Account
	opened int
}

func (c *counting) Content(ctx context.Context, id store.MailboxID, uid store.UID) (store.Content, error) {
	c.opened++
	return c.Account.Content(ctx, id, uid)
}

// mailbox holds one message with trace fields in front.
func mailbox(t *testing.T, prefix, body string) (*Mailbox, *counting) {
	t.Helper()
	st := memstore.New(nil)
	t.Cleanup(func() { st.Close() })
	if err := st.Create(t.Context(), "alice", store.AccountInfo{}); err != nil {
		t.Fatal(err)
	}
	a, err := st.Open(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	inbox, err := store.MailboxByName(t.Context(), a, store.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	_, err = store.AppendMessage(t.Context(), st, a, "", store.NewMessage{
		Mailbox: inbox.ID, Prefix: []byte(prefix), Body: strings.NewReader(body), BodySize: int64(len(body)),
	})
	if err != nil {
		t.Fatal(err)
	}
	c := &counting{Account: a}
	return &Mailbox{Account: c, ID: inbox.ID}, c
}

const (
	prefix = "Return-Path: <a@b>\r\n"
	body   = "Subject: s\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\none\r\n--x\r\n" +
		"Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\ntwo\r\n--x--\r\n"
)

// each runs f on the message as the store sends it for these fields.
func each(t *testing.T, box *Mailbox, fields store.Fields, f func(m *Message)) {
	t.Helper()
	m := Message{Mailbox: box}
	for sm, err := range box.Account.Messages(t.Context(), box.ID, store.Query{UIDs: store.UIDs(1), Fields: fields}) {
		if err != nil {
			t.Fatal(err)
		}
		m.Reset(sm, fields)
		f(&m)
		m.Close()
	}
}

// Invariant I3: stored Meta needs no octets; Meta that is not stored does, and
// comes out the same.
func TestMeta(t *testing.T) {
	box, opened := mailbox(t, prefix, body)
	var stored store.Meta
	each(t, box, store.FieldMeta, func(m *Message) {
		meta, err := m.Meta(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		stored = *meta
		stored.Envelope = []byte(string(meta.Envelope))
	})
	if opened.opened != 0 {
		t.Errorf("opened %d times though Meta is stored", opened.opened)
	}
	for _, fields := range []store.Fields{0, store.FieldContent} {
		each(t, box, fields, func(m *Message) {
			for range 2 {
				meta, err := m.Meta(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if string(meta.Envelope) != string(stored.Envelope) || meta.HeaderSize != stored.HeaderSize || len(meta.Parts) != len(stored.Parts) {
					t.Errorf("computed %+v, stored %+v", meta, stored)
				}
			}
			if m.Prefix() != int64(len(prefix)) {
				t.Errorf("prefix of %d octets", m.Prefix())
			}
		})
	}
	if opened.opened != 2 {
		t.Errorf("opened %d times for two messages without Meta", opened.opened)
	}
}

// Invariant I1: places count from the start of the blob.
func TestParts(t *testing.T) {
	box, _ := mailbox(t, prefix, body)
	each(t, box, store.FieldMeta|store.FieldContent, func(m *Message) {
		if _, err := m.Meta(t.Context()); err != nil {
			t.Fatal(err)
		}
		content, err := m.Content(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		parts := m.Parts()
		if parts.Len() != 4 || parts.At(0).Below != 2 || parts.At(2).Kind != mime.Message {
			t.Fatalf("parts: %+v", parts)
		}
		span := parts.At(3).Body
		text, err := io.ReadAll(io.NewSectionReader(content, m.Prefix()+span.Start, span.Len()))
		if string(text) != "two" || err != nil {
			t.Errorf("text of the inner message: %q, %v", text, err)
		}
	})
}

func TestExpunged(t *testing.T) {
	box, _ := mailbox(t, "", body)
	m := Message{Mailbox: box}
	m.Reset(&store.Message{UID: 7}, 0)
	if _, err := m.Meta(t.Context()); !errors.Is(err, store.ErrNoMessage) {
		t.Errorf("Meta of a message that is not there: %v", err)
	}
	if _, err := m.Content(t.Context()); !errors.Is(err, store.ErrNoMessage) {
		t.Errorf("Content of a message that is not there: %v", err)
	}
	m.Close()
}
