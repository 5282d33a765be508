package maildir_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob/memblob"
	"github.com/mailstead/mailstead/store/maildir"
)

// tree is an account on the real file system, as another program sees it.
type tree struct {
	t    *testing.T
	dir  string
	utf8 bool
	s    *maildir.Store
	a    store.Account
}

func newTree(t *testing.T) *tree { return newTreeWith(t, false) }

func newTreeWith(t *testing.T, utf8 bool) *tree {
	x := &tree{t: t, dir: filepath.Join(t.TempDir(), "mail"), utf8: utf8}
	x.open()
	if err := x.s.Create(t.Context(), "alice@example.org", store.AccountInfo{}); err != nil {
		t.Fatal(err)
	}
	x.account()
	return x
}

func (x *tree) open() {
	s, err := maildir.Open(x.dir, memblob.New(), maildir.Options{ScanInterval: -1, UTF8: x.utf8})
	if err != nil {
		x.t.Fatal(err)
	}
	x.s = s
	x.t.Cleanup(func() { s.Close() })
}

func (x *tree) account() {
	a, err := x.s.Open(x.t.Context(), "alice@example.org")
	if err != nil {
		x.t.Fatal(err)
	}
	x.a = a
}

func (x *tree) reopen() {
	if err := x.s.Close(); err != nil {
		x.t.Fatal(err)
	}
	x.open()
	x.account()
}

func (x *tree) path(name string) string { return filepath.Join(x.dir, "alice@example.org", name) }

func (x *tree) write(name, text string) {
	x.t.Helper()
	if err := os.MkdirAll(filepath.Dir(x.path(name)), 0o700); err != nil {
		x.t.Fatal(err)
	}
	if err := os.WriteFile(x.path(name), []byte(text), 0o600); err != nil {
		x.t.Fatal(err)
	}
}

func (x *tree) box(name string) store.Mailbox {
	x.t.Helper()
	m, err := store.MailboxByName(x.t.Context(), x.a, name)
	if err != nil {
		x.t.Fatal(err)
	}
	return m
}

func (x *tree) do(op store.Op) store.OpResult {
	x.t.Helper()
	r, err := x.a.Apply(x.t.Context(), store.Change{Ops: []store.Op{op}})
	if err != nil {
		x.t.Fatal(err)
	}
	return r.Ops[0]
}

func (x *tree) put(text string, f store.Flags, kw ...string) store.UID {
	x.t.Helper()
	r, err := store.AppendMessage(x.t.Context(), x.s, x.a, "", store.NewMessage{
		Mailbox: x.box(store.Inbox).ID, Body: strings.NewReader(text), BodySize: -1, Flags: f, Keywords: kw,
	})
	if err != nil {
		x.t.Fatal(err)
	}
	return r.Ops[0].Dest.Min()
}

func (x *tree) all(name string, q store.Query) (list []store.Message) {
	x.t.Helper()
	for m, err := range x.a.Messages(x.t.Context(), x.box(name).ID, q) {
		if err != nil {
			x.t.Fatal(err)
		}
		list = append(list, *m)
	}
	return list
}

// files are the names in a directory.
func (x *tree) files(dir string) (names []string) {
	x.t.Helper()
	list, err := os.ReadDir(x.path(dir))
	if err != nil {
		x.t.Fatal(err)
	}
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

// one is the only file of a directory.
func (x *tree) one(dir string) string {
	x.t.Helper()
	names := x.files(dir)
	if len(names) != 1 {
		x.t.Fatalf("%s holds %q, want one file", dir, names)
	}
	return names[0]
}

// TestLayout is what other programs find.
func TestLayout(t *testing.T) {
	x := newTree(t)
	uid := x.put("Subject: x\r\n\r\nhi\r\n", 0)
	if name := x.one("new"); !strings.Contains(name, ",S=18,W=18") || strings.Contains(name, ":") {
		t.Errorf("a new message has the name %q", name)
	}
	x.do(store.SetFlags{Mailbox: x.box(store.Inbox).ID, UIDs: store.UIDs(uid), Flags: store.Seen | store.Draft, Keywords: []string{"$Junk", "b"}})
	if name := x.one("cur"); !strings.HasSuffix(name, ":2,DSab") {
		t.Errorf("a flagged message has the name %q", name)
	}
	if b, err := os.ReadFile(x.path("dovecot-keywords")); err != nil || string(b) != "0 $Junk\n1 b\n" {
		t.Errorf("dovecot-keywords holds %q, %v", b, err)
	}
	for _, name := range []string{"Été/A.b", "INBOX/x"} {
		x.do(store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: name})
	}
	for _, dir := range []string{".&AMk-t&AOk-", ".&AMk-t&AOk-.A\\2eb", ".INBOX", ".INBOX.x"} {
		if dir != ".INBOX" {
			x.files(dir + "/cur")
		}
	}
	if names := x.files("tmp"); len(names) != 0 {
		t.Errorf("tmp holds %q", names)
	}
}

// TestForeign: what another program does to the tree is found, and takes
// UIDs and ModSeqs.
func TestForeign(t *testing.T) {
	for _, again := range []bool{false, true} {
		x := newTree(t)
		look := func() {
			if again {
				x.reopen()
			}
		}
		uid := x.put("Subject: x\r\n\r\nhi\r\n", store.Seen, "kw")
		at := x.box(store.Inbox).HighestModSeq
		old := x.one("cur")
		base, _, _ := strings.Cut(old, ":")
		if err := os.Rename(x.path("cur/"+old), x.path("cur/"+base+":2,FPRa")); err != nil {
			t.Fatal(err)
		}
		x.write("new/1.M1P1.host", "Subject: y\n\nlf\n")
		x.write("cur/2.M1P1.host:2,S", "Subject: y\n\nlf\n")
		x.write(".Sub.Deep/cur/3.x:2,", "z\r\n\r\n")
		look()
		list := x.all(store.Inbox, store.Query{Since: at})
		if len(list) != 3 || list[0].UID != uid || list[0].Flags != store.Flagged|store.Answered || len(list[0].Keywords) != 1 {
			t.Fatalf("changes: %+v", list)
		}
		if list[1].Flags != 0 || list[2].Flags != store.Seen || list[1].Size != 18 {
			t.Errorf("new messages: %+v", list[1:])
		}
		if text, err := content(t.Context(), x.a, x.box(store.Inbox).ID, list[1].UID); err != nil || text != "Subject: y\r\n\r\nlf\r\n" {
			t.Errorf("content %q, %v", text, err)
		}
		if m := x.all("Sub/Deep", store.Query{}); len(m) != 1 {
			t.Errorf("a folder that another program made holds %+v", m)
		}
		x.do(store.SetFlags{Mailbox: x.box(store.Inbox).ID, UIDs: store.UIDs(uid), Mode: store.FlagsRemove, Flags: store.Answered})
		if _, err := os.Stat(x.path("cur/" + base + ":2,FPa")); err != nil {
			t.Errorf("a letter of another program is lost: %q", x.files("cur"))
		}
		at = x.box(store.Inbox).HighestModSeq
		id := x.box("Sub/Deep").ID
		if err := os.Rename(x.path(".Sub.Deep"), x.path(".Else")); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(x.path("cur/2.M1P1.host:2,S")); err != nil {
			t.Fatal(err)
		}
		look()
		if x.box("Else").ID != id {
			t.Error("a folder that another program renamed is another mailbox")
		}
		if list := x.all(store.Inbox, store.Query{Since: at}); len(list) != 1 || !list[0].Gone {
			t.Errorf("changes after a removal: %+v", list)
		}
		if err := os.RemoveAll(x.path(".Else")); err != nil {
			t.Fatal(err)
		}
		look()
		if _, err := store.MailboxByName(t.Context(), x.a, "Else"); err == nil {
			t.Error("a folder that another program removed is there")
		}
	}
}

// TestIndexLost: the tree alone gives the account back, under a new
// UIDVALIDITY.
func TestIndexLost(t *testing.T) {
	x := newTree(t)
	x.put("a: b\r\n\r\n", store.Flagged, "kw")
	x.do(store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: "Sub"})
	sub, v := x.box("Sub"), x.box(store.Inbox).UIDValidity
	if err := x.s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(x.path("mailstead/index")); err != nil {
		t.Fatal(err)
	}
	x.open()
	x.account()
	if now := x.box(store.Inbox); now.Messages != 1 || now.UIDValidity == v {
		t.Errorf("INBOX is %+v, UIDVALIDITY was %d", now, v)
	}
	if m := x.all(store.Inbox, store.Query{}); m[0].Flags != store.Flagged || len(m[0].Keywords) != 1 {
		t.Errorf("the message is %+v", m)
	}
	if now := x.box("Sub"); now.ID != sub.ID || now.UIDValidity == sub.UIDValidity {
		t.Errorf("Sub was %+v and is %+v", sub, now)
	}
}

func TestInUse(t *testing.T) {
	x := newTree(t)
	if _, err := maildir.Open(x.dir, memblob.New(), maildir.Options{}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second owner: %v", err)
	}
}

// TestTornIndex: a tail of the index that was not written, or not whole, is cut
// off, whatever stands there.
func TestTornIndex(t *testing.T) {
	for _, tail := range []string{"\x00", strings.Repeat("\x00", 100), "\x00\x00\x00\x05\x00\x00\x00\x00{}", "\xff\xff\xff\xff"} {
		x := newTree(t)
		x.put("a: b\r\n\r\n", store.Flagged)
		if err := x.s.Close(); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(x.path("mailstead/index"), os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(tail); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		x.open()
		x.account()
		x.put("c: d\r\n\r\n", 0)
		x.reopen()
		if list := x.all(store.Inbox, store.Query{}); len(list) != 2 || list[0].Flags != store.Flagged {
			t.Errorf("behind %q: %+v", tail, list)
		}
	}
}
