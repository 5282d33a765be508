package imapclient_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/saslmech"
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/imap/imapserver"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/memstore"
)

// serve starts our server with the account alice in memory.
func serve(t testing.TB, edit func(*imapserver.Config)) (addr string) {
	t.Helper()
	st := memstore.New(nil)
	if err := st.Create(t.Context(), "alice", store.AccountInfo{}); err != nil {
		t.Fatal(err)
	}
	cfg := imapserver.Config{
		Store: st, AllowPlaintextAuth: true, Logger: slog.New(slog.DiscardHandler),
		Auth: authn.PasswordFunc(func(_ context.Context, _ *authn.Peer, user, pass string) (string, error) {
			if user != "alice" || pass != "secret" {
				return "", authn.ErrRejected
			}
			return user, nil
		}),
	}
	if edit != nil {
		edit(&cfg)
	}
	srv, err := imapserver.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go srv.Serve(l)
	t.Cleanup(func() {
		srv.Close()
		st.Close()
	})
	return l.Addr().String()
}

// alice logs in without TLS.
func alice() imapclient.Authenticator {
	return login.Client{
		Credentials: saslmech.Credentials{Username: "alice", Password: "secret"},
		Policy:      saslmech.Policy{AllowPlaintext: true},
	}
}

// dial connects to our server.
func dial(t testing.TB, addr string, d imapclient.Dialer) *imapclient.Client {
	t.Helper()
	d.TLS = imapclient.TLSNever
	if d.Auth == nil {
		d.Auth = alice()
	}
	c, err := d.Dial(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// letter is a message to append.
func letter(subject, body string) *imapclient.NewMessage {
	text := "From: a@example.org\r\nSubject: " + subject + "\r\n\r\n" + body + "\r\n"
	return &imapclient.NewMessage{Size: int64(len(text)), Body: strings.NewReader(text)}
}

func TestSession(t *testing.T) {
	ctx := t.Context()
	c := dial(t, serve(t, nil), imapclient.Dialer{ID: map[string]string{"name": "test"}})
	if _, err := c.Create(ctx, "Büro & Co"); err != nil {
		t.Fatal(err)
	}
	m := letter("one", "first")
	m.Flags, m.Keywords, m.InternalDate = store.Seen, []string{"$Label"}, time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	uid, err := c.Append(ctx, "Büro & Co", m)
	if err != nil || len(uid.UIDs) != 1 {
		t.Fatal(uid, err)
	}
	list, err := c.List(ctx, imap.ListOptions{Status: []imap.StatusItem{imap.StatusMessages, imap.StatusSize}})
	if err != nil || len(list) < 2 {
		t.Fatal(list, err)
	}
	box, err := c.Select(ctx, "Büro & Co", imapclient.SelectOptions{})
	if err != nil || box.Exists != 1 || box.UIDValidity != uid.UIDValidity {
		t.Fatal(box, err)
	}
	for msg, err := range c.Fetch(ctx, store.AllUIDs(), imap.FetchOptions{
		Items:    imap.FetchFlags | imap.FetchInternalDate | imap.FetchEnvelope | imap.FetchBodyStructure | imap.FetchSize,
		Sections: []imap.Section{{Peek: true}},
	}) {
		if err != nil {
			t.Fatal(err)
		}
		body, err := msg.Body()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(body)
		if err != nil || !bytes.HasSuffix(text, []byte("first\r\n")) || int64(len(text)) != msg.Size {
			t.Error(string(text), err)
		}
		if msg.Envelope.Subject != "one" || msg.Flags.System != store.Seen || !msg.Flags.Has("$label") || !msg.BodyStructure.Is("text/plain") {
			t.Errorf("%+v", msg)
		}
	}
	if _, err := c.Store(ctx, store.UIDs(1), imap.StoreOptions{Flags: store.Deleted}); err != nil {
		t.Fatal(err)
	}
	cp, err := c.Copy(ctx, store.UIDs(1), "INBOX")
	if err != nil || cp.Dest.String() != "1" {
		t.Fatal(cp, err)
	}
	if err := c.UIDExpunge(ctx, store.UIDs(1)); err != nil || c.Mailbox().Exists != 0 {
		t.Fatal(err)
	}
	if err := c.Logout(ctx); err != nil {
		t.Fatal(err)
	}
}
