package sqlite_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/store"
)

func (w *writer) hold(t testing.TB, h store.Hold) {
	t.Helper()
	if err := store.PutHold(t.Context(), w.a, h); err != nil {
		t.Fatal(err)
	}
}

// TestRetentionCleaned: what retention covers outlives the cleaner, however
// often it runs, and goes the ordinary way afterwards. Messages that came in
// different pages are judged each by its own day.
func TestRetentionCleaned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, t.TempDir())
		w := newWriter(t, s, "alice")
		w.hold(t, store.Hold{Name: "ten days", Keep: 10 * 24 * time.Hour})
		old := w.op(t, body(100), 1)
		w.apply(t, slices.Repeat([]store.Op{old}, 1000)...)
		time.Sleep(5 * 24 * time.Hour)
		late := w.op(t, body(200), 2)
		uid := w.apply(t, late).Ops[0].Dest
		time.Sleep(6 * 24 * time.Hour)
		r := w.apply(t, store.Expunge{Mailbox: w.inbox, UIDs: store.AllUIDs()}).Ops[0]
		if r.Changed.Len() != 1000 || r.Held.String() != uid.String() {
			t.Fatalf("expunged %v, held %v; want the first 1000, and %v", r.Changed, r.Held, uid)
		}
		time.Sleep(2 * 24 * time.Hour)
		clean(t, s)
		if n := held(t, s, old.Blob, late.Blob); n != 1 || rows(t, s, "fact") != 1 {
			t.Errorf("%d blobs held, %d facts; want those of the covered message", n, rows(t, s, "fact"))
		}
		if _, err := w.a.Apply(t.Context(), store.Change{Ops: []store.Op{store.DropAccount{}}}); !errors.Is(err, store.ErrHeld) {
			t.Errorf("DropAccount: %v", err)
		}
		sound(t, s)
		time.Sleep(4 * 24 * time.Hour)
		lock(t, w.a, "one", nil)
		w.apply(t, store.DropAccount{})
		time.Sleep(2 * 24 * time.Hour)
		clean(t, s)
		for _, table := range []string{"fact", "hold", "maildrop", "account"} {
			if n := rows(t, s, table); n != 0 {
				t.Errorf("%d rows of %s left of the account", n, table)
			}
		}
	})
}

// TestRetentionOfDeletedMailbox: a mailbox of many pages is not deleted while
// its last message is covered; facts of messages that were expunged before do
// not count.
func TestRetentionOfDeletedMailbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, t.TempDir())
		w := newWriter(t, s, "alice")
		work := store.NewMailboxID()
		w.apply(t, store.PutMailbox{ID: work, Name: "Work", Create: true})
		op := w.op(t, body(100), 1)
		op.Mailbox = work
		w.apply(t, slices.Repeat([]store.Op{op}, 1200)...)
		time.Sleep(48 * time.Hour)
		last := w.apply(t, op).Ops[0].Dest
		w.hold(t, store.Hold{Name: "a day", Keep: 24 * time.Hour})
		drop := store.Change{Ops: []store.Op{store.PutMailbox{ID: work, Delete: true}}}
		if _, err := w.a.Apply(t.Context(), drop); !errors.Is(err, store.ErrHeld) {
			t.Errorf("Delete: %v", err)
		}
		if err := store.DropHold(t.Context(), w.a, "a day"); err != nil {
			t.Fatal(err)
		}
		w.apply(t, store.Expunge{Mailbox: work, UIDs: last})
		w.hold(t, store.Hold{Name: "a day", Keep: 24 * time.Hour})
		w.apply(t, drop.Ops...)
	})
}

// TestHeldRepeated: a Change with Once that met a hold gives the same Result
// again, after the store was opened again too.
func TestHeldRepeated(t *testing.T) {
	s := open(t, t.TempDir())
	w := newWriter(t, s, "alice")
	for k := range 3 {
		w.deliver(t, body(100), uint64(k))
	}
	w.hold(t, store.Hold{Name: "case", Mailbox: w.inbox, UIDs: store.UIDs(2)})
	c := store.Change{Once: "x", Ops: []store.Op{store.Expunge{Mailbox: w.inbox, UIDs: store.AllUIDs()}}}
	if _, err := w.a.Apply(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, s.dir)
	a, err := s.Open(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	r, err := a.Apply(t.Context(), c)
	if err != nil || !r.Repeated || r.Ops[0].Held.String() != "2" || r.Ops[0].Changed.String() != "1,3" {
		t.Errorf("got %+v, %v", r, err)
	}
}

// TestMigrated: a database of the first version is brought to this one with all
// that is in it.
func TestMigrated(t *testing.T) {
	s := open(t, t.TempDir())
	w := newWriter(t, s, "alice")
	w.deliver(t, body(100), 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	shell(t, s.dir, `DROP TABLE hold; DROP TABLE maildrop;
		DROP INDEX account_dropped; ALTER TABLE account DROP COLUMN version; UPDATE schema_version SET version = 1 WHERE component = 'store'`)
	s = open(t, s.dir)
	a, err := s.Open(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	w.a = a
	w.hold(t, store.Hold{Name: "case"})
	r := w.apply(t, store.Expunge{Mailbox: w.inbox, UIDs: store.AllUIDs()}).Ops[0]
	if r.Held.String() != "1" {
		t.Errorf("Held %v, want the message that was delivered before", r.Held)
	}
	sound(t, s)
}
