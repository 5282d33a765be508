package imapserver

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/acl"
	"github.com/mailstead/mailstead/store/memstore"
)

func hold(t *testing.T, st *memstore.Store, uids ...store.UID) {
	t.Helper()
	a, err := st.Open(t.Context(), "bob")
	if err != nil {
		t.Fatal(err)
	}
	m, err := store.MailboxByName(t.Context(), a, store.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.PutHold(t.Context(), a, store.Hold{Name: "case", Mailbox: m.ID, UIDs: store.UIDs(uids...)}); err != nil {
		t.Fatal(err)
	}
}

// TestHeldStays: what a hold covers is neither moved nor replaced, in no account,
// and no copy of it is made however often the client tries.
func TestHeldStays(t *testing.T) {
	for _, dest := range []string{`"Other Users/alice/box"`, "Mine"} {
		st := testStore(t)
		shareBox(t, st, "lriswtekx")
		deliver(t, st, "bob", "INBOX", "a: 2\r\n\r\n", 0)
		hold(t, st, 2)
		cfg := testConfig(st)
		cfg.Sharing = &Sharing{}
		c := dialClient(t, testServer(t, cfg))
		c.do("LOGIN bob secret")
		c.do("CREATE Mine")
		c.do("SELECT INBOX")
		count := func() string { return c.do("STATUS " + dest + " (MESSAGES)") }
		before, _, _ := strings.Cut(count(), "\n")
		for range 2 {
			for _, command := range []string{"MOVE 2 " + dest, "REPLACE 2 " + dest + " {8+}\r\na: b\r\n\r\n"} {
				if out := c.do(command); !strings.Contains(out, " NO [CANNOT] What is under a hold stays\n") {
					t.Errorf("%s: %s", command, out)
				}
			}
		}
		if after := count(); !strings.HasPrefix(after, before) {
			t.Errorf("%s, and before %s", after, before)
		}
		out := c.do("MOVE 1:2 " + dest)
		if !strings.Contains(out, "* OK [COPYUID ") || !strings.Contains(out, "* 1 EXPUNGE\n") || !strings.Contains(out, " NO [CANNOT] ") {
			t.Errorf("a part of it: %s", out)
		}
		if out := c.do("FETCH 1:* UID"); strings.Count(out, "FETCH (") != 1 || !strings.Contains(out, "UID 2") {
			t.Errorf("what is left: %s", out)
		}
	}
}

// lateHold puts a hold in front of the first Expunge of a message alone.
type lateHold struct {
	store.Store
	hold func()
}

type lateAccount struct {
	store.Account
	of *lateHold
}

func (s *lateHold) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	a, err := s.Store.Open(ctx, id)
	return lateAccount{a, s}, err
}

func (a lateAccount) Apply(ctx context.Context, c store.Change) (store.Result, error) {
	if _, ok := c.Ops[0].(store.Expunge); ok && a.of.hold != nil {
		a.of.hold()
		a.of.hold = nil
	}
	return a.Account.Apply(ctx, c)
}

// TestHeldLate: of a hold that comes between copying and expunging the client is
// told.
func TestHeldLate(t *testing.T) {
	for _, command := range []string{`MOVE 1 "Other Users/alice/box"`, "REPLACE 1 \"Other Users/alice/box\" {8+}\r\na: b\r\n\r\n", "REPLACE 1 INBOX {8+}\r\na: b\r\n\r\n"} {
		st := testStore(t)
		shareBox(t, st, "lriswtekx")
		cfg := testConfig(&lateHold{st, func() { hold(t, st, 1) }})
		cfg.Sharing = &Sharing{}
		c := dialClient(t, testServer(t, cfg))
		c.do("LOGIN bob secret")
		c.do("SELECT INBOX")
		if out := c.do(command); !strings.Contains(out, " NO [CANNOT] What is under a hold stays\n") || !strings.Contains(out, "UID ") {
			t.Errorf("%s: %s", command, out)
		}
	}
}

// TestDeleteACLOfNobody: the rights of a user who was deleted can be taken away,
// where identifiers are looked up too (RFC 4314 §3.2).
func TestDeleteACLOfNobody(t *testing.T) {
	st := testStore(t)
	shareBox(t, st, "lr")
	cfg := testConfig(st)
	cfg.Sharing = &Sharing{Account: func(_ context.Context, id string) (store.AccountID, error) {
		if strings.EqualFold(id, "carol") {
			return "carol", nil
		}
		return "", store.ErrNoAccount
	}}
	c := dialClient(t, testServer(t, cfg))
	c.do("LOGIN alice secret")
	if out := c.do("GETACL box"); !strings.Contains(out, " bob lr") {
		t.Fatal(out)
	}
	if out := c.do("DELETEACL box bob"); !strings.Contains(out, " OK ") {
		t.Error(out)
	}
	if out := c.do("GETACL box"); strings.Contains(out, "bob") {
		t.Error(out)
	}
	if out := c.do("SETACL box bob l"); !strings.Contains(out, "NO [CANNOT] No such user") {
		t.Error(out)
	}
}

// TestNotifyAnnotationsRights: names of annotations are for those who may read
// them (RFC 5464 §3.3).
func TestNotifyAnnotationsRights(t *testing.T) {
	st := testStore(t)
	shareBox(t, st, "l")
	cfg := testConfig(st)
	cfg.Sharing = &Sharing{}
	srv := testServer(t, cfg)
	bob, alice := dialClient(t, srv), dialClient(t, srv)
	bob.do("LOGIN bob secret")
	alice.do("LOGIN alice secret")
	if out := bob.do(`NOTIFY SET (SUBTREE "Other Users" (MailboxMetadataChange))`); !strings.Contains(out, " OK ") {
		t.Fatal(out)
	}
	alice.do(`SETMETADATA box (/shared/comment "x")`)
	alice.do(`SETMETADATA yard (/shared/comment "x")`)
	if out := bob.until(`* METADATA "Other Users/alice/yard"`); strings.Contains(out, "alice/box") {
		t.Error(out)
	}
}

// shyStore cannot say which mailboxes alice has while down.
type shyStore struct {
	store.Store
	down chan struct{} // has an element while it is
}

type shyAccount struct {
	store.Account
	of *shyStore
}

func (s *shyStore) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	a, err := s.Store.Open(ctx, id)
	if id != "alice" || err != nil {
		return a, err
	}
	return shyAccount{a, s}, nil
}

func (a shyAccount) Mailboxes(ctx context.Context, since store.ModSeq) ([]store.Mailbox, store.ModSeq, error) {
	if len(a.of.down) > 0 {
		return nil, 0, errors.New("disk sda1 is on fire")
	}
	return a.Account.Mailboxes(ctx, since)
}

// TestNotifyAgain: what a store error kept from being told is told later.
func TestNotifyAgain(t *testing.T) {
	inner := testStore(t)
	shareBox(t, inner, "lr")
	st := &shyStore{inner, make(chan struct{}, 1)}
	cfg := testConfig(st)
	cfg.Sharing = &Sharing{}
	bob := dialClient(t, testServer(t, cfg))
	bob.do("LOGIN bob secret")
	bob.do(`NOTIFY SET (SUBTREE "Other Users" (MailboxName)) (PERSONAL (MessageNew MessageExpunge))`)
	st.down <- struct{}{}
	a, err := inner.Open(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"box", "yard"} {
		m, err := store.MailboxByName(t.Context(), a, name)
		if err != nil {
			t.Fatal(err)
		}
		if err := acl.Remove(t.Context(), inner, "alice", m.ID, "bob"); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // at the second one the first attempt is over
		deliver(t, inner, "bob", "INBOX", "a: b\r\n\r\n", 0)
		bob.until("* STATUS INBOX")
	}
	<-st.down
	deliver(t, inner, "bob", "INBOX", "a: b\r\n\r\n", 0)
	if out := bob.until(`* LIST (\NonExistent \NoAccess) "/" "Other Users/alice/yard"`); !strings.Contains(out, `* LIST (\NonExistent \NoAccess) "/" "Other Users/alice/box"`) {
		t.Error(out)
	}
}

// TestSortEnds: sorting ends with the time of Shutdown, and the client is told.
func TestSortEnds(t *testing.T) {
	inner := testStore(t)
	for range worthWatching {
		appendEmpty(t, inner)
	}
	st := &sortStore{Store: inner}
	srv := testServer(t, testConfig(st))
	c := dialClient(t, srv)
	c.do("LOGIN alice secret")
	c.do("SELECT INBOX")
	st.wait = func(ctx context.Context) {
		go func() {
			over, cancel := context.WithCancel(context.Background())
			cancel()
			_ = srv.Shutdown(over)
		}()
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Second):
			t.Error("nobody stopped it")
		}
	}
	if out := c.do("SORT (SIZE) UTF-8 ALL"); !strings.Contains(out, "* BYE [UNAVAILABLE] Server is shutting down\n") {
		t.Errorf("%s", out)
	}
}
