package storetest

import (
	"slices"
	"testing"

	"github.com/mailstead/mailstead/store"
)

func copyChecks() []check {
	return []check{
		{name: "CopyPairs", rule: "Source and Dest pair in ascending order (COPYUID, RFC 4315 §3)", run: func(e *env) { copyPairs(e, false, false) }},
		{name: "CopySameMailbox", rule: "a Copy into its own mailbox makes copies with new UIDs", run: func(e *env) { copyPairs(e, false, true) }},
		{name: "MovePairs", rule: "Move pairs as Copy does and expunges the sources in the same commit (RFC 6851)", run: func(e *env) { copyPairs(e, true, false) }},
		{name: "MoveSameMailbox", rule: "a Move into its own mailbox gives new UIDs", run: func(e *env) { copyPairs(e, true, true) }},
		{name: "CopyKeeps", rule: "a copy keeps flags, keywords, Received, EmailID, ThreadID and content; UID, ModSeq and Saved are new", run: copyKeeps},
		{name: "CopyWhole", rule: "a Copy stays whole up to MaxWhole messages, also beyond MaxChange; more is ErrTooLarge", run: copyWhole},
		{name: "CopyNothing", rule: "a Copy that finds no message changes nothing and takes no ModSeq", run: copyNothing},
		{name: "CopyNoMailbox", rule: "Copy from or to a mailbox that is not there fails with ErrNoMailbox", run: copyNoMailbox},
	}
}

// copyPairs copies every other of 6 messages, each with a body of its own.
func copyPairs(e *env, move, same bool) {
	h := e.account("alice")
	dst := h.inbox
	if !same {
		dst = h.create("Work")
		h.put(dst, 3)
	}
	bodies := map[store.UID]string{}
	for i := range 6 {
		body := "Subject: " + string(rune('a'+i)) + "\r\n\r\n"
		bodies[h.do(h.message(h.inbox, body)).Ops[0].Dest.Min()] = body
	}
	before := h.uids(h.inbox)
	lo := before.Min()
	want := store.UIDs(lo, lo+2, lo+4)
	top := h.state(dst).UIDNext
	r := h.do(store.Copy{Source: h.inbox, UIDs: want, Dest: dst, Move: move})
	o := r.Ops[0]
	e.same("Source", o.Source, want)
	e.same("Mailbox", o.Mailbox, dst)
	e.same("UIDValidity", o.UIDValidity, h.state(dst).UIDValidity)
	if o.Dest.Len() != 3 || o.Dest.Min() < top {
		e.fatalf("Dest = %v, want 3 UIDs from %d on", o.Dest, top)
	}
	to := slices.Collect(o.Dest.All())
	for i, from := range slices.Collect(o.Source.All()) {
		e.same("content of the pair", h.read(dst, to[i]), bodies[from])
		e.same("ModSeq of the copy", h.one(dst, to[i]).ModSeq, r.ModSeq)
	}
	left := before
	if move {
		left = before.Minus(want)
		e.same("Changed of Move", o.Changed, want)
	}
	if same {
		left = left.Clone()
		left.AddSet(o.Dest)
	}
	e.same("UIDs in the source", h.uids(h.inbox), left)
	for _, m := range h.query(h.inbox, store.Query{Since: r.ModSeq - 1, UIDs: want}) {
		if !move || !m.Gone || m.ModSeq != r.ModSeq {
			e.errorf("the source changed: %+v", m)
		}
	}
}

func copyKeeps(e *env) {
	h := e.account("alice")
	work := h.create("Work")
	op := e.keyed(h.message(h.inbox, "Subject: x\r\n\r\n"), "key")
	op.Flags, op.Keywords, op.Prefix = store.Flagged|store.Deleted, []string{"$Kw"}, []byte("P: p\r\n")
	op.Meta = []byte("\x01m")
	op.Received = h.one(h.inbox, h.put(h.inbox, 1).Min()).Received.AddDate(-1, 0, 0)
	uid := h.do(op).Ops[0].Dest.Min()
	src := h.one(h.inbox, uid)
	for _, move := range []bool{false, true} {
		r := h.do(store.Copy{Source: h.inbox, UIDs: store.UIDs(uid), Dest: work, Move: move})
		got := h.one(work, r.Ops[0].Dest.Min())
		want := src
		want.UID, want.ModSeq, want.Saved = got.UID, r.ModSeq, got.Saved
		if !got.Received.Equal(want.Received) || got.Saved.Before(src.Saved) {
			e.errorf("Received %v, Saved %v; of the source %v, %v", got.Received, got.Saved, src.Received, src.Saved)
		}
		got.Received = want.Received
		e.same("the copy", got, want)
	}
}

// copyWhole doubles a mailbox until it is too large; a short run stops early.
func copyWhole(e *env) {
	h := e.account("alice")
	n := h.put(h.inbox, store.MaxChange).Len()
	for n <= store.MaxWhole {
		r := h.do(store.Copy{Source: h.inbox, UIDs: store.AllUIDs(), Dest: h.inbox})
		e.same("number of copies", r.Ops[0].Dest.Len(), n)
		if n *= 2; testing.Short() {
			break
		}
	}
	e.same("EXISTS", h.state(h.inbox).Messages, n)
	if !testing.Short() {
		h.refused(store.ErrTooLarge, store.Copy{Source: h.inbox, UIDs: store.AllUIDs(), Dest: h.inbox})
	}
	half := store.UIDSet{{First: 1, Last: store.MaxWhole/2 + 1}}
	if n > store.MaxWhole {
		again := store.Copy{Source: h.inbox, UIDs: half, Dest: h.inbox}
		h.refused(store.ErrTooLarge, again, again)
	}
}

func copyNothing(e *env) {
	h := e.account("alice")
	work := h.create("Work")
	uids := h.put(h.inbox, 1)
	before := h.modSeq()
	r := h.do(store.Copy{Source: h.inbox, UIDs: store.UIDs(uids.Max() + 5), Dest: work, Move: true})
	e.same("Missing", r.Ops[0].Missing, store.UIDs(uids.Max()+5))
	e.same("ModSeq", r.ModSeq, before)
	e.same("UIDs in Dest", h.uids(work), store.UIDSet(nil))
}

func copyNoMailbox(e *env) {
	h := e.account("alice")
	uids := h.put(h.inbox, 1)
	h.refused(store.ErrNoMailbox, store.Copy{Source: h.inbox, UIDs: uids, Dest: store.NewMailboxID()})
	h.refused(store.ErrNoMailbox, store.Copy{Source: store.NewMailboxID(), UIDs: uids, Dest: h.inbox})
	h.refused(store.ErrNoMailbox, store.Copy{Source: h.inbox, UIDs: store.UIDs(uids.Max() + 1), Dest: store.NewMailboxID()})
	e.same("UIDs", h.uids(h.inbox), uids)
}
