package storetest

import (
	"errors"
	"sync/atomic"

	"github.com/mailstead/mailstead/store"
)

func quotaChecks() []check {
	return []check{
		{name: "QuotaBytes", rule: "I10: octets up to the limit are accepted, one more refuses the whole Change (ErrOverQuota)", run: quotaBytes},
		{name: "QuotaMessages", rule: "I10: messages up to the limit are accepted, one more is refused", run: quotaMessages},
		{name: "QuotaCopy", rule: "I10: Copy counts, Move does not", run: quotaCopy},
		{name: "QuotaIgnore", rule: "I10: IgnoreQuota is accepted over the limit, and counted", run: quotaIgnore},
		{name: "QuotaFrees", rule: "I10: expunge and delete give back what they held; being over quota refuses growth alone", run: quotaFrees},
		{name: "QuotaMailboxes", rule: "I10: mailboxes up to the limit, with the levels made above", run: quotaMailboxes},
		{name: "QuotaConcurrent", rule: "I10: quota is judged inside the transaction: many writers do not get beyond it", run: quotaConcurrent},
		{name: "QuotaUsage", rule: "I7: Usage is the sum of all mailboxes' counters", run: quotaUsage},
	}
}

func (h *handle) limit(l store.Limits) {
	h.e.r.Helper()
	h.do(store.PutAccount{Limits: &l})
}

func quotaBytes(e *env) {
	h := e.account("alice")
	h.limit(store.Limits{Bytes: 100})
	op := h.message(h.inbox, long(35))
	op.Prefix = []byte("12345")
	h.do(op, op)
	op = h.message(h.inbox, long(21))
	h.refused(store.ErrOverQuota, op)
	h.refused(store.ErrOverQuota, store.PutEntry{Key: "k", Value: []byte("v")}, h.message(h.inbox, long(20)), h.message(h.inbox, long(1)))
	for range h.Entries(e.ctx, store.EntryQuery{}) {
		e.errorf("a refused Change left an entry")
	}
	h.do(h.message(h.inbox, long(20)))
	h.refused(store.ErrOverQuota, h.message(h.inbox, long(1)))
	h.do(h.message(h.inbox, ""))
	e.same("Bytes", h.state(h.inbox).Bytes, int64(100))
}

func quotaMessages(e *env) {
	h := e.account("alice")
	h.limit(store.Limits{Messages: 3})
	h.put(h.inbox, 2)
	op := h.message(h.inbox, "x")
	h.refused(store.ErrOverQuota, op, op)
	h.do(op)
	h.refused(store.ErrOverQuota, op)
	e.same("messages", h.state(h.inbox).Messages, int64(3))
}

func quotaCopy(e *env) {
	h := e.account("alice")
	work := h.create("Work")
	uids := h.put(h.inbox, 2)
	h.limit(store.Limits{Messages: 3})
	h.refused(store.ErrOverQuota, store.Copy{Source: h.inbox, UIDs: uids, Dest: work})
	h.do(store.Copy{Source: h.inbox, UIDs: store.UIDs(uids.Min()), Dest: work})
	h.do(store.Copy{Source: h.inbox, UIDs: uids, Dest: work, Move: true})
	h.limit(store.Limits{Messages: 1})
	h.do(store.Copy{Source: work, UIDs: store.AllUIDs(), Dest: h.inbox, Move: true})
	h.refused(store.ErrOverQuota, store.Copy{Source: h.inbox, UIDs: store.AllUIDs(), Dest: work})
	h.do(store.Copy{Source: h.inbox, UIDs: store.AllUIDs(), Dest: work, IgnoreQuota: true})
	u, err := h.Usage(e.ctx)
	e.ok("Usage", err)
	e.same("messages", u.Messages, int64(6))
}

func quotaIgnore(e *env) {
	h := e.account("alice")
	h.limit(store.Limits{Bytes: 10, Messages: 1})
	op := h.message(h.inbox, long(50))
	op.IgnoreQuota = true
	h.do(op, op)
	op.IgnoreQuota = false
	h.refused(store.ErrOverQuota, op)
	u, err := h.Usage(e.ctx)
	e.ok("Usage", err)
	e.same("usage", u, store.Usage{Bytes: 100, Messages: 2, Mailboxes: 1, Limits: store.Limits{Bytes: 10, Messages: 1}})
}

func quotaFrees(e *env) {
	h := e.account("alice")
	work := h.create("Work")
	uids := h.put(h.inbox, 3)
	h.put(work, 2)
	h.limit(store.Limits{Messages: 3})
	op := h.message(h.inbox, "x")
	h.refused(store.ErrOverQuota, op)
	h.flag(h.inbox, uids, store.Seen)
	h.refused(store.ErrOverQuota, op, store.Expunge{Mailbox: h.inbox, UIDs: uids})
	h.do(store.Expunge{Mailbox: h.inbox, UIDs: store.UIDs(uids.Min(), uids.Min()+1)}, store.SetFlags{Mailbox: h.inbox, UIDs: uids, Flags: store.Draft})
	h.refused(store.ErrOverQuota, op)
	h.do(store.PutMailbox{ID: work, Delete: true})
	h.do(op, op)
	h.refused(store.ErrOverQuota, op)
}

func quotaMailboxes(e *env) {
	h := e.account("alice")
	h.limit(store.Limits{Mailboxes: 4})
	h.refused(store.ErrOverQuota, store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: "a/b/c/d"})
	e.same("mailboxes", h.names(), []string{store.Inbox})
	id := h.create("a/b/c")
	h.refused(store.ErrOverQuota, store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: "e"})
	h.refused(store.ErrOverQuota, store.PutMailbox{ID: id, Name: "x/c"})
	h.refused(store.ErrOverQuota, store.PutMailbox{ID: h.inbox, Name: "old"})
	h.do(store.PutMailbox{ID: id, Delete: true})
	h.create("e")
	u, err := h.Usage(e.ctx)
	e.ok("Usage", err)
	e.same("Usage.Mailboxes", u.Mailboxes, int64(4))
}

func quotaConcurrent(e *env) {
	h := e.account("alice")
	h.limit(store.Limits{Bytes: 100})
	op := h.message(h.inbox, long(10))
	var accepted atomic.Int64
	done := e.writers(16, func(int) {
		for range 3 {
			_, err := h.Apply(e.ctx, store.Change{Ops: []store.Op{op}})
			switch {
			case err == nil:
				accepted.Add(1)
			case !errors.Is(err, store.ErrOverQuota):
				e.errorf("Apply: %v", err)
			}
		}
	})
	e.await("48 Applies", done)
	e.same("accepted", accepted.Load(), int64(10))
	u, err := h.Usage(e.ctx)
	e.ok("Usage", err)
	e.same("Usage.Bytes", u.Bytes, int64(100))
}

func quotaUsage(e *env) {
	h := e.account("alice")
	work := h.create("Work")
	uids := h.put(h.inbox, 5)
	h.do(store.Copy{Source: h.inbox, UIDs: uids, Dest: work})
	h.do(store.Expunge{Mailbox: h.inbox, UIDs: store.UIDs(uids.Min())})
	e.sameUsage(h)
}

// sameUsage holds Usage against the rows.
func (e *env) sameUsage(h *handle) {
	e.r.Helper()
	boxes, _, err := h.Mailboxes(e.ctx, 0)
	e.ok("Mailboxes", err)
	u, err := h.Usage(e.ctx)
	e.ok("Usage", err)
	want := store.Usage{Mailboxes: int64(len(boxes)), Limits: u.Limits}
	for _, m := range boxes {
		want.Bytes += m.Bytes
		want.Messages += m.Messages
	}
	e.same("usage", u, want)
}
