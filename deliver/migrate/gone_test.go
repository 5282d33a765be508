package migrate_test

import (
	"testing"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/deliver/migrate/storeaccount"
	"github.com/mailstead/mailstead/store"
)

// Mailboxes that were deleted or renamed in the source: without Remove they stay,
// with it what was migrated goes, and what was changed or delivered in the target
// since stays.
func TestGoneMailboxes(t *testing.T) {
	old, moved, stays := box("old", 1, 6), box("moved", 11, 6), box("stays", 21, 6)
	src := &fake{boxes: []*fakeBox{old, moved, stays}}
	dst, _, ds := newAccount(t, storeaccount.Options{})
	mustRun(t, src, dst, migrate.Options{})
	moved.Path = []string{"new"}
	src.boxes = []*fakeBox{moved, stays}
	for range 2 {
		r := mustRun(t, src, dst, migrate.Options{})
		if len(r.Gone) != 2 || r.Removed+r.Kept != 0 {
			t.Fatalf("%+v %+v", r.Gone, r.Totals)
		}
	}
	if got := dump(t, dst); len(got["old"]) != 6 || len(got["moved"]) != 6 || len(got["new"]) != 6 {
		t.Errorf("%d, %d, %d messages", len(got["old"]), len(got["moved"]), len(got["new"]))
	}
	put(t, ds, "old", text(99, 100), 0) // delivered
	apply(t, ds, "old", func(id store.MailboxID) store.Op {
		return store.SetFlags{Mailbox: id, UIDs: store.UIDs(2), Mode: store.FlagsAdd, Flags: store.Flagged}
	})
	r := mustRun(t, src, dst, migrate.Options{Remove: true})
	if len(r.Gone) != 2 || r.Removed != 11 || r.Kept != 1 {
		t.Errorf("%+v %+v", r.Gone, r.Totals)
	}
	if got := dump(t, dst); len(got["old"]) != 2 || len(got["moved"]) != 0 || len(got["new"]) != 6 || len(got["stays"]) != 6 {
		t.Errorf("%v", got)
	}
	if r := mustRun(t, src, dst, migrate.Options{Remove: true}); r.Removed+r.Kept+r.Copied != 0 {
		t.Errorf("again: %+v", r.Totals)
	}
}

// A mailbox of a store that was renamed is known by its ID: nothing is copied again.
func TestRenamedInStore(t *testing.T) {
	src, _, s := newAccount(t, storeaccount.Options{})
	dst, _, _ := newAccount(t, storeaccount.Options{})
	put(t, s, "a", text(1, 100), 0)
	mustRun(t, src, dst, migrate.Options{Remove: true})
	apply(t, s, "a", func(id store.MailboxID) store.Op { return store.PutMailbox{ID: id, Name: "b"} })
	if r := mustRun(t, src, dst, migrate.Options{Remove: true}); r.Copied+r.Removed != 0 || len(r.Gone) != 0 {
		t.Errorf("%+v %+v", r.Gone, r.Totals)
	}
}

// A source that lists nothing of what it had is not believed.
func TestGoneAll(t *testing.T) {
	src, _, s := newAccount(t, storeaccount.Options{})
	dst, _, _ := newAccount(t, storeaccount.Options{})
	put(t, s, "a", text(1, 100), 0)
	o := migrate.Options{Remove: true, Job: "job"}
	mustRun(t, src, dst, o)
	empty := &fake{}
	if r := mustRun(t, empty, dst, o); r.Removed != 0 || len(r.Gone) != 0 {
		t.Errorf("%+v %+v", r.Gone, r.Totals)
	}
	if got := dump(t, dst); len(got["a"]) != 1 {
		t.Errorf("%v", got)
	}
}

func apply(t *testing.T, s store.Store, box string, op func(store.MailboxID) store.Op) {
	t.Helper()
	a := mustOpen(t, s)
	m, err := store.MailboxByName(t.Context(), a, box)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Apply(t.Context(), store.Change{Ops: []store.Op{op(m.ID)}}); err != nil {
		t.Fatal(err)
	}
}
