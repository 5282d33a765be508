package storetest

import (
	"context"
	"fmt"

	"github.com/mailstead/mailstead/store"
)

func changeChecks() []check {
	return []check{
		{name: "ChangeAtomic", rule: "I5: when the last Op is refused nothing of the Change is seen", run: changeAtomic},
		{name: "ChangeLaterOps", rule: "a later Op of a Change names and sees what an earlier one made", run: changeLaterOps},
		{name: "ChangeOrder", rule: "Ops happen in their order, with one result each", run: changeOrder},
		{name: "ChangeEmpty", rule: "a Change without Ops changes nothing", run: changeEmpty},
		{name: "ChangeCancelled", rule: "a context cancelled before Apply is called changes nothing", run: changeCancelled},
		{name: "ChangeNil", rule: "a nil Op is refused (ErrInvalid)", run: func(e *env) { e.account("a").refused(store.ErrInvalid, nil) }},
	}
}

// changeAtomic puts one of each Op in front of one that is refused.
func changeAtomic(e *env) {
	h := e.account("alice")
	work, other := h.create("Work"), h.create("Other/deep")
	uids := h.put(h.inbox, 5)
	h.put(work, 2)
	h.do(store.PutEntry{Key: "k", Value: []byte("old")}, store.PutEntry{Mailbox: other, Key: "k", Value: []byte("old")})
	lo := uids.Min()
	bad := h.message(store.NewMailboxID(), "x")
	first := [][]store.Op{
		{h.message(h.inbox, "new")},
		{store.SetFlags{Mailbox: h.inbox, UIDs: uids, Flags: store.Seen | store.Deleted, Keywords: []string{"kw"}}},
		{store.Expunge{Mailbox: h.inbox, UIDs: store.UIDs(lo, lo+4)}},
		{store.Copy{Source: h.inbox, UIDs: uids, Dest: work}},
		{store.Copy{Source: h.inbox, UIDs: uids, Dest: work, Move: true}},
		{store.Copy{Source: h.inbox, UIDs: uids, Dest: h.inbox, Move: true}},
		{store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: "x/y/z"}},
		{store.PutMailbox{ID: work, Name: "Elsewhere/w"}},
		{store.PutMailbox{ID: work, Delete: true}},
		{store.PutMailbox{ID: other, Delete: true}},
		{store.PutMailbox{ID: h.inbox, Name: "moved"}},
		{store.PutEntry{Key: "k", Value: []byte("new")}, store.PutEntry{Key: "k2", Value: []byte("new")}},
		{store.PutEntry{Key: "k"}},
		{store.PutAccount{Limits: &store.Limits{Messages: 1}}},
		{store.ClaimRecent{Mailbox: h.inbox}},
	}
	before := e.dump(h)
	var all []store.Op
	for _, ops := range first {
		h.refused(store.ErrNoMailbox, append(ops, bad)...)
		e.sameDump(fmt.Sprintf("the account after a refused %T", ops[0]), e.dump(h), before)
		if _, del := ops[0].(store.PutMailbox); !del {
			all = append(all, ops...)
		}
	}
	h.refused(store.ErrNoMailbox, append(all, bad)...)
	e.sameDump("the account after all of them, refused", e.dump(h), before)
	h.do(store.PutEntry{Key: "k2", Value: []byte("v"), IfAbsent: true})
	fresh := h.put(h.inbox, 1)
	if fresh.Min() <= uids.Max() {
		e.errorf("UID %d is given out again", fresh.Min())
	}
}

func changeLaterOps(e *env) {
	h := e.account("alice")
	id := store.NewMailboxID()
	first := h.put(h.inbox, 1)
	op := h.message(id, "into the new one")
	r := h.do(
		store.PutMailbox{ID: id, Create: true, Name: "fresh/box"},
		op,
		store.SetFlags{Mailbox: id, UIDs: store.UIDs(1), Flags: store.Flagged},
		store.Copy{Source: h.inbox, UIDs: first, Dest: id, Move: true},
		store.PutEntry{Mailbox: id, Key: "k", Value: []byte("v")},
		store.PutMailbox{ID: id, Name: "renamed"},
	)
	m := h.state(id)
	if m.Name != "renamed" || m.Messages != 2 || m.HighestModSeq != r.ModSeq {
		e.errorf("the mailbox is %+v", m)
	}
	e.same("content", h.read(id, r.Ops[1].Dest.Min()), "into the new one")
}

func changeOrder(e *env) {
	h := e.account("alice")
	uids := h.put(h.inbox, 3)
	lo := uids.Min()
	r := h.do(
		store.SetFlags{Mailbox: h.inbox, UIDs: uids, Flags: store.Seen},
		store.SetFlags{Mailbox: h.inbox, UIDs: store.UIDs(lo), Mode: store.FlagsReplace},
		store.Expunge{Mailbox: h.inbox, UIDs: store.UIDs(lo + 1)},
		store.Copy{Source: h.inbox, UIDs: uids, Dest: h.inbox},
		h.message(h.inbox, "last"),
	)
	e.same("Source of Copy behind Expunge", r.Ops[3].Source, store.UIDs(lo, lo+2))
	if r.Ops[4].Dest.Min() <= r.Ops[3].Dest.Max() {
		e.errorf("the later Op got UID %v, the earlier %v", r.Ops[4].Dest, r.Ops[3].Dest)
	}
	e.same("flags where two Ops met", h.one(h.inbox, lo).Flags, store.Flags(0))
	e.same("Unseen", h.state(h.inbox).Unseen, int64(3))
}

func changeEmpty(e *env) {
	h := e.account("alice")
	before := h.modSeq()
	e.same("ModSeq", h.do().ModSeq, before)
}

func changeCancelled(e *env) {
	h := e.account("alice")
	op := h.message(h.inbox, "x")
	ctx, cancel := context.WithCancel(e.ctx)
	cancel()
	_, err := h.Apply(ctx, store.Change{Once: "k", Ops: []store.Op{op}})
	e.is("Apply", err, context.Canceled)
	e.same("messages", len(h.all(h.inbox)), 0)
	if h.change(store.Change{Once: "k", Ops: []store.Op{op}}).Repeated {
		e.errorf("the cancelled Change is taken for done")
	}
}
