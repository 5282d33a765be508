package storetest

import (
	"context"
	"fmt"

	"github.com/mailstead/mailstead/store"
)

func messagesChecks() []check {
	return []check{
		{name: "MessagesOrder", rule: "Messages yields every UID once, ascending, over any number of pages", run: messagesOrder},
		{name: "MessagesUIDs", rule: "Query.UIDs limits the answer to its ranges; empty = all", run: messagesUIDs},
		{name: "MessagesSince", rule: "I8: Query.Since yields what changed after it with tombstones, and nothing else", run: messagesSince},
		{name: "MessagesFields", rule: "the state comes without any field; each field of the mask brings its parts", run: messagesFields},
		{name: "MessagesBreak", rule: "a loop over Messages may end early, and the store goes on", run: messagesBreak},
		{name: "MessagesApplyInside", rule: "I12: no lock is held while the loop body runs: it may call Apply, and change what is read", run: messagesApply},
		{name: "MessagesDeletedInside", rule: "a mailbox deleted while it is read ends the loop, with ErrNoMailbox or what was read before", run: messagesDeleted},
		{name: "MessagesEnds", rule: "messages that come while the loop runs do not keep it from ending", run: messagesEnds},
		{name: "MessagesNoMailbox", rule: "Messages of a mailbox that is not there or was deleted yields ErrNoMailbox once", run: messagesNoMailbox},
		{name: "MessagesCancel", rule: "a cancelled context ends Messages with its error", run: messagesCancel},
	}
}

func messagesOrder(e *env) {
	h := e.account("alice")
	uids := h.put(h.inbox, 2500)
	h.do(store.Expunge{Mailbox: h.inbox, UIDs: store.UIDs(uids.Min(), uids.Min()+999, uids.Min()+1000, uids.Max())})
	h.flag(h.inbox, store.UIDs(uids.Min()+3), store.Seen)
	var last store.UID
	n := 0
	for m, err := range h.Messages(e.ctx, h.inbox, store.Query{}) {
		e.ok("Messages", err)
		if m.UID <= last {
			e.fatalf("UID %d comes after %d", m.UID, last)
		}
		last = m.UID
		n++
	}
	e.same("number of messages", n, 2496)
}

func messagesUIDs(e *env) {
	h := e.account("alice")
	all := h.put(h.inbox, 10)
	lo := all.Min()
	for _, c := range []struct{ ask, want store.UIDSet }{
		{nil, all},
		{store.AllUIDs(), all},
		{store.UIDs(lo+2, lo+4), store.UIDs(lo+2, lo+4)},
		{store.UIDSet{{First: lo + 8, Last: lo + 100}}, store.UIDs(lo+8, lo+9)},
		{store.UIDSet{{First: lo + 100, Last: lo + 200}}, nil},
		{store.UIDSet{{First: lo, Last: lo + 1}, {First: lo + 5, Last: lo + 5}, {First: lo + 9, Last: 1<<32 - 1}}, store.UIDs(lo, lo+1, lo+5, lo+9)},
	} {
		var got store.UIDSet
		for _, m := range h.query(h.inbox, store.Query{UIDs: c.ask}) {
			got.Add(m.UID)
		}
		e.same(fmt.Sprintf("UIDs of the query %v", c.ask), got, c.want)
	}
}

func messagesSince(e *env) {
	h := e.account("alice")
	h.create("Other")
	uids := h.put(h.inbox, 6)
	lo := uids.Min()
	since := h.modSeq()
	h.flag(h.inbox, store.UIDs(lo+1), store.Seen)
	h.do(store.Expunge{Mailbox: h.inbox, UIDs: store.UIDs(lo+3, lo+4)})
	fresh := h.put(h.inbox, 1).Min()
	got := map[store.UID]bool{} // UID → gone
	for _, m := range h.query(h.inbox, store.Query{Since: since}) {
		if m.ModSeq <= since {
			e.errorf("UID %d with ModSeq %d is no change after %d", m.UID, m.ModSeq, since)
		}
		got[m.UID] = m.Gone
	}
	e.same("changes (UID → gone)", got, map[store.UID]bool{lo + 1: false, lo + 3: true, lo + 4: true, fresh: false})
	e.same("changes after the last", len(h.query(h.inbox, store.Query{Since: h.modSeq()})), 0)
	only := h.query(h.inbox, store.Query{Since: since, UIDs: store.UIDs(lo+2, lo+3)})
	if len(only) != 1 || only[0].UID != lo+3 || !only[0].Gone {
		e.errorf("Since with UIDs %d,%d yields %+v, want the tombstone of %d", lo+2, lo+3, only, lo+3)
	}
	for _, m := range h.query(h.inbox, store.Query{}) {
		if m.Gone {
			e.errorf("a tombstone (UID %d) without Since", m.UID)
		}
	}
}

func messagesFields(e *env) {
	h := e.account("alice")
	op := e.keyed(h.message(h.inbox, "body"), "k")
	op.Prefix, op.Meta, op.Keywords = []byte("p"), []byte("m"), []string{"kw"}
	op.Flags = store.Answered
	h.do(op)
	for f := store.Fields(0); f <= allFields; f++ {
		for _, m := range h.query(h.inbox, store.Query{Fields: f}) {
			if m.UID == 0 || m.ModSeq == 0 || m.Flags != store.Answered || len(m.Keywords) != 1 || m.Size != 5 {
				e.errorf("fields %b: the state is %+v", f, m)
			}
			for _, p := range []struct {
				name string
				bit  store.Fields
				have bool
			}{
				{"dates", store.FieldDates, !m.Received.IsZero() && !m.Saved.IsZero()},
				{"ids", store.FieldIDs, m.EmailID == op.EmailID && m.ThreadID != (store.ThreadID{})},
				{"content", store.FieldContent, m.Blob == op.Blob && (len(m.Key) > 0) == (len(op.Key) > 0) && string(m.Prefix) == "p"},
				{"meta", store.FieldMeta, string(m.Meta) == "m"},
			} {
				if f&p.bit != 0 && !p.have {
					e.errorf("fields %b: %s asked for and missing", f, p.name)
				}
			}
		}
	}
}

func messagesBreak(e *env) {
	h := e.account("alice")
	h.put(h.inbox, 1200)
	for _, stop := range []int{1, 999, 1000, 1001} {
		n := 0
		for _, err := range h.Messages(e.ctx, h.inbox, store.Query{}) {
			e.ok("Messages", err)
			if n++; n == stop {
				break
			}
		}
		e.same("messages before the break", n, stop)
		e.within("Apply after a loop that ended early", func() { h.put(h.inbox, 1) })
	}
}

// messagesApply runs Apply in the loop body, on the message that is read and
// on those that come. What the loop yields must be a state at or after the
// start.
func messagesApply(e *env) {
	h := e.account("alice")
	uids := h.put(h.inbox, 1100)
	start := h.modSeq()
	seen := store.UIDSet{}
	e.within("a loop over Messages whose body calls Apply", func() {
		for m, err := range h.Messages(e.ctx, h.inbox, store.Query{}) {
			if err != nil {
				e.errorf("Messages: %v", err)
				return
			}
			uid := m.UID
			if seen.Contains(uid) {
				e.errorf("UID %d comes twice", uid)
			}
			seen.Add(uid)
			if uid%100 != 0 {
				continue
			}
			h.flag(h.inbox, store.UIDs(uid, uid+1), store.Seen)
			h.do(store.Expunge{Mailbox: h.inbox, UIDs: store.UIDs(uid)})
			h.state(h.inbox)
		}
	})
	for u := range uids.Minus(seen).All() {
		if len(h.query(h.inbox, store.Query{UIDs: store.UIDs(u)})) != 0 {
			e.errorf("UID %d was there all the time and not yielded", u)
		}
	}
	for _, m := range h.query(h.inbox, store.Query{Since: start}) {
		if !uids.Contains(m.UID) {
			e.errorf("a UID that nobody made: %d", m.UID)
		}
	}
}

func messagesDeleted(e *env) {
	h := e.account("alice")
	id := h.create("goes")
	h.put(id, 2100)
	e.within("a loop over a mailbox that is deleted", func() {
		n := 0
		for m, err := range h.Messages(e.ctx, id, store.Query{}) {
			if err != nil {
				e.is("Messages", err, store.ErrNoMailbox)
				continue
			}
			if m.Gone {
				e.errorf("a tombstone (UID %d) without Since", m.UID)
			}
			if n++; n == 500 {
				h.do(store.PutMailbox{ID: id, Delete: true})
			}
		}
	})
}

// messagesEnds appends faster than it reads.
func messagesEnds(e *env) {
	h := e.account("alice")
	h.put(h.inbox, 1050)
	e.within("a loop over Messages whose body appends", func() {
		n := 0
		for _, err := range h.Messages(e.ctx, h.inbox, store.Query{}) {
			if err != nil {
				e.errorf("Messages: %v", err)
				return
			}
			if n++; n%100 == 0 {
				h.put(h.inbox, 200)
			}
			if n > 5000 {
				e.errorf("the loop follows what its body appends and never ends")
				return
			}
		}
	})
}

func messagesNoMailbox(e *env) {
	h := e.account("alice")
	gone := h.create("gone")
	h.put(gone, 2)
	h.do(store.PutMailbox{ID: gone, Delete: true})
	for _, id := range []store.MailboxID{store.NewMailboxID(), gone} {
		for _, since := range []store.ModSeq{0, 1} {
			n := 0
			for _, err := range h.Messages(e.ctx, id, store.Query{Since: since}) {
				e.is("Messages", err, store.ErrNoMailbox)
				n++
			}
			e.same("errors yielded", n, 1)
		}
	}
}

func messagesCancel(e *env) {
	h := e.account("alice")
	h.put(h.inbox, 2100)
	ctx, cancel := context.WithCancel(e.ctx)
	defer cancel()
	var last error
	n := 0
	for _, err := range h.Messages(ctx, h.inbox, store.Query{}) {
		cancel()
		n++
		last = err
	}
	e.is("the last step", last, context.Canceled)
	if n > 1100 {
		e.errorf("%d more messages after cancel", n)
	}
}
