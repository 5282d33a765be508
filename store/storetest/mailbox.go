package storetest

import (
	"errors"
	"fmt"

	"github.com/mailstead/mailstead/store"
)

func mailboxChecks() []check {
	return []check{
		{name: "MailboxCreate", rule: "Create makes an empty mailbox with the caller's ID, and the levels above that are missing (RFC 9051 §6.3.4)", run: mailboxCreate},
		{name: "MailboxCreateTwice", rule: "I13: a name and an ID belong to one mailbox (ErrExists), also the ID of a deleted one", run: mailboxTwice},
		{name: "MailboxOrder", rule: "Mailboxes come in order of name, octet by octet", run: mailboxOrder},
		{name: "MailboxSince", rule: "I8: Mailboxes since M returns those that changed after M, with tombstones, and the account's ModSeq", run: mailboxSince},
		{name: "MailboxAttributes", rule: "PutMailbox sets role and subscription; what is as wanted takes no ModSeq", run: mailboxAttributes},
		{name: "MailboxDelete", rule: "Delete removes the mailbox with its messages and entries; INBOX cannot be deleted (ErrInbox)", run: mailboxDelete},
		{name: "MailboxDeleteChildren", rule: "children of a deleted mailbox stay, and keep its name as NoSelect while they last", run: mailboxDeleteChildren},
		{name: "MailboxDeleteSubscribed", rule: "a subscription outlives its mailbox (RFC 9051 §6.3.7) and is inherited by the next of that name", run: mailboxDeleteSubscribed},
		{name: "MailboxValidity", rule: "I3: a mailbox made again has a greater UIDVALIDITY; none is given out twice in an account", run: mailboxValidity},
		{name: "MailboxGivenValidity", rule: "I3: outside an import Create takes a given UIDVALIDITY only when it is greater than all before (ErrConflict)", run: mailboxGivenValidity},
		{name: "MailboxInvalid", rule: "malformed PutMailbox are refused (ErrInvalid), unknown IDs with ErrNoMailbox", run: mailboxInvalid},
	}
}

func mailboxCreate(e *env) {
	h := e.account("alice")
	role, subscribed := `\Sent`, true
	id := store.NewMailboxID()
	r := h.do(store.PutMailbox{ID: id, Create: true, Name: "a/b/c", Role: &role, Subscribed: &subscribed})
	e.same("mailboxes", h.names(), []string{store.Inbox, "a", "a/b", "a/b/c"})
	m := h.state(id)
	e.same("the row", m, store.Mailbox{
		ID: id, Name: "a/b/c", UIDValidity: m.UIDValidity, UIDNext: m.UIDNext, ModSeq: r.ModSeq, HighestModSeq: r.ModSeq,
		RecentFrom: m.UIDNext, Role: role, Subscribed: true,
	})
	e.same("result's mailbox", r.Ops[0].Mailbox, id)
	e.same("result's UIDVALIDITY", r.Ops[0].UIDValidity, m.UIDValidity)
	if m.UIDNext == 0 || m.UIDValidity == 0 {
		e.errorf("the row is %+v", m)
	}
	parent, err := store.MailboxByName(e.ctx, h, "a")
	e.ok("the level above", err)
	h.put(parent.ID, 1)
}

func mailboxTwice(e *env) {
	h := e.account("alice")
	id := h.create("Work")
	h.refused(store.ErrExists, store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: "Work"})
	h.refused(store.ErrExists, store.PutMailbox{ID: id, Create: true, Name: "Other"})
	h.refused(store.ErrExists, store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: "inbox"})
	h.do(store.PutMailbox{ID: id, Delete: true})
	h.refused(store.ErrExists, store.PutMailbox{ID: id, Create: true, Name: "Work"})
	h.create("work")
	h.create("Work")
	e.same("mailboxes (case counts)", h.names(), []string{store.Inbox, "Work", "work"})
}

func mailboxOrder(e *env) {
	h := e.account("alice")
	for _, name := range []string{"b", "a", "Z", "a!", "a/x", "ä", "zz", "INBOX/x", "Inboxes"} {
		h.create(name)
	}
	e.same("mailboxes", h.names(), []string{"INBOX", "INBOX/x", "Inboxes", "Z", "a", "a!", "a/x", "b", "zz", "ä"})
}

func mailboxSince(e *env) {
	h := e.account("alice")
	a, b, c := h.create("a"), h.create("b"), h.create("c")
	uids := h.put(b, 2)
	changed := func(what string, want ...store.MailboxID) {
		e.r.Helper()
		since := h.modSeq()
		switch what {
		case "append":
			h.put(b, 1)
		case "flags":
			h.flag(b, uids, store.Seen)
		case "expunge":
			h.do(store.Expunge{Mailbox: b, UIDs: uids})
		case "copy":
			h.do(store.Copy{Source: b, UIDs: store.AllUIDs(), Dest: c})
		case "rename":
			h.do(store.PutMailbox{ID: a, Name: "aa"})
		case "delete":
			h.do(store.PutMailbox{ID: a, Delete: true})
		}
		list, now, err := h.Mailboxes(e.ctx, since)
		e.ok("Mailboxes", err)
		got := []store.MailboxID{}
		for _, m := range list {
			got = append(got, m.ID)
			if m.Gone != (what == "delete") {
				e.errorf("after %s: Gone = %v for %s", what, m.Gone, m.Name)
			}
			if m.Gone {
				e.same("the tombstone", m, store.Mailbox{ID: m.ID, Name: m.Name, ModSeq: now, Gone: true})
			}
		}
		e.same("mailboxes changed by "+what, got, append([]store.MailboxID{}, want...))
	}
	changed("nothing")
	changed("append", b)
	changed("flags", b)
	changed("expunge", b)
	changed("copy", c)
	changed("rename", a)
	changed("delete", a)
}

func mailboxAttributes(e *env) {
	h := e.account("alice")
	id := h.create("Sent")
	role, none, yes, no := `\Sent`, "", true, false
	for _, s := range []struct {
		op      store.PutMailbox
		role    string
		sub     bool
		changes bool
	}{
		{store.PutMailbox{Role: &role}, role, false, true},
		{store.PutMailbox{Role: &role, Subscribed: &no}, role, false, false},
		{store.PutMailbox{Subscribed: &yes}, role, true, true},
		{store.PutMailbox{Name: "Sent"}, role, true, false},
		{store.PutMailbox{Name: "Sent2", Role: &none}, "", true, true},
		{store.PutMailbox{Subscribed: &no}, "", false, true},
	} {
		before := h.modSeq()
		s.op.ID = id
		r := h.do(s.op)
		m := h.state(id)
		e.same("Role", m.Role, s.role)
		e.same("Subscribed", m.Subscribed, s.sub)
		e.same("a new ModSeq", r.ModSeq > before, s.changes)
		if s.changes && (m.ModSeq != r.ModSeq || m.HighestModSeq != r.ModSeq) {
			e.errorf("ModSeq %d, HIGHESTMODSEQ %d after Change %d", m.ModSeq, m.HighestModSeq, r.ModSeq)
		}
	}
}

func mailboxDelete(e *env) {
	h := e.account("alice")
	id := h.create("Work")
	h.put(id, 3)
	h.do(
		store.PutEntry{Mailbox: id, Key: "k", Value: []byte("v")},
		store.PutEntry{Mailbox: h.inbox, Key: "k", Value: []byte("inbox")},
		store.PutEntry{Key: "k", Value: []byte("account")},
	)
	h.do(store.PutMailbox{ID: id, Delete: true})
	e.same("mailboxes", h.names(), []string{store.Inbox})
	u, err := h.Usage(e.ctx)
	e.ok("Usage", err)
	e.same("usage", u, store.Usage{Mailboxes: 1})
	n := 0
	for _, err := range h.Entries(e.ctx, store.EntryQuery{Mailbox: id}) {
		e.is("Entries of a deleted mailbox", err, store.ErrNoMailbox)
		n++
	}
	e.same("errors yielded by Entries of a deleted mailbox", n, 1)
	e.same("entries that are left", h.entries(store.EntryQuery{All: true}), []string{"k=account", "k=inbox"})
	h.refused(store.ErrNoMailbox, store.PutMailbox{ID: id, Delete: true})
	h.refused(store.ErrNoMailbox, store.PutMailbox{ID: id, Name: "Back"})
	h.refused(store.ErrNoMailbox, store.SetFlags{Mailbox: id, UIDs: store.AllUIDs(), Flags: store.Seen})
	h.refused(store.ErrInbox, store.PutMailbox{ID: h.inbox, Delete: true})
}

func mailboxDeleteChildren(e *env) {
	h := e.account("alice")
	top, below := h.create("top"), h.create("top/below")
	h.put(top, 2)
	h.do(store.PutMailbox{ID: top, Delete: true})
	e.same("mailboxes", h.names(), []string{store.Inbox, `top (\NoSelect)`, "top/below"})
	m, err := store.MailboxByName(e.ctx, h, "top")
	e.ok("the NoSelect name", err)
	if m.ID == top || m.Messages != 0 {
		e.errorf("the NoSelect name is %+v; it needs an ID of its own", m)
	}
	role := `\Sent`
	h.refused(store.ErrNoMailbox, store.PutMailbox{ID: m.ID, Delete: true})
	h.refused(store.ErrNoMailbox, store.PutMailbox{ID: m.ID, Role: &role})
	h.do(store.PutMailbox{ID: below, Delete: true})
	e.same("mailboxes after the last child went", h.names(), []string{store.Inbox})

	top, below = h.create("top"), h.create("top/below")
	h.do(store.PutMailbox{ID: top, Delete: true})
	top = h.create("top")
	h.put(top, 1)
	e.same("mailboxes after the name came back", h.names(), []string{store.Inbox, "top", "top/below"})
	h.do(store.PutMailbox{ID: below, Delete: true})
	e.same("mailboxes", h.names(), []string{store.Inbox, "top"})
}

func mailboxDeleteSubscribed(e *env) {
	h := e.account("alice")
	yes, no := true, false
	id := store.NewMailboxID()
	h.do(store.PutMailbox{ID: id, Create: true, Name: "news", Subscribed: &yes})
	h.do(store.PutMailbox{ID: id, Delete: true})
	e.same("mailboxes", h.names(), []string{store.Inbox, `news (\NoSelect)`})
	id = h.create("news")
	if m := h.state(id); !m.Subscribed || m.NoSelect {
		e.errorf("the mailbox made again is %+v", m)
	}
	h.do(store.PutMailbox{ID: id, Delete: true})
	m, err := store.MailboxByName(e.ctx, h, "news")
	e.ok("the subscribed name", err)
	r := h.do(store.PutMailbox{ID: m.ID, Subscribed: &no})
	e.same("mailboxes after unsubscribing", h.names(), []string{store.Inbox})
	list, _, err := h.Mailboxes(e.ctx, r.ModSeq-1)
	e.ok("Mailboxes", err)
	e.same("its tombstone", list, []store.Mailbox{{ID: m.ID, Name: "news", ModSeq: r.ModSeq, Gone: true}})
}

func mailboxValidity(e *env) {
	h := e.account("alice")
	seen := map[store.UIDValidity]string{h.state(h.inbox).UIDValidity: store.Inbox}
	last := store.UIDValidity(0)
	for i := range 20 {
		id := h.create("again")
		v := h.state(id).UIDValidity
		if who, ok := seen[v]; ok || v <= last {
			e.fatalf("incarnation %d has UIDVALIDITY %d after %d (%s)", i, v, last, who)
		}
		seen[v], last = fmt.Sprintf("incarnation %d", i), v
		h.put(id, 1)
		if i%2 == 0 {
			h.do(store.PutMailbox{ID: id, Delete: true})
		} else {
			h.do(store.PutMailbox{ID: id, Name: fmt.Sprintf("away%d", i)})
			e.same("UIDVALIDITY through a rename", h.state(id).UIDValidity, v)
		}
	}
}

func mailboxGivenValidity(e *env) {
	h := e.account("alice")
	v := h.state(h.create("a")).UIDValidity
	given := store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: "b", UIDValidity: v + 1000}
	e.same("UIDVALIDITY", h.do(given).Ops[0].UIDValidity, v+1000)
	for _, low := range []store.UIDValidity{v, 1, v + 1000} {
		h.refused(store.ErrConflict, store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: "c", UIDValidity: low})
	}
	if next := h.state(h.create("c")).UIDValidity; next <= v+1000 {
		e.errorf("the next UIDVALIDITY is %d, after %d", next, v+1000)
	}
}

func mailboxInvalid(e *env) {
	h := e.account("alice")
	id, role := h.create("x"), "r"
	for _, op := range []store.PutMailbox{
		{},
		{Create: true, Name: "zero id"},
		{ID: store.NewMailboxID(), Create: true},
		{ID: id, Create: true, Delete: true, Name: "y"},
		{ID: id, Delete: true, Name: "y"},
		{ID: id, Delete: true, Role: &role},
	} {
		h.refused(store.ErrInvalid, op)
	}
	h.refused(store.ErrNoMailbox, store.PutMailbox{ID: store.NewMailboxID(), Name: "y"})
	h.refused(store.ErrNotImporting, store.PutMailbox{ID: id, UIDNext: 100})
	h.refused(store.ErrNotImporting, store.PutMailbox{ID: id, HighestModSeq: 1 << 40})
	h.refused(store.ErrNotImporting, store.PutMailbox{ID: id, UIDValidity: 1 << 31})
	_, err := store.MailboxByName(e.ctx, h, "nothing")
	if !errors.Is(err, store.ErrNoMailbox) {
		e.errorf("MailboxByName: %v", err)
	}
}
