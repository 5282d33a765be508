package storetest

import (
	"context"
	"fmt"
	"runtime"

	"github.com/mailstead/mailstead/store"
)

func waitChecks() []check {
	return []check{
		{name: "WaitReturnsAtOnce", rule: "I14: Wait with a ModSeq that is past returns at once", run: waitPast},
		{name: "WaitWakes", rule: "I14: a Change wakes whoever waits, through any handle", run: waitWakes},
		{name: "WaitEveryKind", rule: "I14: every Op that takes a ModSeq wakes", run: waitKinds},
		{name: "WaitNothingMissed", rule: "I14: no Change is missed between reading and waiting", run: waitMissed},
		{name: "WaitCancel", rule: "a cancelled context ends Wait with its error", run: waitCancel},
		{name: "WaitDrop", rule: "dropping the account ends Wait with ErrNoAccount", run: waitDrop},
	}
}

// waitFor waits like a caller must: again, as long as Wait returns early.
func waitFor(ctx context.Context, a store.Account, after store.ModSeq) (store.ModSeq, error) {
	for {
		m, err := a.Wait(ctx, after)
		if err != nil || m > after {
			return m, err
		}
	}
}

func waitPast(e *env) {
	h := e.account("alice")
	h.put(h.inbox, 1)
	now := h.modSeq()
	e.within("Wait", func() {
		m, err := waitFor(e.ctx, h, now-1)
		e.ok("Wait", err)
		e.same("ModSeq", m, now)
	})
}

func waitWakes(e *env) {
	h := e.account("alice")
	other := e.open("alice")
	now := h.modSeq()
	got := make(chan store.ModSeq, 4)
	for _, a := range []*handle{h, h, other, e.open("alice")} {
		go func() {
			m, err := waitFor(e.ctx, a, now)
			if err != nil {
				m = 0
			}
			got <- m
		}()
	}
	h.put(h.inbox, 1)
	want := h.modSeq()
	e.within("Wait after a Change", func() {
		for range 4 {
			e.same("ModSeq", <-got, want)
		}
	})
}

func waitKinds(e *env) {
	h := e.account("alice")
	work := h.create("Work")
	uids := h.put(h.inbox, 3)
	role := `\Archive`
	for _, op := range []store.Op{
		h.message(h.inbox, "x"),
		store.SetFlags{Mailbox: h.inbox, UIDs: uids, Flags: store.Seen},
		store.Copy{Source: h.inbox, UIDs: uids, Dest: work},
		store.Copy{Source: h.inbox, UIDs: uids, Dest: h.inbox, Move: true},
		store.Expunge{Mailbox: work, UIDs: store.AllUIDs()},
		store.PutMailbox{ID: work, Role: &role},
		store.PutMailbox{ID: work, Name: "Renamed"},
		store.PutMailbox{ID: work, Delete: true},
		store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: "New"},
		store.PutEntry{Key: "k", Value: []byte("v")},
		store.PutEntry{Key: "k"},
	} {
		now := h.modSeq()
		woken := make(chan error, 1)
		go func() {
			_, err := waitFor(e.ctx, h, now)
			woken <- err
		}()
		h.do(op)
		e.within(fmt.Sprintf("Wait after %T", op), func() { e.ok("Wait", <-woken) })
	}
}

// waitMissed has four followers.
func waitMissed(e *env) {
	h := e.account("alice")
	e.follow(h, 200, e.open("alice"), e.open("alice"), e.open("alice"), h)
}

// follow makes so many Changes through writer, while each follower reads and
// waits; all must come to the end. The last Change is made when all have seen
// the one before, and wait.
func (e *env) follow(writer *handle, changes int64, followers ...*handle) {
	e.r.Helper()
	start := writer.modSeq()
	near := make(chan struct{}, len(followers))
	done := e.writers(len(followers), func(i int) {
		at, seen := start, false
		for {
			n := followers[i].state(writer.inbox).Messages
			if n >= changes-1 && !seen {
				seen = true
				near <- struct{}{}
			}
			if n == changes {
				return
			}
			m, err := waitFor(e.ctx, followers[i], at)
			if err != nil {
				e.errorf("Wait: %v", err)
				return
			}
			at = m
		}
	})
	op := writer.message(writer.inbox, "x")
	for range changes - 1 {
		writer.do(op)
		runtime.Gosched()
	}
	e.within("a follower before the last Change", func() {
		for range followers {
			select {
			case <-near:
			case <-e.ctx.Done():
			}
		}
	})
	writer.do(op)
	e.await("a follower, after the last Change,", done)
}

func waitCancel(e *env) {
	h := e.account("alice")
	ctx, cancel := context.WithCancel(e.ctx)
	done := make(chan error, 1)
	now := h.modSeq()
	go func() {
		_, err := waitFor(ctx, h, now)
		done <- err
	}()
	cancel()
	e.within("Wait after cancel", func() { e.is("Wait", <-done, context.Canceled) })
	h.put(h.inbox, 1)
}

func waitDrop(e *env) {
	h := e.account("alice")
	done := make(chan error, 1)
	now := h.modSeq()
	go func() {
		_, err := waitFor(e.ctx, h, now)
		done <- err
	}()
	h.do(store.DropAccount{})
	e.within("Wait after DropAccount", func() { e.is("Wait", <-done, store.ErrNoAccount) })
}
