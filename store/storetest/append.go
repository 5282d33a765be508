package storetest

import (
	"bytes"
	"slices"
	"time"

	"github.com/mailstead/mailstead/store"
)

func appendChecks() []check {
	return []check{
		{name: "AppendUIDsAscend", rule: "I2: UIDs ascend and are never given out twice, also after expunge", run: appendUIDs},
		{name: "AppendModSeqsAscend", rule: "I4: every Change that changes something has a ModSeq greater than all before; all it did has this one", run: appendModSeqs},
		{name: "AppendFields", rule: "a message is what Append said: flags, keywords, size, dates, ids, blob, key, prefix, meta", run: appendFields},
		{name: "AppendDefaults", rule: "Append without EmailID and Received chooses them; RFC822.SIZE counts the prefix", run: appendDefaults},
		{name: "AppendResult", rule: "OpResult of Append names mailbox, UIDVALIDITY, UID (Dest alone), EmailID and ThreadID", run: appendResult},
		{name: "AppendNoBlob", rule: "I11: a Ref that nothing keeps is refused (ErrNoBlob), so a message without its blob never exists", run: appendNoBlob},
		{name: "AppendNoMailbox", rule: "Append to a mailbox that is not there, was deleted or is NoSelect fails with ErrNoMailbox", run: appendNoMailbox},
		{name: "AppendInvalid", rule: "malformed Appends are refused: unknown flags, negative size, keywords that are no atoms", run: appendInvalid},
		{name: "AppendTooMany", rule: "a Change of more than MaxWhole Appends is refused (ErrTooLarge)", run: appendTooMany},
		{name: "AppendSameBlob", rule: "one blob serves many messages, in many accounts", run: appendSameBlob},
	}
}

func appendUIDs(e *env) {
	h := e.account("alice")
	var last store.UID
	for i := range 10 {
		next := h.state(h.inbox).UIDNext
		uids := h.put(h.inbox, 1+i%3)
		if uids.Min() <= last || uids.Min() < next {
			e.fatalf("append %d got UID %d after %d and UIDNEXT %d", i, uids.Min(), last, next)
		}
		last = uids.Max()
		if n := h.state(h.inbox).UIDNext; n <= last {
			e.fatalf("UIDNEXT %d although UID %d is given out", n, last)
		}
		if i%2 == 0 { // the newest goes, its UID must not come back
			h.do(store.Expunge{Mailbox: h.inbox, UIDs: store.UIDs(last)})
		}
	}
}

func appendModSeqs(e *env) {
	h := e.account("alice")
	work := h.create("Work")
	last := h.modSeq()
	for i := range 10 {
		box := []store.MailboxID{h.inbox, work}[i%2]
		r := h.do(h.message(box, "x"), h.message(box, "y"), h.message(h.inbox, "z"))
		if r.ModSeq <= last {
			e.fatalf("Change %d has ModSeq %d after %d", i, r.ModSeq, last)
		}
		last = r.ModSeq
		e.same("the account's ModSeq", h.modSeq(), last)
		e.same("HIGHESTMODSEQ", h.state(box).HighestModSeq, last)
		for j, o := range r.Ops {
			b := box
			if j == 2 {
				b = h.inbox
			}
			e.same("ModSeq of a message of the Change", h.one(b, o.Dest.Min()).ModSeq, last)
		}
	}
}

func appendFields(e *env) {
	h := e.account("alice")
	op := e.keyed(h.message(h.inbox, "Subject: x\r\n\r\nbody"), "\x00\x01\xff")
	op.Flags, op.Keywords = store.Seen|store.Flagged, []string{"$Junk", "b", "A"}
	op.Received = time.Date(2020, 2, 29, 23, 59, 58, 123456789, time.FixedZone("", -5*3600-1800))
	op.Prefix, op.Meta = []byte("Return-Path: <>\r\n"), []byte("\x01meta")
	before := time.Now().Add(-2 * time.Second)
	m := h.one(h.inbox, h.do(op).Ops[0].Dest.Min())
	e.same("Flags", m.Flags, op.Flags)
	e.same("Keywords (sorted by octets)", m.Keywords, []string{"$Junk", "A", "b"})
	e.same("Size", m.Size, op.Size+int64(len(op.Prefix)))
	e.same("EmailID", m.EmailID, op.EmailID)
	e.same("Blob", m.Blob, op.Blob)
	e.sameKey("Key", m.Key, op)
	if !bytes.Equal(m.Prefix, op.Prefix) || !bytes.Equal(m.Meta, op.Meta) {
		e.errorf("Prefix, Meta = %q, %q", m.Prefix, m.Meta)
	}
	_, offset := m.Received.Zone()
	if !m.Received.Equal(op.Received.Truncate(time.Second)) || offset != -5*3600-1800 {
		e.errorf("Received = %v, want %v to the second with its zone", m.Received, op.Received)
	}
	if m.Saved.Before(before) || m.Saved.After(time.Now().Add(2*time.Second)) {
		e.errorf("Saved = %v, which is not now", m.Saved)
	}
}

func appendDefaults(e *env) {
	h := e.account("alice")
	op := h.message(h.inbox, "12345")
	op.EmailID, op.Prefix = store.EmailID{}, []byte("abc")
	before := time.Now().Add(-2 * time.Second)
	m := h.one(h.inbox, h.do(op).Ops[0].Dest.Min())
	if m.EmailID == (store.EmailID{}) || m.ThreadID == (store.ThreadID{}) {
		e.errorf("EmailID %v, ThreadID %v", m.EmailID, m.ThreadID)
	}
	if m.Received.Before(before) || m.Received.After(time.Now().Add(2*time.Second)) {
		e.errorf("Received = %v, want now", m.Received)
	}
	e.same("Size of 3 octets prefix and 5 octets blob", m.Size, int64(8))
	if m.Flags != 0 || len(m.Keywords) != 0 {
		e.errorf("flags %v, keywords %v of an Append without", m.Flags, m.Keywords)
	}
}

func appendResult(e *env) {
	h := e.account("alice")
	op := h.message(h.inbox, "x")
	r := h.do(op).Ops[0]
	m := h.one(h.inbox, r.Dest.Min())
	e.same("Mailbox", r.Mailbox, h.inbox)
	e.same("UIDValidity", r.UIDValidity, h.state(h.inbox).UIDValidity)
	e.same("EmailID", r.EmailID, op.EmailID)
	e.same("ThreadID", r.ThreadID, m.ThreadID)
	e.same("Dest", r.Dest.Len(), int64(1))
	e.same("Source", r.Source, store.UIDSet(nil))
}

func appendNoBlob(e *env) {
	h := e.account("alice")
	op := h.message(h.inbox, "short life")
	e.ok("Blobs.Delete", e.s.Blobs().Delete(e.ctx, op.Blob))
	h.refused(store.ErrNoBlob, op)
	h.refused(store.ErrNoBlob, h.message(h.inbox, "fine"), op)
	op.Blob = ""
	h.refused(store.ErrInvalid, op)
	e.same("messages", len(h.all(h.inbox)), 0)
}

func appendNoMailbox(e *env) {
	h := e.account("alice")
	h.refused(store.ErrNoMailbox, h.message(store.NewMailboxID(), "x"))
	gone := h.create("gone")
	h.do(store.PutMailbox{ID: gone, Delete: true})
	h.refused(store.ErrNoMailbox, h.message(gone, "x"))
	top := h.create("top")
	h.create("top/below")
	h.do(store.PutMailbox{ID: top, Delete: true})
	m, err := store.MailboxByName(e.ctx, h, "top")
	e.ok("the NoSelect name", err)
	h.refused(store.ErrNoMailbox, h.message(m.ID, "x"))
}

func appendInvalid(e *env) {
	h := e.account("alice")
	bad := func(want error, change func(op *store.Append)) {
		op := h.message(h.inbox, "x")
		change(&op)
		h.refused(want, op)
	}
	bad(store.ErrInvalid, func(op *store.Append) { op.Flags = 1 << 7 })
	bad(store.ErrInvalid, func(op *store.Append) { op.Size = -1 })
	bad(store.ErrLimit, func(op *store.Append) { op.ThreadKeys = make([]uint64, store.MaxThreadKeys+1) })
	for _, kw := range []string{"", "a b", "\\Seen", "a\r\n", "ä", "(", "x]", `"`, "*", "%"} {
		bad(store.ErrName, func(op *store.Append) { op.Keywords = []string{"ok", kw} })
	}
}

func appendTooMany(e *env) {
	h := e.account("alice")
	ops := make([]store.Op, store.MaxWhole+1)
	op := h.message(h.inbox, "x")
	for i := range ops {
		ops[i] = op
	}
	h.refused(store.ErrTooLarge, ops...)
	e.same("EXISTS", h.state(h.inbox).Messages, int64(0))
}

func appendSameBlob(e *env) {
	a, b := e.account("a"), e.account("b")
	op := a.message(a.inbox, "shared body")
	for i, h := range []*handle{a, b} {
		op.Mailbox, op.Prefix = h.inbox, slices.Repeat([]byte("p"), i)
		h.do(op, op)
		for _, m := range h.all(h.inbox) {
			e.same("Blob", m.Blob, op.Blob)
			e.same("content", h.read(h.inbox, m.UID), string(op.Prefix)+"shared body")
		}
	}
}
