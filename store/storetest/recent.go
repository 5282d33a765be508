package storetest

import "github.com/mailstead/mailstead/store"

func recentChecks() []check {
	return []check{
		{name: "RecentClaim", rule: "ClaimRecent hands each new message to one session, and takes no ModSeq (RFC 3501 §2.3.2)", run: recentClaim},
		{name: "RecentConcurrent", rule: "of sessions that claim at the same time each gets other messages", run: recentConcurrent},
	}
}

func recentClaim(e *env) {
	h := e.account("alice")
	uids := h.put(h.inbox, 3)
	e.same("RecentFrom", h.state(h.inbox).RecentFrom, uids.Min())
	h.do(store.Expunge{Mailbox: h.inbox, UIDs: store.UIDs(uids.Min() + 1)})
	before := h.modSeq()
	r := h.do(store.ClaimRecent{Mailbox: h.inbox})
	e.same("claimed", r.Ops[0].Changed, store.UIDs(uids.Min(), uids.Max()))
	e.same("ModSeq", r.ModSeq, before)
	e.same("the account's ModSeq", h.modSeq(), before)
	e.same("RecentFrom", h.state(h.inbox).RecentFrom, h.state(h.inbox).UIDNext)
	e.same("claimed again", h.do(store.ClaimRecent{Mailbox: h.inbox}).Ops[0].Changed, store.UIDSet(nil))
	more := h.put(h.inbox, 2)
	e.same("claimed after more came", h.do(store.ClaimRecent{Mailbox: h.inbox}).Ops[0].Changed, more)
	h.refused(store.ErrNoMailbox, store.ClaimRecent{Mailbox: store.NewMailboxID()})
}

func recentConcurrent(e *env) {
	h := e.account("alice")
	uids := h.put(h.inbox, 50)
	claimed := make(chan store.UIDSet, 8)
	done := e.writers(8, func(int) {
		r, err := h.Apply(e.ctx, store.Change{Ops: []store.Op{store.ClaimRecent{Mailbox: h.inbox}}})
		if err != nil {
			e.errorf("Apply: %v", err)
			claimed <- nil
			return
		}
		claimed <- r.Ops[0].Changed
	})
	e.await("8 ClaimRecent", done)
	var all store.UIDSet
	n := int64(0)
	for range 8 {
		c := <-claimed
		n += c.Len()
		all.AddSet(c)
	}
	e.same("claimed by all", all, uids)
	e.same("claims", n, uids.Len())
}
