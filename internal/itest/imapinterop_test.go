package itest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/saslmech"
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/store"
)

// dovecotExtensions switches on what Dovecot has.
const dovecotExtensions = `
mail_plugins = quota acl zlib
imap_metadata = yes
mail_attribute_dict = file:%h/attributes
protocol imap {
  mail_plugins = $mail_plugins imap_quota imap_acl imap_zlib
  mail_max_userip_connections = 100
}
plugin {
  quota = count:User quota
  quota_rule = *:storage=100M
  quota_vsizes = yes
  acl = vfile
}
namespace inbox {
  inbox = yes
  separator = /
  mailbox Sent {
    special_use = \Sent
    auto = create
  }
}
`

// interop is one run of our client against a server.
type interop struct {
	t     *testing.T
	f     *foreign
	c     *imapclient.Client
	did   map[imap.Capability]bool
	mu    sync.Mutex
	trace *bytes.Buffer // of all connections; guarded by mu
}

// dialer logs in as alice.
func (f *foreign) imapDialer() imapclient.Dialer {
	return imapclient.Dialer{
		TLS: imapclient.TLSNever,
		Auth: login.Client{
			Credentials: saslmech.Credentials{Username: f.user, Password: password},
			Policy:      saslmech.Policy{AllowPlaintext: true},
		},
		ID: map[string]string{"name": "mailstead"},
	}
}

// dial connects once more.
func (i *interop) dial(edit func(*imapclient.Dialer)) *imapclient.Client {
	i.t.Helper()
	d := i.f.imapDialer()
	if edit != nil {
		edit(&d)
	}
	d.Trace = func(sent bool, line []byte) {
		if bytes.HasPrefix(line, []byte(")")) {
			return
		}
		i.mu.Lock()
		defer i.mu.Unlock()
		if i.trace.Len() < 1<<20 {
			fmt.Fprintf(i.trace, "%v %q\n", map[bool]string{true: "C", false: "S"}[sent], line)
		}
	}
	ctx, cancel := context.WithTimeout(i.t.Context(), 20*time.Second)
	defer cancel()
	c, err := d.Dial(ctx, "tcp", i.f.imap)
	if err != nil {
		i.t.Fatal(err)
	}
	i.t.Cleanup(func() { c.Close() })
	return c
}

// needs reports whether the server has all of these, and notes that they are
// tried.
func (i *interop) needs(caps ...imap.Capability) bool {
	for _, c := range caps {
		if _, valued := i.c.CapabilityValue(c); !valued && !i.c.Has(c) {
			return false
		}
	}
	for _, c := range caps {
		i.did[c] = true
	}
	return true
}

// ok fails the test with what the command said.
func (i *interop) ok(what string, err error) {
	i.t.Helper()
	if err != nil {
		i.t.Errorf("%s: %v", what, err)
	}
}

// runInterop tries everything that a server offers, and fails if one of want was
// not tried.
func runInterop(t *testing.T, f *foreign, want ...imap.Capability) {
	i := &interop{t: t, f: f, did: map[imap.Capability]bool{}, trace: &bytes.Buffer{}}
	t.Cleanup(func() {
		if t.Failed() {
			i.mu.Lock()
			defer i.mu.Unlock()
			t.Logf("%s", tail(i.trace.Bytes()))
		}
	})
	i.c = i.dial(nil)
	t.Logf("%v", i.c.Capabilities())
	i.needs(imap.CapID)
	i.needs(imap.CapIMAP4rev1)
	i.mailboxes()
	i.appends()
	i.fetches()
	i.searches()
	i.flags()
	i.transfers()
	i.resync()
	i.idle()
	i.admin()
	i.composing()
	i.rest()
	i.compressed()
	i.rev2()
	i.report()
	for _, c := range want {
		if !i.did[c] {
			t.Errorf("%s was not tried", c)
		}
	}
	i.ok("LOGOUT", i.c.Logout(t.Context()))
}

// mailboxes: CREATE, LIST and what belongs to them.
func (i *interop) mailboxes() {
	ctx, c, t := i.t.Context(), i.c, i.t
	sep := "/"
	if i.needs(imap.CapNamespace) {
		ns, err := c.Namespace(ctx)
		i.ok("NAMESPACE", err)
		if len(ns.Personal) > 0 && ns.Personal[0].Delimiter != 0 {
			sep = string(ns.Personal[0].Delimiter)
		}
	}
	id, err := c.Create(ctx, "Büro & Co")
	i.ok("CREATE", err)
	if i.needs(imap.CapObjectID) && id == "" {
		t.Logf("no MAILBOXID for CREATE")
	}
	_, err = c.Create(ctx, "Büro & Co"+sep+"2024")
	i.ok("CREATE", err)
	if i.needs(imap.CapCreateSpecial) {
		_, err = c.Create(ctx, "Papierkorb", imap.RoleTrash)
		i.ok("CREATE (USE)", err)
	}
	i.ok("SUBSCRIBE", c.Subscribe(ctx, "Büro & Co"))
	o := imap.ListOptions{
		Children: true, Subscription: true, Uses: true,
		Status: []imap.StatusItem{
			imap.StatusMessages, imap.StatusMailboxID, imap.StatusUIDNext, imap.StatusUIDValidity, imap.StatusSize, imap.StatusHighestModSeq,
		},
	}
	list, err := c.List(ctx, o)
	i.ok("LIST", err)
	for _, cap := range []imap.Capability{imap.CapListExtended, imap.CapListStatus, imap.CapSpecialUse, imap.CapChildren, imap.CapStatusSize} {
		i.needs(cap)
	}
	at := slices.IndexFunc(list, func(e imap.ListEntry) bool { return e.Name == "Büro & Co" })
	if at < 0 || !list[at].Has(imap.AttrSubscribed) || list[at].Status == nil || list[at].Status.UIDValidity == 0 || !list[at].Has(imap.AttrHasChildren) {
		t.Errorf("LIST: %+v", list)
	}
	for _, e := range list {
		s, err := c.Status(ctx, e.Name, imap.StatusMessages, imap.StatusMailboxID)
		if told := i.did[imap.CapObjectID]; e.Selectable() && (err != nil || e.Status == nil || e.Status.Has(imap.StatusMailboxID) != told || s.MailboxID != e.Status.MailboxID ||
			told && s.MailboxID == "" || e.Name == "Büro & Co" && id != "" && s.MailboxID != id) {
			t.Errorf("MAILBOXID %q of CREATE: %+v, %+v, %v", id, e, s, err)
		}
	}
	if i.did[imap.CapCreateSpecial] && !slices.ContainsFunc(list, func(e imap.ListEntry) bool { return e.Has(imap.RoleTrash) }) {
		t.Errorf("no special use in %+v", list)
	}
	if c.Has(imap.CapListExtended) {
		some, err := c.List(ctx, imap.ListOptions{Patterns: []string{"INBOX", "Büro*"}, Subscribed: true})
		if err != nil || !slices.ContainsFunc(some, func(e imap.ListEntry) bool { return e.Name == "Büro & Co" }) {
			t.Errorf("LIST (SUBSCRIBED): %+v, %v", some, err)
		}
	}
	i.ok("RENAME", c.Rename(ctx, "Büro & Co"+sep+"2024", "Alt"))
	i.ok("DELETE", c.Delete(ctx, "Alt"))
	s, err := c.Status(ctx, "Büro & Co", imap.StatusMessages, imap.StatusUnseen, imap.StatusRecent, imap.StatusAppendLimit)
	if err != nil || !s.Has(imap.StatusMessages) || s.Messages != 0 {
		t.Errorf("STATUS: %+v, %v", s, err)
	}
}

// resync: QRESYNC.
func (i *interop) resync() {
	ctx, t := i.t.Context(), i.t
	if !i.needs(imap.CapQResync, imap.CapEnable) {
		return
	}
	var vanished imap.UIDSet
	c := i.dial(func(d *imapclient.Dialer) {
		d.Enable = []imap.Capability{imap.CapQResync}
		d.Handler.Vanished = func(set imap.UIDSet, _ bool) { vanished.AddSet(set) }
	})
	box, err := c.Select(ctx, "Büro & Co", imapclient.SelectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	before := *box
	writer := i.dial(nil)
	_, err = writer.Select(ctx, "Büro & Co", imapclient.SelectOptions{})
	i.ok("SELECT", err)
	_, err = writer.Store(ctx, store.UIDs(9, 10), imap.StoreOptions{Flags: store.Deleted})
	i.ok("STORE", err)
	_, err = writer.Store(ctx, store.UIDs(11), imap.StoreOptions{Flags: store.Answered})
	i.ok("STORE", err)
	i.ok("EXPUNGE", writer.Expunge(ctx))
	i.ok("NOOP", c.Noop(ctx))
	if !slices.Equal(vanished, store.UIDs(9, 10)) || c.Mailbox().Exists != before.Exists-2 {
		t.Errorf("vanished %v, %d messages", vanished, c.Mailbox().Exists)
	}
	vanished = nil
	var changed []imap.UID
	for m, err := range c.Fetch(ctx, store.AllUIDs(), imap.FetchOptions{Items: imap.FetchFlags, ChangedSince: before.HighestModSeq, Vanished: true}) {
		i.ok("FETCH (CHANGEDSINCE VANISHED)", err)
		changed = append(changed, m.UID)
	}
	if !slices.Equal(changed, []imap.UID{11}) || vanished.Intersect(store.UIDs(9, 10)).Len() != 2 {
		t.Errorf("changed %v, vanished %v", changed, vanished)
	}
	changed = nil
	box, err = c.Select(ctx, "Büro & Co", imapclient.SelectOptions{
		QResync: &imap.QResync{UIDValidity: before.UIDValidity, ModSeq: before.HighestModSeq, KnownUIDs: imap.UIDSet{{First: 1, Last: before.UIDNext - 1}}},
		Changed: func(m *imapclient.Message) { changed = append(changed, m.UID) },
	})
	if err != nil || box.Vanished.Intersect(store.UIDs(9, 10)).Len() != 2 || !slices.Equal(changed, []imap.UID{11}) || box.UIDValidity != before.UIDValidity {
		t.Errorf("%+v, changed %v, %v", box, changed, err)
	}
}

// idle: IDLE and NOTIFY.
func (i *interop) idle() {
	ctx, t := i.t.Context(), i.t
	writer := i.dial(nil)
	if i.needs(imap.CapIdle) {
		var exists uint32
		c := i.dial(func(d *imapclient.Dialer) { d.Handler.Exists = func(n uint32) { exists = n } })
		box, err := c.Select(ctx, "Ziel", imapclient.SelectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		before := box.Exists
		go func() { writer.Append(ctx, "Ziel", first(parcels(1))) }()
		if err := c.Idle(ctx, imapclient.IdleOptions{Max: 40 * time.Second, Wake: func() bool { return exists > before }}); err != nil || exists <= before {
			t.Errorf("IDLE: %d, %v", exists, err)
		}
		i.ok("NOOP", c.Noop(ctx))
	}
	if i.needs(imap.CapNotify) {
		var status *imap.MailboxStatus
		c := i.dial(func(d *imapclient.Dialer) { d.Handler.Status = func(s *imap.MailboxStatus) { status = s } })
		i.ok("NOTIFY", c.Notify(ctx, false, imap.NotifyGroup{Filter: "PERSONAL", Events: []string{"MessageNew", "MessageExpunge"}}))
		done := make(chan struct{})
		go func() {
			defer close(done)
			i.dial(nil).Append(ctx, "Ziel", first(parcels(1)))
		}()
		if err := c.Idle(ctx, imapclient.IdleOptions{Max: 40 * time.Second, Wake: func() bool { return status != nil }}); err != nil || status == nil || status.Name != "Ziel" {
			t.Errorf("NOTIFY: %+v, %v", status, err)
		}
		<-done
	}
}

// admin: QUOTA, ACL, METADATA.
func (i *interop) admin() {
	ctx, c, t := i.t.Context(), i.c, i.t
	if i.needs(imap.CapQuota) {
		roots, err := c.QuotaRoots(ctx, "INBOX")
		i.ok("GETQUOTAROOT", err)
		for _, r := range roots {
			if _, err := c.Quota(ctx, r.Name); err != nil && imapclient.Code(err) != imap.CodeNoPerm {
				t.Logf("GETQUOTA: %v", err) // Cyrus lets administrators ask only
			}
		}
	}
	if i.needs(imap.CapACL) {
		i.ok("SETACL", c.SetACL(ctx, "Ziel", "bob", "lr"))
		list, err := c.ACL(ctx, "Ziel")
		if err != nil || !slices.ContainsFunc(list, func(e imap.ACLEntry) bool { return e.Identifier == "bob" && strings.Contains(e.Rights, "r") }) {
			t.Errorf("GETACL: %+v, %v", list, err)
		}
		rights, err := c.MyRights(ctx, "Ziel")
		if err != nil || !strings.Contains(rights, "l") {
			t.Errorf("MYRIGHTS: %q, %v", rights, err)
		}
		_, optional, err := c.ListRights(ctx, "Ziel", "bob")
		if err != nil || len(optional) == 0 {
			t.Errorf("LISTRIGHTS: %q, %v", optional, err)
		}
		i.ok("DELETEACL", c.DeleteACL(ctx, "Ziel", "bob"))
	}
	if i.needs(imap.CapMetadata) {
		i.ok("SETMETADATA", c.SetMetadata(ctx, "Ziel", imap.MetadataEntry{Name: "/private/comment", Value: []byte("a \"b\"\r\nc")}))
		got, err := c.Metadata(ctx, "Ziel", imap.MetadataOptions{}, "/private/comment")
		if err != nil || len(got) != 1 || string(got[0].Value) != "a \"b\"\r\nc" {
			t.Errorf("GETMETADATA: %+v, %v", got, err)
		}
	}
}

// compressed: all messages once more, over COMPRESS.
func (i *interop) compressed() {
	ctx, t := i.t.Context(), i.t
	if !i.needs(imap.CapCompress) {
		return
	}
	c := i.dial(func(d *imapclient.Dialer) { d.Compress = true })
	for _, err := range c.AppendAll(ctx, "Ziel", parcels(200)) {
		i.ok("APPEND", err)
	}
	box, err := c.Select(ctx, "Ziel", imapclient.SelectOptions{ReadOnly: true})
	if err != nil || !box.ReadOnly {
		t.Fatal(box, err)
	}
	n := uint32(0)
	for m, err := range c.Fetch(ctx, store.AllUIDs(), imap.FetchOptions{Sections: []imap.Section{{Peek: true}}}) {
		if err != nil {
			t.Fatal(err)
		}
		body, err := m.Body()
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(body); err != nil || !bytes.HasPrefix(text, []byte("From: ")) {
			t.Fatal(err)
		}
		n++
	}
	if n != box.Exists {
		t.Errorf("%d of %d", n, box.Exists)
	}
	i.ok("LOGOUT", c.Logout(ctx))
}

// rev2: UTF-8 names under UTF8=ACCEPT and IMAP4rev2.
func (i *interop) rev2() {
	ctx, t := i.t.Context(), i.t
	for _, cap := range []imap.Capability{imap.CapUTF8Accept, imap.CapIMAP4rev2} {
		if !i.needs(cap) {
			continue
		}
		c := i.dial(func(d *imapclient.Dialer) { d.Enable = []imap.Capability{cap} })
		if !c.Enabled(cap) {
			t.Errorf("%s is not enabled", cap)
		}
		if _, err := c.Select(ctx, "Büro & Co", imapclient.SelectOptions{}); err != nil {
			t.Errorf("%s: %v", cap, err)
		}
		list, err := c.List(ctx, imap.ListOptions{})
		if err != nil || !slices.ContainsFunc(list, func(e imap.ListEntry) bool { return e.Name == "Büro & Co" }) {
			t.Errorf("%s: %+v, %v", cap, list, err)
		}
	}
}

// common is what all three servers have to be tried with.
func common(more ...imap.Capability) []imap.Capability {
	return append([]imap.Capability{
		imap.CapID, imap.CapEnable, imap.CapIdle, imap.CapNamespace, imap.CapChildren, imap.CapUIDPlus, imap.CapUnselect, imap.CapESearch,
		imap.CapMove, imap.CapMultiAppend, imap.CapListExtended, imap.CapListStatus, imap.CapSpecialUse, imap.CapCondStore, imap.CapQResync,
		imap.CapBinary, imap.CapSort, imap.CapESort, imap.CapThreadReferences, imap.CapWithin, imap.CapQuota, imap.CapACL, imap.CapMetadata,
		imap.CapLiteralPlus, imap.CapStatusSize, imap.CapPreview,
	}, more...)
}

// TestIMAPClientDovecot uses everything that Dovecot offers.
func TestIMAPClientDovecot(t *testing.T) {
	f, _ := newDovecotWith(t, dovecotExtensions)
	runInterop(t, f, common(imap.CapSaveDate, imap.CapNotify, imap.CapCompress, imap.CapCatenate)...)
}

// TestIMAPClientCyrus uses everything that Cyrus offers.
func TestIMAPClientCyrus(t *testing.T) {
	runInterop(t, newCyrus(t), common(imap.CapObjectID, imap.CapCompress, imap.CapCatenate, imap.CapURLAuth, imap.CapURLAuthBinary)...)
}

// TestIMAPClientOurs uses everything that our server offers.
func TestIMAPClientOurs(t *testing.T) {
	f := &foreign{imap: newIMAP(t), user: alice}
	runInterop(t, f, imap.CapUIDPlus, imap.CapQResync, imap.CapNotify, imap.CapIMAP4rev2, imap.CapUTF8Accept, imap.CapPartial, imap.CapObjectID,
		imap.CapCatenate, imap.CapReplace, imap.CapURLAuth, imap.CapURLAuthBinary, imap.CapUIDOnly, imap.CapJMAPAccess)
}
