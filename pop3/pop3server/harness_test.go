package pop3server_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/pop3/pop3server"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/memstore"
)

const alice = store.AccountID("alice@example.org")

// maildrop is a store with these messages in alice's INBOX, UIDs from 1.
func maildrop(t testing.TB, messages ...string) store.Store {
	t.Helper()
	s := memstore.New(nil)
	if err := s.Create(t.Context(), alice, store.AccountInfo{ID: alice}); err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		add(t, s, m)
	}
	return s
}

func add(t testing.TB, s store.Store, content string) {
	t.Helper()
	addTo(t, s, alice, content)
}

func addTo(t testing.TB, s store.Store, id store.AccountID, content string) {
	t.Helper()
	a, inbox := openOf(t, s, id)
	_, err := store.AppendMessage(t.Context(), s, a, "", store.NewMessage{Mailbox: inbox, Body: strings.NewReader(content), BodySize: -1})
	if err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, s store.Store) (store.Account, store.MailboxID) {
	t.Helper()
	return openOf(t, s, alice)
}

func openOf(t testing.TB, s store.Store, id store.AccountID) (store.Account, store.MailboxID) {
	t.Helper()
	a, err := s.Open(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	box, err := store.MailboxByName(t.Context(), a, "INBOX")
	if err != nil {
		t.Fatal(err)
	}
	return a, box.ID
}

func uids(t testing.TB, s store.Store) string {
	t.Helper()
	return uidsOf(t, s, alice)
}

func uidsOf(t testing.TB, s store.Store, id store.AccountID) string {
	t.Helper()
	a, inbox := openOf(t, s, id)
	var set store.UIDSet
	for m, err := range a.Messages(t.Context(), inbox, store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		set.Add(m.UID)
	}
	return set.String()
}

func judge(_ context.Context, _ *authn.Peer, user, pass string) (string, error) {
	switch {
	case user == "broken":
		return "", errors.New("secret database text")
	case user == "alice" && pass == "pass word":
		return string(alice), nil
	}
	return "", authn.ErrRejected
}

// serve starts a server on loopback and returns it with its address.
func serve(t testing.TB, s store.Store, edit func(*pop3server.Config)) (*pop3server.Server, string) {
	t.Helper()
	cfg := pop3server.Config{Store: s, Auth: authn.PasswordFunc(judge), AllowPlaintextAuth: true, Logger: slog.New(slog.DiscardHandler)}
	if edit != nil {
		edit(&cfg)
	}
	srv, err := pop3server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	t.Cleanup(func() {
		srv.Close()
		if err := <-done; !errors.Is(err, pop3server.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
		s.Close()
	})
	return srv, l.Addr().String()
}

// client is a raw peer.
type client struct {
	t testing.TB
	net.Conn
	br *bufio.Reader
}

func dial(t testing.TB, addr string) *client {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(30 * time.Second))
	return &client{t, nc, bufio.NewReader(nc)}
}

// play runs a dialogue of "C: " and "S: " lines. A server line that ends in
// "..." has to begin so; "S: EOF" is the end of the connection.
func (c *client) play(script string) {
	c.t.Helper()
	for line := range strings.Lines(script) {
		line = strings.Trim(line, "\t\n")
		switch {
		case strings.HasPrefix(line, "C: "):
			if _, err := io.WriteString(c, strings.ReplaceAll(line[3:], `\r\n`, "\r\n")+"\r\n"); err != nil {
				c.t.Fatal(err)
			}
		case line == "S: EOF":
			if got, err := c.br.ReadString('\n'); err != io.EOF {
				c.t.Fatalf("got %q, %v; want the end", got, err)
			}
		case strings.HasPrefix(line, "S: "):
			got, err := c.br.ReadString('\n')
			want, prefix := strings.CutSuffix(line[3:], "...")
			got = strings.TrimSuffix(got, "\r\n")
			if err != nil || !prefix && got != want || prefix && !strings.HasPrefix(got, want) {
				c.t.Fatalf("got %q, %v\nwant %q", got, err, line[3:])
			}
		}
	}
}

const greetAndLogin = `
	S: +OK POP3 server ready
	C: USER alice
	S: +OK ...
	C: PASS pass word
	S: +OK ...
`

// discard reads a multi-line answer to its end.
func (c *client) discard() (octets int) {
	c.t.Helper()
	for {
		line, err := c.br.ReadString('\n')
		if err != nil {
			c.t.Fatal(err)
		}
		if line == ".\r\n" {
			return octets
		}
		octets += len(line)
		if strings.HasPrefix(line, ".") {
			octets--
		}
	}
}

func (c *client) send(line string) {
	c.t.Helper()
	if _, err := io.WriteString(c, line+"\r\n"); err != nil {
		c.t.Fatal(err)
	}
}
