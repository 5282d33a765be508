package itest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/store"
)

// withoutUse are capabilities that servers announce and that the client knowingly
// does not use, or that say nothing that it could.
var withoutUse = map[string]string{
	"ACL rights":            "RIGHTS= says which letters there are",
	"ANNOTATE-EXPERIMENT-1": "RFC 5257 is experimental",
	"DIGEST=SHA1":           "Cyrus's own",
	"I18NLEVEL=1":           "RFC 5255: no command",
	"INPROGRESS":            "RFC 9585: an untagged OK, which Handler.Response hears",
	"LOGIN-REFERRALS":       "RFC 2221: no command",
	"LOGINDISABLED":         "RFC 9051 §6.2.3: decides about LOGIN",
	"MAILBOX-REFERRALS":     "RFC 2193: RLIST, RLSUB",
	"NO_ATOMIC_RENAME":      "Cyrus's own",
	"PREVIEW=FUZZY":         "a draft of RFC 8970",
	"SCAN":                  "Cyrus's own",
	"SNIPPET=FUZZY":         "a draft of RFC 8970",
	"SORT=MODSEQ":           "Cyrus's own: a key of Sort",
	"SORT=UID":              "Cyrus's own: a key of Sort",
	"XLIST":                 "before SPECIAL-USE",
	"XMOVE":                 "before MOVE",
	"X-CREATEDMODSEQ":       "Cyrus's own",
	"X-REPLICATION":         "Cyrus's own",
	"X-SIEVE-MAILBOX":       "Cyrus's own",
	"MULTISEARCH":           "RFC 7377: by Client.Do",
}

// nameOf is a capability without what varies.
func nameOf(c imap.Capability) imap.Capability {
	switch name, _, _ := strings.Cut(string(c), "="); name {
	case "APPENDLIMIT", "SAVELIMIT", "MESSAGELIMIT":
		return imap.Capability(name)
	case "RIGHTS":
		return "ACL rights"
	case "X-QUOTA":
		return imap.CapQuota
	}
	return c
}

// report fails where the server announces what was neither tried nor is without
// use, and logs a line for each capability.
func (i *interop) report() {
	var works []string
	for _, announced := range i.c.Capabilities() {
		c := nameOf(announced)
		switch {
		case i.did[c]:
			works = append(works, string(c))
		case strings.HasPrefix(string(c), "AUTH="), withoutUse[string(c)] != "":
		default:
			i.t.Errorf("%s is announced, and neither tried nor known to be without use", announced)
		}
	}
	slices.Sort(works)
	i.t.Logf("works: %s", strings.Join(slices.Compact(works), " "))
}

// composing: CATENATE, REPLACE, URLAUTH.
func (i *interop) composing() {
	ctx, c, t := i.t.Context(), i.c, i.t
	_, err := c.Create(ctx, "Teile")
	i.ok("CREATE", err)
	head, text := "From: a@example.org\r\nSubject: parts\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n\r\n", "first\r\n"
	part := func(s string) imapclient.Part {
		return imapclient.Part{Size: int64(len(s)), Body: strings.NewReader(s)}
	}
	_, err = c.Append(ctx, "Teile", &imapclient.NewMessage{Size: int64(len(head + text)), Body: strings.NewReader(head + text)})
	i.ok("APPEND", err)
	box, err := c.Select(ctx, "Teile", imapclient.SelectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if i.needs(imap.CapCatenate) {
		parts := []imapclient.Part{part(head), {URL: "/Teile/;UID=1/;SECTION=TEXT"}, part("end\r\n")}
		_, err := c.Append(ctx, "Teile", &imapclient.NewMessage{Parts: parts})
		i.ok("APPEND CATENATE", err)
		i.body(2, head+text+"end\r\n")
		if i.needs("URL-PARTIAL") {
			parts := []imapclient.Part{part(head), {URL: "/Teile/;UID=1/;SECTION=TEXT/;PARTIAL=1.3"}}
			_, err := c.Append(ctx, "Teile", &imapclient.NewMessage{Parts: parts})
			i.ok("APPEND CATENATE with PARTIAL", err)
			i.body(3, head+"irs")
		}
		_, err = c.Append(ctx, "Teile", &imapclient.NewMessage{Parts: []imapclient.Part{part(head), {URL: "/Teile/;UID=99"}}})
		if imapclient.Code(err) != imap.CodeBadURL {
			t.Errorf("CATENATE of a missing message: %v", err)
		}
	}
	if i.needs(imap.CapReplace) {
		exists := c.Mailbox().Exists
		uid, err := c.Replace(ctx, 1, "Teile", &imapclient.NewMessage{Size: int64(len(head)), Body: strings.NewReader(head)})
		if i.ok("REPLACE", err); c.Mailbox().Exists != exists || uid.UIDs.Resolve(0).Len() != 1 {
			t.Errorf("REPLACE: %v, %d messages of %d", uid, c.Mailbox().Exists, exists)
		}
		_, err = c.Append(ctx, "Teile", &imapclient.NewMessage{Size: int64(len(head + text)), Body: strings.NewReader(head + text)})
		i.ok("APPEND", err)
	}
	i.authorizes(box.UIDValidity)
	i.ok("UNSELECT", c.Unselect(ctx))
}

// body compares a whole message.
func (i *interop) body(uid imap.UID, want string) {
	i.t.Helper()
	found := false
	for m, err := range i.c.Fetch(i.t.Context(), store.UIDs(uid), imap.FetchOptions{Sections: []imap.Section{{Peek: true}}}) {
		if err != nil {
			i.t.Fatal(err)
		}
		s, err := m.Body()
		if err != nil {
			i.t.Fatal(err)
		}
		var got bytes.Buffer
		if _, err := s.WriteTo(&got); err != nil || got.String() != want {
			i.t.Errorf("message %d: %q, want %q, %v", uid, got.String(), want, err)
		}
		found = true
	}
	if !found {
		i.t.Errorf("message %d is not there", uid)
	}
}

// authorizes: GENURLAUTH, URLFETCH, RESETKEY.
func (i *interop) authorizes(validity imap.UIDValidity) {
	ctx, c, t := i.t.Context(), i.c, i.t
	if !i.needs(imap.CapURLAuth) {
		return
	}
	last := c.Mailbox().UIDNext
	for m, err := range c.Fetch(ctx, store.AllUIDs(), imap.FetchOptions{Items: imap.FetchFlags}) {
		i.ok("FETCH", err)
		last = m.UID
	}
	rump := imapURL(i.f.user, last)
	urls, err := c.AuthorizeURLs(ctx, rump)
	if err != nil {
		t.Errorf("GENURLAUTH: %v", err)
		return
	}
	var got bytes.Buffer
	if _, err := c.FetchURL(ctx, urls[0], false, &got); err != nil || !strings.HasPrefix(got.String(), "From: ") {
		t.Errorf("URLFETCH %s: %q, %v", urls[0], got.String(), err)
	}
	if i.needs(imap.CapURLAuthBinary) {
		got.Reset()
		if _, err := c.FetchURL(ctx, urls[0], true, &got); err != nil || got.Len() == 0 {
			t.Errorf("URLFETCH BINARY: %q, %v", got.String(), err)
		}
		if _, err := c.URLStructure(ctx, urls[0]); err != nil {
			t.Errorf("URLFETCH BODYPARTSTRUCTURE: %v", err)
		}
	}
	i.ok("RESETKEY", c.ResetURLs(ctx, "Teile"))
	if _, err := c.FetchURL(ctx, urls[0], false, &got); err == nil {
		t.Errorf("URLFETCH behind RESETKEY gives something")
	}
}

func imapURL(user string, uid imap.UID) string {
	return fmt.Sprintf("imap://%s@localhost/Teile/;UID=%d;URLAUTH=authuser", strings.ReplaceAll(user, "@", "%40"), uid)
}

// rest: what no other part tries.
func (i *interop) rest() {
	ctx, c, t := i.t.Context(), i.c, i.t
	i.needs(imap.CapSASLIR)      // the login has used it
	i.needs(imap.CapAppendLimit) // asked for in mailboxes
	_, err := c.Select(ctx, "Ziel", imapclient.SelectOptions{})
	i.ok("SELECT", err)
	if i.needs(imap.CapSortDisplay) {
		_, err := c.Sort(ctx, []string{"DISPLAYFROM"}, imap.Criteria{}, imap.SearchOptions{})
		i.ok("SORT DISPLAYFROM", err)
	}
	if i.needs(imap.CapSearchRes) {
		_, err := c.Search(ctx, imap.Criteria{}, imap.SearchOptions{Return: imap.ReturnSave})
		i.ok("SEARCH RETURN (SAVE)", err)
		r, err := c.Search(ctx, imap.Criteria{Raw: "$"}, imap.SearchOptions{})
		if err != nil || r.UIDs.Len() == 0 {
			t.Errorf("SEARCH $: %+v, %v", r, err)
		}
	}
	if i.needs(imap.CapSearchFuzzy) {
		_, err := c.Search(ctx, imap.Criteria{Fuzzy: true, Subject: []string{"number"}}, imap.SearchOptions{})
		i.ok("SEARCH FUZZY", err)
	}
	for _, cap := range []imap.Capability{imap.CapContextSearch, imap.CapContextSort} {
		if !i.needs(cap) {
			continue
		}
		o := imap.SearchOptions{Return: imap.ReturnPartial | imap.ReturnContext, Partial: imap.PartialRange{Start: 1, Stop: 2}}
		if cap == imap.CapContextSearch {
			_, err = c.Search(ctx, imap.Criteria{}, o)
		} else {
			_, err = c.Sort(ctx, []string{"ARRIVAL"}, imap.Criteria{}, o)
		}
		i.ok(string(cap), err)
	}
	if i.needs(imap.CapUIDBatches) {
		batches, err := c.UIDBatches(ctx, 500)
		if err != nil || len(batches) == 0 {
			t.Errorf("UIDBATCHES: %v, %v", batches, err)
		}
	}
	if i.needs(imap.CapSaveLimit) || i.needs(imap.CapMessageLimit) {
		_, err := c.Copy(ctx, store.UIDs(1), "INBOX")
		i.ok("COPY", err)
	}
	i.ok("UNSELECT", c.Unselect(ctx))
	i.listed()
	i.session()
}

// listed: options of LIST, annotations of the server, quotas.
func (i *interop) listed() {
	ctx, c, t := i.t.Context(), i.c, i.t
	rights, annotations := i.needs(imap.CapListMyRights), i.needs(imap.CapListMetadata)
	list, err := c.List(ctx, imap.ListOptions{MyRights: true, Metadata: []string{"/private/comment"}})
	at := slices.IndexFunc(list, func(e imap.ListEntry) bool { return e.Name == "Ziel" })
	if err != nil || at < 0 || rights && list[at].Rights == "" || annotations && len(list[at].Metadata) == 0 {
		t.Errorf("LIST: %+v, %v", list, err)
	}
	if i.needs(imap.CapMetadataServer) || i.needs(imap.CapMetadata) {
		_, err := c.Metadata(ctx, "", imap.MetadataOptions{}, "/shared/comment")
		i.ok("GETMETADATA of the server", err)
	}
	for resource, cap := range map[string]imap.Capability{"STORAGE": imap.CapQuotaStorage, "MESSAGE": imap.CapQuotaMessage, "MAILBOX": imap.CapQuotaMailbox} {
		if i.needs(cap) {
			_, err := c.QuotaRoots(ctx, "INBOX")
			i.ok("GETQUOTAROOT "+resource, err)
		}
	}
	if i.needs(imap.CapJMAPAccess) {
		url, err := c.JMAPAccess(ctx)
		if err != nil || url == "" {
			t.Errorf("GETJMAPACCESS: %q, %v", url, err)
		}
	}
}

// session: UIDONLY and UNAUTHENTICATE, each on a connection of its own.
func (i *interop) session() {
	ctx, t := i.t.Context(), i.t
	if i.needs(imap.CapUIDOnly) {
		c := i.dial(func(d *imapclient.Dialer) { d.Enable = []imap.Capability{imap.CapUIDOnly} })
		_, err := c.Select(ctx, "Ziel", imapclient.SelectOptions{})
		i.ok("SELECT", err)
		n := 0
		for m, err := range c.Fetch(ctx, store.AllUIDs(), imap.FetchOptions{Items: imap.FetchFlags}) {
			if n++; err != nil || m.UID == 0 || m.Seq != 0 {
				t.Errorf("UIDFETCH: %+v, %v", m, err)
				break
			}
		}
		if !c.Enabled(imap.CapUIDOnly) || n == 0 {
			t.Errorf("UIDONLY: %d messages", n)
		}
	}
	if i.needs(imap.CapUnauthenticate) {
		c := i.dial(nil)
		i.ok("UNAUTHENTICATE", c.Unauthenticate(ctx))
		i.ok("AUTHENTICATE", c.Authenticate(ctx, i.f.imapDialer().Auth))
	}
}
