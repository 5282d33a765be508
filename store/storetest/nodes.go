package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
)

func nodesChecks() []check {
	list := []check{
		{name: "NodesSee", rule: "what one node acknowledged the others see", run: nodesSee},
		{name: "NodesWaitWakes", rule: "I14: a Change through one node wakes who waits at another within a second", run: nodesWake},
		{name: "NodesWaitMissesNothing", rule: "I14: a follower at one node misses no Change made at another", run: nodesFollow},
		{name: "NodesNumbers", rule: "I2, I4: nodes that append at once give out each UID and ModSeq once, in one order", run: nodesNumbers},
		{name: "NodesOnce", rule: "I9: a Once key applied through one node is a repeat at another", run: nodesOnce},
		{name: "NodesQuota", rule: "I10: quota is exact over all nodes", run: nodesQuota},
		{name: "NodesUnchangedSince", rule: "I15: of conditional STOREs through two nodes at most one wins", run: nodesUnchanged},
		{name: "NodesIfAbsent", rule: "I15: of PutEntry with IfAbsent through two nodes one wins", run: nodesAbsent},
		{name: "NodesCreate", rule: "of Creates of one id through two nodes one wins (ErrExists)", run: nodesCreate},
		{name: "NodesValidity", rule: "I3: nodes that create mailboxes at once give out each UIDVALIDITY once", run: nodesValidity},
		{name: "NodesDrop", rule: "an account dropped through one node is gone at the others", run: nodesDrop},
		{name: "NodesHolds", rule: "I11: every node holds the blobs that were adopted through any", run: nodesHolds},
		{name: "NodesCounters", rule: "I7: counters are exact where two nodes change one mailbox", run: nodesCounters},
		{name: "NodesMaildrop", rule: "a maildrop locked through one node is locked at the others (RFC 1939 §4)", needs: Locks, run: nodesMaildrop},
		{name: "NodesRetain", rule: "I16: a hold declared through one node is obeyed by the others", needs: Retains, run: nodesRetain},
	}
	for i := range list {
		list[i].nodes = true
	}
	return list
}

// both makes an account and opens it at two nodes.
func (e *env) both() (a, b *handle) {
	e.r.Helper()
	a = e.account("alice")
	return a, e.elsewhere("alice")
}

// elsewhere opens an account at the second node.
func (e *env) elsewhere(id store.AccountID) *handle {
	e.r.Helper()
	other := &env{r: e.r, t: e.t, c: e.c, ctx: e.ctx, rule: e.rule, s: e.others[0], others: e.others}
	h := other.open(id)
	h.e = other
	return h
}

func nodesSee(e *env) {
	a, b := e.both()
	for i := range 10 {
		writer, reader := a, b
		if i%2 == 1 {
			writer, reader = b, a
		}
		r := writer.do(writer.message(a.inbox, "x"), store.PutEntry{Key: fmt.Sprint(i), Value: []byte("v")})
		e.same("ModSeq at the other node", reader.modSeq(), r.ModSeq)
		e.same("messages at the other node", len(reader.all(a.inbox)), i+1)
		e.same("entries at the other node", len(reader.entries(store.EntryQuery{})), i+1)
	}
	e.same("content at the other node", b.read(a.inbox, a.uids(a.inbox).Min()), "x")
}

func nodesWake(e *env) {
	a, b := e.both()
	for _, pair := range [][2]*handle{{a, b}, {b, a}} {
		at := pair[1].modSeq()
		woken := make(chan error, 1)
		ctx, cancel := context.WithTimeout(e.ctx, e.c.Patience)
		defer cancel()
		go func() {
			_, err := waitFor(ctx, pair[1], at)
			woken <- err
		}()
		pair[0].put(a.inbox, 1)
		start := time.Now()
		e.ok("Wait at the other node", <-woken)
		if d := time.Since(start); d > time.Second && !e.c.slow {
			e.errorf("the other node woke after %v", d)
		}
	}
}

func nodesFollow(e *env) {
	a, b := e.both()
	e.follow(a, 100, b)
}

func nodesNumbers(e *env) {
	const each = 40
	a, b := e.both()
	op := a.message(a.inbox, "x")
	results := make(chan store.Result, 4*each)
	done := e.writers(4, func(i int) {
		h := []*handle{a, b}[i%2]
		for range each {
			r, err := h.Apply(e.ctx, store.Change{Ops: []store.Op{op}})
			if err != nil {
				e.errorf("Apply: %v", err)
				return
			}
			results <- r
		}
	})
	e.await("4 writers", done)
	close(results)
	at := map[store.UID]store.ModSeq{}
	seen := map[store.ModSeq]bool{}
	for r := range results {
		uid := r.Ops[0].Dest.Min()
		if at[uid] != 0 || seen[r.ModSeq] {
			e.errorf("UID %d or ModSeq %d was given out twice", uid, r.ModSeq)
		}
		at[uid], seen[r.ModSeq] = r.ModSeq, true
	}
	last := store.ModSeq(0)
	for _, m := range b.all(a.inbox) {
		if m.ModSeq != at[m.UID] || m.ModSeq <= last {
			e.errorf("UID %d has ModSeq %d after %d; its writer was told %d", m.UID, m.ModSeq, last, at[m.UID])
		}
		last = m.ModSeq
	}
	e.same("messages", len(at), 4*each)
}

func nodesOnce(e *env) {
	a, b := e.both()
	c := store.Change{Once: "queue 1", Ops: []store.Op{a.message(a.inbox, "x")}}
	first := a.change(c)
	again := b.change(c)
	e.same("Repeated at the other node", again.Repeated, true)
	e.same("UIDs", again.Ops[0].Dest, first.Ops[0].Dest)
	e.same("messages", len(b.all(a.inbox)), 1)
}

func nodesQuota(e *env) {
	a, b := e.both()
	a.limit(store.Limits{Messages: 10})
	op := a.message(a.inbox, "x")
	var accepted atomic.Int64
	done := e.writers(8, func(i int) {
		for range 4 {
			_, err := []*handle{a, b}[i%2].Apply(e.ctx, store.Change{Ops: []store.Op{op}})
			if err == nil {
				accepted.Add(1)
			} else if !errors.Is(err, store.ErrOverQuota) {
				e.errorf("Apply: %v", err)
			}
		}
	})
	e.await("32 Applies", done)
	e.same("accepted", accepted.Load(), int64(10))
}

func nodesUnchanged(e *env) {
	a, b := e.both()
	uids := a.put(a.inbox, 1)
	for range 20 {
		since := a.modSeq()
		var won atomic.Int64
		done := e.writers(2, func(i int) {
			op := store.SetFlags{Mailbox: a.inbox, UIDs: uids, Mode: store.FlagsReplace, Keywords: []string{fmt.Sprintf("k%d-%d", since, i)}, UnchangedSince: &since}
			r, err := []*handle{a, b}[i].Apply(e.ctx, store.Change{Ops: []store.Op{op}})
			if err != nil {
				e.errorf("Apply: %v", err)
				return
			}
			won.Add(r.Ops[0].Changed.Len())
		})
		e.await("2 Applies", done)
		e.same("winners", won.Load(), int64(1))
	}
}

func nodesAbsent(e *env) {
	a, b := e.both()
	for i := range 20 {
		var won atomic.Int64
		done := e.writers(2, func(n int) {
			op := store.PutEntry{Key: fmt.Sprint(i), Value: []byte("v"), IfAbsent: true}
			if _, err := []*handle{a, b}[n].Apply(e.ctx, store.Change{Ops: []store.Op{op}}); err == nil {
				won.Add(1)
			} else if !errors.Is(err, store.ErrConflict) {
				e.errorf("Apply: %v", err)
			}
		})
		e.await("2 Applies", done)
		e.same("winners", won.Load(), int64(1))
	}
}

func nodesCreate(e *env) {
	for i := range 10 {
		var won atomic.Int64
		done := e.writers(2, func(n int) {
			err := []store.Store{e.s, e.others[0]}[n].Create(e.ctx, store.AccountID(fmt.Sprint("n", i)), store.AccountInfo{})
			if err == nil {
				won.Add(1)
			} else if !errors.Is(err, store.ErrExists) {
				e.errorf("Create: %v", err)
			}
		})
		e.await("2 Creates", done)
		e.same("winners", won.Load(), int64(1))
	}
}

func nodesValidity(e *env) {
	a, b := e.both()
	seen := map[store.UIDValidity]bool{a.state(a.inbox).UIDValidity: true}
	for i := range 10 {
		for n, h := range []*handle{a, b} {
			v := h.state(h.create(fmt.Sprintf("m%d-%d", i, n))).UIDValidity
			if seen[v] {
				e.fatalf("UIDVALIDITY %d is given out twice", v)
			}
			seen[v] = true
		}
	}
}

func nodesDrop(e *env) {
	a, b := e.both()
	a.do(store.DropAccount{})
	_, err := e.others[0].Open(e.ctx, "alice")
	e.is("Open at the other node", err, store.ErrNoAccount)
	_, _, err = b.Mailboxes(e.ctx, 0)
	e.is("Mailboxes at the other node", err, store.ErrNoAccount)
}

func nodesHolds(e *env) {
	a, b := e.both()
	op := a.message(a.inbox, "adopted here")
	a.do(op)
	for _, s := range append([]store.Store{e.s}, e.others...) {
		got, err := s.Holds(e.ctx, []blob.Ref{op.Blob})
		if err != nil || len(got) != 1 {
			e.errorf("Holds at a node = %v, %v", got, err)
		}
	}
	e.same("content at the other node", b.read(a.inbox, a.uids(a.inbox).Min()), "adopted here")
}

func nodesCounters(e *env) {
	a, b := e.both()
	uids := a.put(a.inbox, 8)
	done := e.writers(2, func(i int) {
		h := []*handle{a, b}[i]
		for n := range 20 {
			op := store.SetFlags{Mailbox: a.inbox, UIDs: uids, Mode: store.FlagsMode(n % 2), Flags: []store.Flags{store.Seen, store.Deleted}[i]}
			if _, err := h.Apply(e.ctx, store.Change{Ops: []store.Op{op}}); err != nil {
				e.errorf("Apply: %v", err)
			}
		}
	})
	e.await("2 writers", done)
	for _, h := range []*handle{a, b} {
		m := h.state(a.inbox)
		if m.Messages != 8 || m.Unseen != 8 || m.Deleted != 0 {
			e.errorf("the mailbox is %+v", m)
		}
	}
}

func nodesMaildrop(e *env) {
	a, b := e.both()
	e.ok("LockMaildrop", lockerOf(a).LockMaildrop(e.ctx, "one", time.Hour))
	e.is("LockMaildrop at the other node", lockerOf(b).LockMaildrop(e.ctx, "two", time.Hour), store.ErrLocked)
	e.ok("UnlockMaildrop", lockerOf(a).UnlockMaildrop(e.ctx, "one"))
	e.ok("LockMaildrop at the other node", lockerOf(b).LockMaildrop(e.ctx, "two", time.Hour))
}

func nodesRetain(e *env) {
	a, b := e.both()
	uids := a.put(a.inbox, 2)
	e.ok("PutHold", store.PutHold(e.ctx, a.Account, store.Hold{Name: "case"}))
	r := b.do(store.Expunge{Mailbox: a.inbox, UIDs: uids})
	e.same("Held at the other node", r.Ops[0].Held, uids)
	e.ok("DropHold", store.DropHold(e.ctx, b.Account, "case"))
	e.same("Changed", a.do(store.Expunge{Mailbox: a.inbox, UIDs: uids}).Ops[0].Changed, uids)
}
