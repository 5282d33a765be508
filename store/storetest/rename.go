package storetest

import "github.com/mailstead/mailstead/store"

func renameChecks() []check {
	return []check{
		{name: "RenameKeeps", rule: "I3: a rename keeps ID, UIDVALIDITY, messages, role and subscription", run: renameKeeps},
		{name: "RenameSubtree", rule: "all that lies below moves along; levels that are missing are made (RFC 9051 §6.3.6)", run: renameSubtree},
		{name: "RenameRefused", rule: "a rename to a name that is there (ErrExists) or below itself (ErrName) changes nothing", run: renameRefused},
		{name: "RenameNoSelect", rule: "a NoSelect name is renamed with its children, gives way to a mailbox, and goes when its children leave", run: renameNoSelect},
		{name: "RenameInbox", rule: "renaming INBOX moves its messages into a new mailbox; INBOX and its children stay (RFC 9051 §6.3.6)", run: renameInbox},
		{name: "RenameTooLong", rule: "I13: a rename that would make a name below longer than MaxName is refused whole", run: renameTooLong},
	}
}

func (h *handle) rename(id store.MailboxID, to string) {
	h.e.r.Helper()
	h.do(store.PutMailbox{ID: id, Name: to})
}

func renameKeeps(e *env) {
	h := e.account("alice")
	id := h.create("old")
	role, yes := `\Archive`, true
	h.do(store.PutMailbox{ID: id, Role: &role, Subscribed: &yes})
	h.do(store.PutEntry{Mailbox: id, Key: "k", Value: []byte("v")})
	h.put(id, 3)
	before, msgs := h.state(id), h.all(id)
	h.rename(id, "new")
	want := before
	want.Name, want.ModSeq, want.HighestModSeq = "new", h.modSeq(), h.modSeq()
	e.same("the row", h.state(id), want)
	e.same("messages", h.all(id), msgs)
	for entry, err := range h.Entries(e.ctx, store.EntryQuery{Mailbox: id}) {
		e.ok("Entries", err)
		e.same("entry", string(entry.Value), "v")
	}
	e.same("mailboxes", h.names(), []string{store.Inbox, "new"})
}

func renameSubtree(e *env) {
	h := e.account("alice")
	a, deep := h.create("a"), h.create("a/b/c")
	h.create("ab")
	h.create("a!x")
	uids := h.put(deep, 2)
	h.rename(a, "x/y")
	e.same("mailboxes", h.names(), []string{store.Inbox, "a!x", "ab", "x", "x/y", "x/y/b", "x/y/b/c"})
	e.same("name of the deep one", h.state(deep).Name, "x/y/b/c")
	e.same("its messages", h.uids(deep), uids)
	since := h.modSeq()
	h.rename(a, "z")
	list, _, err := h.Mailboxes(e.ctx, since)
	e.ok("Mailboxes", err)
	e.same("number of rows that say they changed", len(list), 3)
	e.same("mailboxes", h.names(), []string{store.Inbox, "a!x", "ab", "x", "z", "z/b", "z/b/c"})
	h.rename(deep, "z/q")
	h.rename(a, "A")
	e.same("mailboxes", h.names(), []string{"A", "A/b", "A/q", store.Inbox, "a!x", "ab", "x"})
}

func renameRefused(e *env) {
	h := e.account("alice")
	a := h.create("a")
	h.create("a/b")
	h.create("c")
	h.refused(store.ErrExists, store.PutMailbox{ID: a, Name: "c"})
	h.refused(store.ErrExists, store.PutMailbox{ID: a, Name: "iNbOx"})
	h.refused(store.ErrName, store.PutMailbox{ID: a, Name: "a/x"})
	h.refused(store.ErrName, store.PutMailbox{ID: a, Name: "a/b/c"})
	h.refused(store.ErrName, store.PutMailbox{ID: a, Name: "x//y"})
	h.refused(store.ErrExists, store.PutMailbox{ID: h.inbox, Name: "c"})
	e.same("mailboxes", h.names(), []string{store.Inbox, "a", "a/b", "c"})
}

func renameNoSelect(e *env) {
	h := e.account("alice")
	top, below := h.create("top"), h.create("top/below")
	h.do(store.PutMailbox{ID: top, Delete: true})
	m, err := store.MailboxByName(e.ctx, h, "top")
	e.ok("the NoSelect name", err)
	h.rename(m.ID, "moved")
	e.same("mailboxes", h.names(), []string{store.Inbox, `moved (\NoSelect)`, "moved/below"})
	other := h.create("other")
	h.rename(other, "moved")
	e.same("mailboxes", h.names(), []string{store.Inbox, "moved", "moved/below"})
	h.do(store.PutMailbox{ID: other, Delete: true})
	h.rename(below, "free")
	e.same("mailboxes", h.names(), []string{store.Inbox, "free"})
}

func renameInbox(e *env) {
	h := e.account("alice")
	child := h.create("INBOX/child")
	uids := h.put(h.inbox, 3)
	h.flag(h.inbox, store.UIDs(uids.Min()), store.Seen)
	before := h.state(h.inbox)
	r := h.do(store.PutMailbox{ID: h.inbox, Name: "old-mail"}).Ops[0]
	e.same("mailboxes", h.names(), []string{store.Inbox, "INBOX/child", "old-mail"})
	m, err := store.MailboxByName(e.ctx, h, "old-mail")
	e.ok("the new mailbox", err)
	if m.ID == h.inbox || m.Messages != 3 || m.Unseen != 2 || m.UIDValidity == before.UIDValidity {
		e.errorf("the new mailbox is %+v", m)
	}
	e.same("Mailbox", r.Mailbox, m.ID)
	e.same("UIDValidity", r.UIDValidity, m.UIDValidity)
	e.same("Source", r.Source, uids)
	e.same("Dest", r.Dest, h.uids(m.ID))
	in := h.state(h.inbox)
	if in.Messages != 0 || in.UIDValidity != before.UIDValidity || in.UIDNext < before.UIDNext {
		e.errorf("INBOX was %+v and is %+v", before, in)
	}
	e.same("the child's name", h.state(child).Name, "INBOX/child")
	h.do(store.PutMailbox{ID: h.inbox, Name: "inbox/empty"})
	e.same("mailboxes", h.names(), []string{store.Inbox, "INBOX/child", "INBOX/empty", "old-mail"})
}

func renameTooLong(e *env) {
	h := e.account("alice")
	a := h.create("a")
	h.create("a/" + long(900))
	h.refused(store.ErrName, store.PutMailbox{ID: a, Name: long(500)})
	h.rename(a, long(100))
	e.same("mailboxes", h.names(), []string{store.Inbox, long(100), long(100) + "/" + long(900)})
}
