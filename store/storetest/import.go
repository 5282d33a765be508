package storetest

import (
	"fmt"
	"time"

	"github.com/mailstead/mailstead/store"
)

func importChecks() []check {
	return []check{
		{name: "ImportNumbers", rule: "Import keeps the UID, ModSeq, dates and thread that it is given", needs: Imports, run: importNumbers},
		{name: "ImportTombstones", rule: "I8: an imported tombstone is seen by Since and its UID is not given out", needs: Imports, run: importTombstones},
		{name: "ImportMailbox", rule: "an importing account takes UIDVALIDITY, UIDNEXT and HIGHESTMODSEQ of a mailbox", needs: Imports, run: importMailbox},
		{name: "ImportRefused", rule: "Import outside an importing account is refused (ErrNotImporting), a delivery inside one too (ErrImporting)", run: importRefused},
		{name: "ImportTwice", rule: "I3: a UID that was imported, also as a tombstone, is taken (ErrExists)", needs: Imports, run: importTwice},
		{name: "ImportLeaves", rule: "I8: leaving the importing state moves UIDNEXT and the ModSeq counter 2^20 ahead, and the purge mark to that: earlier ModSeqs are ErrResync", needs: Imports, run: importLeaves},
		{name: "ImportQuota", rule: "I10: Import obeys quota unless IgnoreQuota", needs: Imports, run: importQuota},
	}
}

const jump = 1 << 20

func (e *env) importing() *handle {
	e.r.Helper()
	return e.accountWith("alice", store.AccountInfo{State: store.AccountImporting})
}

func (h *handle) setState(s store.AccountState) store.Result {
	h.e.r.Helper()
	return h.do(store.PutAccount{State: &s})
}

func importNumbers(e *env) {
	h := e.importing()
	op := store.Import{
		Append: h.message(h.inbox, "old body"), UID: 70, ModSeq: 5000,
		Saved: time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC), ThreadID: store.ThreadID{9, 9},
	}
	op.Flags, op.Keywords, op.Prefix = store.Seen, []string{"$x"}, []byte("p:")
	op.Received = time.Date(2000, 1, 1, 0, 0, 0, 0, time.FixedZone("", 3600))
	r := h.do(op)
	e.same("Dest", r.Ops[0].Dest, store.UIDs(70))
	m := h.one(h.inbox, 70)
	if m.ModSeq != 5000 || m.Flags != store.Seen || m.ThreadID != op.ThreadID || m.EmailID != op.EmailID || m.Size != 10 {
		e.errorf("the message is %+v", m)
	}
	if !m.Saved.Equal(op.Saved) || !m.Received.Equal(op.Received) {
		e.errorf("Saved %v, Received %v", m.Saved, m.Received)
	}
	op.UID, op.ModSeq = 30, 4000 // lower numbers may come later
	h.do(op)
	e.same("UIDs", h.uids(h.inbox), store.UIDs(30, 70))
	s := h.state(h.inbox)
	if s.UIDNext < 71 || s.HighestModSeq < 5000 || s.Messages != 2 || s.Unseen != 0 || s.Bytes != 20 {
		e.errorf("the mailbox is %+v", s)
	}
	if now := h.modSeq(); now < 5000 {
		e.errorf("the account's ModSeq is %d, below that of a message", now)
	}
	e.same("content", h.read(h.inbox, 30), "p:old body")
	op.UID, op.ModSeq, op.Saved, op.ThreadID = 31, 0, time.Time{}, store.ThreadID{}
	h.do(op)
	m = h.one(h.inbox, 31)
	if m.ModSeq == 0 || m.ThreadID == (store.ThreadID{}) || time.Since(m.Saved).Abs() > time.Hour {
		e.errorf("what Import was not given is not chosen: %+v", m)
	}
}

func importTombstones(e *env) {
	h := e.importing()
	h.do(
		store.Import{Append: store.Append{Mailbox: h.inbox}, UID: 5, ModSeq: 300, Gone: true},
		store.Import{Append: h.message(h.inbox, "x"), UID: 4, ModSeq: 200},
	)
	list := h.query(h.inbox, store.Query{Since: 250})
	if len(list) != 1 || list[0].UID != 5 || !list[0].Gone || list[0].ModSeq != 300 {
		e.errorf("changes since 250: %+v", list)
	}
	_, err := h.Content(e.ctx, h.inbox, 5)
	e.is("Content of an imported tombstone", err, store.ErrExpunged)
	h.setState(store.AccountActive)
	if uid := h.put(h.inbox, 1).Min(); uid <= 5 {
		e.errorf("UID %d is given out again", uid)
	}
}

func importMailbox(e *env) {
	h := e.importing()
	id := store.NewMailboxID()
	r := h.do(
		store.PutMailbox{ID: id, Create: true, Name: "old", UIDValidity: 77, UIDNext: 500, HighestModSeq: 9000},
		store.PutMailbox{ID: h.inbox, UIDValidity: 88, UIDNext: 600},
	)
	e.same("UIDVALIDITY of the result", r.Ops[0].UIDValidity, store.UIDValidity(77))
	m := h.state(id)
	if m.UIDValidity != 77 || m.UIDNext != 500 || m.HighestModSeq != 9000 {
		e.errorf("the mailbox is %+v", m)
	}
	in := h.state(h.inbox)
	if in.UIDValidity != 88 || in.UIDNext != 600 {
		e.errorf("INBOX is %+v", in)
	}
	if now := h.modSeq(); now < 9000 {
		e.errorf("the account's ModSeq is %d, below HIGHESTMODSEQ of a mailbox", now)
	}
	h.do(store.PutMailbox{ID: id, UIDNext: 10, HighestModSeq: 10})
	if m := h.state(id); m.UIDNext < 500 || m.HighestModSeq < 9000 {
		e.errorf("UIDNEXT or HIGHESTMODSEQ went back: %+v", m)
	}
}

func importRefused(e *env) {
	h := e.account("active")
	h.refused(store.ErrNotImporting, store.Import{Append: h.message(h.inbox, "x"), UID: 1, ModSeq: 5})
	if e.c.Has&Imports == 0 {
		return
	}
	h = e.importing()
	h.refused(store.ErrImporting, h.message(h.inbox, "x"))
	h.setState(store.AccountActive)
	h.put(h.inbox, 1)
	h.refused(store.ErrNotImporting, store.Import{Append: h.message(h.inbox, "x"), UID: 1 << 30, ModSeq: 5})
}

func importTwice(e *env) {
	h := e.importing()
	op := store.Import{Append: h.message(h.inbox, "x"), UID: 5, ModSeq: 10}
	h.do(op)
	h.refused(store.ErrExists, op)
	op.Gone = true
	h.refused(store.ErrExists, op)
	op.UID = 6
	h.do(op)
	op.Gone = false
	h.refused(store.ErrExists, op)
	op.UID = 0
	h.refused(store.ErrInvalid, op)
	op.UID, op.Blob = 7, "no-such-ref"
	h.refused(store.ErrNoBlob, op)
}

func importLeaves(e *env) {
	h := e.importing()
	work := h.create("Work")
	h.do(store.Import{Append: h.message(h.inbox, "x"), UID: 40, ModSeq: 1000})
	gone, top := h.create("gone"), h.create("top")
	h.create("top/below")
	h.do(store.PutMailbox{ID: gone, Delete: true}, store.PutMailbox{ID: top, Delete: true})
	inbox, before := h.state(h.inbox), h.modSeq()
	r := h.setState(store.AccountActive)
	if r.ModSeq < before+jump || h.modSeq() != r.ModSeq {
		e.errorf("the ModSeq counter went from %d to %d (the account says %d)", before, r.ModSeq, h.modSeq())
	}
	if now := h.state(h.inbox); now.UIDNext < inbox.UIDNext+jump || now.UIDValidity != inbox.UIDValidity || now.RecentFrom > inbox.UIDNext {
		e.errorf("INBOX was %+v and is %+v", inbox, now)
	}
	if now := h.state(work); now.UIDNext < jump {
		e.errorf("UIDNEXT of an empty mailbox is %d", now.UIDNext)
	}
	list, _, err := h.Mailboxes(e.ctx, 0)
	e.ok("Mailboxes", err)
	changed := []string{}
	for _, m := range list {
		if m.HighestModSeq > before {
			changed = append(changed, m.Name)
		}
	}
	e.same("mailboxes that say they changed (UIDNEXT did)", changed, []string{store.Inbox, "Work", "top/below"})
	for _, since := range []store.ModSeq{1, before, before + 1, r.ModSeq - 1} {
		h.resyncs(since)
	}
	e.same("messages since the import", len(h.query(h.inbox, store.Query{Since: r.ModSeq})), 0)
	if uid := h.put(h.inbox, 1).Min(); uid < 41+jump {
		e.errorf("the next UID is %d", uid)
	}
	again := h.modSeq()
	e.same("ModSeq after setting the same state", h.setState(store.AccountActive).ModSeq, again)
	if e.c.Reopen != nil {
		e.reopen()
		h = e.open("alice")
		h.resyncs(before)
	}
}

// resyncs: whoever knows the account as of since has to begin anew.
func (h *handle) resyncs(since store.ModSeq) {
	h.e.r.Helper()
	_, _, err := h.Mailboxes(h.e.ctx, since)
	h.e.is(fmt.Sprintf("Mailboxes since %d", since), err, store.ErrResync)
	err = nil
	for _, err = range h.Messages(h.e.ctx, h.inbox, store.Query{Since: since}) {
		if err != nil {
			break
		}
	}
	h.e.is(fmt.Sprintf("Messages since %d", since), err, store.ErrResync)
	err = nil
	for _, err = range h.Entries(h.e.ctx, store.EntryQuery{All: true, Since: since}) {
		if err != nil {
			break
		}
	}
	h.e.is(fmt.Sprintf("Entries since %d", since), err, store.ErrResync)
}

func importQuota(e *env) {
	h := e.importing()
	h.limit(store.Limits{Messages: 1})
	op := store.Import{Append: h.message(h.inbox, "x"), UID: 1, ModSeq: 5}
	h.do(op)
	op.UID = 2
	h.refused(store.ErrOverQuota, op)
	op.IgnoreQuota = true
	h.do(op)
	h.do(store.Import{Append: store.Append{Mailbox: h.inbox}, UID: 3, ModSeq: 6, Gone: true})
	e.same("messages", h.state(h.inbox).Messages, int64(2))
}
