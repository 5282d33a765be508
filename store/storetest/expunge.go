package storetest

import "github.com/mailstead/mailstead/store"

func expungeChecks() []check {
	return []check{
		{name: "ExpungeTombstones", rule: "I8: Expunge removes for ever and leaves tombstones with the Change's ModSeq", run: expungeTombstones},
		{name: "ExpungeOnlyDeleted", rule: "Expunge with OnlyDeleted takes those with \\Deleted, judged inside the Change; others are neither changed nor missing", run: expungeOnlyDeleted},
		{name: "ExpungeTwice", rule: "a message that is expunged is Missing for all that follows, and changes no more", run: expungeTwice},
	}
}

func expungeTombstones(e *env) {
	h := e.account("alice")
	uids := h.put(h.inbox, 5)
	lo := uids.Min()
	before := h.modSeq()
	r := h.do(store.Expunge{Mailbox: h.inbox, UIDs: store.UIDs(lo, lo+4)})
	e.same("Changed", r.Ops[0].Changed, store.UIDs(lo, lo+4))
	e.same("UIDs left", h.uids(h.inbox), store.UIDs(lo+1, lo+2, lo+3))
	changes := h.query(h.inbox, store.Query{Since: before, Fields: allFields})
	e.same("number of changes", len(changes), 2)
	for _, m := range changes {
		if !m.Gone || m.ModSeq != r.ModSeq {
			e.errorf("tombstone %+v, want ModSeq %d", m, r.ModSeq)
		}
		e.same("the tombstone", m, store.Message{UID: m.UID, ModSeq: m.ModSeq, Gone: true})
	}
	s := h.state(h.inbox)
	if s.HighestModSeq != r.ModSeq || s.Messages != 3 || s.UIDNext != lo+5 {
		e.errorf("the mailbox is %+v", s)
	}
}

func expungeOnlyDeleted(e *env) {
	h := e.account("alice")
	uids := h.put(h.inbox, 4)
	lo := uids.Min()
	h.flag(h.inbox, store.UIDs(lo, lo+1), store.Deleted)
	r := h.do(
		store.SetFlags{Mailbox: h.inbox, UIDs: store.UIDs(lo + 2), Flags: store.Deleted},
		store.SetFlags{Mailbox: h.inbox, UIDs: store.UIDs(lo), Mode: store.FlagsRemove, Flags: store.Deleted},
		store.Expunge{Mailbox: h.inbox, UIDs: uids, OnlyDeleted: true},
	).Ops[2]
	e.same("Changed", r.Changed, store.UIDs(lo+1, lo+2))
	e.same("Missing", r.Missing, store.UIDSet(nil))
	e.same("UIDs left", h.uids(h.inbox), store.UIDs(lo, lo+3))
	e.same("\\Deleted counted", h.state(h.inbox).Deleted, int64(0))
	before := h.modSeq()
	e.same("ModSeq of an Expunge that finds nothing", h.do(store.Expunge{Mailbox: h.inbox, UIDs: uids, OnlyDeleted: true}).ModSeq, before)
}

func expungeTwice(e *env) {
	h := e.account("alice")
	uids := h.put(h.inbox, 2)
	lo := uids.Min()
	r := h.do(
		store.Expunge{Mailbox: h.inbox, UIDs: store.UIDs(lo)},
		store.SetFlags{Mailbox: h.inbox, UIDs: uids, Flags: store.Seen},
		store.Expunge{Mailbox: h.inbox, UIDs: uids},
	)
	e.same("Missing of SetFlags", r.Ops[1].Missing, store.UIDs(lo))
	e.same("Missing of the second Expunge", r.Ops[2].Missing, store.UIDs(lo))
	e.same("Changed of the second Expunge", r.Ops[2].Changed, store.UIDs(lo+1))
	again := h.do(store.Expunge{Mailbox: h.inbox, UIDs: uids})
	e.same("Missing", again.Ops[0].Missing, uids)
	e.same("ModSeq", again.ModSeq, r.ModSeq)
}
