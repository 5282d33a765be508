package storetest

import (
	"slices"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
)

func holdChecks() []check {
	return []check{
		{name: "HoldsLive", rule: "I11: Holds names the blobs of messages that are there, in any account", run: holdsLive},
		{name: "HoldsReleased", rule: "I11: Holds names blobs released a moment ago: by expunge, move, mailbox delete and account drop", run: holdsReleased},
		{name: "HoldsRefused", rule: "I11: a refused Change does not let go of what it would have released", run: holdsRefused},
	}
}

func (e *env) holds(what string, want bool, refs ...blob.Ref) {
	e.r.Helper()
	unknown := blob.Ref("no-such-ref")
	got, err := e.s.Holds(e.ctx, append([]blob.Ref{unknown}, refs...))
	e.ok("Holds", err)
	for _, ref := range refs {
		if slices.Contains(got, ref) != want {
			e.errorf("%s: Holds(%s) = %v, want %v", what, ref, !want, want)
		}
	}
	if slices.Contains(got, unknown) {
		e.errorf("Holds names a Ref that it never saw")
	}
}

func holdsLive(e *env) {
	a, b := e.account("a"), e.account("b")
	one, two, none := a.message(a.inbox, "one"), b.message(b.inbox, "two"), e.blob("adopted by nobody")
	a.do(one)
	b.do(two, two)
	e.holds("live", true, one.Blob, two.Blob)
	e.holds("never adopted", false, none)
	got, err := e.s.Holds(e.ctx, nil)
	if err != nil || len(got) != 0 {
		e.errorf("Holds of nothing = %v, %v", got, err)
	}
}

func holdsReleased(e *env) {
	h, other := e.account("alice"), e.account("other")
	work := h.create("Work")
	ops := []store.Append{h.message(h.inbox, "expunged"), h.message(h.inbox, "moved"), h.message(work, "deleted"), other.message(other.inbox, "dropped")}
	uids := []store.UID{}
	for _, op := range ops[:3] {
		uids = append(uids, h.do(op).Ops[0].Dest.Min())
	}
	other.do(ops[3])
	h.do(store.Expunge{Mailbox: h.inbox, UIDs: store.UIDs(uids[0])})
	h.do(store.Copy{Source: h.inbox, UIDs: store.UIDs(uids[1]), Dest: work, Move: true})
	e.holds("expunged, moved", true, ops[0].Blob, ops[1].Blob)
	h.do(store.PutMailbox{ID: work, Delete: true})
	e.holds("mailbox deleted", true, ops[1].Blob, ops[2].Blob)
	other.do(store.DropAccount{})
	e.holds("account dropped", true, ops[3].Blob)
}

func holdsRefused(e *env) {
	h := e.account("alice")
	op := h.message(h.inbox, "x")
	uids := h.do(op).Ops[0].Dest
	h.refused(store.ErrNoMailbox, store.Expunge{Mailbox: h.inbox, UIDs: uids}, store.ClaimRecent{Mailbox: store.NewMailboxID()})
	h.do(store.Copy{Source: h.inbox, UIDs: uids, Dest: h.inbox})
	h.do(store.Expunge{Mailbox: h.inbox, UIDs: uids})
	e.holds("one copy left", true, op.Blob)
}
