package imapclient_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/imap/imapserver"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/memstore"
)

// serveAll starts our server with all that it can do, for alice and bob.
func serveAll(t testing.TB, edit func(*imapserver.Config)) (addr string, st *memstore.Store) {
	t.Helper()
	st = memstore.New(nil)
	for _, id := range []store.AccountID{"alice", "bob"} {
		if err := st.Create(t.Context(), id, store.AccountInfo{Limits: store.Limits{Bytes: 1 << 20}}); err != nil {
			t.Fatal(err)
		}
	}
	return serve(t, func(cfg *imapserver.Config) {
		cfg.Store = st
		cfg.Auth = authn.PasswordFunc(func(_ context.Context, _ *authn.Peer, user, pass string) (string, error) {
			if user != "alice" && user != "bob" || pass != "secret" {
				return "", authn.ErrRejected
			}
			return user, nil
		})
		cfg.Sharing = &imapserver.Sharing{Account: func(_ context.Context, id string) (store.AccountID, error) {
			return store.AccountID(id), nil
		}}
		cfg.QuotaAdmin = func(context.Context, store.AccountID) bool { return true }
		if edit != nil {
			edit(cfg)
		}
	}), st
}

// fill appends n letters to a mailbox.
func fill(t testing.TB, c *imapclient.Client, mailbox string, n int) {
	t.Helper()
	for _, err := range c.AppendAll(t.Context(), mailbox, letters(n)) {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func letters(n int) iter.Seq2[*imapclient.NewMessage, error] {
	return func(yield func(*imapclient.NewMessage, error) bool) {
		for i := range n {
			if !yield(letter(fmt.Sprintf("letter %d", i+1), fmt.Sprintf("body %d", i+1)), nil) {
				return
			}
		}
	}
}

// open selects a mailbox.
func open(t testing.TB, c *imapclient.Client, mailbox string) *imap.SelectedMailbox {
	t.Helper()
	box, err := c.Select(t.Context(), mailbox, imapclient.SelectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return box
}

// must is for calls that return a value.
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestListExtended(t *testing.T) {
	addr, _ := serveAll(t, nil)
	c := dial(t, addr, imapclient.Dialer{})
	ctx := t.Context()
	if id := must(c.Create(ctx, "Archive/2020"))(t); !strings.HasPrefix(id, "F") {
		t.Errorf("MAILBOXID %q", id)
	}
	must(c.Create(ctx, "Sent", imap.RoleSent))(t)
	if err := errors.Join(c.Subscribe(ctx, "Sent"), c.Subscribe(ctx, "Archive/2020"), c.Unsubscribe(ctx, "Archive/2020")); err != nil {
		t.Fatal(err)
	}
	fill(t, c, "Sent", 3)
	list := must(c.List(ctx, imap.ListOptions{
		Patterns: []string{"Sent", "Arch*"}, Children: true, Subscription: true, Uses: true, MyRights: true,
		Status: []imap.StatusItem{imap.StatusMessages, imap.StatusUIDNext, imap.StatusSize, imap.StatusMailboxID, imap.StatusHighestModSeq, imap.StatusAppendLimit},
	}))(t)
	byName := map[string]imap.ListEntry{}
	for _, e := range list {
		byName[e.Name] = e
	}
	sent := byName["Sent"]
	if len(list) != 3 || !sent.Has(imap.RoleSent) || !sent.Has(imap.AttrSubscribed) || !sent.Has(imap.AttrHasNoChildren) ||
		sent.Delimiter != '/' || sent.Rights == "" || sent.Status == nil {
		t.Fatalf("%+v", list)
	}
	if s := sent.Status; s.Messages != 3 || s.UIDNext != 4 || s.Size == 0 || s.MailboxID == "" || s.HighestModSeq == 0 ||
		!s.Has(imap.StatusAppendLimit) || s.Has(imap.StatusUnseen) {
		t.Errorf("%+v", s)
	}
	if a := byName["Archive"]; !a.Has(imap.AttrHasChildren) {
		t.Errorf("%+v", a)
	}
	list = must(c.List(ctx, imap.ListOptions{Subscribed: true, SpecialUse: true}))(t)
	if len(list) != 1 || list[0].Name != "Sent" {
		t.Errorf("%+v", list)
	}
	if err := errors.Join(c.Rename(ctx, "Archive/2020", "Alt"), c.Delete(ctx, "Alt")); err != nil {
		t.Error(err)
	}
	ns := must(c.Namespace(ctx))(t)
	if len(ns.Personal) != 1 || ns.Personal[0].Delimiter != '/' {
		t.Errorf("%+v", ns)
	}
}

// A server that offers neither LIST-EXTENDED nor LIST-STATUS.
func TestListPlain(t *testing.T) {
	addr, _ := serveAll(t, func(cfg *imapserver.Config) {
		cfg.Hide = func(_ *imapserver.Client, c imap.Capability) bool {
			return c == imap.CapListExtended || c == imap.CapListStatus || c == imap.CapIMAP4rev2 || c == imap.CapLiteralPlus || c == imap.CapLiteralMinus
		}
	})
	c := dial(t, addr, imapclient.Dialer{})
	ctx := t.Context()
	must(c.Create(ctx, "Entwürfe & mehr"))(t) // a synchronizing literal is not needed: it is UTF-7
	if err := c.Subscribe(ctx, "Entwürfe & mehr"); err != nil {
		t.Fatal(err)
	}
	fill(t, c, "Entwürfe & mehr", 2)
	list := must(c.List(ctx, imap.ListOptions{Subscription: true, Status: []imap.StatusItem{imap.StatusMessages}}))(t)
	i := slices.IndexFunc(list, func(e imap.ListEntry) bool { return e.Name == "Entwürfe & mehr" })
	if i < 0 || !list[i].Has(imap.AttrSubscribed) || list[i].Status == nil || list[i].Status.Messages != 2 {
		t.Errorf("%+v", list)
	}
	list = must(c.List(ctx, imap.ListOptions{Subscribed: true}))(t)
	if len(list) != 1 || !list[0].Has(imap.AttrSubscribed) {
		t.Errorf("%+v", list)
	}
}

func TestUTF8(t *testing.T) {
	addr, _ := serveAll(t, nil)
	for _, enable := range []imap.Capability{imap.CapUTF8Accept, imap.CapIMAP4rev2} {
		c := dial(t, addr, imapclient.Dialer{Enable: []imap.Capability{enable}})
		if !c.Enabled(enable) {
			t.Fatalf("%s is not enabled", enable)
		}
		name := "Bücher & \"mehr\" " + string(enable)
		must(c.Create(t.Context(), name))(t)
		text := "Subject: Grüße\r\n\r\nx\r\n"
		must(c.Append(t.Context(), name, &imapclient.NewMessage{UTF8: true, Size: int64(len(text)), Body: strings.NewReader(text)}))(t)
		open(t, c, name)
		if r := must(c.Search(t.Context(), imap.Criteria{Subject: []string{"grüße"}}, imap.SearchOptions{}))(t); r.UIDs.Len() != 1 {
			t.Errorf("%s: found %v", enable, r.UIDs)
		}
		plain := dial(t, addr, imapclient.Dialer{})
		if box := open(t, plain, name); box.Exists != 1 {
			t.Errorf("%+v", box)
		}
	}
}

func TestQuotaACLMetadata(t *testing.T) {
	addr, _ := serveAll(t, nil)
	c := dial(t, addr, imapclient.Dialer{})
	ctx := t.Context()
	roots := must(c.QuotaRoots(ctx, "INBOX"))(t)
	if len(roots) != 1 || len(roots[0].Resources) == 0 || roots[0].Resources[0].Name != "STORAGE" || roots[0].Resources[0].Limit != 1024 {
		t.Fatalf("%+v", roots)
	}
	q := must(c.SetQuota(ctx, roots[0].Name, map[string]int64{"STORAGE": 512}))(t)
	if q = must(c.Quota(ctx, q.Name))(t); q.Resources[0].Limit != 512 {
		t.Errorf("%+v", q)
	}
	if err := c.SetACL(ctx, "INBOX", "bob", "lrs"); err != nil {
		t.Fatal(err)
	}
	list := must(c.ACL(ctx, "INBOX"))(t)
	if !slices.ContainsFunc(list, func(e imap.ACLEntry) bool { return e.Identifier == "bob" && strings.Contains(e.Rights, "r") }) {
		t.Errorf("%+v", list)
	}
	if _, optional, err := c.ListRights(ctx, "INBOX", "bob"); err != nil || len(optional) == 0 {
		t.Error(optional, err)
	}
	if r := must(c.MyRights(ctx, "INBOX"))(t); !strings.Contains(r, "a") {
		t.Error(r)
	}
	if err := c.DeleteACL(ctx, "INBOX", "bob"); err != nil {
		t.Error(err)
	}
	value := []byte("a\x00\r\n\"b")
	if err := c.SetMetadata(ctx, "INBOX", imap.MetadataEntry{Name: "/private/comment", Value: value}); err != nil {
		t.Fatal(err)
	}
	got := must(c.Metadata(ctx, "INBOX", imap.MetadataOptions{Depth: "infinity", MaxSize: 1000}, "/private/comment", "/shared"))(t)
	if len(got) == 0 || !bytes.Equal(got[0].Value, value) {
		t.Errorf("%+v", got)
	}
	if err := c.SetMetadata(ctx, "INBOX", imap.MetadataEntry{Name: "/private/comment"}); err != nil {
		t.Error(err)
	}
}

func TestIdleAndNotify(t *testing.T) {
	addr, _ := serveAll(t, nil)
	var exists uint32
	var status *imap.MailboxStatus
	c := dial(t, addr, imapclient.Dialer{Handler: imapclient.Handler{
		Exists: func(n uint32) { exists = n },
		Status: func(s *imap.MailboxStatus) { status = s },
	}})
	ctx := t.Context()
	open(t, c, "INBOX")
	other := dial(t, addr, imapclient.Dialer{})
	done := make(chan error)
	go func() { _, err := other.Append(ctx, "INBOX", letter("x", "y")); done <- err }()
	if err := c.Idle(ctx, imapclient.IdleOptions{Wake: func() bool { return exists == 1 }}); err != nil || exists != 1 {
		t.Fatal(exists, err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithCancel(ctx)
	cancel()
	if err := c.Idle(short, imapclient.IdleOptions{}); err != nil {
		t.Error(err)
	}
	if err := c.Idle(ctx, imapclient.IdleOptions{Max: time.Millisecond}); err != nil {
		t.Error(err)
	}
	must(c.Create(ctx, "Other"))(t)
	err := c.Notify(ctx, false, imap.NotifyGroup{Filter: "SELECTED", Events: []string{"MessageNew", "MessageExpunge"}, Items: &imap.FetchOptions{Items: imap.FetchFlags}},
		imap.NotifyGroup{Filter: "MAILBOXES", Mailboxes: []string{"Other"}, Events: []string{"MessageNew", "MessageExpunge"}})
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, err := other.Append(ctx, "Other", letter("x", "y")); done <- err }()
	if err := c.Idle(ctx, imapclient.IdleOptions{Wake: func() bool { return status != nil }}); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil || status.Name != "Other" || status.Messages != 1 {
		t.Error(status, err)
	}
	if err := errors.Join(c.Notify(ctx, false), c.Noop(ctx)); err != nil {
		t.Error(err)
	}
}

func TestCompressUnauthenticate(t *testing.T) {
	addr, _ := serveAll(t, nil)
	c := dial(t, addr, imapclient.Dialer{})
	ctx := t.Context()
	if err := c.Unauthenticate(ctx); err != nil || c.State() != imapclient.NotAuthenticated {
		t.Fatal(err)
	}
	if err := c.Authenticate(ctx, alice()); err != nil {
		t.Fatal(err)
	}
	if err := c.Compress(ctx); err != nil {
		t.Fatal(err)
	}
	fill(t, c, "INBOX", 500)
	open(t, c, "INBOX")
	n := 0
	for m, err := range c.Fetch(ctx, store.AllUIDs(), imap.FetchOptions{Sections: []imap.Section{{Peek: true}}}) {
		if err != nil {
			t.Fatal(err)
		}
		if b := must(io.ReadAll(must(m.Body())(t)))(t); !bytes.HasSuffix(b, fmt.Appendf(nil, "body %d\r\n", m.UID)) {
			t.Fatalf("%q", b)
		}
		n++
	}
	if n != 500 {
		t.Error(n)
	}
	if err := c.Idle(ctx, imapclient.IdleOptions{Max: time.Millisecond}); err != nil { // an interrupted read loses nothing
		t.Error(err)
	}
	if err := c.Logout(ctx); err != nil {
		t.Error(err)
	}
}

func TestUIDOnlyAndMessageLimit(t *testing.T) {
	addr, _ := serveAll(t, func(cfg *imapserver.Config) { cfg.Limits.MaxMessagesPerCommand = 7 })
	c := dial(t, addr, imapclient.Dialer{Enable: []imap.Capability{imap.CapUIDOnly}})
	ctx := t.Context()
	fill(t, c, "INBOX", 40)
	must(c.Create(ctx, "x"))(t)
	open(t, c, "INBOX")
	seen := map[imap.UID]bool{}
	for m, err := range c.Fetch(ctx, store.AllUIDs(), imap.FetchOptions{Items: imap.FetchSize, Sections: []imap.Section{{Peek: true, Text: imap.TextText}}}) {
		if err != nil {
			t.Fatal(err)
		}
		seen[m.UID] = true
		if b := must(io.ReadAll(must(m.Body())(t)))(t); m.Seq != 0 || string(b) != fmt.Sprintf("body %d\r\n", m.UID) {
			t.Errorf("%d %q", m.Seq, b)
		}
	}
	if len(seen) != 40 {
		t.Errorf("%d messages", len(seen))
	}
	if r := must(c.Search(ctx, imap.Criteria{}, imap.SearchOptions{}))(t); r.UIDs.Len() != 40 {
		t.Errorf("found %v", r.UIDs)
	}
	cp := must(c.Copy(ctx, imap.UIDSet{{First: 1, Last: 40}}, "x"))(t)
	if n := imap.NumSet(cp.Dest).Resolve(0).Len(); n != 40 {
		t.Errorf("copied %v", cp)
	}
	must(c.Store(ctx, store.AllUIDs(), imap.StoreOptions{Flags: store.Deleted}))(t)
	if err := c.UIDExpunge(ctx, store.AllUIDs()); err != nil || c.Mailbox().Exists != 0 {
		t.Error(c.Mailbox().Exists, err)
	}
}

func TestRawCommand(t *testing.T) {
	addr, _ := serveAll(t, nil)
	c := dial(t, addr, imapclient.Dialer{})
	var lines []string
	cmd := imapclient.NewCommand("STATUS").Mailbox("INBOX").Raw("(MESSAGES)")
	cmd.Untagged = func(line []byte) bool { lines = append(lines, string(line)); return true }
	status := must(c.Do(t.Context(), cmd))(t)
	if status.Condition != imap.ConditionOK || len(lines) != 1 || lines[0] != "* STATUS INBOX (MESSAGES 0)" {
		t.Errorf("%v %q", status, lines)
	}
	for _, bad := range []*imapclient.Command{
		imapclient.NewCommand("NOOP\r\na9 LOGOUT"), imapclient.NewCommand("X {3}"), imapclient.NewCommand("X").Raw("{12+}"),
		imapclient.NewCommand("X").Raw(`"a`).String("\r\na9 LOGOUT"),
	} {
		if _, err := c.Do(t.Context(), bad); !errors.Is(err, imapclient.ErrArgument) {
			t.Error(err)
		}
	}
	cmd = imapclient.NewCommand("STATUS").Mailbox("INBOX").Raw("(MESSAGES").Raw("UNSEEN)")
	if _, err := c.Do(t.Context(), cmd); err != nil {
		t.Error(err)
	}
	if _, err := c.Do(t.Context(), imapclient.NewCommand("XUNKNOWN")); err == nil || c.Err() != nil {
		t.Error(err)
	}
}

// A call within another one is refused and harms neither.
func TestBusy(t *testing.T) {
	addr, _ := serveAll(t, nil)
	c := dial(t, addr, imapclient.Dialer{})
	fill(t, c, "INBOX", 3)
	open(t, c, "INBOX")
	n := 0
	for _, err := range c.Fetch(t.Context(), store.AllUIDs(), imap.FetchOptions{Sections: []imap.Section{{Peek: true}}}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		if err := c.Noop(t.Context()); !errors.Is(err, imapclient.ErrBusy) {
			t.Error(err)
		}
	}
	if err := c.Noop(t.Context()); err != nil || n != 3 {
		t.Error(n, err)
	}
	for range c.Fetch(t.Context(), store.AllUIDs(), imap.FetchOptions{Sections: []imap.Section{{Peek: true}}}) {
		break
	}
	if err := c.Noop(t.Context()); err != nil {
		t.Error(err)
	}
}
