package storetest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/mailstead/mailstead/store"
)

func actorChecks() []check {
	return []check{
		{name: "ActorsOrder", rule: "I4, I5: what two actors do at once to the same messages is what one would have done in the order of ModSeqs", run: actorsOrder},
		{name: "ActorsReplica", rule: "I8: a reader that follows by deltas while two actors write ends with the state of the store", run: actorsReplica},
	}
}

// deed is a Change of an actor with its outcome.
type deed struct {
	op store.Op
	r  store.Result
}

// act makes n random Changes to the messages of INBOX.
func (h *handle) act(seed uint64, n int, uids store.UIDSet) (deeds []deed) {
	rnd := rand.New(rand.NewPCG(seed, 7))
	for range n {
		first := uids.Min() + store.UID(rnd.IntN(int(uids.Len())))
		set := store.UIDSet{{First: first, Last: first + store.UID(rnd.IntN(4))}}
		var op store.Op = store.SetFlags{
			Mailbox: h.inbox, UIDs: set, Mode: store.FlagsMode(rnd.IntN(3)),
			Flags: store.Flags(rnd.IntN(int(store.AllFlags) + 1)), Keywords: someKeywords[:rnd.IntN(3)],
		}
		if rnd.IntN(12) == 0 {
			op = store.Expunge{Mailbox: h.inbox, UIDs: set, OnlyDeleted: true}
		}
		r, ok := h.outcome(nil, op)
		if !ok {
			return deeds
		}
		deeds = append(deeds, deed{op, r})
	}
	return deeds
}

// actorsOrder: Changes that took a ModSeq are replayed in its order on the
// model. Those that took none are left out: they changed nothing.
func actorsOrder(e *env) {
	for _, seed := range e.seeds() {
		h := e.account(store.AccountID(fmt.Sprint("actors", seed)))
		uids := h.put(h.inbox, 12)
		box := &modelBox{msgs: map[store.UID]*modelMessage{}}
		for _, m := range h.all(h.inbox) {
			box.msgs[m.UID] = &modelMessage{keywords: map[string]string{}, size: m.Size, modSeq: m.ModSeq, email: m.EmailID}
		}
		var mu sync.Mutex
		var deeds []deed
		e.all(2, func(i int) {
			d := h.act(seed*10+uint64(i), e.some(80), uids)
			mu.Lock()
			defer mu.Unlock()
			deeds = append(deeds, d...)
		})
		deeds = slices.DeleteFunc(deeds, func(d deed) bool { return len(d.r.Ops[0].Changed) == 0 })
		slices.SortFunc(deeds, func(x, y deed) int { return cmp.Compare(x.r.ModSeq, y.r.ModSeq) })
		for _, d := range deeds {
			var want store.OpResult
			switch op := d.op.(type) {
			case store.SetFlags:
				want = box.setFlags(op, d.r.ModSeq)
			case store.Expunge:
				want = box.expunge(op)
			}
			got := d.r.Ops[0]
			if got.Changed.String() != want.Changed.String() || got.Missing.String() != want.Missing.String() {
				e.fatalf("seed %d: %+v at %d: Changed %v, Missing %v; in this order %v, %v", seed, d.op, d.r.ModSeq,
					got.Changed, got.Missing, want.Changed, want.Missing)
			}
		}
		e.sameDump(fmt.Sprintf("seed %d: INBOX", seed), h.lines(h.inbox), box.lines())
	}
}

func actorsReplica(e *env) {
	h := e.account("alice")
	uids := h.put(h.inbox, 12)
	done := e.writers(2, func(i int) { h.act(uint64(i), e.some(80), uids) })
	r := &replica{boxes: map[store.MailboxID]store.Mailbox{}, msgs: map[store.MailboxID]map[store.UID]string{}}
	p := &player{e: e, h: h}
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		r.catchUp(p)
	}
	r.catchUp(p)
	e.sameSet("the state that a follower has", set(r.lines()), set(p.replica().lines()))
}
