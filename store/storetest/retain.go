package storetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/mailstead/mailstead/store"
)

func retainChecks() []check {
	list := []check{
		{name: "RetainExpunge", rule: "I16: Expunge leaves what a hold covers, and names it in Held", run: retainExpunge},
		{name: "RetainOnlyDeleted", rule: "I16: Expunge with OnlyDeleted names in Held those alone that it would have taken", run: retainOnlyDeleted},
		{name: "RetainMove", rule: "I16: Move leaves what a hold on the mailbox covers in its place, and makes no copy", run: retainMove},
		{name: "RetainMoveInside", rule: "within an account on hold a message may move; it is covered where it goes", run: retainMoveInside},
		{name: "RetainMailboxDelete", rule: "I16: a mailbox with a covered message is not deleted (ErrHeld)", run: retainDelete},
		{name: "RetainMailboxNamed", rule: "I16: a mailbox that a hold names is not deleted, though it is empty (ErrHeld)", run: retainNamed},
		{name: "RetainRenameInbox", rule: "I16: a rename of INBOX does not take messages out of a hold on INBOX (ErrHeld)", run: retainInbox},
		{name: "RetainDropAccount", rule: "I16: an account with a hold is not dropped (ErrHeld)", run: retainDrop},
		{name: "RetainUIDs", rule: "a hold on a set of messages covers these and no others", run: retainUIDs},
		{name: "RetainLater", rule: "I16: a hold covers what comes after it was declared", run: retainLater},
		{name: "RetainUntil", rule: "a hold ends at Until, and not before", run: retainUntil},
		{name: "RetainKeep", rule: "a hold with Keep covers a message until so long after Saved", run: retainKeep},
		{name: "RetainDropped", rule: "what a dropped hold covered can be deleted; other holds go on", run: retainDropped},
		{name: "RetainReplaced", rule: "PutHold replaces the hold of that name", run: retainReplaced},
		{name: "RetainList", rule: "ListHolds returns every hold as it was declared, in order of name", run: retainList},
		{name: "RetainInvalid", rule: "malformed holds are refused (ErrInvalid), and those on a mailbox that is not there (ErrNoMailbox)", run: retainInvalid},
		{name: "RetainNoModSeq", rule: "holds take no ModSeq and are no entries", run: retainNoModSeq},
		{name: "RetainFlags", rule: "flags of covered messages change freely", run: retainFlags},
		{name: "RetainRename", rule: "I16: a hold on a mailbox goes with it through a rename", run: retainRename},
		{name: "RetainAtomic", rule: "I5: a Change that a hold refuses is refused whole", run: retainAtomic},
		{name: "RetainApart", rule: "holds belong to one account", run: retainApart},
		{name: "RetainRace", rule: "I16: what is there when PutHold returns stays, however many Expunges run", run: retainRace},
		{name: "RetainPurge", rule: "I16: a purge keeps covered messages and the content of what is held", purges: true, run: retainPurge},
		{name: "RetainReopened", rule: "I6, I16: holds are there when the store is opened again", persistent: true, run: retainReopened},
		{name: "RetainBlobs", rule: "I11, I16: the blobs of covered messages are held after every try to delete them", run: retainBlobs},
	}
	for i := range list {
		list[i].needs |= Retains
	}
	return list
}

// hold declares one.
func (h *handle) hold(x store.Hold) {
	h.e.r.Helper()
	if x.Name == "" {
		x.Name = "case 1"
	}
	h.e.ok("PutHold", store.PutHold(h.e.ctx, h.Account, x))
}

// expunge tries to delete all of a mailbox and returns what is left.
func (h *handle) expungeAll(box store.MailboxID) store.UIDSet {
	h.e.r.Helper()
	h.do(store.Expunge{Mailbox: box, UIDs: store.AllUIDs()})
	return h.uids(box)
}

func retainExpunge(e *env) {
	h := e.account("alice")
	uids := h.put(h.inbox, 3)
	h.hold(store.Hold{Mailbox: h.inbox})
	before := h.modSeq()
	r := h.do(store.Expunge{Mailbox: h.inbox, UIDs: uids})
	e.same("Held", r.Ops[0].Held, uids)
	e.same("Changed", r.Ops[0].Changed, store.UIDSet(nil))
	e.same("Missing", r.Ops[0].Missing, store.UIDSet(nil))
	e.same("ModSeq", r.ModSeq, before)
	e.same("UIDs left", h.uids(h.inbox), uids)
}

func retainOnlyDeleted(e *env) {
	h := e.account("alice")
	uids := h.put(h.inbox, 3)
	h.flag(h.inbox, store.UIDs(uids.Min()), store.Deleted)
	h.hold(store.Hold{Mailbox: h.inbox})
	r := h.do(store.Expunge{Mailbox: h.inbox, UIDs: uids, OnlyDeleted: true}).Ops[0]
	e.same("Held", r.Held, store.UIDs(uids.Min()))
	e.same("UIDs left", h.uids(h.inbox), uids)
}

func retainMove(e *env) {
	h := e.account("alice")
	work := h.create("Work")
	uids := h.put(h.inbox, 2)
	h.hold(store.Hold{Mailbox: h.inbox, UIDs: store.UIDs(uids.Min())})
	r := h.do(store.Copy{Source: h.inbox, UIDs: uids, Dest: work, Move: true}).Ops[0]
	e.same("Held", r.Held, store.UIDs(uids.Min()))
	e.same("Source", r.Source, store.UIDs(uids.Max()))
	e.same("UIDs left", h.uids(h.inbox), store.UIDs(uids.Min()))
	e.same("messages that moved", h.state(work).Messages, int64(1))
	r = h.do(store.Copy{Source: h.inbox, UIDs: uids, Dest: work}).Ops[0]
	e.same("Source of Copy, which deletes nothing", r.Source, store.UIDs(uids.Min()))
}

func retainMoveInside(e *env) {
	h := e.account("alice")
	work := h.create("Work")
	uids := h.put(h.inbox, 2)
	h.hold(store.Hold{})
	r := h.do(store.Copy{Source: h.inbox, UIDs: uids, Dest: work, Move: true}).Ops[0]
	e.same("Changed", r.Changed, uids)
	e.same("UIDs left in the target", h.expungeAll(work), r.Dest)
}

func retainDelete(e *env) {
	h := e.account("alice")
	work, other := h.create("Work"), h.create("Other")
	uids := h.put(work, 2)
	h.put(other, 1)
	h.hold(store.Hold{Mailbox: work, UIDs: store.UIDs(uids.Min()), Keep: time.Hour})
	h.refused(store.ErrHeld, store.PutMailbox{ID: work, Delete: true})
	h.do(store.PutMailbox{ID: other, Delete: true})
	h.hold(store.Hold{})
	h.refused(store.ErrHeld, store.PutMailbox{ID: work, Delete: true})
	e.same("UIDs", h.uids(work), uids)
}

func retainNamed(e *env) {
	h := e.account("alice")
	work := h.create("Work")
	h.hold(store.Hold{Mailbox: work})
	h.refused(store.ErrHeld, store.PutMailbox{ID: work, Delete: true})
	h.hold(store.Hold{})
	h.do(store.PutMailbox{ID: work, Delete: true}) // empty, and not named any more
}

func retainInbox(e *env) {
	h := e.account("alice")
	uids := h.put(h.inbox, 2)
	h.hold(store.Hold{Mailbox: h.inbox, UIDs: store.UIDs(uids.Max())})
	h.refused(store.ErrHeld, store.PutMailbox{ID: h.inbox, Name: "old"})
	e.same("mailboxes", h.names(), []string{store.Inbox})
	e.same("UIDs", h.uids(h.inbox), uids)
}

func retainDrop(e *env) {
	h := e.account("alice")
	h.hold(store.Hold{})
	h.refused(store.ErrHeld, store.DropAccount{})
	uids := h.put(h.inbox, 1)
	h.hold(store.Hold{Mailbox: h.inbox, Keep: time.Hour})
	h.refused(store.ErrHeld, store.DropAccount{})
	e.same("UIDs", h.uids(h.inbox), uids)
	e.ok("DropHold", store.DropHold(e.ctx, h.Account, "case 1"))
	h.do(store.DropAccount{})
	again := e.account("alice")
	list, err := store.ListHolds(e.ctx, again.Account)
	e.ok("ListHolds", err)
	e.same("holds of the account made again", len(list), 0)
}

func retainUIDs(e *env) {
	h := e.account("alice")
	uids := h.put(h.inbox, 6)
	some := store.UIDs(uids.Min()+1, uids.Min()+4)
	h.hold(store.Hold{Mailbox: h.inbox, UIDs: some})
	e.same("UIDs left", h.expungeAll(h.inbox), some)
}

func retainLater(e *env) {
	h := e.account("alice")
	h.hold(store.Hold{Mailbox: h.inbox})
	h.hold(store.Hold{Name: "all"})
	e.ok("DropHold", store.DropHold(e.ctx, h.Account, "all"))
	uids := h.put(h.inbox, 2)
	e.same("UIDs left", h.expungeAll(h.inbox), uids)
	h.hold(store.Hold{})
	work := h.create("Work")
	uids = h.put(work, 2)
	e.same("UIDs left in a mailbox made later", h.expungeAll(work), uids)
}

func retainUntil(e *env) {
	h := e.account("alice")
	uids := h.put(h.inbox, 2)
	h.hold(store.Hold{Until: time.Now().Add(time.Hour)})
	e.same("UIDs left before Until", h.expungeAll(h.inbox), uids)
	h.hold(store.Hold{Until: time.Now().Add(-time.Second)})
	e.same("UIDs left after Until", h.expungeAll(h.inbox), store.UIDSet(nil))
	h.do(store.DropAccount{})
}

func retainKeep(e *env) {
	h := e.account("alice")
	uids := h.put(h.inbox, 1)
	h.hold(store.Hold{Keep: time.Nanosecond})
	h.hold(store.Hold{Name: "year", Keep: 365 * 24 * time.Hour})
	e.same("UIDs left", h.expungeAll(h.inbox), uids)
	e.ok("DropHold", store.DropHold(e.ctx, h.Account, "year"))
	e.within("an Expunge after Keep", func() { // Saved is kept to the second
		for len(h.expungeAll(h.inbox)) > 0 {
			time.Sleep(10 * time.Millisecond)
		}
	})
	h.do(store.DropAccount{})
}

func retainDropped(e *env) {
	h := e.account("alice")
	uids := h.put(h.inbox, 2)
	h.hold(store.Hold{Name: "a"})
	h.hold(store.Hold{Name: "b", Mailbox: h.inbox, UIDs: store.UIDs(uids.Max())})
	e.ok("DropHold", store.DropHold(e.ctx, h.Account, "a"))
	e.ok("DropHold of what is not there", store.DropHold(e.ctx, h.Account, "a"))
	e.same("UIDs left", h.expungeAll(h.inbox), store.UIDs(uids.Max()))
	e.ok("DropHold", store.DropHold(e.ctx, h.Account, "b"))
	e.same("UIDs left", h.expungeAll(h.inbox), store.UIDSet(nil))
}

func retainReplaced(e *env) {
	h := e.account("alice")
	uids := h.put(h.inbox, 2)
	h.hold(store.Hold{Name: "a", Mailbox: h.inbox, UIDs: store.UIDs(uids.Min())})
	h.hold(store.Hold{Name: "a", Mailbox: h.inbox, UIDs: store.UIDs(uids.Max())})
	e.same("UIDs left", h.expungeAll(h.inbox), store.UIDs(uids.Max()))
}

func retainList(e *env) {
	h := e.account("alice")
	want := []store.Hold{
		{Name: "A", Reason: "court\x00 order", Until: time.Unix(4e9, 0).UTC()},
		{Name: "a", Mailbox: h.inbox, UIDs: store.UIDs(1, 5, 7)},
		{Name: "b", Mailbox: h.inbox, Keep: 7 * time.Hour, Until: time.Unix(1e9, 0).UTC()},
	}
	for _, i := range []int{2, 0, 1} {
		h.hold(want[i])
	}
	list, err := store.ListHolds(e.ctx, h.Account)
	e.ok("ListHolds", err)
	for i := range list {
		if !list[i].Until.IsZero() {
			list[i].Until = list[i].Until.UTC()
		}
	}
	e.same("holds", list, want)
}

func retainInvalid(e *env) {
	h := e.account("alice")
	for _, c := range []struct {
		h    store.Hold
		want error
	}{
		{store.Hold{}, store.ErrInvalid},
		{store.Hold{Name: long(store.MaxHoldName + 1)}, store.ErrInvalid},
		{store.Hold{Name: "x", UIDs: store.UIDs(1)}, store.ErrInvalid},
		{store.Hold{Name: "x", Keep: -1}, store.ErrInvalid},
		{store.Hold{Name: "x", Mailbox: store.NewMailboxID()}, store.ErrNoMailbox},
	} {
		e.is(fmt.Sprintf("PutHold(%+v)", c.h), store.PutHold(e.ctx, h.Account, c.h), c.want)
	}
	list, err := store.ListHolds(e.ctx, h.Account)
	if err != nil || len(list) != 0 {
		e.errorf("ListHolds = %v, %v", list, err)
	}
}

func retainNoModSeq(e *env) {
	h := e.account("alice")
	before := e.dump(h)
	h.hold(store.Hold{})
	e.sameDump("the account with a hold", e.dump(h), before)
	e.ok("DropHold", store.DropHold(e.ctx, h.Account, "case 1"))
	e.sameDump("the account without it", e.dump(h), before)
}

func retainFlags(e *env) {
	h := e.account("alice")
	uids := h.put(h.inbox, 2)
	h.hold(store.Hold{Mailbox: h.inbox})
	e.same("Changed", h.flag(h.inbox, uids, store.Deleted|store.Seen).Ops[0].Changed, uids)
	e.same("\\Deleted counted", h.state(h.inbox).Deleted, int64(2))
}

func retainRename(e *env) {
	h := e.account("alice")
	work := h.create("Work")
	uids := h.put(work, 1)
	h.hold(store.Hold{Mailbox: work})
	h.rename(work, "Elsewhere")
	other := h.create("Work")
	h.put(other, 1)
	e.same("UIDs left", h.expungeAll(work), uids)
	e.same("UIDs left in another of the old name", h.expungeAll(other), store.UIDSet(nil))
}

func retainAtomic(e *env) {
	h := e.account("alice")
	work := h.create("Work")
	h.put(work, 1)
	h.hold(store.Hold{Mailbox: work})
	h.refused(store.ErrHeld, h.message(h.inbox, "x"), store.PutEntry{Key: "k", Value: []byte("v")}, store.PutMailbox{ID: work, Delete: true})
	e.same("messages", len(h.all(h.inbox)), 0)
	e.same("entries", h.entries(store.EntryQuery{}), []string{})
}

func retainApart(e *env) {
	a, b := e.account("a"), e.account("b")
	a.hold(store.Hold{})
	b.put(b.inbox, 2)
	e.same("UIDs left in another account", b.expungeAll(b.inbox), store.UIDSet(nil))
	b.do(store.DropAccount{})
}

func retainRace(e *env) {
	h := e.account("alice")
	for round := range e.some(20) {
		uids := h.put(h.inbox, 10)
		var kept store.UIDSet
		e.all(5, func(i int) {
			if i > 0 {
				h.outcome(nil, store.Expunge{Mailbox: h.inbox, UIDs: store.UIDs(uids.Min() + store.UID(i*2-2))})
				h.outcome(nil, store.Expunge{Mailbox: h.inbox, UIDs: store.UIDs(uids.Min() + store.UID(i*2-1))})
				return
			}
			if err := store.PutHold(e.ctx, h.Account, store.Hold{Name: fmt.Sprint(round), Mailbox: h.inbox}); err != nil {
				e.errorf("PutHold: %v", err)
				return
			}
			for m, err := range h.Messages(e.ctx, h.inbox, store.Query{}) {
				if err != nil {
					e.errorf("Messages: %v", err)
					return
				}
				kept.Add(m.UID)
			}
		})
		e.same("UIDs that were there when PutHold returned", kept.Minus(h.uids(h.inbox)), store.UIDSet(nil))
		e.ok("DropHold", store.DropHold(e.ctx, h.Account, fmt.Sprint(round)))
	}
}

func retainPurge(e *env) {
	h := e.account("alice")
	op := h.message(h.inbox, "held body")
	uid := h.do(op).Ops[0].Dest.Min()
	h.hold(store.Hold{})
	h.expungeAll(h.inbox)
	h.put(h.inbox, 1)
	e.c.Purge(e.t, e.s, h.id, h.modSeq())
	e.same("content", h.read(h.inbox, uid), "held body")
	e.holds("a covered message", true, op.Blob)
	list, err := store.ListHolds(e.ctx, h.Account)
	if err != nil || len(list) != 1 {
		e.errorf("ListHolds = %v, %v", list, err)
	}
	h.refused(store.ErrHeld, store.DropAccount{})
}

func retainReopened(e *env) {
	h := e.account("alice")
	uids := h.put(h.inbox, 2)
	h.hold(store.Hold{Mailbox: h.inbox})
	h.hold(store.Hold{Name: "gone"})
	e.ok("DropHold", store.DropHold(e.ctx, h.Account, "gone"))
	e.reopen()
	h = e.open("alice")
	e.same("UIDs left", h.expungeAll(h.inbox), uids)
	list, err := store.ListHolds(e.ctx, h.Account)
	if err != nil || len(list) != 1 {
		e.errorf("ListHolds = %v, %v", list, err)
	}
}

func retainBlobs(e *env) {
	h := e.account("alice")
	work := h.create("Work")
	op := h.message(work, "held body")
	h.do(op)
	h.hold(store.Hold{Mailbox: work})
	for _, ops := range [][]store.Op{
		{store.Expunge{Mailbox: work, UIDs: store.AllUIDs()}},
		{store.Copy{Source: work, UIDs: store.AllUIDs(), Dest: h.inbox, Move: true}},
		{store.PutMailbox{ID: work, Delete: true}},
		{store.DropAccount{}},
	} {
		if _, err := h.Apply(e.ctx, store.Change{Ops: ops}); err != nil && !errors.Is(err, store.ErrHeld) {
			e.errorf("Apply of %T: %v", ops[0], err)
		}
	}
	e.holds("a covered message", true, op.Blob)
	e.same("content", h.read(work, h.uids(work).Min()), "held body")
}
