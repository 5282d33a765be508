package storetest

import "github.com/mailstead/mailstead/store"

func threadChecks() []check {
	return []check{
		{name: "ThreadJoins", rule: "a message joins the thread of the newest message with a common key and the same subject (RFC 8474 §5.2)", needs: Threads, run: threadJoins},
		{name: "ThreadNewest", rule: "of several threads that fit, the newest message's is taken", needs: Threads, run: threadNewest},
		{name: "ThreadCopies", rule: "copies keep the thread, and carry it when the original is gone", needs: Threads, run: threadCopies},
		{name: "ThreadAlone", rule: "a message without keys in common starts a thread; its id is the EmailID of the first message", run: threadAlone},
	}
}

func (h *handle) threaded(subject uint64, keys ...uint64) (store.ThreadID, store.UID) {
	h.e.r.Helper()
	op := h.message(h.inbox, "x")
	op.ThreadKeys, op.SubjectHash = keys, subject
	r := h.do(op).Ops[0]
	m := h.one(h.inbox, r.Dest.Min())
	h.e.same("ThreadID of the result", r.ThreadID, m.ThreadID)
	return m.ThreadID, m.UID
}

func threadJoins(e *env) {
	h := e.account("alice")
	first, _ := h.threaded(7, 1)
	reply, _ := h.threaded(7, 2, 1)
	e.same("thread of the reply", reply, first)
	deep, _ := h.threaded(7, 3, 2)
	e.same("thread of the reply's reply", deep, first)
	if other, _ := h.threaded(8, 4, 1); other == first {
		e.errorf("another subject joined the thread")
	}
	if other, _ := h.threaded(7, 99); other == first {
		e.errorf("no common key, and joined the thread")
	}
	top := uint64(1<<64 - 1)
	a, _ := h.threaded(top, top)
	b, _ := h.threaded(top, top, 0)
	e.same("thread of keys with the highest bit", b, a)
	bob := e.account("bob")
	if foreign, _ := bob.threaded(7, 1); foreign == first {
		e.errorf("threads reach over accounts")
	}
}

func threadNewest(e *env) {
	h := e.account("alice")
	a, _ := h.threaded(7, 1)
	b, bUID := h.threaded(7, 2)
	if a == b {
		e.fatalf("two messages without a common key are one thread")
	}
	got, gotUID := h.threaded(7, 1, 2, 3)
	e.same("thread of a message that fits both", got, b)
	got, backUID := h.threaded(7, 3, 2, 1)
	e.same("thread of a message that fits both, keys the other way", got, b)
	c, cUID := h.threaded(7, 4)
	got, dUID := h.threaded(7, 4, 1)
	e.same("thread of a message whose first key is the newest's", got, c)
	h.do(store.Expunge{Mailbox: h.inbox, UIDs: store.UIDs(bUID, gotUID, backUID, cUID, dUID)})
	got, _ = h.threaded(7, 3, 1)
	e.same("thread, where the newer messages are gone", got, a)
}

func threadCopies(e *env) {
	h := e.account("alice")
	work := h.create("Work")
	a, uid := h.threaded(7, 1)
	r := h.do(store.Copy{Source: h.inbox, UIDs: store.UIDs(uid), Dest: work, Move: true})
	e.same("thread of the copy", h.one(work, r.Ops[0].Dest.Min()).ThreadID, a)
	reply, _ := h.threaded(7, 1)
	e.same("thread of a reply after the move", reply, a)
}

func threadAlone(e *env) {
	h := e.account("alice")
	for _, keys := range [][]uint64{nil, nil, {1}, {2}} {
		op := h.message(h.inbox, "x")
		op.ThreadKeys = keys
		r := h.do(op).Ops[0]
		e.same("ThreadID", r.ThreadID, store.ThreadID(op.EmailID))
	}
}
