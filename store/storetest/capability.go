package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mailstead/mailstead/store"
)

func capabilityChecks() []check {
	return []check{
		{name: "LockExcludes", rule: "a locked maildrop is refused to another holder (ErrLocked) until it is given back", needs: Locks, run: lockExcludes},
		{name: "LockAgain", rule: "a holder that locks again prolongs its lease", needs: Locks, run: lockAgain},
		{name: "LockForeign", rule: "UnlockMaildrop by another than the holder does nothing", needs: Locks, run: lockForeign},
		{name: "LockExpires", rule: "a lock ends with its lease", needs: Locks, run: lockExpires},
		{name: "LockPerAccount", rule: "the locks of two accounts are apart", needs: Locks, run: lockApart},
		{name: "LockNoChange", rule: "locking takes no ModSeq and leaves no entry", needs: Locks, run: lockNoChange},
		{name: "LockRace", rule: "of sessions that lock at the same time one wins", needs: Locks, run: lockRace},

		{name: "MetaWritten", rule: "a Meta that is offered is kept", needs: Metas, run: metaWritten},
		{name: "MetaNewer", rule: "a Meta is never written over one of a newer version", needs: Metas, run: metaNewer},
		{name: "MetaNoModSeq", rule: "a Meta that is offered takes no ModSeq and changes nothing else", needs: Metas, run: metaNoModSeq},
		{name: "MetaGone", rule: "a Meta for what is not there is no error and makes nothing", needs: Metas, run: metaGone},
		{name: "MetaOwn", rule: "the octets of a Meta that is offered stay the caller's", needs: Metas, run: metaOwn},

		{name: "SearchNeverGuesses", rule: "SearchText has in Match only what contains the text, and leaves out only what does not", needs: Searches, run: searchTruth},
		{name: "SearchUIDs", rule: "SearchText answers for Query.UIDs alone", needs: Searches, run: searchUIDs},
		{name: "SearchExpunged", rule: "SearchText leaves out what was expunged", needs: Searches, run: searchExpunged},
		{name: "SearchNoMailbox", rule: "SearchText in a mailbox that is not there fails with ErrNoMailbox", needs: Searches, run: searchNoMailbox},
		{name: "SortOrder", rule: "SortMessages gives the order that Sort makes without it", needs: Sorts, run: sortOrder},
		{name: "SortUIDs", rule: "SortMessages sorts those of Query.UIDs that are there", needs: Sorts, run: sortUIDs},
		{name: "SortNoMailbox", rule: "SortMessages in a mailbox that is not there fails with ErrNoMailbox", needs: Sorts, run: sortNoMailbox},
	}
}

// lockerOf is the MaildropLocker that the backend declares to have.
func lockerOf(h *handle) store.MaildropLocker { return capability[store.MaildropLocker](h) }

// capability finds T, which is declared.
func capability[T any](h *handle) T {
	h.e.r.Helper()
	c, ok := store.As[T](h.Account)
	if !ok {
		h.e.fatalf("As does not find %T, which Config.Has declares", &c)
	}
	return c
}

func lockExcludes(e *env) {
	h := e.account("alice")
	l, other := lockerOf(h), lockerOf(e.open("alice"))
	e.ok("LockMaildrop", l.LockMaildrop(e.ctx, "one", time.Hour))
	e.is("LockMaildrop by another", other.LockMaildrop(e.ctx, "two", time.Hour), store.ErrLocked)
	e.ok("UnlockMaildrop", l.UnlockMaildrop(e.ctx, "one"))
	e.ok("LockMaildrop after UnlockMaildrop", other.LockMaildrop(e.ctx, "two", time.Hour))
}

func lockAgain(e *env) {
	l := lockerOf(e.account("alice"))
	e.ok("LockMaildrop", l.LockMaildrop(e.ctx, "one", time.Nanosecond))
	e.ok("LockMaildrop by the same", l.LockMaildrop(e.ctx, "one", time.Hour))
	time.Sleep(2 * time.Millisecond)
	e.is("LockMaildrop by another", l.LockMaildrop(e.ctx, "two", time.Hour), store.ErrLocked)
}

func lockForeign(e *env) {
	l := lockerOf(e.account("alice"))
	e.ok("UnlockMaildrop of what nobody locked", l.UnlockMaildrop(e.ctx, "two"))
	e.ok("LockMaildrop", l.LockMaildrop(e.ctx, "one", time.Hour))
	e.ok("UnlockMaildrop by another", l.UnlockMaildrop(e.ctx, "two"))
	e.is("LockMaildrop by another", l.LockMaildrop(e.ctx, "two", time.Hour), store.ErrLocked)
}

func lockExpires(e *env) {
	l := lockerOf(e.account("alice"))
	e.ok("LockMaildrop", l.LockMaildrop(e.ctx, "one", time.Millisecond))
	e.within("LockMaildrop by another after the lease", func() {
		for l.LockMaildrop(e.ctx, "two", time.Hour) != nil {
			time.Sleep(time.Millisecond)
		}
	})
	e.is("LockMaildrop by the first", l.LockMaildrop(e.ctx, "one", time.Hour), store.ErrLocked)
}

func lockApart(e *env) {
	a, b := e.account("a"), e.account("b")
	e.ok("LockMaildrop", lockerOf(a).LockMaildrop(e.ctx, "one", time.Hour))
	e.ok("LockMaildrop of another account", lockerOf(b).LockMaildrop(e.ctx, "two", time.Hour))
	e.ok("UnlockMaildrop", lockerOf(b).UnlockMaildrop(e.ctx, "two"))
	e.is("LockMaildrop", lockerOf(a).LockMaildrop(e.ctx, "three", time.Hour), store.ErrLocked)
}

func lockNoChange(e *env) {
	h := e.account("alice")
	before := e.dump(h)
	e.ok("LockMaildrop", lockerOf(h).LockMaildrop(e.ctx, "one", time.Hour))
	e.sameDump("the account with a locked maildrop", e.dump(h), before)
	e.ok("UnlockMaildrop", lockerOf(h).UnlockMaildrop(e.ctx, "one"))
	e.sameDump("the account after that", e.dump(h), before)
}

func lockRace(e *env) {
	l := lockerOf(e.account("alice"))
	won := make(chan int, 16)
	e.all(16, func(i int) {
		err := l.LockMaildrop(e.ctx, fmt.Sprint("session ", i), time.Hour)
		if err == nil {
			won <- i
		} else if !errors.Is(err, store.ErrLocked) {
			e.errorf("LockMaildrop: %v", err)
		}
	})
	e.same("winners", len(won), 1)
}

func (h *handle) writeMeta(uid store.UID, meta string) {
	h.e.r.Helper()
	h.e.ok("WriteMeta", capability[store.MetaWriter](h).WriteMeta(h.e.ctx, h.inbox, uid, []byte(meta)))
}

func metaWritten(e *env) {
	h := e.account("alice")
	uid := h.put(h.inbox, 1).Min()
	h.writeMeta(uid, "\x01first")
	e.same("Meta", string(h.one(h.inbox, uid).Meta), "\x01first")
	h.writeMeta(uid, "\x02second")
	e.same("Meta of a newer version", string(h.one(h.inbox, uid).Meta), "\x02second")
}

func metaNewer(e *env) {
	h := e.account("alice")
	op := h.message(h.inbox, "x")
	op.Meta = []byte("\xf0from the future")
	uid := h.do(op).Ops[0].Dest.Min()
	h.writeMeta(uid, "\x01old")
	e.same("Meta", string(h.one(h.inbox, uid).Meta), "\xf0from the future")
}

func metaNoModSeq(e *env) {
	h := e.account("alice")
	uid := h.put(h.inbox, 2).Min()
	before, now := h.query(h.inbox, store.Query{Fields: allFields &^ store.FieldMeta}), h.modSeq()
	h.writeMeta(uid, "\x01meta")
	e.same("messages", h.query(h.inbox, store.Query{Fields: allFields &^ store.FieldMeta}), before)
	e.same("ModSeq", h.modSeq(), now)
}

func metaGone(e *env) {
	h := e.account("alice")
	uids := h.put(h.inbox, 2)
	h.do(store.Expunge{Mailbox: h.inbox, UIDs: store.UIDs(uids.Min())})
	before := e.dump(h)
	h.writeMeta(uids.Min(), "\x01meta")
	h.writeMeta(uids.Max()+7, "\x01meta")
	w := capability[store.MetaWriter](h)
	e.ok("WriteMeta of an unknown mailbox", w.WriteMeta(e.ctx, store.NewMailboxID(), 1, []byte("\x01meta")))
	e.sameDump("the account", e.dump(h), before)
}

func metaOwn(e *env) {
	h := e.account("alice")
	uid := h.put(h.inbox, 1).Min()
	meta := []byte("\x01meta")
	e.ok("WriteMeta", capability[store.MetaWriter](h).WriteMeta(e.ctx, h.inbox, uid, meta))
	copy(meta, "XXXXX")
	e.same("Meta", string(h.one(h.inbox, uid).Meta), "\x01meta")
}

// library fills INBOX with messages that contain "needle" in different places.
func (h *handle) library() (header, body, none store.UID) {
	add := func(text string) store.UID { return h.do(h.message(h.inbox, text)).Ops[0].Dest.Min() }
	return add("Subject: the Needle here\r\n\r\nhay\r\n"), add("Subject: hay\r\n\r\nNEEDLE in a stack\r\n"), add("Subject: hay\r\n\r\nhay\r\n")
}

func searchTruth(e *env) {
	h := e.account("alice")
	header, body, none := h.library()
	all := store.UIDs(header, body, none)
	s := capability[store.Searcher](h)
	for _, c := range []struct {
		text string
		in   store.TextPart
		want store.UIDSet
	}{
		{"needle", store.TextAnywhere, store.UIDs(header, body)},
		{"NEEDLE", store.TextHeader, store.UIDs(header)},
		{"needle", store.TextBody, store.UIDs(body)},
		{"edl", store.TextAnywhere, store.UIDs(header, body)},
		{"absent", store.TextAnywhere, nil},
		{"hay", store.TextBody, store.UIDs(header, none)},
		{"'\"%_*", store.TextAnywhere, nil},
	} {
		hits, err := s.SearchText(e.ctx, store.SearchQuery{Mailbox: h.inbox, Text: c.text, In: c.in})
		e.ok("SearchText", err)
		what := fmt.Sprintf("%q in part %d: ", c.text, c.in)
		e.same(what+"Match that do not contain it", hits.Match.Minus(c.want), store.UIDSet(nil))
		e.same(what+"left out though they contain it", c.want.Minus(hits.Match).Minus(hits.Unknown), store.UIDSet(nil))
		e.same(what+"named that are not there", hits.Match.Minus(all), store.UIDSet(nil))
	}
}

func searchUIDs(e *env) {
	h := e.account("alice")
	header, body, _ := h.library()
	hits, err := capability[store.Searcher](h).SearchText(e.ctx, store.SearchQuery{Mailbox: h.inbox, UIDs: store.UIDs(body), Text: "needle"})
	e.ok("SearchText", err)
	hits.Match.AddSet(hits.Unknown)
	if hits.Match.Contains(header) || !hits.Match.Contains(body) {
		e.errorf("SearchText of UID %d answers %v", body, hits.Match)
	}
}

func searchExpunged(e *env) {
	h := e.account("alice")
	header, _, _ := h.library()
	h.do(store.Expunge{Mailbox: h.inbox, UIDs: store.UIDs(header)})
	hits, err := capability[store.Searcher](h).SearchText(e.ctx, store.SearchQuery{Mailbox: h.inbox, Text: "needle"})
	e.ok("SearchText", err)
	if hits.Match.Contains(header) || hits.Unknown.Contains(header) {
		e.errorf("the expunged UID %d is in %+v", header, hits)
	}
}

func searchNoMailbox(e *env) {
	h := e.account("alice")
	_, err := capability[store.Searcher](h).SearchText(e.ctx, store.SearchQuery{Mailbox: store.NewMailboxID(), Text: "x"})
	e.is("SearchText", err, store.ErrNoMailbox)
}

// withoutIndex hides the capabilities of an account.
type withoutIndex struct{ store.Account }

func sortOrder(e *env) {
	h := e.account("alice")
	for i, text := range []string{
		"Subject: b\r\nFrom: zoe@x\r\nDate: Mon, 2 Jan 2006 15:04:05 +0000\r\n\r\nlong body here\r\n",
		"Subject: Re: a\r\nTo: m@x\r\nDate: Mon, 2 Jan 2006 15:04:05 -0100\r\n\r\nx\r\n",
		"From: Adam@x\r\nCc: k@x\r\n\r\nmiddle\r\n",
	} {
		d, err := store.Describe(bytes.NewReader([]byte(text)), int64(len(text)))
		e.ok("Describe", err)
		op := h.message(h.inbox, text)
		op.Meta, op.Received = d.Meta, time.Unix(int64(1e9-i*1000), 0)
		h.do(op)
	}
	for by := store.SortArrival; by <= store.SortDisplayTo; by++ {
		for _, reverse := range []bool{false, true} {
			q := store.SortQuery{Mailbox: h.inbox, Keys: []store.SortKey{{By: by, Reverse: reverse}}}
			got, err := capability[store.Sorter](h).SortMessages(e.ctx, q)
			e.ok("SortMessages", err)
			want, err := store.Sort(e.ctx, withoutIndex{h.Account}, q)
			e.ok("Sort", err)
			e.same(fmt.Sprintf("order by %d, reverse %v", by, reverse), got, want)
		}
	}
}

func sortUIDs(e *env) {
	h := e.account("alice")
	uids := h.put(h.inbox, 4)
	h.do(store.Expunge{Mailbox: h.inbox, UIDs: store.UIDs(uids.Min())})
	got, err := capability[store.Sorter](h).SortMessages(e.ctx, store.SortQuery{Mailbox: h.inbox, UIDs: store.UIDs(uids.Min(), uids.Min()+1, uids.Max()+3)})
	e.ok("SortMessages", err)
	e.same("UIDs", slices.Clone(got), []store.UID{uids.Min() + 1})
}

func sortNoMailbox(e *env) {
	h := e.account("alice")
	_, err := capability[store.Sorter](h).SortMessages(context.WithoutCancel(e.ctx), store.SortQuery{Mailbox: store.NewMailboxID()})
	e.is("SortMessages", err, store.ErrNoMailbox)
}
