package storetest

import (
	"sync"
	"testing"

	"github.com/mailstead/mailstead/store"
)

func concurrentChecks() []check {
	return []check{
		{name: "ConcurrentAppend", rule: "I2, I4: with 32 writers UIDs and ModSeqs become visible in order, and no gap is filled later", run: concurrentAppend},
		{name: "ConcurrentChanges", rule: "I5, I7: Changes of many writers are isolated: nothing is lost, counted twice or half seen", run: concurrentChanges},
	}
}

// writers runs f in n goroutines, and done is closed when all are back.
func (e *env) writers(n int, f func(i int)) (done chan struct{}) {
	done = make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			defer e.caught()
			f(i)
		})
	}
	go func() { wg.Wait(); close(done) }()
	return done
}

func concurrentAppend(e *env) {
	const writers = 32
	each := 20
	if testing.Short() {
		each = 6
	}
	h := e.account("alice")
	op := h.message(h.inbox, "x")
	done := e.writers(writers, func(int) {
		for range each {
			if _, err := h.Apply(e.ctx, store.Change{Ops: []store.Op{op}}); err != nil {
				e.errorf("Apply: %v", err)
				return
			}
		}
	})
	w := watcher{h: h, seen: map[store.UID]store.ModSeq{}}
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		w.look()
	}
	w.look()
	e.same("messages after all writers", len(w.seen), writers*each)
	e.same("EXISTS", h.state(h.inbox).Messages, int64(writers*each))
}

// watcher is a reader that looks again and again, and holds against the store
// what it saw before.
type watcher struct {
	h    *handle
	seen map[store.UID]store.ModSeq
	last store.ModSeq // what Mailboxes returned before the last look
	next store.UID    // UIDNEXT then
	top  store.UID    // the greatest UID ever seen
}

func (w *watcher) look() {
	e := w.h.e
	boxes, now, err := w.h.Mailboxes(e.ctx, 0)
	e.ok("Mailboxes", err)
	var inbox store.Mailbox
	for _, m := range boxes {
		if m.ID == w.h.inbox {
			inbox = m
		}
	}
	if now < w.last || inbox.UIDNext < w.next {
		e.fatalf("ModSeq went from %d to %d, UIDNEXT from %d to %d", w.last, now, w.next, inbox.UIDNext)
	}
	var order store.ModSeq
	for _, m := range w.h.query(w.h.inbox, store.Query{}) {
		if m.ModSeq <= order {
			e.fatalf("UID %d has ModSeq %d, an earlier UID has %d", m.UID, m.ModSeq, order)
		}
		order = m.ModSeq
		if _, ok := w.seen[m.UID]; ok {
			continue
		}
		if m.UID < w.next || m.UID < w.top || m.ModSeq <= w.last {
			e.fatalf("UID %d with ModSeq %d appeared after a reader had seen UID %d, UIDNEXT %d and ModSeq %d",
				m.UID, m.ModSeq, w.top, w.next, w.last)
		}
		w.seen[m.UID] = m.ModSeq
		w.top = m.UID
	}
	for _, m := range w.h.query(w.h.inbox, store.Query{Since: max(w.last, 1)}) {
		if _, ok := w.seen[m.UID]; ok {
			continue
		}
		if m.ModSeq <= now || m.UID < w.top {
			e.fatalf("the delta has UID %d with ModSeq %d; the list read before at ModSeq %d went up to UID %d without it",
				m.UID, m.ModSeq, now, w.top)
		}
		w.seen[m.UID] = m.ModSeq
		w.top = m.UID
	}
	w.last, w.next = now, inbox.UIDNext
}

// concurrentChanges has writers that each move a pair of messages to and fro,
// and a reader that must always see pairs.
func concurrentChanges(e *env) {
	const writers = 8
	const each = 30
	h := e.account("alice")
	work := h.create("Work")
	uids := h.put(h.inbox, writers)
	var all []store.UID
	for u := range uids.All() {
		all = append(all, u)
	}
	done := e.writers(writers, func(i int) {
		src, dst, uid := h.inbox, work, all[i]
		for range each {
			r, err := h.Apply(e.ctx, store.Change{Ops: []store.Op{
				store.Copy{Source: src, UIDs: store.UIDs(uid), Dest: dst},
				store.Expunge{Mailbox: src, UIDs: store.UIDs(uid)},
			}})
			if err != nil || r.Ops[0].Dest.Len() != 1 {
				e.errorf("Apply: %v %v", r, err)
				return
			}
			src, dst, uid = dst, src, r.Ops[0].Dest.Min()
		}
	})
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		boxes, _, err := h.Mailboxes(e.ctx, 0)
		e.ok("Mailboxes", err)
		var sum int64
		for _, m := range boxes {
			sum += m.Messages
		}
		if sum != writers {
			e.fatalf("a reader saw %d messages, each Change leaves %d", sum, writers)
		}
	}
	e.same("messages at the end", len(h.all(h.inbox))+len(h.all(work)), writers)
}
