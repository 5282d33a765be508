package storetest

import (
	"fmt"

	"github.com/mailstead/mailstead/store"
)

func flagsChecks() []check {
	return []check{
		{name: "FlagsModes", rule: "SetFlags adds, removes and replaces flags and keywords (RFC 9051 §6.4.6)", run: flagsModes},
		{name: "FlagsNoChange", rule: "I4: a SetFlags that changes nothing takes no ModSeq, for the message and for the account", run: flagsNoChange},
		{name: "FlagsUnchangedSince", rule: "UNCHANGEDSINCE spares messages with a greater ModSeq and names them (RFC 7162 §3.1.3)", run: flagsUnchanged},
		{name: "FlagsMissing", rule: "UIDs that are not there are results (Missing), not errors", run: flagsMissing},
		{name: "FlagsKeywordCase", rule: "keywords are compared without case; the first spelling stays; no duplicates", run: flagsKeywords},
		{name: "FlagsInvalid", rule: "SetFlags with unknown flags, modes or keywords is refused", run: flagsInvalid},
		{name: "FlagsTooMany", rule: "more than MaxKeywords keywords of one message refuse the Change (ErrLimit)", run: flagsTooMany},
		{name: "FlagsScattered", rule: "a set of thousands of ranges is one Op like any other", run: flagsScattered},
		{name: "FlagsLarge", rule: "a SetFlags of MaxChange messages is one Change with one ModSeq; one more is ErrTooLarge", run: flagsLarge},
	}
}

func flagsModes(e *env) {
	h := e.account("alice")
	uid := h.put(h.inbox, 1).Min()
	for _, s := range []struct {
		mode  store.FlagsMode
		flags store.Flags
		kw    []string
		want  store.Flags
		have  []string
	}{
		{store.FlagsAdd, store.Seen, []string{"b"}, store.Seen, []string{"b"}},
		{store.FlagsAdd, store.Draft | store.Seen, []string{"a"}, store.Seen | store.Draft, []string{"a", "b"}},
		{store.FlagsRemove, store.Seen | store.Flagged, []string{"b", "zz"}, store.Draft, []string{"a"}},
		{store.FlagsReplace, store.Answered, []string{"c", "$x"}, store.Answered, []string{"$x", "c"}},
		{store.FlagsAdd, store.AllFlags, nil, store.AllFlags, []string{"$x", "c"}},
		{store.FlagsReplace, 0, nil, 0, nil},
	} {
		r := h.do(store.SetFlags{Mailbox: h.inbox, UIDs: store.UIDs(uid), Mode: s.mode, Flags: s.flags, Keywords: s.kw})
		what := fmt.Sprintf("after mode %d of %05b %v: ", s.mode, s.flags, s.kw)
		m := h.one(h.inbox, uid)
		e.same(what+"Flags", m.Flags, s.want)
		e.same(what+"Keywords", fmt.Sprint(m.Keywords), fmt.Sprint(s.have))
		e.same(what+"Changed", r.Ops[0].Changed, store.UIDs(uid))
		e.same(what+"ModSeq", m.ModSeq, r.ModSeq)
		e.same(what+"HIGHESTMODSEQ", h.state(h.inbox).HighestModSeq, r.ModSeq)
	}
}

func flagsNoChange(e *env) {
	h := e.account("alice")
	uids := h.put(h.inbox, 2)
	lo := uids.Min()
	op := store.SetFlags{Mailbox: h.inbox, UIDs: store.UIDs(lo), Flags: store.Seen, Keywords: []string{"Kw"}}
	h.do(op)
	before, m := h.modSeq(), h.one(h.inbox, lo)
	for _, again := range []store.SetFlags{
		op,
		{Mailbox: h.inbox, UIDs: uids, Mode: store.FlagsRemove, Flags: store.Deleted, Keywords: []string{"other"}},
		{Mailbox: h.inbox, UIDs: store.UIDs(lo), Mode: store.FlagsReplace, Flags: store.Seen, Keywords: []string{"kW"}},
		{Mailbox: h.inbox, UIDs: store.UIDs(lo), Keywords: []string{"KW"}},
		{Mailbox: h.inbox},
	} {
		r := h.do(again)
		e.same(fmt.Sprintf("Changed of %+v", again), r.Ops[0].Changed, store.UIDSet(nil))
		e.same("ModSeq of a Change that changed nothing", r.ModSeq, before)
		e.same("the account's ModSeq", h.modSeq(), before)
		e.same("the message", h.one(h.inbox, lo), m)
	}
	op.UIDs = uids
	e.same("Changed, where one of two is as wanted", h.do(op).Ops[0].Changed, store.UIDs(lo+1))
	e.same("ModSeq of the one that was as wanted", h.one(h.inbox, lo).ModSeq, m.ModSeq)
}

func flagsUnchanged(e *env) {
	h := e.account("alice")
	uids := h.put(h.inbox, 4)
	lo := uids.Min()
	since := h.modSeq()
	h.flag(h.inbox, store.UIDs(lo+1), store.Flagged)
	h.do(store.Expunge{Mailbox: h.inbox, UIDs: store.UIDs(lo + 2)})
	r := h.do(store.SetFlags{Mailbox: h.inbox, UIDs: uids, Flags: store.Seen, UnchangedSince: &since}).Ops[0]
	e.same("Changed", r.Changed, store.UIDs(lo, lo+3))
	e.same("Modified", r.Modified, store.UIDs(lo+1))
	e.same("Missing", r.Missing, store.UIDs(lo+2))
	e.same("flags of the loser", h.one(h.inbox, lo+1).Flags, store.Flagged)
	zero := store.ModSeq(0)
	r = h.do(store.SetFlags{Mailbox: h.inbox, UIDs: store.UIDs(lo), Flags: store.Draft, UnchangedSince: &zero}).Ops[0]
	e.same("Modified with UNCHANGEDSINCE 0", r.Modified, store.UIDs(lo))
	r = h.do(store.SetFlags{Mailbox: h.inbox, UIDs: store.UIDs(lo + 1), Flags: store.Flagged, UnchangedSince: &since}).Ops[0]
	e.same("Modified of a loser whose flags are as wanted", r.Modified, store.UIDs(lo+1))
	now := h.modSeq()
	r = h.do(store.SetFlags{Mailbox: h.inbox, UIDs: store.UIDs(lo), Flags: store.Draft, UnchangedSince: &now}).Ops[0]
	e.same("Changed with UNCHANGEDSINCE now", r.Changed, store.UIDs(lo))
}

func flagsMissing(e *env) {
	h := e.account("alice")
	uids := h.put(h.inbox, 3)
	lo := uids.Min()
	h.do(store.Expunge{Mailbox: h.inbox, UIDs: store.UIDs(lo + 1)})
	ask := store.UIDs(lo, lo+1, lo+2, lo+7)
	r := h.flag(h.inbox, ask, store.Seen).Ops[0]
	e.same("Changed", r.Changed, store.UIDs(lo, lo+2))
	e.same("Missing", r.Missing, store.UIDs(lo+1, lo+7))
	r = h.do(store.Copy{Source: h.inbox, UIDs: ask, Dest: h.inbox}).Ops[0]
	e.same("Missing of Copy", r.Missing, store.UIDs(lo+1, lo+7))
	r = h.do(store.Expunge{Mailbox: h.inbox, UIDs: ask}).Ops[0]
	e.same("Missing of Expunge", r.Missing, store.UIDs(lo+1, lo+7))
	e.same("result's mailbox", r.Mailbox, h.inbox)
}

func flagsKeywords(e *env) {
	h := e.account("alice")
	op := h.message(h.inbox, "x")
	op.Keywords = []string{"$Junk", "$JUNK", "b", "$junk"}
	uid := h.do(op).Ops[0].Dest.Min()
	set := func(mode store.FlagsMode, want []string, kw ...string) {
		h.do(store.SetFlags{Mailbox: h.inbox, UIDs: store.UIDs(uid), Mode: mode, Keywords: kw})
		e.same(fmt.Sprintf("keywords after mode %d of %v", mode, kw), fmt.Sprint(h.one(h.inbox, uid).Keywords), fmt.Sprint(want))
	}
	e.same("keywords of Append", h.one(h.inbox, uid).Keywords, []string{"$Junk", "b"})
	set(store.FlagsAdd, []string{"$Junk", "C", "b"}, "$jUNK", "C", "c")
	set(store.FlagsReplace, []string{"$Junk", "d"}, "$JUNK", "d")
	set(store.FlagsRemove, []string{"d"}, "$junk")
	set(store.FlagsReplace, []string{"$Junk"}, "$Junk")
	set(store.FlagsRemove, nil, "$JUNK")
}

func flagsInvalid(e *env) {
	h := e.account("alice")
	uids := h.put(h.inbox, 1)
	h.refused(store.ErrInvalid, store.SetFlags{Mailbox: h.inbox, UIDs: uids, Flags: 1 << 6})
	h.refused(store.ErrInvalid, store.SetFlags{Mailbox: h.inbox, UIDs: uids, Mode: 9})
	h.refused(store.ErrName, store.SetFlags{Mailbox: h.inbox, UIDs: uids, Keywords: []string{"a b"}})
	h.refused(store.ErrNoMailbox, store.SetFlags{Mailbox: store.NewMailboxID(), UIDs: uids, Flags: store.Seen})
}

func flagsTooMany(e *env) {
	h := e.account("alice")
	uids := h.put(h.inbox, 2)
	add := func(from, to int) store.SetFlags {
		op := store.SetFlags{Mailbox: h.inbox, UIDs: store.UIDs(uids.Min())}
		for i := from; i < to; i++ {
			op.Keywords = append(op.Keywords, fmt.Sprintf("kw%03d", i))
		}
		return op
	}
	h.do(add(0, store.MaxKeywords-1))
	h.do(add(store.MaxKeywords-2, store.MaxKeywords))
	h.refused(store.ErrLimit, add(1000, 1001))
	all := add(1000, 1001)
	all.UIDs = uids
	h.refused(store.ErrLimit, all)
	e.same("number of keywords", len(h.one(h.inbox, uids.Min()).Keywords), store.MaxKeywords)
	e.same("keywords of the other message", len(h.one(h.inbox, uids.Max()).Keywords), 0)
}

// flagsScattered works on every other UID, where every fourth is expunged.
func flagsScattered(e *env) {
	const n = 4000
	h := e.account("alice")
	work := h.create("Work")
	lo := h.put(h.inbox, n).Min()
	var other, gone store.UIDSet
	for i := store.UID(0); i < n; i += 2 {
		other.Add(lo + i)
		if i%4 == 0 {
			gone.Add(lo + i)
		}
	}
	e.same("Changed of Expunge", h.do(store.Expunge{Mailbox: h.inbox, UIDs: gone}).Ops[0].Changed, gone)
	left := other.Minus(gone)
	r := h.flag(h.inbox, other, store.Flagged).Ops[0]
	e.same("Changed", r.Changed, left)
	e.same("Missing", r.Missing, gone)
	r = h.do(store.Copy{Source: h.inbox, UIDs: other, Dest: work, Move: true}).Ops[0]
	e.same("Source", r.Source, left)
	e.same("number of copies", r.Dest.Len(), left.Len())
	e.same("Missing of Copy", r.Missing, gone)
	e.same("messages that stay", h.state(h.inbox).Messages, int64(n/2))
	for _, m := range h.query(work, store.Query{}) {
		if m.Flags != store.Flagged {
			e.fatalf("UID %d has flags %05b", m.UID, m.Flags)
		}
	}
	e.same("messages of the query", len(h.query(h.inbox, store.Query{UIDs: other, Since: 1})), n/2)
}

func flagsLarge(e *env) {
	h := e.account("alice")
	uids := h.put(h.inbox, store.MaxChange+1)
	h.refused(store.ErrTooLarge, store.SetFlags{Mailbox: h.inbox, UIDs: uids, Flags: store.Seen})
	h.refused(store.ErrTooLarge, store.Expunge{Mailbox: h.inbox, UIDs: uids})
	h.refused(store.ErrTooLarge,
		store.SetFlags{Mailbox: h.inbox, UIDs: store.UIDSet{{First: uids.Min(), Last: uids.Min() + 9}}, Flags: store.Seen},
		store.SetFlags{Mailbox: h.inbox, UIDs: store.UIDSet{{First: uids.Min() + 10, Last: uids.Max()}}, Flags: store.Seen})
	e.same("Unseen after the refused Changes", h.state(h.inbox).Unseen, int64(store.MaxChange+1))
	most := store.UIDSet{{First: uids.Min(), Last: uids.Max() - 1}}
	r := h.flag(h.inbox, most, store.Seen)
	e.same("Changed", r.Ops[0].Changed, most)
	e.same("Unseen", h.state(h.inbox).Unseen, int64(1))
	for _, m := range h.query(h.inbox, store.Query{UIDs: most}) {
		if m.ModSeq != r.ModSeq {
			e.fatalf("UID %d has ModSeq %d, the Change %d", m.UID, m.ModSeq, r.ModSeq)
		}
	}
	r = h.do(store.Expunge{Mailbox: h.inbox, UIDs: most})
	e.same("messages that stay", h.uids(h.inbox), store.UIDs(uids.Max()))
	e.same("tombstones", len(h.query(h.inbox, store.Query{Since: r.ModSeq - 1})), store.MaxChange)
}
