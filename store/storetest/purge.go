package storetest

import "github.com/mailstead/mailstead/store"

func purgeChecks() []check {
	return []check{
		{name: "PurgeResync", rule: "I8: below the purge mark the answer to Since is ErrResync, never a gap; from the mark on the log is whole", purges: true, run: purgeResync},
		{name: "PurgeKeeps", rule: "I2, I3: a purge forgets tombstones and nothing else: no state changes, no number comes back", purges: true, run: purgeKeeps},
	}
}

// littered makes an account with tombstones of every kind, and returns its
// ModSeq before they were made.
func (e *env) littered() (h *handle, before store.ModSeq) {
	e.r.Helper()
	h = e.account("alice")
	gone := h.create("gone")
	uids := h.put(h.inbox, 6)
	h.do(store.PutEntry{Key: "k", Value: []byte("v")}, store.PutEntry{Key: "gone", Value: []byte("v")})
	before = h.modSeq()
	h.do(store.Expunge{Mailbox: h.inbox, UIDs: store.UIDs(uids.Min()+1, uids.Max())})
	h.do(store.PutMailbox{ID: gone, Delete: true})
	h.do(store.PutEntry{Key: "gone"})
	return h, before
}

func purgeResync(e *env) {
	h, before := e.littered()
	mark := h.modSeq()
	h.do(store.Expunge{Mailbox: h.inbox, UIDs: store.UIDs(h.uids(h.inbox).Min())})
	e.c.Purge(e.t, e.s, h.id, mark)
	for since := before; since < mark; since++ {
		e.sinceOrResync(h, since)
	}
	_, _, err := h.Mailboxes(e.ctx, before)
	e.is("Mailboxes below the mark", err, store.ErrResync)
	for _, err := range h.Messages(e.ctx, h.inbox, store.Query{Since: before}) {
		e.is("Messages below the mark", err, store.ErrResync)
	}
	for _, err := range h.Entries(e.ctx, store.EntryQuery{Since: before}) {
		e.is("Entries below the mark", err, store.ErrResync)
	}
	list := h.query(h.inbox, store.Query{Since: mark})
	if len(list) != 1 || !list[0].Gone {
		e.errorf("changes since the mark: %+v, want the tombstone of the last Expunge", list)
	}
	_, _, err = h.Mailboxes(e.ctx, mark)
	e.ok("Mailboxes at the mark", err)
}

// sinceOrResync: each of the three either says ErrResync or shows a tombstone.
func (e *env) sinceOrResync(h *handle, since store.ModSeq) {
	e.r.Helper()
	n := 0
	for range h.Messages(e.ctx, h.inbox, store.Query{Since: since}) {
		n++
	}
	if n == 0 {
		e.errorf("Messages since %d, below the mark, yields neither ErrResync nor tombstones", since)
	}
	n = 0
	for range h.Entries(e.ctx, store.EntryQuery{Since: since}) {
		n++
	}
	if n == 0 {
		e.errorf("Entries since %d, below the mark, yields neither ErrResync nor tombstones", since)
	}
}

func purgeKeeps(e *env) {
	h, _ := e.littered()
	thread, _ := h.threaded(7, 1)
	names, usage := h.names(), h.state(h.inbox)
	msgs, entries, now := h.all(h.inbox), h.entries(store.EntryQuery{All: true}), h.modSeq()
	validity := h.state(h.create("gone")).UIDValidity
	gone, err := store.MailboxByName(e.ctx, h, "gone")
	e.ok("the mailbox", err)
	h.do(store.PutMailbox{ID: gone.ID, Delete: true})
	e.c.Purge(e.t, e.s, h.id, h.modSeq())
	e.same("mailboxes", h.names(), names)
	e.same("INBOX", h.state(h.inbox), usage)
	e.same("messages", h.all(h.inbox), msgs)
	e.same("entries", h.entries(store.EntryQuery{All: true}), entries)
	if m := h.modSeq(); m < now {
		e.errorf("the ModSeq went back from %d to %d", now, m)
	}
	if reply, _ := h.threaded(7, 2, 1); e.c.Has&Threads != 0 && reply != thread {
		e.errorf("a reply does not join the thread after the purge")
	}
	if uid := h.put(h.inbox, 1).Min(); uid < usage.UIDNext {
		e.errorf("UID %d is given out again", uid)
	}
	if v := h.state(h.create("gone")).UIDValidity; v <= validity {
		e.errorf("UIDVALIDITY %d after %d", v, validity)
	}
}
