package pop3server_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"iter"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/pop3/pop3server"
	"github.com/mailstead/mailstead/store"
)

// looking counts how often messages are looked up, one or several at a time.
type looking struct {
	store.Store
	one, several *atomic.Int32
}

func (c looking) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	a, err := c.Store.Open(ctx, id)
	return lookingAccount{a, c}, err
}

type lookingAccount struct {
	store.Account
	in looking
}

func (a lookingAccount) As(target any) bool {
	if p, ok := target.(*store.ContentOpener); ok {
		*p = a
		return true
	}
	return false
}

func (a lookingAccount) Content(ctx context.Context, id store.MailboxID, uid store.UID) (store.Content, error) {
	a.in.one.Add(1)
	return a.Account.Content(ctx, id, uid)
}

func (a lookingAccount) OpenContent(ctx context.Context, id store.MailboxID, m *store.Message) (store.Content, error) {
	return a.Account.Content(ctx, id, m.UID)
}

func (a lookingAccount) Messages(ctx context.Context, id store.MailboxID, q store.Query) iter.Seq2[*store.Message, error] {
	if q.Fields&store.FieldContent != 0 {
		a.in.several.Add(1)
	}
	return a.Account.Messages(ctx, id, q)
}

// Who retrieves message after message has them looked up many at a time, also
// with one command a flight; who does not come back soon has nothing kept (P5),
// and who jumps about has nothing read ahead.
func TestReadAhead(t *testing.T) {
	for _, secure := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) { testReadAhead(t, secure) })
	}
}

func testReadAhead(t *testing.T, secure bool) {
	var bodies []string
	for i := range 200 {
		bodies = append(bodies, fmt.Sprintf("N: %d\r\n\r\n", i+1))
	}
	s := looking{maildrop(t, bodies...), new(atomic.Int32), new(atomic.Int32)}
	defer s.Close()
	cfg := pop3server.Config{Store: s, Auth: authn.PasswordFunc(judge), AllowPlaintextAuth: true, Logger: discard}
	if secure {
		cfg.TLSConfig, cfg.ImplicitTLS = testTLS(t), true
	}
	srv, err := pop3server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	here, there := net.Pipe()
	defer here.Close()
	go srv.ServeConn(there)
	if secure {
		here = tls.Client(here, &tls.Config{InsecureSkipVerify: true})
	}
	c := &client{t: t, Conn: here, br: bufio.NewReader(here)}
	c.play("S: +OK ...\nC: USER alice\nS: +OK ...\nC: PASS pass word\nS: +OK ...")
	retr := func(n int) {
		c.play(fmt.Sprintf("C: RETR %d\nS: +OK %d octets\nS: N: %d\nS: \nS: .", n, len(bodies[n-1]), n))
	}
	looks := func(one, several int32) {
		t.Helper()
		if s.one.Load() != one || s.several.Load() != several {
			t.Errorf("%d looks for one, %d for several; want %d and %d", s.one.Load(), s.several.Load(), one, several)
		}
	}
	for n := 1; n <= 129; n++ {
		retr(n)
	}
	looks(1, 2) // 1, 2 to 65, 66 to 129
	for _, n := range []int{150, 3, 180, 7} {
		retr(n)
	}
	looks(5, 2)
	retr(8)
	looks(5, 3)
	time.Sleep(3 * time.Second)
	retr(9)
	looks(5, 4)
}

// Messages with long fields in front of them are not all read ahead.
func TestReadAheadIsBounded(t *testing.T) {
	s := looking{maildrop(t), new(atomic.Int32), new(atomic.Int32)}
	a, inbox := open(t, s.Store)
	prefix := "Received: " + strings.Repeat("x", 15<<10) + "\r\n"
	for range 12 {
		m := store.NewMessage{Mailbox: inbox, Prefix: []byte(prefix), Body: strings.NewReader("\r\n"), BodySize: -1}
		if _, err := store.AppendMessage(t.Context(), s.Store, a, "", m); err != nil {
			t.Fatal(err)
		}
	}
	srv, err := pop3server.New(pop3server.Config{
		Store: s, Auth: authn.PasswordFunc(judge), AllowPlaintextAuth: true, Logger: discard,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	here, there := net.Pipe()
	defer here.Close()
	go srv.ServeConn(there)
	c := &client{t: t, Conn: here, br: bufio.NewReader(here)}
	c.play("S: +OK ...\nC: USER alice\nS: +OK ...\nC: PASS pass word\nS: +OK ...")
	for n := 1; n <= 12; n++ {
		c.play(fmt.Sprintf("C: RETR %d\nS: +OK %d octets\nS: %s\nS: \nS: .", n, len(prefix)+2, strings.TrimSpace(prefix)))
	}
	if one, several := s.one.Load(), s.several.Load(); one != 1 || several != 3 { // 1, 2 to 5, 6 to 9, 10 to 12
		t.Errorf("%d looks for one, %d for several", one, several)
	}
}
