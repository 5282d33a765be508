package pop3server_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/pop3/pop3server"
	"github.com/mailstead/mailstead/store"
)

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

// panicking is a store that panics once in the middle of a login.
type panicking struct {
	store.Store
	once *sync.Once
}

func (p panicking) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	a, err := p.Store.Open(ctx, id)
	return panickingAccount{a, p.once}, err
}

type panickingAccount struct {
	store.Account
	once *sync.Once
}

func (a panickingAccount) Unwrap() store.Account { return a.Account }

func (a panickingAccount) Mailboxes(ctx context.Context, since store.ModSeq) ([]store.Mailbox, store.ModSeq, error) {
	a.once.Do(func() { panic("a store panics") })
	return a.Account.Mailboxes(ctx, since)
}

// A login that a panic of the store ends holds neither the maildrop nor a place
// of its user.
func TestPanicFreesTheMaildrop(t *testing.T) {
	for _, shared := range []bool{false, true} {
		s := maildrop(t)
		_, addr := serve(t, s, func(c *pop3server.Config) {
			c.Store = panicking{s, new(sync.Once)}
			c.SharedMaildrops, c.Limits.MaxSessionsPerUser = shared, 1
		})
		dial(t, addr).play("S: +OK ...\nC: USER alice\nS: +OK ...\nC: PASS pass word\nS: EOF")
		dial(t, addr).play(greetAndLogin)
	}
}
