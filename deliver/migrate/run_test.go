package migrate_test

import (
	"fmt"
	"testing"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/deliver/migrate/storeaccount"
	"github.com/mailstead/mailstead/store"
)

func mustRun(t testing.TB, src migrate.Source, dst migrate.Target, o migrate.Options) *migrate.Report {
	t.Helper()
	r, err := migrate.Run(t.Context(), src, dst, o)
	if err != nil {
		t.Fatalf("%v\n%.2000v %.2000v", err, r.Skips, r.Problems)
	}
	return r
}

func fill(t testing.TB, s store.Store, boxes, messages int) {
	t.Helper()
	for b := range boxes {
		name := store.Inbox
		if b > 0 {
			name = fmt.Sprintf("box %d/sub", b)
		}
		for n := range messages {
			put(t, s, name, text(b*1000+n, 100+n*7), store.Flags(n)&store.AllFlags, fmt.Sprintf("kw%d", n%3))
		}
	}
}

func TestStoreToStore(t *testing.T) {
	src, _, s := newAccount(t, storeaccount.Options{})
	fill(t, s, 5, 300)
	dst, _, _ := newAccount(t, storeaccount.Options{})
	o := migrate.Options{Verify: migrate.VerifyBodies, BatchMessages: 33}
	r := mustRun(t, src, dst, o)
	if r.Copied != 1500 || r.Verified != 1500 || r.Totals.Mailboxes != 8 {
		t.Errorf("%+v", r.Totals)
	}
	same(t, dump(t, dst), dump(t, src))
	r = mustRun(t, src, dst, migrate.Options{})
	if r.Copied != 0 || r.Present != 1500 || r.Flagged != 0 {
		t.Errorf("second pass: %+v", r.Totals)
	}
	for _, b := range r.Boxes {
		if !b.Unchanged {
			t.Errorf("%s was read again", b.Source)
		}
	}
	put(t, s, store.Inbox, text(9999, 100), 0)
	r = mustRun(t, src, dst, migrate.Options{})
	if r.Copied != 1 || r.Present != 1500 {
		t.Errorf("third pass: %+v", r.Totals)
	}
	same(t, dump(t, dst), dump(t, src))
}

func TestKeepsUIDs(t *testing.T) {
	src, _, s := newAccount(t, storeaccount.Options{})
	fill(t, s, 2, 50)
	dst, a, s2 := newAccount(t, storeaccount.Options{KeepUIDs: true})
	inbox, err := store.MailboxByName(t.Context(), a, store.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	// A new INBOX has the time as its UIDVALIDITY, which may be that of the source.
	other := store.PutMailbox{ID: inbox.ID, UIDValidity: inbox.UIDValidity + 1000}
	if _, err := a.Apply(t.Context(), store.Change{Ops: []store.Op{other}}); err != nil {
		t.Fatal(err)
	}
	mustRun(t, src, dst, migrate.Options{})
	dst = openAccount(t, s2, storeaccount.Options{KeepUIDs: true})
	put(t, s, store.Inbox, text(9999, 100), 0)
	r := mustRun(t, src, dst, migrate.Options{Final: true, Verify: migrate.VerifyBodies})
	if r.Copied != 1 {
		t.Errorf("%+v", r.Totals)
	}
	same(t, dump(t, dst), dump(t, src))
	from, _, err := mustOpen(t, s).Mailboxes(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range from {
		got, err := store.MailboxByName(t.Context(), a, m.Name)
		if err != nil {
			t.Fatal(err)
		}
		if got.UIDValidity != m.UIDValidity || got.UIDNext <= 1<<20 {
			t.Errorf("%s: %d, %d, want %d", m.Name, got.UIDValidity, got.UIDNext, m.UIDValidity)
		}
	}
	put(t, s2, store.Inbox, text(1, 100), 0) // it takes mail again
}
