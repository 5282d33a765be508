package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/memstore"
)

// fixture is an account in a memory store.
type fixture struct {
	store.Account
	t     *testing.T
	s     store.Store
	inbox store.MailboxID
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	s := memstore.New(nil)
	t.Cleanup(func() { s.Close() })
	if err := s.Create(t.Context(), "alice", store.AccountInfo{}); err != nil {
		t.Fatal(err)
	}
	a, err := s.Open(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	m, err := store.MailboxByName(t.Context(), a, store.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	return &fixture{a, t, s, m.ID}
}

func (f *fixture) add(body string) store.UID {
	f.t.Helper()
	r, err := store.AppendMessage(f.t.Context(), f.s, f, "", store.NewMessage{
		Mailbox: f.inbox, Body: strings.NewReader(body), BodySize: -1, Received: time.Unix(1e9, 0),
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return r.Ops[0].Dest.Min()
}

// bare hides every capability of an account.
type bare struct{ store.Account }

// layer adds nothing.
type layer struct{ store.Account }

func (l layer) Unwrap() any { return l.Account }

// refuser lets nothing through.
type refuser struct{ store.Account }

func (refuser) As(any) bool   { return false }
func (r refuser) Unwrap() any { return r.Account }

// index knows that UID 1 matches and cannot tell UID 2.
type index struct{ store.Account }

func (index) SearchText(context.Context, store.SearchQuery) (store.SearchHits, error) {
	return store.SearchHits{Match: store.UIDs(1), Unknown: store.UIDs(2)}, nil
}

func (index) SortMessages(context.Context, store.SortQuery) ([]store.UID, error) {
	return []store.UID{3, 1, 2}, nil
}

func TestAs(t *testing.T) {
	f := newFixture(t)
	for _, c := range []struct {
		a    store.Account
		want bool
	}{
		{f.Account, true},
		{layer{f.Account}, true},
		{layer{layer{f.Account}}, true},
		{bare{f.Account}, false},
		{refuser{f.Account}, false},
		{layer{refuser{f.Account}}, false},
		{refuser{layer{f.Account}}, false},
		{nil, false},
	} {
		if _, ok := store.As[store.Holder](c.a); ok != c.want {
			t.Errorf("As of %T = %v", c.a, ok)
		}
	}
}

func containsWord(word string) store.Matcher {
	return func(_ context.Context, m *store.Message, c store.Content) (bool, error) {
		b, err := io.ReadAll(io.NewSectionReader(c, 0, c.Size()))
		return bytes.Contains(b, []byte(word)), err
	}
}

func TestSearch(t *testing.T) {
	f := newFixture(t)
	for i := range 4 {
		f.add(fmt.Sprintf("Subject: %d\r\n\r\nword%d\r\n", i, i%2))
	}
	q := store.SearchQuery{Mailbox: f.inbox, Text: "word1"}
	for _, c := range []struct {
		name  string
		a     store.Account
		q     func(q *store.SearchQuery)
		match store.Matcher
		want  string
		err   error
	}{
		{"scan", f, nil, containsWord("word1"), "2,4", nil},
		{"scan of some", f, func(q *store.SearchQuery) { q.UIDs = store.UIDs(3, 4, 9) }, containsWord("word1"), "4", nil},
		{"no index and no matcher", f, nil, nil, "", store.ErrUnsupported},
		{"bound", f, func(q *store.SearchQuery) { q.MaxScan = 3 }, containsWord("word1"), "", store.ErrLimit},
		{"no bound", f, func(q *store.SearchQuery) { q.MaxScan = -1 }, containsWord("word1"), "2,4", nil},
		{"empty text", f, func(q *store.SearchQuery) { q.Text = "" }, containsWord(""), "", store.ErrInvalid},
		{"unknown mailbox", f, func(q *store.SearchQuery) { q.Mailbox = store.MailboxID{9} }, containsWord(""), "", store.ErrNoMailbox},
		{"index and the rest", layer{index{f}}, nil, containsWord("word1"), "1,2", nil},
		{"index and the rest, which does not match", index{f}, nil, containsWord("nothing"), "1", nil},
		{"index alone", index{f}, nil, nil, "", store.ErrUnsupported},
	} {
		q := q
		if c.q != nil {
			c.q(&q)
		}
		got, err := store.Search(t.Context(), c.a, q, c.match)
		if !errors.Is(err, c.err) || err == nil && !sameSet(got, c.want) {
			t.Errorf("%s: %v, %v; want %s, %v", c.name, got, err, c.want, c.err)
		}
	}
}

func sameSet(s store.UIDSet, list string) bool {
	var out []string
	for u := range s.All() {
		out = append(out, fmt.Sprint(u))
	}
	return strings.Join(out, ",") == list
}

func TestSort(t *testing.T) {
	f := newFixture(t)
	f.add("Subject: Re: beta\r\nFrom: \"x\\\"y\" <zoe@a>\r\nTo: m@x\r\nDate: Mon, 2 Jan 2006 15:04:05 +0000\r\n\r\nlonger body\r\n")
	f.add("Subject: alpha\r\nFrom: Adam@b, zoe@x\r\nCc: k@x\r\nDate: Mon, 2 Jan 2006 15:04:05 -0100\r\n\r\n\r\n")
	f.add("From: group:;, berta@b\r\nTo: a@x\r\n\r\nx\r\n") // no date: Received, which is 2001
	for _, c := range []struct {
		keys []store.SortKey
		want string
	}{
		{nil, "[1 2 3]"},
		{[]store.SortKey{{By: store.SortArrival}}, "[1 2 3]"},
		{[]store.SortKey{{By: store.SortArrival, Reverse: true}}, "[1 2 3]"},
		{[]store.SortKey{{By: store.SortDate}}, "[3 1 2]"},
		{[]store.SortKey{{By: store.SortDate, Reverse: true}}, "[2 1 3]"},
		{[]store.SortKey{{By: store.SortSubject}}, "[3 2 1]"},
		{[]store.SortKey{{By: store.SortFrom}}, "[2 3 1]"},
		{[]store.SortKey{{By: store.SortTo}}, "[2 3 1]"},
		{[]store.SortKey{{By: store.SortCc}, {By: store.SortSize}}, "[3 1 2]"},
		{[]store.SortKey{{By: store.SortSize}}, "[3 2 1]"},
		{[]store.SortKey{{By: store.SortDisplayFrom}}, "[2 3 1]"}, // Adam@b, group, x"y
		{[]store.SortKey{{By: store.SortDisplayTo}}, "[2 3 1]"},   // none, a@x, m@x
	} {
		got, err := store.Sort(t.Context(), f, store.SortQuery{Mailbox: f.inbox, Keys: c.keys})
		if err != nil || fmt.Sprint(got) != c.want {
			t.Errorf("by %v: %v, %v; want %s", c.keys, got, err, c.want)
		}
	}
	if _, err := store.Sort(t.Context(), f, store.SortQuery{Mailbox: f.inbox, Max: 2}); !errors.Is(err, store.ErrLimit) {
		t.Errorf("beyond Max: %v", err)
	}
	if got, err := store.Sort(t.Context(), layer{index{f}}, store.SortQuery{}); err != nil || fmt.Sprint(got) != "[3 1 2]" {
		t.Errorf("with a Sorter: %v, %v", got, err)
	}
}

// TestMaildropsLocal: without a MaildropLocker the lock lives in the process.
func TestMaildropsLocal(t *testing.T) {
	f := newFixture(t)
	var locks, other store.Maildrops
	a := bare{f}
	first, err := locks.Lock(t.Context(), a, "alice")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := locks.Lock(t.Context(), a, "alice"); !errors.Is(err, store.ErrLocked) {
		t.Errorf("second lock: %v", err)
	}
	if _, err := locks.Lock(t.Context(), a, "bob"); err != nil {
		t.Errorf("another account: %v", err)
	}
	if _, err := other.Lock(t.Context(), a, "alice"); err != nil {
		t.Errorf("another Maildrops: %v", err)
	}
	if err := errors.Join(first.Keep(t.Context()), first.Unlock(t.Context())); err != nil {
		t.Error(err)
	}
	if _, err := locks.Lock(t.Context(), a, "alice"); err != nil {
		t.Errorf("after Unlock: %v", err)
	}
}

// TestMaildropsLease: a lock in the store ends by itself, and is kept by Keep.
func TestMaildropsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		one, two := store.Maildrops{Lease: time.Minute}, store.Maildrops{Lease: time.Minute}
		first, err := one.Lock(t.Context(), layer{f.Account}, "alice")
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			time.Sleep(30 * time.Second)
			if err := first.Keep(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := two.Lock(t.Context(), f.Account, "alice"); !errors.Is(err, store.ErrLocked) {
				t.Fatalf("the lock is kept, and another session gets it: %v", err)
			}
		}
		time.Sleep(time.Minute)
		second, err := two.Lock(t.Context(), f.Account, "alice")
		if err != nil {
			t.Fatalf("after the lease: %v", err)
		}
		if err := first.Keep(t.Context()); !errors.Is(err, store.ErrLocked) {
			t.Errorf("Keep of a lost lock: %v", err)
		}
		_ = first.Unlock(t.Context())
		if _, err := one.Lock(t.Context(), f.Account, "alice"); !errors.Is(err, store.ErrLocked) {
			t.Errorf("Unlock of a lost lock freed another's: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := second.Unlock(ctx); err != nil {
			t.Errorf("Unlock with a cancelled context: %v", err)
		}
	})
}

func TestLoadMetaOffersBack(t *testing.T) {
	f := newFixture(t)
	w, err := f.s.Blobs().Create(t.Context(), -1)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, "Subject: hello\r\n\r\nbody\r\n")
	ref, err := w.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	op := store.Append{Mailbox: f.inbox, Blob: ref, Size: 24, Prefix: []byte("X: prefix\r\n")}
	if _, err := f.Apply(t.Context(), store.Change{Ops: []store.Op{op}}); err != nil {
		t.Fatal(err)
	}
	load := func(a store.Account) (kept int) {
		t.Helper()
		for m, err := range a.Messages(t.Context(), f.inbox, store.Query{Fields: store.FieldMeta | store.FieldContent}) {
			if err != nil {
				t.Fatal(err)
			}
			kept = len(m.Meta)
			meta, err := store.LoadMeta(t.Context(), a, f.inbox, m)
			if err != nil || string(meta.BaseSubject) != "HELLO" && string(meta.BaseSubject) != "hello" {
				t.Fatalf("Meta = %q, %v", meta.BaseSubject, err)
			}
		}
		return kept
	}
	for range 2 {
		if load(bare{f}) != 0 {
			t.Errorf("a Meta is kept without a MetaWriter")
		}
	}
	if load(layer{f.Account}) != 0 {
		t.Errorf("a Meta was there before it was made")
	}
	if load(layer{f.Account}) == 0 {
		t.Errorf("the Meta is not offered back")
	}
}

// picture is what a Visitor makes of an account.
type picture struct {
	boxes    map[store.MailboxID]string
	messages map[string]store.ModSeq
	entries  map[string]string
	calls    int
}

func (p *picture) visitor(each func()) store.Visitor {
	p.boxes, p.messages, p.entries = map[store.MailboxID]string{}, map[string]store.ModSeq{}, map[string]string{}
	return store.Visitor{
		Mailbox: func(m store.Mailbox) error {
			if p.boxes[m.ID] = m.Name; m.Gone {
				delete(p.boxes, m.ID)
			}
			return nil
		},
		Message: func(id store.MailboxID, m *store.Message) error {
			p.calls++
			each()
			key := fmt.Sprint(id, m.UID)
			if p.messages[key] = m.ModSeq; m.Gone {
				delete(p.messages, key)
			}
			return nil
		},
		Entry: func(e store.Entry) error {
			if p.entries[e.Key] = string(e.Value); e.Gone {
				delete(p.entries, e.Key)
			}
			return nil
		},
	}
}

// TestReadAccount changes the account while it is read, and holds what the
// visitor has against the account at the ModSeq that is returned.
func TestReadAccount(t *testing.T) {
	for _, real := range []bool{true, false} {
		f := newFixture(t)
		for range 20 {
			f.add("x")
		}
		var a store.Account = bare{f}
		if real {
			a = layer{f.Account}
		}
		n := 0
		var p picture
		now, err := store.ReadAccount(t.Context(), a, 0, p.visitor(func() {
			if n++; n <= 10 {
				f.change(store.Expunge{Mailbox: f.inbox, UIDs: store.UIDs(store.UID(n * 2))},
					store.PutEntry{Key: fmt.Sprint(n % 3), Value: fmt.Append(nil, n)},
					store.SetFlags{Mailbox: f.inbox, UIDs: store.UIDs(store.UID(n)), Flags: store.Seen})
			}
		}))
		if err != nil {
			t.Fatal(err)
		}
		_, last, _ := f.Mailboxes(t.Context(), 0)
		if real {
			if len(p.messages) != 20 || p.calls != 20 || len(p.entries) != 0 || now >= last {
				t.Errorf("a snapshot saw %d messages in %d calls, %d entries, at %d of %d", len(p.messages), p.calls, len(p.entries), now, last)
			}
			continue
		}
		want := map[string]store.ModSeq{}
		for m := range f.Messages(t.Context(), f.inbox, store.Query{}) {
			want[fmt.Sprint(f.inbox, m.UID)] = m.ModSeq
		}
		if now != last || fmt.Sprint(p.messages) != fmt.Sprint(want) || len(p.entries) != 3 {
			t.Errorf("at %d of %d: %v, want %v; entries %v", now, last, p.messages, want, p.entries)
		}
	}
}

func (f *fixture) change(ops ...store.Op) {
	f.t.Helper()
	if _, err := f.Apply(f.t.Context(), store.Change{Ops: ops}); err != nil {
		f.t.Fatal(err)
	}
}

// restless is an account that changes whenever it is looked at.
type restless struct {
	store.Account
	n *store.ModSeq
}

func (r restless) Mailboxes(context.Context, store.ModSeq) ([]store.Mailbox, store.ModSeq, error) {
	*r.n++
	return nil, *r.n, nil
}

func (r restless) Entries(context.Context, store.EntryQuery) iter.Seq2[store.Entry, error] {
	return func(func(store.Entry, error) bool) {}
}

// TestReadAccountVisitor: Pass comes before each pass, and Wants spares the
// messages of a mailbox, not its row.
func TestReadAccountVisitor(t *testing.T) {
	f := newFixture(t)
	f.add("one")
	for _, wants := range []bool{true, false} {
		var got []string
		v := store.Visitor{
			Pass:    func() error { got = append(got, "pass"); return nil },
			Mailbox: func(m store.Mailbox) error { got = append(got, m.Name); return nil },
			Message: func(store.MailboxID, *store.Message) error { got = append(got, "message"); return nil },
			Wants:   func(store.Mailbox) bool { return wants },
		}
		if _, err := store.ReadAccount(t.Context(), f, 0, v); err != nil {
			t.Fatal(err)
		}
		want := []string{"pass", "INBOX", "message"}
		if !wants {
			want = want[:2]
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("wants %v: %q", wants, got)
		}
	}
}

func TestReadAccountGivesUp(t *testing.T) {
	_, err := store.ReadAccount(t.Context(), restless{nil, new(store.ModSeq)}, 0, store.Visitor{})
	if !errors.Is(err, store.ErrTemporary) {
		t.Errorf("an account that never rests: %v", err)
	}
}

func TestHoldsWithoutHolder(t *testing.T) {
	a := bare{newFixture(t)}
	if err := store.PutHold(t.Context(), a, store.Hold{Name: "h"}); !errors.Is(err, store.ErrUnsupported) {
		t.Errorf("PutHold: %v", err)
	}
	if err := store.DropHold(t.Context(), a, "h"); !errors.Is(err, store.ErrUnsupported) {
		t.Errorf("DropHold: %v", err)
	}
	if list, err := store.ListHolds(t.Context(), a); len(list) != 0 || err != nil {
		t.Errorf("ListHolds: %v, %v", list, err)
	}
}

func TestHoldCovers(t *testing.T) {
	now := time.Unix(1e9, 0)
	box, other := store.MailboxID{1}, store.MailboxID{2}
	for _, c := range []struct {
		h    store.Hold
		want bool
	}{
		{store.Hold{}, true},
		{store.Hold{Mailbox: box}, true},
		{store.Hold{Mailbox: other}, false},
		{store.Hold{Mailbox: box, UIDs: store.UIDs(5)}, true},
		{store.Hold{Mailbox: box, UIDs: store.UIDs(6)}, false},
		{store.Hold{Until: now}, false},
		{store.Hold{Until: now.Add(1)}, true},
		{store.Hold{Keep: time.Hour}, false},
		{store.Hold{Keep: time.Hour + 1}, true},
	} {
		if got := c.h.Covers(box, 5, now.Add(-time.Hour), now); got != c.want {
			t.Errorf("%+v covers: %v", c.h, got)
		}
	}
}

// TestSortTexts: texts compare by i;unicode-casemap.
func TestSortTexts(t *testing.T) {
	f := newFixture(t)
	for _, subject := range []string{"Zoo", "=?utf-8?q?=C3=84pfel?=", "apfel", "BANANE", "=?utf-8?q?=D1=8F?=", "10", "aPFEl", strings.Repeat("z", 600) + "b", strings.Repeat("Z", 600) + "a", "birnensaft 2", "birnensaft 1"} {
		f.add("Subject: " + subject + "\r\nFrom: =?utf-8?q?" + strings.ToUpper(strings.Trim(subject, "=?")[:1]) + "?= <x@y>\r\n\r\n")
	}
	got, err := store.Sort(t.Context(), f, store.SortQuery{Mailbox: f.inbox, Keys: []store.SortKey{{By: store.SortSubject}}})
	if want := "[6 3 7 2 4 11 10 1 8 9 5]"; err != nil || fmt.Sprint(got) != want {
		t.Errorf("%v, %v; want %s", got, err, want)
	}
}

// FuzzSortEnvelope: any ENVELOPE ends, and what Describe writes is understood.
func FuzzSortEnvelope(f *testing.F) {
	f.Add("From: a@b\r\nTo: \"q\\\"x\" <c@d>\r\n\r\n")
	f.Add("From: =?utf-8?q?=00?= <x@y>\r\nCc: g: a@b, c@d;\r\n\r\n")
	f.Fuzz(func(t *testing.T, message string) {
		x := newFixture(t)
		x.add(message)
		if _, err := store.Sort(t.Context(), x, store.SortQuery{Mailbox: x.inbox, Keys: []store.SortKey{{By: store.SortFrom}, {By: store.SortTo}, {By: store.SortCc}}}); err != nil {
			t.Fatal(err)
		}
	})
}

// TestKeysWithout: without a KeyWriter the messages that are there are listed,
// and nothing can be written.
func TestKeysWithout(t *testing.T) {
	s := memstore.New(nil)
	defer s.Close()
	ctx := t.Context()
	if err := s.Create(ctx, "alice", store.AccountInfo{}); err != nil {
		t.Fatal(err)
	}
	a, err := s.Open(ctx, "alice")
	if err != nil {
		t.Fatal(err)
	}
	inbox, err := store.MailboxByName(ctx, a, store.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := store.AppendMessage(ctx, s, a, "", store.NewMessage{Mailbox: inbox.ID, Body: strings.NewReader("x"), BodySize: 1}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.Apply(ctx, store.Change{Ops: []store.Op{store.Expunge{Mailbox: inbox.ID, UIDs: store.UIDs(1)}}}); err != nil {
		t.Fatal(err)
	}
	bare := struct{ store.Account }{a}
	for name, want := range map[string]int{"with": 2, "without": 1} {
		account := a
		if name == "without" {
			account = bare
		}
		n := 0
		for m, err := range store.ListKeys(ctx, account, inbox.ID, nil) {
			if n++; err != nil || m.Blob == "" || m.EmailID == (store.EmailID{}) {
				t.Errorf("%s: %+v, %v", name, m, err)
			}
		}
		if n != want {
			t.Errorf("%s a KeyWriter %d messages are listed, want %d", name, n, want)
		}
	}
	if err := store.WriteKeys(ctx, bare, nil); !errors.Is(err, store.ErrUnsupported) {
		t.Errorf("WriteKeys: %v, want ErrUnsupported", err)
	}
}
