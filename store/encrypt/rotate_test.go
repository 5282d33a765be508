package encrypt_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/encrypt"
)

// box is an account of a vault with short names.
type box struct {
	store.Account
	t     testing.TB
	s     store.Store
	inbox store.MailboxID
}

func open(t testing.TB, s store.Store, id store.AccountID) *box {
	t.Helper()
	if err := s.Create(t.Context(), id, store.AccountInfo{}); err != nil && !errors.Is(err, store.ErrExists) {
		t.Fatal(err)
	}
	a, err := s.Open(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	m, err := store.MailboxByName(t.Context(), a, store.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	return &box{a, t, s, m.ID}
}

func (b *box) do(ops ...store.Op) store.Result {
	b.t.Helper()
	r, err := b.Apply(b.t.Context(), store.Change{Ops: ops})
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// add appends a message with all that is encrypted.
func (b *box) add(body string) store.UID {
	b.t.Helper()
	r, err := store.AppendMessage(b.t.Context(), b.s, b.Account, "", store.NewMessage{
		Mailbox: b.inbox, Body: strings.NewReader(body), BodySize: -1, Prefix: []byte("Received: in secret\r\n"),
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return r.Ops[0].Dest.Min()
}

func (b *box) read(id store.MailboxID, uid store.UID) (string, error) {
	c, err := b.Content(b.t.Context(), id, uid)
	if err != nil {
		return "", err
	}
	data, err := io.ReadAll(io.NewSectionReader(c, 0, c.Size()))
	return string(data), errors.Join(err, c.Close())
}

// reads reports a message that is not the one with this body.
func (b *box) reads(id store.MailboxID, uid store.UID, body string) {
	b.t.Helper()
	if got, err := b.read(id, uid); err != nil || got != "Received: in secret\r\n"+body {
		b.t.Errorf("message %d reads %q, %v", uid, got, err)
	}
}

func (b *box) all(f store.Fields) (out []store.Message) {
	b.t.Helper()
	for m, err := range b.Messages(b.t.Context(), b.inbox, store.Query{Fields: f}) {
		if err != nil {
			b.t.Fatal(err)
		}
		c := *m
		c.Key, c.Prefix, c.Meta = bytes.Clone(m.Key), bytes.Clone(m.Prefix), bytes.Clone(m.Meta)
		out = append(out, c)
	}
	return out
}

const everything = store.FieldDates | store.FieldIDs | store.FieldContent | store.FieldMeta

func message(i int) string { return fmt.Sprintf("Subject: number %d\r\n\r\nbody %d\r\n", i, i) }

func rotate(t testing.TB, f *encrypt.KeyFile) (old, now encrypt.KeyID) {
	t.Helper()
	old, _ = f.Current(t.Context())
	now, err := f.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	return old, now
}

func uses(t testing.TB, s *encrypt.Store) map[encrypt.KeyID]int64 {
	t.Helper()
	u, err := s.Uses(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestRotation goes the whole way: a new key, all rows under it, the old key
// gone, and everything still there, expunged messages and threads too.
func TestRotation(t *testing.T) {
	v := newVault(t, nil, encrypt.Options{})
	ctx := t.Context()
	a, b := open(t, v, "alice"), open(t, v, "bob")
	for i := range 250 {
		a.add(message(i))
	}
	b.add(message(0))
	gone := a.add(message(999))
	other := store.NewMailboxID()
	a.do(store.PutMailbox{ID: other, Create: true, Name: "other"}, store.Copy{Source: a.inbox, UIDs: store.UIDs(1, 2), Dest: other},
		store.Expunge{Mailbox: a.inbox, UIDs: store.UIDs(gone)},
		store.PutEntry{Key: "/private/comment", Value: []byte("of the account")},
		store.PutEntry{Mailbox: a.inbox, Key: "/private/comment", Value: []byte{}})
	bodies := stored(t, v.blobs)
	old, now := rotate(t, v.ring)
	fresh := a.add(message(1000))
	if u := uses(t, v.Store); u[old] != 256 || u[now] != 1 || len(u) != 2 {
		t.Errorf("before: %v", u)
	}
	_, before, _ := a.Mailboxes(ctx, 0)
	batches := 0
	for id, want := range map[store.AccountID]encrypt.RewrapStats{
		"alice": {Seen: 256, Rewrapped: 255}, "bob": {Seen: 1, Rewrapped: 1},
	} {
		st, err := v.Rewrap(ctx, id, func(encrypt.RewrapStats) { batches++ })
		if err != nil || st != want {
			t.Errorf("%s: %+v, %v; want %+v", id, st, err, want)
		}
	}
	if _, after, _ := a.Mailboxes(ctx, 0); after != before || batches < 3 {
		t.Errorf("ModSeq %d, then %d; %d batches", before, after, batches)
	}
	if st, err := v.Rewrap(ctx, "alice", nil); err != nil || st.Rewrapped != 0 || st.Seen != 256 {
		t.Errorf("again: %+v, %v", st, err)
	}
	if u := uses(t, v.Store); u[now] != 257 || len(u) != 1 {
		t.Errorf("after: %v", u)
	}
	if err := v.ring.Remove(old); err != nil {
		t.Fatal(err)
	}
	// Another process: it has derived nothing yet.
	f, err := encrypt.OpenKeyFile(v.path())
	if err != nil {
		t.Fatal(err)
	}
	v.reopen(t, f)
	a = open(t, v, "alice")
	for uid := range store.UID(250) {
		a.reads(a.inbox, uid+1, message(int(uid)))
	}
	a.reads(other, 2, message(1))
	a.reads(a.inbox, gone, message(999))
	a.reads(a.inbox, fresh, message(1000))
	for e, err := range a.Entries(ctx, store.EntryQuery{All: true}) {
		if want := map[bool]string{true: "of the account"}[e.Mailbox.IsZero()]; err != nil || string(e.Value) != want || e.Value == nil {
			t.Errorf("entry %+v, %v", e, err)
		}
	}
	for ref, octets := range bodies {
		if !bytes.Equal(octets, stored(t, v.blobs)[ref]) {
			t.Errorf("the body %s was written", ref)
		}
	}
}

// TestThreadsOverRotation: a reply finds the message that was delivered under
// the key before.
func TestThreadsOverRotation(t *testing.T) {
	v := newVault(t, nil, encrypt.Options{})
	a := open(t, v, "alice")
	a.add("Subject: s\r\nMessage-ID: <a@b>\r\n\r\n1")
	rotate(t, v.ring)
	a.add("Subject: Re: s\r\nIn-Reply-To: <a@b>\r\n\r\n2")
	list := a.all(store.FieldIDs)
	if len(list) != 2 || list[0].ThreadID != list[1].ThreadID {
		t.Errorf("%+v", list)
	}
}

// TestRewrapInterrupted: what was rewrapped stays so.
func TestRewrapInterrupted(t *testing.T) {
	v := newVault(t, nil, encrypt.Options{})
	a := open(t, v, "alice")
	for i := range 350 {
		a.add(message(i))
	}
	old, _ := rotate(t, v.ring)
	ctx, cancel := context.WithCancel(t.Context())
	st, err := v.Rewrap(ctx, "alice", func(st encrypt.RewrapStats) {
		if st.Rewrapped == 200 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || st.Rewrapped != 200 {
		t.Errorf("interrupted: %+v, %v", st, err)
	}
	if u := uses(t, v.Store); u[old] != 150 {
		t.Errorf("in between: %v", u)
	}
	if st, err := v.Rewrap(t.Context(), "alice", nil); err != nil || st.Rewrapped != 150 {
		t.Errorf("the rest: %+v, %v", st, err)
	}
}

// TestRewrapCopies: a copy that is made where the pass was already has the old
// key; Rewrap comes back for it.
func TestRewrapCopies(t *testing.T) {
	v := newVault(t, nil, encrypt.Options{})
	a := open(t, v, "alice")
	late := store.NewMailboxID()
	for i := range 100 {
		a.add(message(i))
	}
	a.do(store.PutMailbox{ID: late, Create: true, Name: "late"}, store.Copy{Source: a.inbox, UIDs: store.AllUIDs(), Dest: late})
	old, _ := rotate(t, v.ring)
	st, err := v.Rewrap(t.Context(), "alice", func(st encrypt.RewrapStats) {
		if st.Rewrapped == 100 { // INBOX is done
			a.do(store.Copy{Source: late, UIDs: store.AllUIDs(), Dest: a.inbox})
		}
	})
	if err != nil || st.Rewrapped != 300 {
		t.Errorf("%+v, %v", st, err)
	}
	if u := uses(t, v.Store); u[old] != 0 {
		t.Errorf("%v, of which %s is the old key", u, old)
	}
}

// TestRewrapBusy runs beside moves; a Rewrap after them leaves nothing behind,
// and every message is what it was.
func TestRewrapBusy(t *testing.T) {
	v := newVault(t, nil, encrypt.Options{})
	a := open(t, v, "alice")
	boxes := []store.MailboxID{a.inbox}
	for i := range 4 {
		id := store.NewMailboxID()
		a.do(store.PutMailbox{ID: id, Create: true, Name: fmt.Sprint("box ", i)})
		boxes = append(boxes, id)
	}
	for range 200 {
		a.add(message(1))
	}
	old, _ := rotate(t, v.ring)
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := range 50 {
			a.do(store.Copy{Source: boxes[n%5], UIDs: store.AllUIDs(), Dest: boxes[(n+1)%5], Move: true})
		}
	})
	for range 3 {
		if _, err := v.Rewrap(t.Context(), "alice", nil); err != nil && !errors.Is(err, store.ErrTemporary) {
			t.Error(err)
		}
	}
	wg.Wait()
	if _, err := v.Rewrap(t.Context(), "alice", nil); err != nil {
		t.Error(err)
	}
	if u := uses(t, v.Store); u[old] != 0 {
		t.Errorf("%v, of which %s is the old key", u, old)
	}
	for m, err := range a.Messages(t.Context(), boxes[50%5], store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		a.reads(boxes[50%5], m.UID, message(1))
	}
}

// TestLostKey: what a lost key encrypted is named; all else goes on.
func TestLostKey(t *testing.T) {
	v := newVault(t, nil, encrypt.Options{})
	ctx := t.Context()
	a := open(t, v, "alice")
	lost := a.add(message(1))
	a.do(store.PutEntry{Key: "lost", Value: []byte("v")})
	old, _ := rotate(t, v.ring)
	fine := a.add(message(2))
	if err := v.ring.Remove(old); err != nil {
		t.Fatal(err)
	}
	v.reopen(t, v.ring)
	a = open(t, v, "alice")
	list := a.all(everything)
	if len(list) != 2 || list[0].Prefix != nil || list[0].Meta != nil || list[1].Meta == nil {
		t.Errorf("%+v", list)
	}
	_, err := a.read(a.inbox, lost)
	e, ok := errors.AsType[*store.Error](err)
	if !errors.Is(err, encrypt.ErrNoKey) || !ok || e.Account != "alice" || e.UID != lost {
		t.Errorf("reading: %v", err)
	}
	if c, err := store.OpenContent(ctx, a.Account, a.inbox, &list[0]); !errors.Is(err, encrypt.ErrNoKey) {
		t.Errorf("OpenContent: %v, %v", c, err)
	}
	a.reads(a.inbox, fine, message(2))
	for e, err := range a.Entries(ctx, store.EntryQuery{}) {
		if !errors.Is(err, encrypt.ErrNoKey) || !strings.Contains(err.Error(), "lost") || len(e.Value) > 0 {
			t.Errorf("entry: %+v, %v", e, err)
		}
	}
	st, err := v.Rewrap(ctx, "alice", nil)
	if !errors.Is(err, encrypt.ErrNoKey) || st.Lost != 2 {
		t.Errorf("Rewrap: %+v, %v", st, err)
	}
	if u := uses(t, v.Store); u[old] != 2 {
		t.Errorf("uses %v", u)
	}
	none := wrapped(t, v.below, nobody{v.ring}, encrypt.Options{})
	if _, err := open(t, none, "alice").Apply(ctx, store.Change{Ops: []store.Op{store.PutEntry{Key: "k", Value: []byte("v")}}}); !errors.Is(err, encrypt.ErrNoKey) {
		t.Errorf("writing without a current key: %v", err)
	}
}

// nobody is a ring that cannot be reached.
type nobody struct{ encrypt.KeyRing }

func (nobody) Current(context.Context) (encrypt.KeyID, error) { return "", encrypt.ErrNoKey }

// stored is all that lies in b.
func stored(t testing.TB, b blob.Blobs) map[blob.Ref][]byte {
	t.Helper()
	out := map[blob.Ref][]byte{}
	for info, err := range b.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		data, err := get(t.Context(), b, info.Ref, nil)
		if err != nil {
			t.Fatal(err)
		}
		out[info.Ref] = data
	}
	return out
}
