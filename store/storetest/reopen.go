package storetest

import (
	"time"

	"github.com/mailstead/mailstead/store"
)

func reopenChecks() []check {
	return []check{
		{name: "ReopenSeesEverything", rule: "I6: a store opened again has all that was acknowledged", persistent: true, run: reopenAll},
		{name: "ReopenCounters", rule: "I2, I3, I4: UIDs, UIDVALIDITYs and ModSeqs go on behind the last ones when the store is opened again", persistent: true, run: reopenCounters},
		{name: "ReopenDropped", rule: "I6: what was deleted stays deleted when the store is opened again", persistent: true, run: reopenDropped},
	}
}

func reopenAll(e *env) {
	p := newPlayer(e, 42)
	for range 150 {
		p.play()
	}
	h := p.h
	op := h.message(h.inbox, "kept body")
	op.Prefix, op.Meta, op.Keywords = []byte("p:"), []byte("m"), []string{"$Kw"}
	op.ThreadKeys, op.SubjectHash = []uint64{1<<64 - 1, 2}, 1<<63+5
	uid := h.do(op).Ops[0].Dest.Min()
	h.do(e.keyed(h.message(h.inbox, "with a key"), "k"))
	role, yes := `\Drafts`, true
	h.do(
		store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: "caf\u00e9/x", Role: &role, Subscribed: &yes},
		store.PutEntry{Key: "k", Value: []byte{}, Expires: time.Now().Add(time.Hour)},
		store.PutEntry{Mailbox: h.inbox, Key: "k", Value: []byte{0, 255}},
		store.PutAccount{Limits: &store.Limits{Bytes: 1 << 50, Messages: 1 << 40, Mailboxes: 1 << 20}},
	)
	before := e.dump(h)
	for range 2 {
		e.reopen()
		h = e.open(h.id)
		e.sameDump("the account opened again", e.dump(h), before)
		e.same("content", h.read(h.inbox, uid), "p:kept body")
		e.holds("opened again", true, op.Blob)
	}
	if e.c.Has&Threads != 0 {
		thread, _ := h.threaded(1<<63+5, 2)
		e.same("thread of a reply", thread, h.one(h.inbox, uid).ThreadID)
	}
}

func reopenCounters(e *env) {
	h := e.account("alice")
	gone := h.create("gone")
	v := h.state(gone).UIDValidity
	uids := h.put(h.inbox, 3)
	h.do(store.PutMailbox{ID: gone, Delete: true})
	h.do(store.Expunge{Mailbox: h.inbox, UIDs: uids})
	at := h.modSeq()
	e.reopen()
	h = e.open("alice")
	e.same("the account's ModSeq", h.modSeq(), at)
	if uid := h.put(h.inbox, 1).Min(); uid <= uids.Max() {
		e.errorf("UID %d is given out again", uid)
	}
	if now := h.modSeq(); now <= at {
		e.errorf("ModSeq %d after %d", now, at)
	}
	if w := h.state(h.create("gone")).UIDValidity; w <= v {
		e.errorf("UIDVALIDITY %d after %d", w, v)
	}
	h.refused(store.ErrExists, store.PutMailbox{ID: gone, Create: true, Name: "other"})
}

func reopenDropped(e *env) {
	h, other := e.account("alice"), e.account("bob")
	work := h.create("Work")
	op := h.message(work, "x")
	h.do(op)
	h.do(store.PutEntry{Mailbox: work, Key: "k", Value: []byte("v")}, store.PutEntry{Key: "k", Value: []byte("v")})
	h.do(store.PutMailbox{ID: work, Delete: true}, store.PutEntry{Key: "k"})
	before := e.dump(h)
	other.do(store.DropAccount{})
	e.reopen()
	h = e.open("alice")
	e.sameDump("the account opened again", e.dump(h), before)
	_, err := e.s.Open(e.ctx, "bob")
	e.is("Open of a dropped account", err, store.ErrNoAccount)
	e.holds("released before the store was closed", true, op.Blob)
}
