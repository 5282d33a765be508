package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
)

func accountChecks() []check {
	return []check{
		{name: "AccountFresh", rule: "a new account has an empty INBOX with UIDNEXT and HIGHESTMODSEQ of at least 1", run: accountFresh},
		{name: "AccountExists", rule: "Create refuses an id that is there (ErrExists) and ids that are not clean (ErrName); Open refuses an unknown one (ErrNoAccount)", run: accountExists},
		{name: "AccountList", rule: "Accounts yields the ids greater than after, in order, and holds no lock meanwhile (I12)", run: accountList},
		{name: "AccountDrop", rule: "a dropped account is gone, with everything in it; its id can be used again", run: accountDrop},
		{name: "AccountDropInside", rule: "an account dropped while Accounts runs does not end the list with an error", run: accountDropInside},
		{name: "AccountDropAlone", rule: "DropAccount is the only Op of its Change (ErrInvalid)", run: accountDropAlone},
		{name: "AccountValidityAfterDrop", rule: "I3: an account made again has other UIDVALIDITYs than before", run: accountValidity},
		{name: "AccountLimits", rule: "PutAccount sets limits and state, seen by Usage and Accounts", run: accountLimits},
		{name: "AccountClosed", rule: "a closed account refuses deliveries (ErrClosedAcct) and is read on", run: accountClosed},
		{name: "AccountsApart", rule: "accounts share nothing: a Change in one is not seen in another", run: accountsApart},
		{name: "StoreClosed", rule: "after Close every call fails with ErrClosed", run: storeClosed},
	}
}

func accountFresh(e *env) {
	h := e.account("alice@example.org")
	m := h.state(h.inbox)
	if m.Name != store.Inbox || m.ID.IsZero() || m.UIDValidity == 0 || m.UIDNext == 0 || m.HighestModSeq == 0 || m.NoSelect {
		e.errorf("the row of a fresh INBOX is %+v", m)
	}
	if m.Messages != 0 || m.Unseen != 0 || m.Deleted != 0 || m.Bytes != 0 {
		e.errorf("a fresh INBOX counts %+v", m)
	}
	e.same("mailboxes of a new account", h.names(), []string{store.Inbox})
	u, err := h.Usage(e.ctx)
	e.ok("Usage", err)
	e.same("usage", u, store.Usage{Mailboxes: 1})
	if len(h.all(h.inbox)) != 0 {
		e.errorf("a fresh INBOX has messages")
	}
}

func accountExists(e *env) {
	e.account("alice@example.org")
	e.is("Create of the same id", e.s.Create(e.ctx, "alice@example.org", store.AccountInfo{}), store.ErrExists)
	for _, id := range []store.AccountID{"", "bad\xff", "cafe\u0301", store.AccountID(strings.Repeat("a", 256))} {
		e.is(fmt.Sprintf("Create(%q)", id), e.s.Create(e.ctx, id, store.AccountInfo{}), store.ErrName)
	}
	_, err := e.s.Open(e.ctx, "nobody")
	e.is("Open of an unknown id", err, store.ErrNoAccount)
	_, err = e.s.Open(e.ctx, "ALICE@example.org")
	e.is("Open with other case", err, store.ErrNoAccount)
}

func accountList(e *env) {
	ids := []store.AccountID{"a", "b@x", "b@y", "Z", "ä", "a b", "a'b", "a%b"}
	for _, id := range ids {
		e.ok("Create", e.s.Create(e.ctx, id, store.AccountInfo{Limits: store.Limits{Messages: 7}}))
	}
	slices.Sort(ids)
	for i := -1; i < len(ids); i++ {
		var after store.AccountID
		if i >= 0 {
			after = ids[i]
		}
		got := []store.AccountID{}
		e.within("Accounts with a loop body that uses the store", func() {
			for info, err := range e.s.Accounts(e.ctx, after) {
				if _, open := e.s.Open(e.ctx, info.ID); err != nil || open != nil || info.Limits.Messages != 7 || info.Created.IsZero() {
					e.errorf("account %+v: %v, Open: %v", info, err, open)
					return
				}
				got = append(got, info.ID)
			}
		})
		e.same(fmt.Sprintf("accounts after %q", after), got, append([]store.AccountID{}, ids[i+1:]...))
	}
}

// accountDropInside drops, in the loop body, an account that is still to come.
func accountDropInside(e *env) {
	for _, id := range []store.AccountID{"a", "b", "c"} {
		e.account(id)
	}
	b, n := e.open("b"), 0
	for info, err := range e.s.Accounts(e.ctx, "") {
		e.ok("Accounts", err)
		if n++; info.ID == "a" {
			b.do(store.DropAccount{})
		}
	}
	if n < 2 || n > 3 {
		e.errorf("%d accounts; 2 are there all the time, one goes meanwhile", n)
	}
}

func accountDrop(e *env) {
	h := e.account("alice")
	h.put(h.inbox, 3)
	h.create("Work")
	h.do(store.PutEntry{Key: "k", Value: []byte("v")})
	h.do(store.DropAccount{})
	_, err := e.s.Open(e.ctx, "alice")
	e.is("Open of a dropped account", err, store.ErrNoAccount)
	_, _, err = h.Mailboxes(e.ctx, 0)
	e.is("an old handle", err, store.ErrNoAccount)
	for info := range e.s.Accounts(e.ctx, "") {
		e.errorf("Accounts still yields %q", info.ID)
	}
	h = e.account("alice")
	e.same("mailboxes of the account made again", h.names(), []string{store.Inbox})
	e.same("messages of the account made again", len(h.all(h.inbox)), 0)
	for range h.Entries(e.ctx, store.EntryQuery{All: true}) {
		e.errorf("the account made again has entries")
	}
}

func accountDropAlone(e *env) {
	h := e.account("alice")
	h.refused(store.ErrInvalid, store.PutEntry{Key: "k", Value: []byte("v")}, store.DropAccount{})
	h.refused(store.ErrInvalid, store.DropAccount{}, store.DropAccount{})
	h.put(h.inbox, 1)
}

func accountValidity(e *env) {
	h := e.account("alice")
	seen := map[store.UIDValidity]bool{}
	for range 5 {
		for _, name := range []string{"a", "b", "c"} {
			h.create(name)
		}
		boxes, _, err := h.Mailboxes(e.ctx, 0)
		e.ok("Mailboxes", err)
		for _, m := range boxes {
			if seen[m.UIDValidity] {
				e.fatalf("%s has UIDVALIDITY %d, which an earlier life of the account gave out", m.Name, m.UIDValidity)
			}
		}
		for _, m := range boxes {
			seen[m.UIDValidity] = true
		}
		h.do(store.DropAccount{})
		h = e.account("alice")
	}
}

func accountLimits(e *env) {
	h := e.account("alice")
	want := store.Limits{Bytes: 1 << 40, Messages: 5, Mailboxes: 9}
	closed := store.AccountClosed
	h.do(store.PutAccount{Limits: &want, State: &closed})
	u, err := h.Usage(e.ctx)
	e.ok("Usage", err)
	e.same("limits of Usage", u.Limits, want)
	for info := range e.s.Accounts(e.ctx, "") {
		e.same("limits of Accounts", info.Limits, want)
		e.same("state of Accounts", info.State, closed)
	}
	h.do(store.PutAccount{})
	u, err = h.Usage(e.ctx)
	e.ok("Usage", err)
	e.same("limits after a PutAccount without them", u.Limits, want)
	h.refused(store.ErrInvalid, store.PutAccount{Limits: &store.Limits{Bytes: -1}})
}

func accountClosed(e *env) {
	h := e.account("alice")
	uids := h.put(h.inbox, 1)
	closed := store.AccountClosed
	h.do(store.PutAccount{State: &closed})
	h.refused(store.ErrClosedAcct, h.message(h.inbox, "x"))
	e.same("UIDs", h.uids(h.inbox), uids)
	h.flag(h.inbox, uids, store.Seen)
}

func accountsApart(e *env) {
	a, b := e.account("a"), e.account("b")
	before := b.modSeq()
	a.put(a.inbox, 2)
	a.do(store.PutEntry{Key: "k", Value: []byte("v")})
	e.same("the other's ModSeq", b.modSeq(), before)
	e.same("the other's messages", len(b.all(b.inbox)), 0)
	for range b.Entries(e.ctx, store.EntryQuery{All: true}) {
		e.errorf("the other account has entries")
	}
	_, err := b.Apply(e.ctx, store.Change{Ops: []store.Op{a.message(a.inbox, "x")}})
	e.is("Append to a mailbox of another account", err, store.ErrNoMailbox)
}

func storeClosed(e *env) {
	h := e.account("alice")
	op := h.message(h.inbox, "x")
	waiting := make(chan error, 1)
	go func() {
		_, err := h.Wait(context.Background(), 1<<60)
		waiting <- err
	}()
	e.ok("Close", e.s.Close())
	_, err := h.Apply(e.ctx, store.Change{Ops: []store.Op{op}})
	e.is("Apply", err, store.ErrClosed)
	_, _, err = h.Mailboxes(e.ctx, 0)
	e.is("Mailboxes", err, store.ErrClosed)
	_, err = e.s.Open(e.ctx, "alice")
	e.is("Open", err, store.ErrClosed)
	e.is("Create", e.s.Create(e.ctx, "bob", store.AccountInfo{}), store.ErrClosed)
	_, err = e.s.Holds(e.ctx, []blob.Ref{op.Blob})
	e.is("Holds (an empty answer would let the collector take all)", err, store.ErrClosed)
	for _, err := range h.Messages(e.ctx, h.inbox, store.Query{}) {
		e.is("Messages", err, store.ErrClosed)
	}
	e.within("a Wait that was there at Close", func() { e.is("Wait", <-waiting, store.ErrClosed) })
}
