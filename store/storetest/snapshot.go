package storetest

import (
	"fmt"

	"github.com/mailstead/mailstead/store"
)

func snapshotChecks() []check {
	list := []check{
		{name: "SnapshotModSeq", rule: "a Snapshot has the ModSeq of its moment", run: snapshotModSeq},
		{name: "SnapshotMessages", rule: "messages of a Snapshot do not change, come or go", run: snapshotMessages},
		{name: "SnapshotMailboxes", rule: "mailboxes of a Snapshot keep names and counters", run: snapshotMailboxes},
		{name: "SnapshotDeleted", rule: "a Snapshot shows a mailbox that was deleted since", run: snapshotDeleted},
		{name: "SnapshotEntries", rule: "entries of a Snapshot do not change, come or go", run: snapshotEntries},
		{name: "SnapshotSince", rule: "I8: a Snapshot read since M, applied to the state at M, gives the state at the snapshot", run: snapshotSince},
		{name: "SnapshotContent", rule: "what a Snapshot shows can be opened, though it was expunged since", run: snapshotContent},
		{name: "SnapshotClose", rule: "a closed Snapshot fails, and may be closed again", run: snapshotClose},
		{name: "SnapshotWriters", rule: "I5: a Snapshot taken while others write is the state between two Changes", run: snapshotWriters},
	}
	for i := range list {
		list[i].needs |= Snapshots
	}
	return list
}

func (h *handle) snapshot() store.Snapshot {
	h.e.r.Helper()
	s, err := capability[store.Snapshotter](h).Snapshot(h.e.ctx)
	h.e.ok("Snapshot", err)
	h.e.t.Cleanup(func() { s.Close() })
	return s
}

// messages of a snapshot, a line each.
func (h *handle) frozen(s store.Snapshot, id store.MailboxID, q store.Query) []string {
	h.e.r.Helper()
	q.Fields = store.FieldIDs
	out := []string{}
	for m, err := range s.Messages(h.e.ctx, id, q) {
		h.e.ok("Snapshot.Messages", err)
		if m.Gone {
			out = append(out, fmt.Sprintf("%d gone", m.UID))
			continue
		}
		out = append(out, stateLine(*m))
	}
	return out
}

func (h *handle) lines(id store.MailboxID) []string {
	h.e.r.Helper()
	out := []string{}
	for _, m := range h.query(id, store.Query{Fields: store.FieldIDs}) {
		out = append(out, stateLine(m))
	}
	return out
}

func snapshotModSeq(e *env) {
	h := e.account("alice")
	h.put(h.inbox, 2)
	now := h.modSeq()
	s := h.snapshot()
	h.put(h.inbox, 1)
	e.same("ModSeq", s.ModSeq(), now)
}

func snapshotMessages(e *env) {
	h := e.account("alice")
	uids := h.put(h.inbox, 4)
	want := h.lines(h.inbox)
	s := h.snapshot()
	h.flag(h.inbox, uids, store.Seen)
	h.do(store.Expunge{Mailbox: h.inbox, UIDs: store.UIDs(uids.Min(), uids.Max())})
	h.put(h.inbox, 2)
	for range 2 {
		e.same("messages", h.frozen(s, h.inbox, store.Query{}), want)
	}
}

func snapshotMailboxes(e *env) {
	h := e.account("alice")
	work := h.create("Work")
	h.put(work, 2)
	want, _, err := h.Mailboxes(e.ctx, 0)
	e.ok("Mailboxes", err)
	s := h.snapshot()
	h.rename(work, "Other")
	h.create("New")
	h.put(work, 1)
	got, err := s.Mailboxes(e.ctx, 0)
	e.ok("Snapshot.Mailboxes", err)
	e.same("mailboxes", got, want)
}

func snapshotDeleted(e *env) {
	h := e.account("alice")
	work := h.create("Work")
	h.put(work, 2)
	want := h.lines(work)
	s := h.snapshot()
	h.do(store.PutMailbox{ID: work, Delete: true})
	e.same("messages of a mailbox that was deleted", h.frozen(s, work, store.Query{}), want)
}

func snapshotEntries(e *env) {
	h := e.account("alice")
	h.do(store.PutEntry{Key: "a", Value: []byte("1")}, store.PutEntry{Key: "b", Value: []byte("1")})
	s := h.snapshot()
	h.do(store.PutEntry{Key: "a", Value: []byte("2")}, store.PutEntry{Key: "b"}, store.PutEntry{Key: "c", Value: []byte("1")})
	got := []string{}
	for entry, err := range s.Entries(e.ctx, store.EntryQuery{All: true}) {
		e.ok("Snapshot.Entries", err)
		got = append(got, entry.Key+"="+string(entry.Value))
	}
	e.same("entries", got, []string{"a=1", "b=1"})
}

func snapshotSince(e *env) {
	h := e.account("alice")
	uids := h.put(h.inbox, 3)
	since := h.modSeq()
	h.do(store.Expunge{Mailbox: h.inbox, UIDs: store.UIDs(uids.Min())})
	h.flag(h.inbox, store.UIDs(uids.Max()), store.Seen)
	line := h.lines(h.inbox)[1]
	s := h.snapshot()
	h.flag(h.inbox, uids, store.Draft)
	e.same("changes", h.frozen(s, h.inbox, store.Query{Since: since}), []string{fmt.Sprintf("%d gone", uids.Min()), line})
	boxes, err := s.Mailboxes(e.ctx, since)
	if err != nil || len(boxes) != 1 || boxes[0].Unseen != 1 {
		e.errorf("mailboxes that changed: %+v, %v", boxes, err)
	}
}

func snapshotContent(e *env) {
	h := e.account("alice")
	h.do(h.message(h.inbox, "kept for the backup"))
	s := h.snapshot()
	h.do(store.Expunge{Mailbox: h.inbox, UIDs: store.AllUIDs()})
	for m, err := range s.Messages(e.ctx, h.inbox, store.Query{}) {
		e.ok("Snapshot.Messages", err)
		e.same("content", h.read(h.inbox, m.UID), "kept for the backup")
	}
}

func snapshotClose(e *env) {
	h := e.account("alice")
	h.put(h.inbox, 1)
	s := h.snapshot()
	e.ok("Close", s.Close())
	e.ok("Close again", s.Close())
	if _, err := s.Mailboxes(e.ctx, 0); err == nil {
		e.errorf("Mailboxes of a closed Snapshot succeeds")
	}
	for m, err := range s.Messages(e.ctx, h.inbox, store.Query{}) {
		if err == nil {
			e.errorf("Messages of a closed Snapshot yields UID %d", m.UID)
		}
	}
}

// snapshotWriters moves messages to and fro; each snapshot has all of them.
func snapshotWriters(e *env) {
	h := e.account("alice")
	work := h.create("Work")
	h.put(h.inbox, 5)
	done := e.writers(2, func(i int) {
		for n := range e.some(40) {
			src, dst := h.inbox, work
			if (n+i)%2 == 0 {
				src, dst = work, h.inbox
			}
			h.outcome(nil, store.Copy{Source: src, UIDs: store.AllUIDs(), Dest: dst, Move: true})
		}
	})
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		s := h.snapshot()
		if n := len(h.frozen(s, h.inbox, store.Query{})) + len(h.frozen(s, work, store.Query{})); n != 5 {
			e.fatalf("a snapshot has %d messages, every Change leaves 5", n)
		}
		e.ok("Close", s.Close())
	}
}
