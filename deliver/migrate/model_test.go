package migrate_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/deliver/migrate/storeaccount"
	"github.com/mailstead/mailstead/store"
)

// change does something to a random mailbox: mail comes, flags change, messages
// go.
func change(t *testing.T, s store.Store, rng *rand.Rand, serial *int, remove bool) {
	a := mustOpen(t, s)
	name := fmt.Sprintf("box %d", rng.IntN(3))
	m, err := store.MailboxByName(t.Context(), a, name)
	if err != nil || rng.IntN(3) == 0 || m.Messages == 0 {
		for range 1 + rng.IntN(5) {
			*serial++
			n := *serial
			if rng.IntN(10) == 0 && n > 3 {
				n -= 3 // the same message again
			}
			put(t, s, name, text(n, 60+rng.IntN(300)), store.Flags(rng.IntN(32)))
		}
		return
	}
	var uids []store.UID
	for m, err := range a.Messages(t.Context(), m.ID, store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		uids = append(uids, m.UID)
	}
	uid := store.UIDs(uids[rng.IntN(len(uids))])
	var op store.Op = store.SetFlags{Mailbox: m.ID, UIDs: uid, Mode: store.FlagsMode(rng.IntN(3)), Flags: store.Flags(rng.IntN(32)), Keywords: []string{fmt.Sprintf("k%d", rng.IntN(3))}}
	if remove && rng.IntN(3) == 0 {
		op = store.Expunge{Mailbox: m.ID, UIDs: uid}
	}
	if _, err := a.Apply(t.Context(), store.Change{Ops: []store.Op{op}}); err != nil {
		t.Fatal(err)
	}
}

// Passes with changes between them leave the target as the source is.
func TestIncremental(t *testing.T) {
	for seed := range seeds(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := random(seed)
			src, _, s := newAccount(t, storeaccount.Options{})
			dst, _, _ := newAccount(t, storeaccount.Options{})
			serial := 0
			for range 20 {
				for range rng.IntN(12) {
					change(t, s, rng, &serial, true)
				}
				o := migrate.Options{Remove: true, BatchMessages: 1 + rng.IntN(9), Verify: migrate.Level(rng.IntN(3))}
				mustRun(t, src, dst, o)
				same(t, dump(t, dst), dump(t, src))
				o.SkipDeleted = false
				if r := mustRun(t, src, dst, o); r.Copied+r.Flagged+r.Removed != 0 {
					t.Fatalf("a pass without changes did %+v", r.Totals)
				}
			}
		})
	}
}

// Whatever operation fails, and whatever was done before it failed, the next runs
// end with every message there once.
func TestFaults(t *testing.T) {
	for seed := range seeds(100) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := random(seed)
			src, _, s := newAccount(t, storeaccount.Options{})
			serial := 0
			for range 25 {
				change(t, s, rng, &serial, false)
			}
			dst, _, ds := newAccount(t, storeaccount.Options{})
			survive(t, rng, src, func() migrate.Target { return openAccount(t, ds, storeaccount.Options{}) }, nil)
			same(t, dump(t, dst), dump(t, src))
		})
	}
}

// survive runs until all is migrated; each run fails at some operation.
func survive(t *testing.T, rng *rand.Rand, src migrate.Source, open func() migrate.Target, state migrate.Keeper) {
	t.Helper()
	for n := 0; ; n++ {
		f := &faults{at: 1 + rng.IntN(60*(n+1)), all: rng.IntN(2) == 0}
		o := migrate.Options{
			BatchMessages: 1 + rng.IntN(9), Attempts: 1 + rng.IntN(2), Backoff: time.Nanosecond, Parallel: 1 + rng.IntN(3), State: state,
		}
		r, err := migrate.Run(t.Context(), &faultySource{src, f}, &faultyTarget{open(), f}, o)
		if err == nil {
			break
		}
		if !errors.Is(err, errCut) && !errors.Is(err, migrate.ErrLoss) || r.Skipped > 0 {
			t.Fatalf("%v: %+v", err, r.Skips)
		}
		if i := slices.IndexFunc(r.Boxes, func(b migrate.MailboxReport) bool { return b.Err != nil && !errors.Is(b.Err, errCut) }); i >= 0 {
			t.Fatal(r.Boxes[i].Err)
		}
		if n > 200 {
			t.Fatal("it does not get on")
		}
	}
	r := mustRun(t, src, open(), migrate.Options{Verify: migrate.VerifyBodies, State: state})
	if r.Copied+r.Matched+r.Flagged != 0 {
		t.Errorf("a pass behind the last: %+v", r.Totals)
	}
}
