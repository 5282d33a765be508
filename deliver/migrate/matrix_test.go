package migrate_test

import (
	"fmt"
	"testing"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/deliver/migrate/emltree"
	"github.com/mailstead/mailstead/deliver/migrate/maildirtree"
	"github.com/mailstead/mailstead/deliver/migrate/mboxtree"
	"github.com/mailstead/mailstead/deliver/migrate/storeaccount"
	"github.com/mailstead/mailstead/internal/vfs"
	"github.com/mailstead/mailstead/store"
)

// target is one kind of target. open opens it anew, as another process does.
type target struct {
	name string
	open func(t *testing.T) func() migrate.Target
}

func targets() []target {
	return []target{
		{"store", func(t *testing.T) func() migrate.Target {
			_, _, s := newAccount(t, storeaccount.Options{})
			return func() migrate.Target { return openAccount(t, s, storeaccount.Options{}) }
		}},
		{"maildir", func(*testing.T) func() migrate.Target {
			files := vfs.NewMem() // without waiting for a disk
			return func() migrate.Target { return maildirtree.New("/m", maildirtree.Options{FS: files}) }
		}},
		{"eml", func(*testing.T) func() migrate.Target {
			files := vfs.NewMem() // without waiting for a disk
			return func() migrate.Target { return emltree.New("/m", emltree.Options{FS: files}) }
		}},
		{"mbox", func(*testing.T) func() migrate.Target {
			files := vfs.NewMem() // without waiting for a disk
			return func() migrate.Target { return mboxtree.New("/m", mboxtree.Options{FS: files}) }
		}},
	}
}

// Into every kind of target: all of it, nothing the second time, then what has
// changed, and back into a store.
func TestTargets(t *testing.T) {
	for _, kind := range targets() {
		t.Run(kind.name, func(t *testing.T) {
			src, _, s := newAccount(t, storeaccount.Options{})
			fill(t, s, 4, 60)
			open := kind.open(t)
			o := migrate.Options{Verify: migrate.VerifyBodies, BatchMessages: 13, Remove: true}
			r := mustRun(t, src, open(), o)
			if r.Copied != 240 || r.Verified != 240 {
				t.Errorf("%+v", r.Totals)
			}
			same(t, dump(t, open()), dump(t, src))
			if r := mustRun(t, src, open(), o); r.Copied+r.Matched+r.Flagged != 0 {
				t.Errorf("second pass: %+v", r.Totals)
			}
			if err := verify(t, src, open()); err != nil {
				t.Error(err)
			}
			rng, serial := random(1), 10_000
			for range 40 {
				change(t, s, rng, &serial, true)
			}
			mustRun(t, src, open(), o)
			same(t, dump(t, open()), dump(t, src))
			back, _, _ := newAccount(t, storeaccount.Options{})
			mustRun(t, open(), back, migrate.Options{Verify: migrate.VerifyBodies})
			same(t, dump(t, back), dump(t, src))
			if r := mustRun(t, open(), back, migrate.Options{}); r.Copied != 0 {
				t.Errorf("back, second pass: %+v", r.Totals)
			}
		})
	}
}

func verify(t *testing.T, src migrate.Source, dst migrate.Target) error {
	t.Helper()
	_, err := migrate.Verify(t.Context(), src, dst, migrate.Options{})
	return err
}

// Whatever operation fails, no kind of target loses or doubles a message.
func TestTargetFaults(t *testing.T) {
	for _, kind := range targets()[1:] {
		for seed := range seeds(30) {
			t.Run(fmt.Sprint(kind.name, seed), func(t *testing.T) {
				rng := random(seed)
				src, _, s := newAccount(t, storeaccount.Options{})
				serial := 0
				for range 15 {
					change(t, s, rng, &serial, false)
				}
				open := kind.open(t)
				survive(t, rng, src, open, nil)
				same(t, dump(t, open()), dump(t, src))
			})
		}
	}
}

// A mailbox that is gone in the target is copied again.
func TestTargetMailboxGone(t *testing.T) {
	src, _, s := newAccount(t, storeaccount.Options{})
	fill(t, s, 2, 10)
	dst, a, _ := newAccount(t, storeaccount.Options{})
	mustRun(t, src, dst, migrate.Options{})
	m, err := store.MailboxByName(t.Context(), a, "box 1/sub")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Apply(t.Context(), store.Change{Ops: []store.Op{store.PutMailbox{ID: m.ID, Delete: true}}}); err != nil {
		t.Fatal(err)
	}
	if r := mustRun(t, src, dst, migrate.Options{}); r.Copied != 10 {
		t.Errorf("%+v", r.Totals)
	}
	same(t, dump(t, dst), dump(t, src))
}
