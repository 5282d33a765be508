package acl_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/acl"
	"github.com/mailstead/mailstead/store/memstore"
)

func TestRights(t *testing.T) {
	for _, tt := range []struct{ in, out, compatible string }{
		{"", "", ""},
		{"ael", "lea", "lead"},
		{"cd", "kxte", "kxtecd"},
		{"lrswipkxtea", "lrswipkxtea", "lrswipkxteacd"},
		{"x", "x", "xc"},
		{"t", "t", "td"},
	} {
		r, err := acl.ParseRights(tt.in)
		if err != nil || r.String() != tt.out || r.Compatible() != tt.compatible {
			t.Errorf("%q: %v %q %v", tt.in, r, r.Compatible(), err)
		}
	}
	for _, s := range []string{"q", "L", "0", "l r", "é"} {
		if _, err := acl.ParseRights(s); err == nil {
			t.Errorf("%q is taken", s)
		}
	}
}

func TestModification(t *testing.T) {
	for _, tt := range []struct{ mod, old, want string }{
		{"lr", "sw", "lr"},
		{"+a", "lr", "lra"},
		{"-r", "lrs", "ls"},
		{"", "lr", ""},
		{"+", "lr", "lr"},
	} {
		m, err := acl.ParseModification(tt.mod)
		old, _ := acl.ParseRights(tt.old)
		if err != nil || m.On(old).String() != tt.want {
			t.Errorf("%q on %q: %v %v", tt.mod, tt.old, m.On(old), err)
		}
	}
}

func TestIdentifiers(t *testing.T) {
	for in, want := range map[string]string{
		"bob@example.org": "bob@example.org", "-bob": "-bob", "anyone": "anyone", "A\u030a": "\u00c5",
		"": "", "-": "", "--x": "", "a\x00": "", "a\xff": "",
	} {
		got, err := acl.CleanIdentifier(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	if acl.AccountOf("-authenticated") != "" || acl.AccountOf("-bob") != "bob" {
		t.Error("AccountOf")
	}
}

// TestEvaluation: the union of what applies, without what is taken away; the
// owner keeps what is his.
func TestEvaluation(t *testing.T) {
	l := acl.List{{"-anyone", acl.Insert}, {"-bob", acl.Write}, {"alice", acl.Read}, {"anyone", acl.Post | acl.Insert}, {"authenticated", acl.Lookup}, {"bob", acl.Read | acl.Write}}
	for _, tt := range []struct {
		got  acl.Rights
		want string
	}{
		{l.Of("bob"), "lrp"},
		{l.Of("carol"), "lp"},
		{l.OfAnyone(), "p"},
		{l.OfOwner("alice"), "lrpa"},
		{l.OfOwner("dave"), "lrswpkxtea"},
		{acl.List(nil).OfOwner("dave"), "lrswipkxtea"},
		{acl.List(nil).Of("dave"), ""},
		{acl.List{{"-alice", acl.All}}.OfOwner("alice"), "la"},
	} {
		if tt.got.String() != tt.want {
			t.Errorf("%v, want %s", tt.got, tt.want)
		}
	}
}

// world has the accounts alice, bob and carol.
func world(t *testing.T) (*memstore.Store, store.MailboxID) {
	t.Helper()
	st := memstore.New(nil)
	t.Cleanup(func() { st.Close() })
	for _, id := range []store.AccountID{"alice", "bob", "carol"} {
		if err := st.Create(t.Context(), id, store.AccountInfo{}); err != nil {
			t.Fatal(err)
		}
	}
	m, err := store.MailboxByName(t.Context(), open(t, st, "alice"), store.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	return st, m.ID
}

func open(t *testing.T, st store.Store, id store.AccountID) store.Account {
	t.Helper()
	a, err := st.Open(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// book reads what an account knows.
func book(t *testing.T, st store.Store, id store.AccountID) *acl.Book {
	t.Helper()
	a := open(t, st, id)
	_, at, err := a.Mailboxes(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	b := &acl.Book{}
	if err := b.Refresh(t.Context(), a, at); err != nil {
		t.Fatal(err)
	}
	return b
}

func set(t *testing.T, st store.Store, box store.MailboxID, identifier, mod string) {
	t.Helper()
	m, err := acl.ParseModification(mod)
	if err != nil {
		t.Fatal(err)
	}
	if err := acl.Set(t.Context(), st, "alice", box, identifier, m); err != nil {
		t.Fatal(err)
	}
}

func TestSetAndRemove(t *testing.T) {
	st, box := world(t)
	set(t, st, box, "bob", "lr")
	set(t, st, box, "bob", "+s")
	set(t, st, box, "-carol", "w")
	set(t, st, box, "anyone", "p")
	list, err := acl.ReadList(t.Context(), open(t, st, "alice"), box)
	if err != nil || fmt.Sprint(list) != "[{-carol w} {anyone p} {bob lrs}]" {
		t.Errorf("%v %v", list, err)
	}
	if b := book(t, st, "alice"); !slices.Equal(b.List(box), list) || b.Owners() != nil {
		t.Errorf("the owner's book: %v, %v", b.List(box), b.Owners())
	}
	if b := book(t, st, "bob"); !b.HasOwner("alice") {
		t.Error("bob has not heard of alice")
	}
	if b := book(t, st, "carol"); b.HasOwner("alice") {
		t.Error("carol has heard of what is taken from her")
	}
	for _, id := range []string{"bob", "bob", "nobody"} {
		if err := acl.Remove(t.Context(), st, "alice", box, id); err != nil {
			t.Error(err)
		}
	}
	if b := book(t, st, "bob"); b.HasOwner("alice") {
		t.Error("bob still knows alice")
	}
	if err := acl.Set(t.Context(), st, "alice", box, "nobody", acl.Modification{}); !errors.Is(err, store.ErrNoAccount) {
		t.Errorf("an account that is not there: %v", err)
	}
	if err := acl.Set(t.Context(), st, "alice", box, "--", acl.Modification{}); !errors.Is(err, store.ErrName) {
		t.Errorf("a bad identifier: %v", err)
	}
}

// TestRefresh: a book follows changes, also removals, and reads nothing where
// the account stands still.
func TestRefresh(t *testing.T) {
	st, box := world(t)
	a := open(t, st, "alice")
	b := &acl.Book{}
	refresh := func() {
		_, at, err := a.Mailboxes(t.Context(), 0)
		if err == nil {
			err = b.Refresh(t.Context(), a, at)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	refresh()
	for _, step := range []struct{ id, mod, want string }{
		{"bob", "lr", "[{bob lr}]"},
		{"carol", "l", "[{bob lr} {carol l}]"},
		{"bob", "-r", "[{bob l} {carol l}]"},
		{"bob", "", "[{bob } {carol l}]"},
	} {
		set(t, st, box, step.id, step.mod)
		refresh()
		if got := fmt.Sprint(b.List(box)); got != step.want {
			t.Errorf("%s, want %s", got, step.want)
		}
	}
	for _, id := range []string{"bob", "carol"} {
		if err := acl.Remove(t.Context(), st, "alice", box, id); err != nil {
			t.Fatal(err)
		}
	}
	refresh()
	if l := b.List(box); l != nil {
		t.Errorf("%v is left", l)
	}
	_, at, _ := a.Mailboxes(t.Context(), 0)
	if err := b.Refresh(t.Context(), nil, at); err != nil { // no store is asked
		t.Error(err)
	}
}

// TestNotUnderstood: what a later version writes gives no right (I2).
func TestNotUnderstood(t *testing.T) {
	st, box := world(t)
	for _, id := range []string{"bob", "-carol"} {
		put(t, open(t, st, "alice"), "acl/"+box.String()+"/"+id, []byte("lrZ"))
	}
	put(t, open(t, st, "alice"), "acl/xyz", []byte("lr"))
	set(t, st, box, "authenticated", "lr")
	l := book(t, st, "alice").List(box)
	if l.Of("bob") != acl.Lookup|acl.Read || l.Of("carol") != 0 {
		t.Errorf("bob %v, carol %v", l.Of("bob"), l.Of("carol"))
	}
}

func put(t *testing.T, a store.Account, key string, value []byte) {
	t.Helper()
	if _, err := a.Apply(t.Context(), store.Change{Ops: []store.Op{store.PutEntry{Key: key, Value: value}}}); err != nil {
		t.Fatal(err)
	}
}

func TestLimit(t *testing.T) {
	st, box := world(t)
	for i := range acl.MaxIdentifiers {
		put(t, open(t, st, "alice"), fmt.Sprintf("acl/%v/x%d", box, i), []byte("l"))
	}
	if err := acl.Set(t.Context(), st, "alice", box, "bob", acl.Modification{Rights: acl.Read}); !errors.Is(err, store.ErrLimit) {
		t.Errorf("one more: %v", err)
	}
	other := make(acl.List, acl.MaxEntries-acl.MaxIdentifiers)
	for i := range other {
		other[i] = acl.Entry{Identifier: fmt.Sprint("y", i)}
	}
	if _, err := open(t, st, "alice").Apply(t.Context(), store.Change{Ops: other.Inherit(store.NewMailboxID())}); err != nil {
		t.Fatal(err)
	}
	third := store.NewMailboxID()
	if err := acl.Set(t.Context(), st, "alice", third, "bob", acl.Modification{Rights: acl.Read}); !errors.Is(err, store.ErrLimit) {
		t.Errorf("one more of all: %v", err)
	}
	if n := book(t, st, "alice").Room(); n != 0 {
		t.Errorf("room for %d", n)
	}
	if err := acl.Set(t.Context(), st, "alice", box, "x0", acl.Modification{}); !errors.Is(err, store.ErrNoAccount) {
		t.Errorf("a change of what is there: %v", err)
	}
}

func TestRebuild(t *testing.T) {
	st, box := world(t)
	set(t, st, box, "bob", "lr")
	put(t, open(t, st, "bob"), "acl-from/alice", nil)        // lost
	put(t, open(t, st, "carol"), "acl-from/alice", []byte{}) // of a Set that did not end
	put(t, open(t, st, "carol"), "acl-from/gone", []byte{})
	r, err := acl.Rebuild(t.Context(), st)
	if err != nil || r != (acl.Rebuilt{Accounts: 3, Added: 1, Removed: 2}) {
		t.Errorf("%+v %v", r, err)
	}
	if !book(t, st, "bob").HasOwner("alice") || book(t, st, "carol").Owners() != nil {
		t.Error("the index is not right")
	}
	if r, err = acl.Rebuild(t.Context(), st); err != nil || r != (acl.Rebuilt{Accounts: 3}) {
		t.Errorf("again: %+v %v", r, err)
	}
}

// TestOverlap: however Set and Remove overlap, who has a right knows the owner
// (I3).
func TestOverlap(t *testing.T) {
	st, first := world(t)
	second := store.NewMailboxID()
	ops := []store.Op{store.PutMailbox{ID: second, Create: true, Name: "second"}}
	if _, err := open(t, st, "alice").Apply(t.Context(), store.Change{Ops: ops}); err != nil {
		t.Fatal(err)
	}
	rounds := 300
	if testing.Short() {
		rounds = 50
	}
	for range rounds {
		set(t, st, first, "bob", "lr")
		var wg sync.WaitGroup
		for _, f := range []func() error{
			func() error { return acl.Remove(context.Background(), st, "alice", first, "bob") },
			func() error {
				return acl.Set(context.Background(), st, "alice", second, "bob", acl.Modification{Rights: acl.Read})
			},
		} {
			wg.Go(func() {
				if err := f(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if !book(t, st, "bob").HasOwner("alice") {
			t.Fatal("bob has a right and does not know alice")
		}
		if err := acl.Remove(t.Context(), st, "alice", second, "bob"); err != nil {
			t.Fatal(err)
		}
		if book(t, st, "bob").HasOwner("alice") {
			t.Fatal("bob knows alice without a right")
		}
	}
}

func TestSubscriptions(t *testing.T) {
	st, _ := world(t)
	a := open(t, st, "bob")
	for _, name := range []string{"x/y", "INBOX"} {
		if _, err := a.Apply(t.Context(), store.Change{Ops: []store.Op{acl.Subscribe("alice", name, true)}}); err != nil {
			t.Fatal(err)
		}
	}
	b := book(t, st, "bob")
	if got := b.Subscriptions("alice"); !slices.Equal(got, []string{"INBOX", "x/y"}) || !b.Subscribed("alice", "x/y") || b.Subscribed("al", "ice/x/y") {
		t.Errorf("%q", got)
	}
}

func TestInheritAndForget(t *testing.T) {
	st, box := world(t)
	set(t, st, box, "bob", "lr")
	l := book(t, st, "alice").List(box)
	below := store.NewMailboxID()
	apply := func(ops ...store.Op) {
		if _, err := open(t, st, "alice").Apply(t.Context(), store.Change{Ops: ops}); err != nil {
			t.Fatal(err)
		}
	}
	apply(l.Inherit(below)...)
	if got := book(t, st, "alice").List(below); !slices.Equal(got, l) {
		t.Errorf("%v", got)
	}
	apply(l.Forget(below)...)
	if got := book(t, st, "alice").List(below); got != nil {
		t.Errorf("%v is left", got)
	}
}

// FuzzRights: what is read is written and read again.
func FuzzRights(f *testing.F) {
	f.Add("+lrcd")
	f.Add("-")
	f.Fuzz(func(t *testing.T, s string) {
		m, err := acl.ParseModification(s)
		if err != nil {
			return
		}
		if again, err := acl.ParseRights(m.Rights.Compatible()); err != nil || again&^m.Rights&^(acl.Create|acl.Delete|acl.DeleteMsg|acl.Expunge) != 0 {
			t.Fatalf("%q: %v, %v", s, again, err)
		}
		if again, err := acl.ParseRights(m.Rights.String()); err != nil || again != m.Rights {
			t.Fatalf("%q: %v, %v", s, again, err)
		}
	})
}

// FuzzIdentifier: a clean identifier stays as it is.
func FuzzIdentifier(f *testing.F) {
	f.Add("-bob")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := acl.CleanIdentifier(s)
		if err != nil {
			return
		}
		if again, err := acl.CleanIdentifier(id); err != nil || again != id {
			t.Fatalf("%q: %q, %v", id, again, err)
		}
	})
}
