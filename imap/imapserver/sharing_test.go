package imapserver

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/acl"
)

// openings notes which accounts are opened.
type openings struct {
	store.Store
	mu     sync.Mutex
	opened map[store.AccountID]bool
}

func (s *openings) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	s.mu.Lock()
	s.opened[id] = true
	s.mu.Unlock()
	return s.Store.Open(ctx, id)
}

// TestHidden: what a user has no right to see looks like what is not there, in
// every command (RFC 4314 §6), and accounts that share nothing with him are not
// even opened.
func TestHidden(t *testing.T) {
	st := testStore(t)
	shareBox(t, st, "r")
	alice, err := st.Open(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	top := store.NewMailboxID()
	for _, op := range []store.Op{
		store.PutMailbox{ID: top, Create: true, Name: "top"},
		store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: "top/sub"},
		store.PutMailbox{ID: top, Delete: true},
	} {
		if _, err := alice.Apply(t.Context(), store.Change{Ops: []store.Op{op}}); err != nil {
			t.Fatal(err)
		}
	}
	counted := &openings{Store: st, opened: map[store.AccountID]bool{}}
	cfg := testConfig(counted)
	cfg.Sharing = &Sharing{}
	c := dialClient(t, testServer(t, cfg))
	c.do("LOGIN bob secret")
	for _, command := range []string{
		"DELETE %s", "RENAME %s x", "SUBSCRIBE %s", "GETACL %s", "SETACL %s carol l", "DELETEACL %s carol", "LISTRIGHTS %s carol",
		"GETMETADATA %s /shared/comment", "SETMETADATA %s (/shared/comment x)",
	} {
		command = strings.ReplaceAll(command, " x)", ` "x")`)
		want := answer(c, command, "Other Users/nobody/box")
		for _, name := range []string{"Other Users/alice/box", "Other Users/alice/top", "Other Users/alice/top/sub", "Other Users/alice/no", "Other Users/carol/INBOX"} {
			if got := answer(c, command, name); got != want {
				t.Errorf("%s: %q, and of what is not there %q", fmt.Sprintf(command, name), got, want)
			}
		}
	}
	if counted.opened["carol"] || counted.opened["nobody"] {
		t.Errorf("opened: %v", counted.opened)
	}
}

// answer is the tagged answer without its tag.
func answer(c *lines, command, name string) string {
	_, rest, _ := strings.Cut(c.do(fmt.Sprintf(command, `"`+name+`"`)), " ")
	return rest
}

// TestOwnNameFirst: a mailbox that the user has under the prefix is his own.
func TestOwnNameFirst(t *testing.T) {
	st := testStore(t)
	shareBox(t, st, "lrswi")
	bob, err := st.Open(t.Context(), "bob")
	if err != nil {
		t.Fatal(err)
	}
	op := store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: "Other Users/alice/box"}
	if _, err := bob.Apply(t.Context(), store.Change{Ops: []store.Op{op}}); err != nil {
		t.Fatal(err)
	}
	cfg := testConfig(st)
	cfg.Sharing = &Sharing{}
	c := dialClient(t, testServer(t, cfg))
	c.do("LOGIN bob secret")
	if got := c.do(`MYRIGHTS "Other Users/alice/box"`); !strings.Contains(got, "lrswipkxtea") {
		t.Error(got)
	}
	if got := c.do(`LIST "" "Other Users/alice/b%"`); strings.Count(got, "* LIST") != 1 {
		t.Error(got)
	}
}

// TestTransferBetweenAccounts: content, dates and EMAILID stay; MOVE leaves
// nothing behind; a full account gets nothing, and nothing is lost.
func TestTransferBetweenAccounts(t *testing.T) {
	st := testStore(t)
	shareBox(t, st, "lrswite")
	shareInbox(t, st, "carol")
	deliver(t, st, "alice", "box", "Subject: big\r\n\r\n"+strings.Repeat("x", 900), store.Flagged)
	deliver(t, st, "alice", "box", "Subject: big\r\n\r\n"+strings.Repeat("y", 900), 0)
	cfg := testConfig(st)
	cfg.Sharing = &Sharing{}
	c := dialClient(t, testServer(t, cfg))
	c.do("LOGIN bob secret")
	c.do(`SELECT "Other Users/alice/box"`)
	before := c.do("FETCH 3 (INTERNALDATE RFC822.SIZE BODY.PEEK[])")
	if got := c.do(`MOVE 3:4 "Other Users/carol/INBOX"`); !strings.Contains(got, "OVERQUOTA") {
		t.Errorf("into a full account: %s", got)
	}
	if got := c.do(`STATUS "Other Users/alice/box" (MESSAGES)`); !strings.Contains(got, "MESSAGES 4") {
		t.Errorf("after the refusal: %s", got)
	}
	if got := c.do(`MOVE 3 "Other Users/carol/INBOX"`); !strings.Contains(got, " 3 1] Moved\n* 3 EXPUNGE") {
		t.Errorf("MOVE: %s", got)
	}
	c.do(`SELECT "Other Users/carol/INBOX"`)
	after := c.do("FETCH 1 (INTERNALDATE RFC822.SIZE BODY.PEEK[])")
	if cut := func(s string) string {
		_, rest, _ := strings.Cut(s, "(")
		rest, _, _ = strings.Cut(rest, "\nt")
		return rest
	}; cut(before) != cut(after) {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

// TestSharingValidate: prefixes that overlap, or are no names.
func TestSharingValidate(t *testing.T) {
	for _, s := range []Sharing{
		{Other: "x", Shared: "x"}, {Other: "x", Shared: "x/y"}, {Other: "INBOX"}, {Shared: "INBOX/x"}, {Other: "/"}, {Other: "a//b"}, {Shared: "a\x00"},
	} {
		cfg := testConfig(testStore(t))
		cfg.Sharing = &s
		if _, err := New(cfg); err == nil {
			t.Errorf("%+v is taken", s)
		}
	}
}

// TestBooksAreReleased: nothing of what accounts keep about rights stays in
// memory when the last session is gone.
func TestBooksAreReleased(t *testing.T) {
	st := testStore(t)
	shareBox(t, st, "lrswi")
	cfg := testConfig(st)
	cfg.Sharing = &Sharing{}
	closed := make(chan struct{})
	cfg.Trace.Closed = func(Peer, Traffic) { close(closed) }
	srv := testServer(t, cfg)
	c := dialClient(t, srv)
	c.do("LOGIN bob secret")
	c.do(`LIST "" *`)
	c.do(`SELECT "Other Users/alice/box"`)
	if n := len(srv.books.inUse); n != 2 {
		t.Errorf("%d books", n)
	}
	c.do("UNAUTHENTICATE")
	if n := len(srv.books.inUse); n != 0 {
		t.Errorf("%d books are left after UNAUTHENTICATE", n)
	}
	c.do("LOGIN bob secret")
	c.do("LOGOUT")
	<-closed
	if n := len(srv.books.inUse); n != 0 {
		t.Errorf("%d books are left", n)
	}
}

// TestRightsAreBounded: a mailbox below one with many identifiers is refused when
// the account would have too many entries.
func TestRightsAreBounded(t *testing.T) {
	st := testStore(t)
	shareBox(t, st, "lr")
	alice, err := st.Open(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	box, err := store.MailboxByName(t.Context(), alice, "box")
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range []struct {
		id store.MailboxID
		n  int
	}{{box.ID, 200}, {store.NewMailboxID(), acl.MaxEntries - 700}} {
		l := make(acl.List, list.n)
		for i := range l {
			l[i] = acl.Entry{Identifier: fmt.Sprint("x", i), Rights: acl.Read}
		}
		if _, err := alice.Apply(t.Context(), store.Change{Ops: l.Inherit(list.id)}); err != nil {
			t.Fatal(err)
		}
	}
	cfg := testConfig(st)
	cfg.Sharing = &Sharing{}
	c := dialClient(t, testServer(t, cfg))
	c.do("LOGIN alice secret")
	if got := c.do("CREATE box/a/b/c"); !strings.Contains(got, "NO [LIMIT]") {
		t.Error(got)
	}
	if got := c.do("CREATE box/a"); !strings.Contains(got, "OK") {
		t.Error(got)
	}
	for _, name := range []string{"box/b", "box/c"} {
		c.do("CREATE " + name)
	}
	if got := c.do("SETACL box/a carol l"); !strings.Contains(got, "OK") {
		t.Error(got)
	}
}

// TestDeleteForgets: the rights on a mailbox go with it (RFC 4314 §4).
func TestDeleteForgets(t *testing.T) {
	st := testStore(t)
	shareBox(t, st, "lrx")
	cfg := testConfig(st)
	cfg.Sharing = &Sharing{}
	c := dialClient(t, testServer(t, cfg))
	c.do("LOGIN bob secret")
	for _, name := range []string{"box", "yard"} {
		if got := c.do(`DELETE "Other Users/alice/` + name + `"`); !strings.Contains(got, "OK") {
			t.Error(got)
		}
	}
	alice, err := st.Open(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	for e, err := range alice.Entries(t.Context(), store.EntryQuery{Prefix: "acl/"}) {
		t.Errorf("%q is left, %v", e.Key, err)
	}
}

// TestRecentIsTheOwners: who looks at a shared mailbox takes no \Recent from its
// owner.
func TestRecentIsTheOwners(t *testing.T) {
	st := testStore(t)
	shareBox(t, st, "lrswite")
	cfg := testConfig(st)
	cfg.Sharing = &Sharing{}
	srv := testServer(t, cfg)
	bob, alice := dialClient(t, srv), dialClient(t, srv)
	bob.do("LOGIN bob secret")
	bob.do(`SELECT "Other Users/alice/box"`)
	alice.do("LOGIN alice secret")
	if got := alice.do("SELECT box"); !strings.Contains(got, "* 2 RECENT") {
		t.Error(got)
	}
}

// TestReplaceBetweenAccounts: what goes makes no room in another account.
func TestReplaceBetweenAccounts(t *testing.T) {
	st := testStore(t)
	shareBox(t, st, "lrswite")
	shareInbox(t, st, "carol")
	deliver(t, st, "alice", "box", "Subject: big\r\n\r\n"+strings.Repeat("x", 2000), 0)
	cfg := testConfig(st)
	cfg.Sharing = &Sharing{}
	c := dialClient(t, testServer(t, cfg))
	c.do("LOGIN bob secret")
	c.do(`SELECT "Other Users/alice/box"`)
	if got := c.do(`REPLACE 3 "Other Users/carol/INBOX" {1001}`); !strings.Contains(got, "NO [OVERQUOTA]") {
		t.Errorf("into a full account: %s", got)
	}
	if got := c.do("REPLACE 3 \"Other Users/carol/INBOX\" {8+}\r\na: b\r\n\r\n\r\n"); !strings.Contains(got, "Replacement message ready\n* 3 EXPUNGE") {
		t.Errorf("REPLACE: %s", got)
	}
}

// shareInbox gives bob all rights on an INBOX.
func shareInbox(t *testing.T, st store.Store, id store.AccountID) {
	t.Helper()
	a, err := st.Open(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	inbox, err := store.MailboxByName(t.Context(), a, store.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	if err := acl.Set(t.Context(), st, id, inbox.ID, "bob", acl.Modification{Rights: imap.RightsAll}); err != nil {
		t.Fatal(err)
	}
}

// downStore has accounts that cannot be read while down names them.
type downStore struct {
	store.Store
	down *atomic.Value
}

type downAccount struct {
	store.Account
	down *atomic.Value
	id   store.AccountID
}

func (s downStore) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	a, err := s.Store.Open(ctx, id)
	return downAccount{a, s.down, id}, err
}

func (a downAccount) Mailboxes(ctx context.Context, since store.ModSeq) ([]store.Mailbox, store.ModSeq, error) {
	if a.down.Load() == a.id {
		return nil, 0, store.ErrTemporary
	}
	return a.Account.Mailboxes(ctx, since)
}

// TestLeaveFailing: the selected mailbox of an account whose store fails can be
// left; every other command there fails.
func TestLeaveFailing(t *testing.T) {
	for command, want := range map[string]string{
		"LOGOUT": " OK ", "UNSELECT": " OK ", "UNAUTHENTICATE": " OK ", "SELECT INBOX": " OK ", "EXAMINE INBOX": " OK ",
		"CLOSE": " NO [UNAVAILABLE]", "NOOP": " NO [UNAVAILABLE]", "FETCH 1 FLAGS": " NO [UNAVAILABLE]",
	} {
		st := testStore(t)
		shareBox(t, st, "lrswite")
		failing := downStore{st, &atomic.Value{}}
		cfg := testConfig(failing)
		cfg.Sharing = &Sharing{}
		c := dialClient(t, testServer(t, cfg))
		c.do("LOGIN bob secret")
		c.do(`SELECT "Other Users/alice/box"`)
		failing.down.Store(store.AccountID("alice"))
		if got := c.do(command); !strings.Contains(got, want) {
			t.Errorf("%s: %s", command, got)
		}
	}
}
