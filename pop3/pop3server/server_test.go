package pop3server_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
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

// What RETR sends, its dot-stuffing undone, is the message; a last line
// without a CRLF gets one, which is part of the end mark (RFC 1939 §3).
func TestRetrIsExact(t *testing.T) {
	bodies := []string{"", "\r\n", "A: 1\r\n\r\nx", "A: 1\r\n\r\nx\r", "A: 1\r\n\r\n.\r\n", "A: 1\r\n\r\n..a\r\n.", "a\n.\nb\n", "\n.\r\n", strings.Repeat("x", 100<<10) + "\r\n.", strings.Repeat(".\r\n", 30<<10)}
	_, addr := serve(t, maildrop(t, bodies...), nil)
	c := dial(t, addr)
	c.play(greetAndLogin)
	for i, want := range bodies {
		fmt.Fprintf(c, "RETR %d\r\n", i+1)
		c.play("S: +OK ...")
		if want != "" && !strings.HasSuffix(want, "\r\n") {
			want = strings.TrimSuffix(want, "\r") + "\r\n"
		}
		var got strings.Builder
		for {
			line, err := c.br.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if line == ".\r\n" {
				break
			}
			got.WriteString(strings.TrimPrefix(line, "."))
		}
		if got.String() != want {
			t.Errorf("message %d: got %.80q, want %.80q", i+1, got.String(), want)
		}
	}
}

func TestMaildropIsLocked(t *testing.T) {
	s := maildrop(t, "A: 1\r\n\r\n")
	_, addr := serve(t, s, nil)
	first, second := dial(t, addr), dial(t, addr)
	first.play(greetAndLogin)
	second.play(`
		S: +OK ...
		C: USER alice
		S: +OK ...
		C: PASS pass word
		S: -ERR [IN-USE] ...`)
	add(t, s, "B: 2\r\n\r\n")
	first.play(`
		C: STAT
		S: +OK 1 8
		C: QUIT
		S: +OK ...
		S: EOF`)
	second.play(`
		C: USER alice
		S: +OK ...
		C: PASS pass word
		S: +OK Maildrop has 2 messages ...`)
}

// A message that another client expunged gives -ERR, and QUIT still deletes
// the others.
func TestExpungedMeanwhile(t *testing.T) {
	s := maildrop(t, "A: 1\r\n\r\n", "B: 2\r\n\r\n", "C: 3\r\n\r\n")
	_, addr := serve(t, s, nil)
	c := dial(t, addr)
	c.play(greetAndLogin)
	a, inbox := open(t, s)
	if _, err := a.Apply(t.Context(), store.Change{Ops: []store.Op{store.Expunge{Mailbox: inbox, UIDs: store.UIDs(1)}}}); err != nil {
		t.Fatal(err)
	}
	c.play(`
		C: RETR 1
		S: -ERR Message was deleted by another client
		C: TOP 1 0
		S: -ERR Message was deleted by another client
		C: DELE 1
		S: +OK ...
		C: DELE 2
		S: +OK ...
		C: QUIT
		S: +OK ...
		S: EOF`)
	if got := uids(t, s); got != "3" {
		t.Errorf("left %s, want 3", got)
	}
}

// Who sees the first octet of the answer to QUIT can log in again.
func TestQuitFreesTheMaildrop(t *testing.T) {
	s := maildrop(t)
	locks := &store.Maildrops{}
	srv, err := pop3server.New(pop3server.Config{Store: s, Locks: locks, Auth: authn.PasswordFunc(judge), AllowPlaintextAuth: true})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	here, there := net.Pipe()
	go srv.ServeConn(there)
	c := &client{t, here, bufio.NewReaderSize(iotest.OneByteReader(here), 16)}
	c.play(greetAndLogin)
	go io.WriteString(here, "QUIT\r\n")
	if first, err := c.br.ReadByte(); first != '+' || err != nil {
		t.Fatalf("%q, %v", first, err)
	}
	a, _ := open(t, s) // the server still writes: the pipe holds nothing
	lock, err := locks.Lock(t.Context(), a, alice)
	if err != nil {
		t.Fatal(err)
	}
	lock.Unlock(t.Context())
	io.Copy(io.Discard, c.br)
}

func TestUniqueIDsAreStable(t *testing.T) {
	s := maildrop(t, "same\r\n", "same\r\n")
	_, addr := serve(t, s, nil)
	ids := func() (out [2]string) {
		c := dial(t, addr)
		c.play(greetAndLogin + "C: UIDL\nS: +OK ...")
		for i := range out {
			out[i], _ = c.br.ReadString('\n')
		}
		c.play("S: .\nC: QUIT\nS: +OK ...\nS: EOF")
		return out
	}
	first := ids()
	if first[0][2:] == first[1][2:] || first != ids() {
		t.Errorf("unique-ids %q", first)
	}
}

func TestPasswordsNeedTLS(t *testing.T) {
	_, addr := serve(t, maildrop(t), func(c *pop3server.Config) {
		c.AllowPlaintextAuth = false
		c.TLSConfig = testTLS(t)
	})
	c := dial(t, addr)
	c.play(`
		S: +OK ...
		C: USER alice
		S: -ERR STLS is required first
		C: CAPA
		S: +OK ...
		S: TOP
		S: UIDL
		S: RESP-CODES
		S: AUTH-RESP-CODE
		S: PIPELINING
		S: UTF8 USER
		S: LANG
		S: EXPIRE NEVER
		S: STLS
		S: .
		C: STLS
		S: +OK ...`)
	tc := tls.Client(c.Conn, &tls.Config{InsecureSkipVerify: true})
	under := &client{t, tc, bufio.NewReader(tc)}
	under.play(`
		C: USER alice
		S: +OK ...
		C: PASS pass word
		S: +OK ...
		C: STLS
		S: -ERR ...`)
}

// Plain text in the same flight behind STLS never acts.
func TestNothingFollowsSTLS(t *testing.T) {
	_, addr := serve(t, maildrop(t), func(c *pop3server.Config) { c.TLSConfig = testTLS(t) })
	c := dial(t, addr)
	c.play(`
		S: +OK ...
		C: STLS\r\nUSER alice
		S: -ERR ...
		S: EOF`)
}

func TestShutdown(t *testing.T) {
	s := maildrop(t, "A: 1\r\n\r\n")
	srv, addr := serve(t, s, nil)
	c := dial(t, addr)
	c.play(greetAndLogin + "C: DELE 1\nS: +OK ...")
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.play("S: -ERR [SYS/TEMP] Server shutting down\nS: EOF")
	if got := uids(t, s); got != "1" {
		t.Errorf("left %q: a marked message was deleted without QUIT", got)
	}
}

func TestConnectionLimit(t *testing.T) {
	_, addr := serve(t, maildrop(t), func(c *pop3server.Config) { c.Limits.MaxConnections = 1 })
	dial(t, addr).play("S: +OK ...")
	dial(t, addr).play("S: -ERR [SYS/TEMP] Too many connections, try again later\nS: EOF")
}

func FuzzSession(f *testing.F) {
	f.Add("USER alice\r\nPASS pass word\r\nSTAT\r\nLIST\r\nUIDL 1\r\nRETR 1\r\nTOP 1 1\r\nDELE 1\r\nRSET\r\nQUIT\r\n")
	f.Add("CAPA\r\nSTLS\r\n\x16\x03\x01")
	f.Fuzz(func(t *testing.T, input string) {
		s := maildrop(t, "A: 1\r\n\r\nbody\r\n")
		defer s.Close()
		srv, err := pop3server.New(pop3server.Config{Store: s, Auth: authn.PasswordFunc(judge), AllowPlaintextAuth: true, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer srv.Close()
		here, there := net.Pipe()
		done := make(chan error, 1)
		go func() { done <- srv.ServeConn(there) }()
		go func() { io.WriteString(here, "USER alice\r\nPASS pass word\r\n"+input+"\r\nQUIT\r\n") }()
		out, _ := io.ReadAll(here)
		<-done
		if !strings.HasPrefix(string(out), "+OK") {
			t.Errorf("greeting %q", out)
		}
	})
}

// Two servers that share Locks exclude each other where the store does not.
func TestMaildropIsLockedAcrossServers(t *testing.T) {
	s := maildrop(t, "A: 1\r\n\r\n")
	plain := unlocked{s}
	locks := new(store.Maildrops)
	share := func(c *pop3server.Config) { c.Store, c.Locks = plain, locks }
	_, one := serve(t, s, share)
	_, two := serve(t, s, share)
	first, second := dial(t, one), dial(t, two)
	first.play(greetAndLogin)
	second.play(`
		S: +OK ...
		C: USER alice
		S: +OK ...
		C: PASS pass word
		S: -ERR [IN-USE] ...`)
}

// unlocked is a store without a MaildropLocker.
type unlocked struct{ store.Store }

func (u unlocked) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	a, err := u.Store.Open(ctx, id)
	return bare{a}, err
}

type bare struct{ store.Account }

// QUIT says so when a hold keeps a marked message, and deletes the others.
func TestHeldMessagesStay(t *testing.T) {
	s := maildrop(t, "A: 1\r\n\r\n", "B: 2\r\n\r\n")
	_, addr := serve(t, s, nil)
	a, inbox := open(t, s)
	if err := store.PutHold(t.Context(), a, store.Hold{Name: "case 7", Mailbox: inbox, UIDs: store.UIDs(1)}); err != nil {
		t.Fatal(err)
	}
	c := dial(t, addr)
	c.play(greetAndLogin)
	c.play(`
		C: DELE 1
		S: +OK ...
		C: DELE 2
		S: +OK ...
		C: QUIT
		S: -ERR Some deleted messages were not removed
		S: EOF`)
	if m, err := store.MailboxByID(t.Context(), a, inbox); err != nil || m.Messages != 1 {
		t.Errorf("%d messages are left, %v", m.Messages, err)
	}
}

// Nodes that share nothing but the store exclude each other by its
// MaildropLocker.
func TestMaildropIsLockedAcrossNodes(t *testing.T) {
	s := maildrop(t, "A: 1\r\n\r\n")
	_, one := serve(t, s, nil)
	_, two := serve(t, s, nil)
	first, second := dial(t, one), dial(t, two)
	first.play(greetAndLogin)
	second.play(`
		S: +OK ...
		C: USER alice
		S: +OK ...
		C: PASS pass word
		S: -ERR [IN-USE] Another session has this maildrop`)
	first.play("C: QUIT\nS: +OK ...\nS: EOF")
	second.play(`
		C: USER alice
		S: +OK ...
		C: PASS pass word
		S: +OK Maildrop ...`)
}

// renewed is a store whose UIDs lose their meaning.
type renewed struct {
	store.Store
	by *atomic.Uint32 // added to UIDVALIDITY
}

func (r renewed) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	a, err := r.Store.Open(ctx, id)
	return renewedAccount{a, r.by}, err
}

type renewedAccount struct {
	store.Account
	by *atomic.Uint32
}

func (a renewedAccount) Mailboxes(ctx context.Context, since store.ModSeq) ([]store.Mailbox, store.ModSeq, error) {
	boxes, at, err := a.Account.Mailboxes(ctx, since)
	for i := range boxes {
		boxes[i].UIDValidity += store.UIDValidity(a.by.Load())
	}
	return boxes, at, err
}

// P3: where UIDs lose their meaning, a number never gives another text, and
// QUIT deletes nothing that the client did not see.
func TestUIDValidityChanges(t *testing.T) {
	s := maildrop(t, "A: 1\r\n\r\n", "B: 2\r\n\r\n")
	by := new(atomic.Uint32)
	_, addr := serve(t, s, func(c *pop3server.Config) { c.Store = renewed{s, by} })
	c := dial(t, addr)
	c.play(greetAndLogin + "C: RETR 1\nS: +OK ...\nS: A: 1\nS: \nS: .")
	by.Store(1)
	add(t, s, "C: 3\r\n\r\n") // a change, so that somebody looks
	c.play(`
		C: RETR 1
		S: -ERR Message was deleted by another client
		C: STAT
		S: +OK 2 16
		C: DELE 1
		S: +OK ...
		C: QUIT
		S: +OK ...
		S: EOF`)
	if got := uids(t, s); got != "1:3" {
		t.Errorf("left %s, want 1:3", got)
	}
}

// In one flight, too, what was expunged before it gives -ERR, and the others
// come as they are.
func TestExpungedInAFlight(t *testing.T) {
	var bodies []string
	var flight, want strings.Builder
	for i := range 100 {
		bodies = append(bodies, fmt.Sprintf("N: %d\r\n\r\n", i+1))
		fmt.Fprintf(&flight, "RETR %d\r\n", i+1)
		if i%3 == 1 {
			want.WriteString("S: -ERR Message was deleted by another client\n")
			continue
		}
		fmt.Fprintf(&want, "S: +OK %d octets\nS: N: %d\nS: \nS: .\n", len(bodies[i]), i+1)
	}
	s := maildrop(t, bodies...)
	_, addr := serve(t, s, nil)
	c := dial(t, addr)
	c.play(greetAndLogin)
	a, inbox := open(t, s)
	var gone store.UIDSet
	for i := store.UID(2); i <= 100; i += 3 {
		gone.Add(i)
	}
	if _, err := a.Apply(t.Context(), store.Change{Ops: []store.Op{store.Expunge{Mailbox: inbox, UIDs: gone}}}); err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, flight.String())
	c.play(want.String())
}

// A header that is longer than a read is looked into as a whole, and as long as
// it is no UTF-8 it comes as it is.
func TestLongHeaders(t *testing.T) {
	long := strings.Repeat("X: "+strings.Repeat("y", 70)+"\r\n", 2000)
	bodies := []string{
		long + "Subject: \u00fc\r\n\r\n\u00fc\r\n", long + "Subject: \xfc\r\n\r\n\u00fc\r\n",
		"Subject: \u00fc\r\n" + long + "\r\n\u00fc\r\n", long + "Subject: \u00fc",
	}
	wants := slices.Clone(bodies)
	for i := range wants {
		if i != 1 {
			wants[i] = strings.Replace(wants[i], "\u00fc", "??", 1)
		}
	}
	_, addr := serve(t, maildrop(t, bodies...), nil)
	c := dial(t, addr)
	c.play(greetAndLogin)
	for i, want := range wants {
		c.send(fmt.Sprintf("RETR %d", i+1))
		c.play(fmt.Sprintf("S: +OK %d octets", len(want)))
		var got strings.Builder
		for line := ""; line != ".\r\n"; {
			got.WriteString(line)
			var err error
			if line, err = c.br.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
		}
		if strings.TrimSuffix(got.String(), "\r\n") != strings.TrimSuffix(want, "\r\n") {
			t.Errorf("message %d: got ...%q", i+1, got.String()[max(0, got.Len()-40):])
		}
	}
}

// failing is a store whose messages cannot be read behind an octet.
type failing struct {
	store.Store
	at int64
}

func (f failing) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	a, err := f.Store.Open(ctx, id)
	return failingAccount{a, f.at}, err
}

type failingAccount struct {
	store.Account
	at int64
}

func (a failingAccount) Content(ctx context.Context, id store.MailboxID, uid store.UID) (store.Content, error) {
	c, err := a.Account.Content(ctx, id, uid)
	return failingContent{c, a.at}, err
}

func (a failingAccount) As(any) bool { return false }

type failingContent struct {
	store.Content
	at int64
}

func (c failingContent) ReadAt(p []byte, off int64) (int, error) {
	if off >= c.at {
		return 0, errors.New("disk: secret text")
	}
	return c.Content.ReadAt(p[:min(int64(len(p)), c.at-off)], off)
}

// A message that cannot be read is -ERR, and half of one never looks whole.
func TestReadFails(t *testing.T) {
	body := "A: 1\r\n\r\n" + strings.Repeat("x\r\n", 50<<10)
	_, addr := serve(t, maildrop(t, body), func(c *pop3server.Config) { c.Store = failing{c.Store, 0} })
	c := dial(t, addr)
	c.play(greetAndLogin + "C: RETR 1\nS: -ERR [SYS/TEMP] Internal error, reference ...\nC: STAT\nS: +OK 1 153608")
	_, addr = serve(t, maildrop(t, body), func(c *pop3server.Config) { c.Store = failing{c.Store, 100_000} })
	c = dial(t, addr)
	c.play(greetAndLogin + "C: RETR 1\nS: +OK ...")
	out, _ := io.ReadAll(c.br)
	if strings.HasSuffix(string(out), "\r\n.\r\n") || len(out) < 50_000 {
		t.Errorf("%d octets, the last %q", len(out), out[max(0, len(out)-10):])
	}
}
