package storetest

import (
	"fmt"
	"strings"

	"github.com/mailstead/mailstead/store"
)

func nameChecks() []check {
	return []check{
		{name: "NameClean", rule: "I13: names are kept in NFC (Net-Unicode), with INBOX in upper case at the first level", run: nameClean},
		{name: "NameRefused", rule: "I13: names with an empty level, control characters, bad UTF-8 or more than MaxName octets are refused (ErrName)", run: nameRefused},
		{name: "NameHostile", rule: "names that mean something to a file system, a pattern or a query are plain names", run: nameHostile},
	}
}

func long(n int) string { return strings.Repeat("n", n) }

func nameClean(e *env) {
	h := e.account("alice")
	for _, n := range []struct{ given, want string }{
		{"cafe\u0301", "caf\u00e9"},
		{"\u212b", "\u00c5"},
		{"e\u0301\u0323", "\u1eb9\u0301"},
		{"\u1112\u1161\u11ab", "\ud55c"},
		{"inbox/x", "INBOX/x"},
		{"iNbOx/inbox", "INBOX/inbox"},
		{"x/inbox", "x/inbox"},
		{"inboxes", "inboxes"},
		{long(store.MaxName), long(store.MaxName)},
	} {
		id := h.create(n.given)
		e.same(fmt.Sprintf("name of %+q", n.given), h.state(id).Name, n.want)
		h.refused(store.ErrExists, store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: n.want})
		h.refused(store.ErrExists, store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: n.given})
		m, err := store.MailboxByName(e.ctx, h, n.given)
		if err != nil || m.ID != id {
			e.errorf("MailboxByName(%+q) = %v, %v", n.given, m.ID, err)
		}
	}
	id := h.create("plain")
	h.rename(id, "re\u0301")
	e.same("name after a rename", h.state(id).Name, "r\u00e9")
}

func nameRefused(e *env) {
	h := e.account("alice")
	id := h.create("x")
	for _, name := range []string{
		"/", "/a", "a/", "a//b", "a\x00b", "a\nb", "a\r", "\x7f", "\u0085", "\u2028", "\u2029",
		"\x01", "a\tb", "\x1b[31m", "\u009f", "x/\x7f/y",
		"\xff", "a\xc3", "\xed\xa0\x80", "\xed\xa0\xbd\xed\xb3\xa7", "\xc0\xaf", "\xf4\x90\x80\x80", "a/\x80",
		long(store.MaxName + 1), strings.Repeat("\u00e9", 513), "a/" + long(store.MaxName),
	} {
		h.refused(store.ErrName, store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: name})
		h.refused(store.ErrName, store.PutMailbox{ID: id, Name: name})
	}
	e.same("mailboxes", h.names(), []string{store.Inbox, "x"})
}

func nameHostile(e *env) {
	h := e.account("alice")
	names := []string{
		".", "..", "../..", "a/../b", "%", "*", "a%", "a%b", "a_b", "axb", "'; DROP TABLE x; --", `"`, `\`, `a\b`, "&-", "#news",
		"~", "NUL", "con", " ", " a ", "a.b", "\u202eabc", "\U0001F4E7", "INBOX.x", "$x", "{1}", "(", "]", "?", "a\u200bb",
		"Work", "work", "WORK", "\ufb01", "fi", "\uff29nbox", "\u0131nbox", "a\u200db", "\ufeffa", "a\u00a0b", "a ", "a.", "\u2066x\u2069", "\u200fx",
		"&AOk-", "\u00f8", "&U,BTFw-", "\u53f0\u5317", "&", "&-x", "+AGE-", "\ufffd", "\uffff", "\u0301x", "a\u2215b", "a\uff0fb", "\u2025",
		"{5}", "\\Seen", "%20", "a%00b", "..a", "a..", "-", "--", "1:*", "*/x", "%/%", "x/../y", "x/./y",
		strings.Repeat("d/", 200) + "d", strings.Repeat("\u00f8", 512),
	}
	ids := map[string]store.MailboxID{}
	for _, name := range names {
		if _, err := store.MailboxByName(e.ctx, h, name); err == nil {
			continue // made as a level above another
		}
		ids[name] = h.create(name)
	}
	for name, id := range ids {
		e.same("name", h.state(id).Name, name)
		uids := h.put(id, 1)
		e.same("messages of "+name, h.uids(id), uids)
	}
	all := len(h.names())
	under, err := store.MailboxByName(e.ctx, h, "a_b")
	e.ok("a_b", err)
	h.create("axb/child")
	h.create("a_b/child")
	h.rename(under.ID, "moved")
	for _, name := range []string{"axb", "axb/child", "moved/child"} {
		if _, err := store.MailboxByName(e.ctx, h, name); err != nil {
			e.errorf("after the rename of a_b: %s: %v", name, err)
		}
	}
	e.same("number of mailboxes", len(h.names()), all+2)
}
