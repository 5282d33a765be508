package storetest

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
)

func collectChecks() []check {
	return []check{
		{name: "CollectUnused", rule: "a blob that nobody adopted is collected, and those of messages stay", run: collectUnused},
		{name: "CollectGrace", rule: "I11: a collection spares what was released a moment ago, by any Op", run: collectGrace},
		{name: "CollectCopies", rule: "I11: no message loses its blob to a collection that runs while it is copied, moved and expunged", run: collectCopies},
		{name: "CollectReaders", rule: "an open Content is read to its end while collections run", run: collectReaders},
		{name: "CollectAppends", rule: "I11: an Append beside a collection is a message with its blob, or ErrNoBlob", run: collectAppends},
		{name: "CollectAccounts", rule: "I11: a blob stays while a message of any account refers to it", run: collectAccounts},
	}
}

// collect runs a blob.Collector as a server does, but for its grace period.
func (e *env) collect() blob.Stats {
	e.r.Helper()
	c := blob.Collector{Blobs: e.s.Blobs(), Holders: []blob.Holder{e.s}, MinAge: -1, Logger: slog.New(slog.DiscardHandler)}
	stats, err := c.Collect(e.ctx)
	if err != nil {
		e.errorf("Collect: %v", err)
	}
	return stats
}

func collectUnused(e *env) {
	h := e.account("alice")
	h.do(h.message(h.inbox, "adopted"))
	ref := e.blob("adopted by nobody")
	if s := e.collect(); s.Deleted != 1 || s.Held != 1 {
		e.errorf("the collection: %+v, want 1 deleted and 1 held", s)
	}
	if b, err := blob.OpenKeyed(e.ctx, e.s.Blobs(), ref, e.keys[ref]); err == nil {
		b.Close()
		e.errorf("the blob that nobody adopted is still there")
	}
	e.same("content", h.read(h.inbox, h.uids(h.inbox).Min()), "adopted")
}

func collectGrace(e *env) {
	h, other := e.account("alice"), e.account("bob")
	work := h.create("Work")
	a := h.do(h.message(h.inbox, "expunged")).Ops[0].Dest
	b := h.do(h.message(h.inbox, "moved")).Ops[0].Dest
	h.do(h.message(work, "deleted"))
	other.do(other.message(other.inbox, "dropped"))
	h.do(store.Expunge{Mailbox: h.inbox, UIDs: a})
	h.do(store.Copy{Source: h.inbox, UIDs: b, Dest: work, Move: true})
	h.do(store.PutMailbox{ID: work, Delete: true})
	other.do(store.DropAccount{})
	e.same("blobs collected", e.collect().Deleted, int64(0))
	e.same("content of an expunged message", h.read(h.inbox, a.Min()), "expunged")
}

// collectCopies moves each message through three mailboxes, by Copy and
// Expunge, while collections run.
func collectCopies(e *env) {
	h := e.account("alice")
	boxes := []store.MailboxID{h.inbox, h.create("b"), h.create("c")}
	var ops []store.Op
	for i := range 5 {
		ops = append(ops, h.message(h.inbox, fmt.Sprint("body ", i)))
	}
	h.do(ops...)
	done := e.writers(2, func(i int) {
		for n := range e.some(30) {
			if u, err := h.Usage(e.ctx); err == nil && u.Messages > 1000 {
				return // what both copy at the same time doubles
			}
			src, dst := boxes[(n+i)%3], boxes[(n+i+1)%3]
			if r, ok := h.outcome(nil, store.Copy{Source: src, UIDs: store.AllUIDs(), Dest: dst, Move: n%2 == 0}); ok && n%2 == 1 {
				h.outcome(nil, store.Expunge{Mailbox: src, UIDs: r.Ops[0].Source})
			}
		}
	})
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		e.collect()
	}
	for _, box := range boxes {
		for _, m := range h.all(box) {
			if body := h.read(box, m.UID); len(body) != len("body 0") {
				e.errorf("UID %d reads %q", m.UID, body)
			}
		}
	}
}

func collectReaders(e *env) {
	h := e.account("alice")
	body := long(100_000)
	uid := h.do(h.message(h.inbox, body)).Ops[0].Dest.Min()
	done := e.writers(3, func(int) {
		for range e.some(20) {
			c, err := h.Content(e.ctx, h.inbox, uid)
			if err != nil {
				e.errorf("Content: %v", err)
				return
			}
			b, err := io.ReadAll(io.NewSectionReader(c, 0, c.Size()))
			c.Close()
			if err != nil || string(b) != body {
				e.errorf("%d octets of %d are read, %v", len(b), len(body), err)
			}
		}
	})
	h.do(store.Expunge{Mailbox: h.inbox, UIDs: store.UIDs(uid)})
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		e.collect()
	}
}

func collectAppends(e *env) {
	h := e.account("alice")
	blobs := e.s.Blobs()
	done := e.writers(4, func(i int) {
		for n := range e.some(20) {
			w, err := blobs.Create(e.ctx, -1)
			if err != nil {
				e.errorf("Blobs.Create: %v", err)
				return
			}
			size, _ := fmt.Fprintf(w, "writer %d message %d", i, n)
			ref, err := w.Commit(e.ctx)
			if err != nil {
				e.errorf("Commit: %v", err)
				return
			}
			_, err = h.Apply(e.ctx, store.Change{Ops: []store.Op{store.Append{Mailbox: h.inbox, Blob: ref, Key: blob.KeyOf(w), Size: int64(size)}}})
			if err != nil && !errors.Is(err, store.ErrNoBlob) {
				e.errorf("Append beside a collection: %v", err)
			}
		}
	})
	e.await("the writers", done)
	e.collect()
	for uid := range h.uids(h.inbox).All() {
		c, err := h.Content(e.ctx, h.inbox, uid)
		if err != nil {
			e.errorf("Content of UID %d: %v", uid, err)
			continue
		}
		c.Close()
	}
}

func collectAccounts(e *env) {
	a, b := e.account("a"), e.account("b")
	op := a.message(a.inbox, "shared")
	a.do(op)
	op.Mailbox = b.inbox
	b.do(op)
	a.do(store.DropAccount{})
	e.same("blobs collected", e.collect().Deleted, int64(0))
	e.same("content", b.read(b.inbox, b.uids(b.inbox).Min()), "shared")
}
