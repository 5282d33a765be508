package storetest

import (
	"fmt"
	"sync/atomic"

	"github.com/mailstead/mailstead/store"
)

func onceChecks() []check {
	return []check{
		{name: "OnceRepeats", rule: "I9: a Once key that was applied does nothing and returns the first Result with Repeated", run: func(e *env) { onceRepeats(e, false) }},
		{name: "OnceReopened", rule: "I9: a Once key is remembered when the store is opened again", persistent: true, run: func(e *env) { onceRepeats(e, true) }},
		{name: "OnceMany", rule: "I9: every Once key is remembered, not only the last", run: onceMany},
		{name: "OnceRefused", rule: "I9: a refused Change does not use up its Once key", run: onceRefused},
		{name: "OncePerAccount", rule: "I9: Once keys belong to one account, and are compared octet by octet", run: oncePerAccount},
		{name: "OnceAfterCollection", rule: "I9: a repeated Change succeeds when its message was expunged and its blob collected since", run: onceCollected},
		{name: "OnceConcurrent", rule: "I9: of many Changes with one key at the same time one is applied", run: onceConcurrent},
		{name: "OnceResultIsOwn", rule: "a Result belongs to the caller: what is done to it does not reach the one that is remembered", run: onceOwn},
		{name: "OnceNoChange", rule: "I9: a key is remembered although its Change changed nothing", run: onceNoChange},
	}
}

func onceRepeats(e *env, reopen bool) {
	h := e.account("alice")
	work := h.create("Work")
	uids := h.put(h.inbox, 4)
	lo := uids.Min()
	since := h.modSeq()
	h.flag(h.inbox, store.UIDs(lo+1), store.Flagged)
	c := store.Change{Once: "queue-id 1 <a@b>", Ops: []store.Op{
		h.message(h.inbox, "delivered"),
		store.Copy{Source: h.inbox, UIDs: store.UIDs(lo, lo+2, lo+50), Dest: work, Move: true},
		store.SetFlags{Mailbox: h.inbox, UIDs: uids, Flags: store.Seen, UnchangedSince: &since},
		store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: "made"},
	}}
	first := h.change(c)
	e.same("Repeated of the first", first.Repeated, false)
	h.put(h.inbox, 1)
	before := e.dump(h)
	if reopen {
		e.reopen()
		h = e.open("alice")
	}
	for range 3 {
		again := h.change(c)
		e.same("Repeated", again.Repeated, true)
		again.Repeated = false
		e.same("the repeated Result", fmt.Sprintf("%+v", again), fmt.Sprintf("%+v", first))
		e.sameDump("the account after a repeat", e.dump(h), before)
	}
	c.Ops = []store.Op{store.PutEntry{Key: "other", Value: []byte("x")}, store.ClaimRecent{Mailbox: work}, store.ClaimRecent{Mailbox: work}, store.ClaimRecent{Mailbox: work}}
	e.same("Repeated, whatever the Ops are", h.change(c).Repeated, true)
	e.sameDump("the account after a repeat with other Ops", e.dump(h), before)
}

func onceMany(e *env) {
	h := e.account("alice")
	var first []string
	for pass := range 2 {
		for i := range 20 {
			r := h.change(store.Change{Once: fmt.Sprint(i), Ops: []store.Op{h.message(h.inbox, "x")}})
			e.same(fmt.Sprintf("Repeated of key %d", i), r.Repeated, pass == 1)
			if pass == 0 {
				first = append(first, fmt.Sprintf("%+v", r.Ops))
			} else {
				e.same(fmt.Sprintf("the Result of key %d", i), fmt.Sprintf("%+v", r.Ops), first[i])
			}
		}
	}
	e.same("messages", len(h.all(h.inbox)), 20)
}

func onceRefused(e *env) {
	h := e.account("alice")
	ops := []store.Op{h.message(h.inbox, "x"), store.PutEntry{Key: "k", Value: []byte("v"), IfAbsent: true}}
	h.do(store.PutEntry{Key: "k", Value: []byte("v")})
	_, err := h.Apply(e.ctx, store.Change{Once: "o", Ops: ops})
	e.is("Apply", err, store.ErrConflict)
	h.do(store.PutEntry{Key: "k"})
	e.same("Repeated", h.change(store.Change{Once: "o", Ops: ops}).Repeated, false)
	e.same("messages", len(h.all(h.inbox)), 1)
}

func oncePerAccount(e *env) {
	for _, id := range []store.AccountID{"a", "b"} {
		h := e.account(id)
		for _, once := range []string{"key", "KEY", "key ", " key", "k\x00ey", "k", "\xff", "", ""} {
			if h.change(store.Change{Once: once, Ops: []store.Op{h.message(h.inbox, "x")}}).Repeated {
				e.errorf("key %q of account %s is taken for another's", once, id)
			}
		}
		e.same("messages", len(h.all(h.inbox)), 9)
	}
}

func onceCollected(e *env) {
	h := e.account("alice")
	op := h.message(h.inbox, "delivered, read, gone")
	c := store.Change{Once: "o", Ops: []store.Op{op}}
	uids := h.change(c).Ops[0].Dest
	h.do(store.Expunge{Mailbox: h.inbox, UIDs: uids})
	e.ok("Blobs.Delete", e.s.Blobs().Delete(e.ctx, op.Blob))
	r := h.change(c)
	if !r.Repeated || r.Ops[0].Dest.String() != uids.String() {
		e.errorf("the repeated Change returned %+v", r)
	}
}

func onceConcurrent(e *env) {
	const rounds, writers = 30, 16
	h := e.account("alice")
	for round := range rounds {
		c := store.Change{Once: fmt.Sprint(round), Ops: []store.Op{h.message(h.inbox, "x")}}
		var fresh atomic.Int64
		start := make(chan struct{})
		done := e.writers(writers, func(int) {
			<-start
			r, err := h.Apply(e.ctx, c)
			if err != nil {
				e.errorf("Apply: %v", err)
			} else if !r.Repeated {
				fresh.Add(1)
			}
		})
		close(start)
		e.await("16 Applies with one key", done)
		e.same("Changes that were not a repeat", fresh.Load(), int64(1))
	}
	e.same("messages", len(h.all(h.inbox)), rounds)
}

func onceOwn(e *env) {
	h := e.account("alice")
	c := store.Change{Once: "o", Ops: []store.Op{h.message(h.inbox, "x")}}
	r := h.change(c)
	want := fmt.Sprintf("%+v", r.Ops)
	for range 3 {
		if len(r.Ops) != 1 || len(r.Ops[0].Dest) != 1 {
			e.fatalf("the Result is %+v, want %s", r.Ops, want)
		}
		r.Ops[0].Dest[0] = store.UIDRange{First: 77, Last: 99}
		r.Ops[0] = store.OpResult{}
		r = h.change(c)
		e.same("the repeated Result", fmt.Sprintf("%+v", r.Ops), want)
	}
}

func onceNoChange(e *env) {
	h := e.account("alice")
	c := store.Change{Once: "o", Ops: []store.Op{store.Expunge{Mailbox: h.inbox, UIDs: store.UIDs(1)}}}
	h.change(c)
	h.put(h.inbox, 1)
	e.same("Repeated", h.change(c).Repeated, true)
	e.same("messages", len(h.all(h.inbox)), 1)
}
