package storetest

import (
	"slices"

	"github.com/mailstead/mailstead/store"
)

// handle is an account with short names for what every check does.
type handle struct {
	store.Account
	e     *env
	id    store.AccountID
	inbox store.MailboxID
}

// account makes an account and opens it.
func (e *env) account(id store.AccountID) *handle {
	e.r.Helper()
	return e.accountWith(id, store.AccountInfo{})
}

func (e *env) accountWith(id store.AccountID, info store.AccountInfo) *handle {
	e.r.Helper()
	e.ok("Create", e.s.Create(e.ctx, id, info))
	return e.open(id)
}

// open opens an account that is there.
func (e *env) open(id store.AccountID) *handle {
	e.r.Helper()
	a, err := e.s.Open(e.ctx, id)
	e.ok("Open", err)
	h := &handle{Account: a, e: e, id: id}
	inbox, err := store.MailboxByName(e.ctx, a, store.Inbox)
	e.ok("finding INBOX", err)
	h.inbox = inbox.ID
	return h
}

// do applies ops, which must not be refused.
func (h *handle) do(ops ...store.Op) store.Result {
	h.e.r.Helper()
	return h.change(store.Change{Ops: ops})
}

func (h *handle) change(c store.Change) store.Result {
	h.e.r.Helper()
	r, err := h.Apply(h.e.ctx, c)
	h.e.ok("Apply", err)
	if len(r.Ops) != len(c.Ops) {
		h.e.fatalf("Apply of %d ops returned %d results", len(c.Ops), len(r.Ops))
	}
	return r
}

// refused applies ops, which must fail with want and change nothing.
func (h *handle) refused(want error, ops ...store.Op) {
	h.e.r.Helper()
	before := h.modSeq()
	_, err := h.Apply(h.e.ctx, store.Change{Ops: ops})
	h.e.is("Apply", err, want)
	h.e.same("the account's ModSeq after a refused Change", h.modSeq(), before)
}

// message is an Append of a body into a mailbox.
func (h *handle) message(box store.MailboxID, body string) store.Append {
	h.e.r.Helper()
	ref := h.e.blob(body)
	return store.Append{Mailbox: box, EmailID: store.NewEmailID(), Blob: ref, Key: h.e.keys[ref], Size: int64(len(body))}
}

// put appends n messages with one Change and returns their UIDs.
func (h *handle) put(box store.MailboxID, n int) store.UIDSet {
	h.e.r.Helper()
	ops := make([]store.Op, n)
	for i := range ops {
		ops[i] = h.message(box, "Subject: test\r\n\r\nbody\r\n")
	}
	var uids store.UIDSet
	for _, r := range h.do(ops...).Ops {
		uids.AddSet(r.Dest)
	}
	if uids.Len() != int64(n) {
		h.e.fatalf("%d Appends gave out %d UIDs (%v)", n, uids.Len(), uids)
	}
	return uids
}

// flag adds flags.
func (h *handle) flag(box store.MailboxID, uids store.UIDSet, f store.Flags) store.Result {
	h.e.r.Helper()
	return h.do(store.SetFlags{Mailbox: box, UIDs: uids, Mode: store.FlagsAdd, Flags: f})
}

// create makes a mailbox.
func (h *handle) create(name string) store.MailboxID {
	h.e.r.Helper()
	id := store.NewMailboxID()
	h.do(store.PutMailbox{ID: id, Create: true, Name: name})
	return id
}

// everything that the messages of a query have.
const allFields = store.FieldDates | store.FieldIDs | store.FieldContent | store.FieldMeta

// query reads messages and keeps copies of them.
func (h *handle) query(box store.MailboxID, q store.Query) []store.Message {
	h.e.r.Helper()
	var out []store.Message
	for m, err := range h.Messages(h.e.ctx, box, q) {
		h.e.ok("Messages", err)
		c := *m
		c.Keywords, c.Prefix = slices.Clone(m.Keywords), slices.Clone(m.Prefix)
		c.Key, c.Meta = slices.Clone(m.Key), slices.Clone(m.Meta)
		out = append(out, c)
	}
	return out
}

func (h *handle) all(box store.MailboxID) []store.Message {
	h.e.r.Helper()
	return h.query(box, store.Query{Fields: allFields})
}

// one reads one message.
func (h *handle) one(box store.MailboxID, uid store.UID) store.Message {
	h.e.r.Helper()
	list := h.query(box, store.Query{UIDs: store.UIDs(uid), Fields: allFields})
	if len(list) != 1 || list[0].UID != uid {
		h.e.fatalf("Messages of UID %d returned %d messages", uid, len(list))
	}
	return list[0]
}

// uids are those that are there.
func (h *handle) uids(box store.MailboxID) store.UIDSet {
	h.e.r.Helper()
	var set store.UIDSet
	for _, m := range h.query(box, store.Query{}) {
		set.Add(m.UID)
	}
	return set
}

// state is the row of a mailbox.
func (h *handle) state(box store.MailboxID) store.Mailbox {
	h.e.r.Helper()
	m, err := store.MailboxByID(h.e.ctx, h, box)
	h.e.ok("Mailboxes", err)
	return m
}

// names are those of all mailboxes, in order; "name (\NoSelect)" for those
// that hold no messages.
func (h *handle) names() []string {
	h.e.r.Helper()
	boxes, _, err := h.Mailboxes(h.e.ctx, 0)
	h.e.ok("Mailboxes", err)
	out := []string{}
	for _, m := range boxes {
		if m.NoSelect {
			m.Name += ` (\NoSelect)`
		}
		out = append(out, m.Name)
	}
	return out
}

// modSeq is that of the account.
func (h *handle) modSeq() store.ModSeq {
	h.e.r.Helper()
	_, m, err := h.Mailboxes(h.e.ctx, 0)
	h.e.ok("Mailboxes", err)
	return m
}
