package deliver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/memstore"
)

// address parses local@domain; "postmaster" has no domain.
func address(s string) smtp.ForwardPath {
	i := strings.LastIndexByte(s, '@')
	if i < 0 {
		return smtp.ForwardPath{Path: smtp.Path{Local: s}}
	}
	return smtp.ForwardPath{Path: smtp.Path{Local: s[:i], Domain: s[i+1:]}}
}

// newStore has the accounts alice, bob and first.last at example.org.
func newStore(t *testing.T) (store.Store, *deliver.Accounts) {
	t.Helper()
	s := memstore.New(nil)
	t.Cleanup(func() { s.Close() })
	known := map[store.AccountID]bool{}
	for _, id := range []store.AccountID{"alice@example.org", "bob@example.org", "first.last@bücher.example"} {
		if err := s.Create(t.Context(), id, store.AccountInfo{ID: id}); err != nil {
			t.Fatal(err)
		}
		known[id] = true
	}
	return s, &deliver.Accounts{
		Domains: []string{"Example.ORG", "xn--bcher-kva.example"},
		Exists:  func(_ context.Context, id store.AccountID) (bool, error) { return known[id], nil },
		Postmaster: func(context.Context) (store.AccountID, error) {
			return "alice@example.org", nil
		},
		Aliases: func(_ context.Context, a string) ([]smtp.ForwardPath, error) {
			switch a {
			case "team@example.org":
				return []smtp.ForwardPath{address("alice@example.org"), address("all@example.org"), address("x@remote.example")}, nil
			case "all@example.org":
				return []smtp.ForwardPath{address("Alice@example.org"), address("bob@example.org"), address("team@example.org")}, nil
			case "loop@example.org":
				return []smtp.ForwardPath{address("loop@example.org")}, nil
			case "broken@example.org":
				return nil, errors.New("no database")
			}
			return nil, nil
		},
	}
}

func TestAccountsLookup(t *testing.T) {
	_, dir := newStore(t)
	withCatchAll := *dir
	withCatchAll.CatchAll = "bob@example.org"
	tests := []struct {
		address string
		dir     *deliver.Accounts
		kind    deliver.Kind
		account store.AccountID
		detail  string
	}{
		{"alice@example.org", dir, deliver.Local, "alice@example.org", ""},
		{"ALICE@EXAMPLE.org", dir, deliver.Local, "alice@example.org", ""},
		{"alice@example.org.", dir, deliver.Local, "alice@example.org", ""},
		{"alice+lists@example.org", dir, deliver.Local, "alice@example.org", "lists"},
		{"alice+a+b@example.org", dir, deliver.Local, "alice@example.org", "a+b"},
		{"+alice@example.org", dir, deliver.Unknown, "", ""},
		{"first.last@BÜCHER.example", dir, deliver.Local, "first.last@bücher.example", ""},
		{"first.last@xn--bcher-kva.example", dir, deliver.Local, "first.last@bücher.example", ""},
		{"carol@example.org", dir, deliver.Unknown, "", ""},
		{"carol@example.org", &withCatchAll, deliver.Local, "bob@example.org", ""},
		{"alice@example.net", &withCatchAll, deliver.Remote, "", ""},
		{"alice@[192.0.2.1]", dir, deliver.Remote, "", ""},
		{"PostMaster", dir, deliver.Local, "alice@example.org", ""},
		{"postmaster@example.org", dir, deliver.Local, "alice@example.org", ""},
		{"team@example.org", dir, deliver.Alias, "", ""},
	}
	for _, test := range tests {
		e, err := deliver.LookupOne(t.Context(), test.dir, address(test.address))
		if err != nil || e.Kind != test.kind || e.Account != test.account || e.Detail != test.detail {
			t.Errorf("%s: %v %q %q, %v; want %v %q %q", test.address, e.Kind, e.Account, e.Detail, err, test.kind, test.account, test.detail)
		}
	}
	if _, err := deliver.LookupOne(t.Context(), dir, address("broken@example.org")); err == nil {
		t.Error("a failing alias table gave no error")
	}
}

func TestGate(t *testing.T) {
	_, dir := newStore(t)
	var seen []string
	sink := smtp.EachRcpt(func(_ context.Context, env *smtp.Envelope, b *smtp.Body) ([]smtp.RcptStatus, error) {
		for _, r := range env.Recipients {
			seen = append(seen, r.ForwardPath.String())
		}
		_, err := io.Copy(io.Discard, b)
		return smtp.Accepted(len(env.Recipients)), err
	})
	for _, relay := range []bool{false, true} {
		seen = nil
		r := smtp.Chain(sink, deliver.Gate(dir, func(*smtp.Mail) bool { return relay }))
		tx, err := r.Begin(t.Context(), &smtp.Mail{ID: "i"})
		if err != nil {
			t.Fatal(err)
		}
		var rs []*smtp.Recipient
		for _, a := range []string{"alice@example.org", "x@remote.example", "carol@example.org", "broken@example.org", "bob@example.org"} {
			rs = append(rs, &smtp.Recipient{ForwardPath: address(a)})
		}
		var codes []string
		for _, err := range tx.Rcpt(t.Context(), rs) {
			reply := smtp.ReplyOf(err)
			codes = append(codes, reply.Enhanced.String())
		}
		if _, err := tx.Data(t.Context(), smtp.NewBody(strings.NewReader(""), 0)); err != nil {
			t.Fatal(err)
		}
		want, wantSeen := " 5.7.1 5.1.1 4.3.0 ", "alice@example.org bob@example.org"
		if relay {
			want, wantSeen = "  5.1.1 4.3.0 ", "alice@example.org x@remote.example bob@example.org"
		}
		if got := strings.Join(codes, " "); got != want || strings.Join(seen, " ") != wantSeen {
			t.Errorf("relay=%v: codes %q, recipients %q", relay, got, seen)
		}
	}
}

// deliverTo runs one transaction of local delivery.
func deliverTo(t *testing.T, l *deliver.LocalDelivery, once string, b *smtp.Body, to ...string) ([]smtp.RcptStatus, error) {
	t.Helper()
	m := &smtp.Mail{
		ID: "i", Once: once, PerRecipient: true, Received: time.Unix(1e9, 0),
		ReversePath: smtp.ReversePath(address("sender@remote.example")),
	}
	tx, err := l.Begin(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range to {
		if errs := tx.Rcpt(t.Context(), []*smtp.Recipient{{ForwardPath: address(a)}}); errs[0] != nil {
			t.Fatal(errs[0])
		}
	}
	return tx.Data(t.Context(), b)
}

// inbox is the content of the messages in an account's INBOX.
func inbox(t *testing.T, s store.Store, id store.AccountID) (out []string, refs []blob.Ref) {
	t.Helper()
	a, err := s.Open(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	box, err := store.MailboxByName(t.Context(), a, "INBOX")
	if err != nil {
		t.Fatal(err)
	}
	for m, err := range a.Messages(t.Context(), box.ID, store.Query{Fields: store.FieldContent}) {
		if err != nil {
			t.Fatal(err)
		}
		c, err := a.Content(t.Context(), box.ID, m.UID)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(io.NewSectionReader(c, 0, c.Size()))
		c.Close()
		if err != nil {
			t.Fatal(err)
		}
		out, refs = append(out, string(b)), append(refs, m.Blob)
	}
	return out, refs
}

const content = "Subject: x\r\n\r\nbody\r\n"

func TestLocalDelivery(t *testing.T) {
	s, dir := newStore(t)
	l := &deliver.LocalDelivery{Store: s, Directory: dir}
	for range 2 { // the second time is a retry after a crash
		b := smtp.NewBody(strings.NewReader(content), -1)
		b.Prepend([]byte("Received: by us\r\n"))
		statuses, err := deliverTo(t, l, "job1", b, "alice@example.org", "bob@example.org")
		if err != nil || len(statuses) != 2 || statuses[0].Err != nil || statuses[1].Err != nil {
			t.Fatalf("%v, %v", statuses, err)
		}
	}
	const want = "Return-Path: <sender@remote.example>\r\nDelivered-To: alice@example.org\r\nReceived: by us\r\n" + content
	alice, ra := inbox(t, s, "alice@example.org")
	bob, rb := inbox(t, s, "bob@example.org")
	if len(alice) != 1 || alice[0] != want || len(bob) != 1 || bob[0] != strings.Replace(want, "alice@", "bob@", 1) {
		t.Fatalf("alice %q\nbob %q\nwant one %q", alice, bob, want)
	}
	if ra[0] != rb[0] {
		t.Error("two recipients, two blobs")
	}
}

func TestLocalDeliverySharesTheBlob(t *testing.T) {
	s, dir := newStore(t)
	w, _ := s.Blobs().Create(t.Context(), -1)
	io.WriteString(w, content)
	ref, err := w.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l := &deliver.LocalDelivery{Store: s, Directory: dir}
	b := smtp.NewStoredBody(strings.NewReader("not to be read"), int64(len(content)), blob.Stored{In: s.Blobs(), Ref: ref}, nil)
	if _, err := deliverTo(t, l, "j", b, "bob@example.org"); err != nil {
		t.Fatal(err)
	}
	if got, refs := inbox(t, s, "bob@example.org"); len(refs) != 1 || refs[0] != ref || !strings.HasSuffix(got[0], content) {
		t.Errorf("%q in %v, want %v", got, refs, ref)
	}
}

// Two spellings of one address in one message are one recipient; a sub-address
// is another.
func TestLocalDeliverySpellings(t *testing.T) {
	s, dir := newStore(t)
	l := &deliver.LocalDelivery{Store: s, Directory: dir}
	statuses, err := deliverTo(t, l, "job", smtp.NewBody(strings.NewReader(content), -1),
		"alice@example.org", "ALICE@Example.org", "alice+x@example.org")
	if err != nil || len(statuses) != 3 {
		t.Fatalf("%v, %v", statuses, err)
	}
	if got, _ := inbox(t, s, "alice@example.org"); len(got) != 2 {
		t.Errorf("%d messages, want 2", len(got))
	}
}

func TestLocalDeliveryRefusals(t *testing.T) {
	s, dir := newStore(t)
	bob, _ := s.Open(t.Context(), "bob@example.org")
	if _, err := bob.Apply(t.Context(), store.Change{Ops: []store.Op{store.PutAccount{Limits: &store.Limits{Bytes: 10}}}}); err != nil {
		t.Fatal(err)
	}
	l := &deliver.LocalDelivery{Store: s, Directory: dir}
	statuses, err := deliverTo(t, l, "j1", smtp.NewBody(strings.NewReader(content), -1), "bob@example.org", "alice@example.org")
	if err != nil || smtp.ReplyOf(statuses[0].Err).Code != 452 || statuses[1].Err != nil {
		t.Errorf("a full mailbox gave %v, %v", statuses, err)
	}
	l.QuotaPermanent = true
	statuses, _ = deliverTo(t, l, "j2", smtp.NewBody(strings.NewReader(content), -1), "bob@example.org")
	if smtp.ReplyOf(statuses[0].Err).Code != 552 {
		t.Errorf("a full mailbox gave %v, want 552", statuses)
	}
	_, err = deliverTo(t, l, "j3", smtp.NewBody(io.MultiReader(strings.NewReader(content), errReader{}), -1), "alice@example.org")
	if !errors.Is(err, smtp.ErrTruncated) {
		t.Errorf("a truncated body gave %v", err)
	}
	if got, _ := inbox(t, s, "alice@example.org"); len(got) != 1 {
		t.Errorf("%d messages, want 1", len(got))
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, smtp.ErrTruncated }

func TestSort(t *testing.T) {
	s, dir := newStore(t)
	l := &deliver.LocalDelivery{Store: s, Directory: dir}
	l.Sort = func(_ context.Context, m *deliver.LocalMessage) ([]deliver.Placement, error) {
		if m.Detail == "drop" {
			return nil, nil
		}
		return []deliver.Placement{{Mailbox: m.Detail, Flags: store.Seen}, {}}, nil
	}
	deliverTo(t, l, "a", smtp.NewBody(strings.NewReader(content), -1), "bob+missing@example.org")
	deliverTo(t, l, "b", smtp.NewBody(strings.NewReader(content), -1), "bob+drop@example.org")
	if got, _ := inbox(t, s, "bob@example.org"); len(got) != 2 {
		t.Errorf("%d messages, want the two copies of the first", len(got))
	}
}

type nextHops struct{}

func (nextHops) Key(p smtp.ForwardPath) string { return p.Domain }
func (nextHops) Receiver(key string) (smtp.Receiver, string) {
	return smtp.ReceiveFunc(nil), "mx." + key
}

func TestRouter(t *testing.T) {
	s, dir := newStore(t)
	r := &deliver.Router{
		Directory: dir, Remote: nextHops{}, Local: &deliver.LocalDelivery{Store: s, Directory: dir},
		IsLocal: func(d string) bool { return deliver.CanonicalDomain(d) == "example.org" },
	}
	if k := r.Key(address("Alice@EXAMPLE.org")); k != r.Key(address("alice@example.org")) || !strings.HasPrefix(k, "local/") {
		t.Errorf("key %q", k)
	}
	if k := r.Key(address("x@remote.example")); k != "remote.example" {
		t.Errorf("key %q", k)
	}
	job := &queue.Job{}
	for _, a := range []string{"alice@example.org", "carol@example.org", "x@remote.example", "team@example.org", "y@remote.example", "loop@example.org", "broken@example.org"} {
		job.Recipients = append(job.Recipients, queue.Recipient{Recipient: smtp.Recipient{ForwardPath: address(a)}})
	}
	hops, err := r.Route(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	got := map[int]string{}
	for _, h := range hops {
		for _, i := range h.Recipients {
			got[i] = describe(h)
		}
	}
	want := map[int]string{
		0: "to local", 1: "5.1.1", 2: "to mx.remote.example", 3: "expand alice@example.org x@remote.example bob@example.org",
		4: "to mx.remote.example", 5: "5.4.6", 6: "4.3.0",
	}
	for i, w := range want {
		if got[i] != w {
			t.Errorf("%s: %q, want %q", job.Recipients[i].ForwardPath, got[i], w)
		}
	}
}

func describe(h queue.Hop) string {
	switch {
	case h.Err != nil:
		return smtp.ReplyOf(h.Err).Enhanced.String()
	case h.Expand != nil:
		s := "expand"
		for _, r := range h.Expand {
			s += " " + r.ForwardPath.String()
		}
		return s
	}
	return "to " + h.Name
}

// A hook that panics in one account's delivery reaches the caller, who defers;
// the second attempt completes the others without doubling anybody.
func TestLocalDeliveryPanic(t *testing.T) {
	s, dir := newStore(t)
	l := &deliver.LocalDelivery{Store: s, Directory: dir}
	l.Sort = func(_ context.Context, m *deliver.LocalMessage) ([]deliver.Placement, error) {
		if m.Account == "bob@example.org" {
			panic("hook")
		}
		return []deliver.Placement{{}}, nil
	}
	func() {
		defer func() {
			if v := recover(); v == nil || !strings.Contains(fmt.Sprint(v), "hook") {
				t.Errorf("recovered %v", v)
			}
		}()
		deliverTo(t, l, "p", smtp.NewBody(strings.NewReader(content), -1), "alice@example.org", "bob@example.org")
	}()
	l.Sort = nil
	if _, err := deliverTo(t, l, "p", smtp.NewBody(strings.NewReader(content), -1), "alice@example.org", "bob@example.org"); err != nil {
		t.Fatal(err)
	}
	alice, _ := inbox(t, s, "alice@example.org")
	bob, _ := inbox(t, s, "bob@example.org")
	if len(alice) != 1 || len(bob) != 1 {
		t.Errorf("alice has %d, bob %d messages, want one each", len(alice), len(bob))
	}
}

// TestAccountsFind: Find answers in place of Exists and Aliases, under the same
// rules.
func TestAccountsFind(t *testing.T) {
	down := errors.New("down")
	a := &deliver.Accounts{
		Domains: []string{"example.org"},
		Find: func(_ context.Context, address string) (deliver.Entry, error) {
			switch address {
			case "alice@example.org", "a.lice@example.org":
				return deliver.Entry{Kind: deliver.Local, Account: "u1"}, nil
			case "staff@example.org":
				return deliver.Entry{Kind: deliver.Alias, Expand: []smtp.ForwardPath{{Path: smtp.Path{Local: "alice", Domain: "example.org"}}}}, nil
			case "broken@example.org":
				return deliver.Entry{}, down
			}
			return deliver.Entry{}, nil
		},
	}
	for name, want := range map[string]deliver.Entry{
		"A.Lice@Example.ORG": {Kind: deliver.Local, Account: "u1"}, "alice+tag@example.org": {Kind: deliver.Local, Account: "u1", Detail: "tag"},
		"nobody@example.org": {}, "x@example.net": {Kind: deliver.Remote}, "broken@example.org": {Err: down}, "broken+x@example.org": {Err: down, Detail: "x"},
	} {
		es, err := a.Lookup(t.Context(), []smtp.ForwardPath{address(name)})
		if err != nil || !reflect.DeepEqual(es[0], want) {
			t.Errorf("%s: %+v %v, want %+v", name, es, err, want)
		}
	}
}
