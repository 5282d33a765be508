package encrypt_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/encrypt"
)

// tampered is a store whose rows somebody else writes to.
type tampered struct {
	store.Store
	message func(m *store.Message)
	entry   func(e *store.Entry)
	op      func(op store.Op)
}

func (s *tampered) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	a, err := s.Store.Open(ctx, id)
	return &tamperedAccount{a, s}, err
}

type tamperedAccount struct {
	store.Account
	s *tampered
}

func (a *tamperedAccount) Unwrap() any { return a.Account }

func (a *tamperedAccount) Apply(ctx context.Context, c store.Change) (store.Result, error) {
	for _, op := range c.Ops {
		if a.s.op != nil {
			a.s.op(op)
		}
	}
	return a.Account.Apply(ctx, c)
}

func (a *tamperedAccount) Messages(ctx context.Context, id store.MailboxID, q store.Query) iter.Seq2[*store.Message, error] {
	return a.change(a.Account.Messages(ctx, id, q))
}

func (a *tamperedAccount) Keys(ctx context.Context, id store.MailboxID, uids store.UIDSet) iter.Seq2[*store.Message, error] {
	return a.change(a.Account.(store.KeyWriter).Keys(ctx, id, uids))
}

func (a *tamperedAccount) WriteKeys(ctx context.Context, c []store.KeyChange) error {
	return a.Account.(store.KeyWriter).WriteKeys(ctx, c)
}

func (a *tamperedAccount) change(list iter.Seq2[*store.Message, error]) iter.Seq2[*store.Message, error] {
	return func(yield func(*store.Message, error) bool) {
		for m, err := range list {
			if err == nil && a.s.message != nil {
				c := *m
				c.Key, c.Prefix, c.Meta = bytes.Clone(m.Key), bytes.Clone(m.Prefix), bytes.Clone(m.Meta)
				a.s.message(&c)
				m = &c
			}
			if !yield(m, err) {
				return
			}
		}
	}
}

func (a *tamperedAccount) Entries(ctx context.Context, q store.EntryQuery) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		for e, err := range a.Account.Entries(ctx, q) {
			if err == nil && a.s.entry != nil {
				a.s.entry(&e)
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// tamper puts somebody between v and the store below.
func (v *vault) tamper(t testing.TB, o encrypt.Options) *tampered {
	s := &tampered{Store: v.below}
	v.Store = wrapped(t, s, v.ring, o)
	return s
}

// damaged reports an error that does not name what is damaged.
func damaged(t *testing.T, what string, err error, uid store.UID) {
	t.Helper()
	e, ok := errors.AsType[*store.Error](err)
	if !ok || e.Account != "alice" || e.UID != uid || !errors.Is(err, store.ErrCorrupt) && !errors.Is(err, store.ErrVersion) && !errors.Is(err, encrypt.ErrNoKey) {
		t.Errorf("%s: error %v", what, err)
	}
}

// TestRowDamage flips each octet of a row: the message is listed, its octets
// are not given out, and the message beside it is none the worse.
func TestRowDamage(t *testing.T) {
	v := newVault(t, nil, encrypt.Options{})
	a := open(t, v, "alice")
	one, two := a.add(message(1)), a.add(message(2))
	row := a.all(everything)[0]
	s := v.tamper(t, encrypt.Options{})
	a = open(t, v, "alice")
	raw := func() (m store.Message) {
		for x, err := range open(t, v.below, "alice").Messages(t.Context(), a.inbox, store.Query{UIDs: store.UIDs(one), Fields: everything}) {
			if m = *x; err != nil {
				t.Fatal(err)
			}
		}
		return m
	}()
	for _, c := range []struct {
		name string
		of   func(m *store.Message) []byte
		n    int
		meta bool
	}{
		{"Key", func(m *store.Message) []byte { return m.Key }, len(raw.Key), false},
		{"Prefix", func(m *store.Message) []byte { return m.Prefix }, len(raw.Prefix), false},
		{"Meta", func(m *store.Message) []byte { return m.Meta }, len(raw.Meta), true},
	} {
		for i := range c.n {
			s.message = func(m *store.Message) {
				if p := c.of(m); m.UID == one && i < len(p) {
					p[i] ^= 1 << (i % 8)
				}
			}
			what := fmt.Sprintf("octet %d of %s", i, c.name)
			list := a.all(everything)
			if len(list) != 2 || list[0].Size != row.Size || list[0].Meta != nil || !c.meta && (list[0].Key != nil || list[0].Prefix != nil) {
				t.Fatalf("%s: listed are %+v", what, list)
			}
			a.reads(a.inbox, two, message(2))
			if c.meta {
				a.reads(a.inbox, one, message(1))
				if m, err := store.LoadMeta(t.Context(), a.Account, a.inbox, &list[0]); err != nil || string(m.BaseSubject) == "" {
					t.Errorf("%s: LoadMeta: %+v, %v", what, m, err)
				}
				continue
			}
			_, err := a.read(a.inbox, one)
			damaged(t, what, err, one)
			_, err = store.OpenContent(t.Context(), a.Account, a.inbox, &list[0])
			damaged(t, what+", OpenContent", err, one)
			if _, err := a.Apply(t.Context(), store.Change{Ops: []store.Op{store.Append{
				Mailbox: a.inbox, Blob: list[0].Blob, Key: list[0].Key, Prefix: list[0].Prefix, Size: 1,
			}}}); !errors.Is(err, encrypt.ErrNoKey) {
				t.Errorf("%s: the message is copied: %v", what, err)
			}
		}
	}
}

// TestSwapped: parts of one row in another are no message.
func TestSwapped(t *testing.T) {
	v := newVault(t, nil, encrypt.Options{})
	a := open(t, v, "alice")
	one, two := a.add(message(1)), a.add(message(2))
	// Two messages of one body have one data key, and each a Prefix of its own.
	first := a.all(everything)[0]
	b := open(t, v, "bob")
	shared := store.Append{Blob: first.Blob, Key: first.Key, Prefix: []byte("Received: for somebody else\r\n"), Size: int64(len(message(1)))}
	shared.Mailbox, shared.EmailID = b.inbox, first.EmailID
	b.do(shared)
	shared.Mailbox, shared.EmailID = a.inbox, store.EmailID{}
	three := a.do(shared).Ops[0].Dest.Min()
	rows := map[store.UID]store.Message{}
	for m := range open(t, v.below, "alice").Messages(t.Context(), a.inbox, store.Query{Fields: everything}) {
		rows[m.UID] = clone(m)
	}
	for m := range open(t, v.below, "bob").Messages(t.Context(), b.inbox, store.Query{Fields: everything}) {
		rows[1000] = clone(m)
	}
	s := v.tamper(t, encrypt.Options{})
	a = open(t, v, "alice")
	for _, c := range []struct {
		what string
		from store.UID
		put  func(m *store.Message, from store.Message)
	}{
		{"the Key of another message", two, func(m *store.Message, from store.Message) { m.Key = from.Key }},
		{"the Blob of another message", two, func(m *store.Message, from store.Message) { m.Blob = from.Blob }},
		{"the Blob and the Key of another message", two, func(m *store.Message, from store.Message) { m.Blob, m.Key = from.Blob, from.Key }},
		{"the Prefix and the Key of another message of the same body", three, func(m *store.Message, from store.Message) {
			m.Prefix, m.Key = from.Prefix, from.Key
		}},
		{"the Prefix and the Key of the same body in another account", 1000, func(m *store.Message, from store.Message) {
			m.Prefix, m.Key = from.Prefix, from.Key
		}},
		{"the whole row of another account", 1000, func(m *store.Message, from store.Message) { uid := m.UID; *m = from; m.UID = uid }},
		{"the Key of the same body in another account, and no Prefix", 1000, func(m *store.Message, from store.Message) {
			m.Key, m.Prefix = from.Key[:len(from.Key)-40], nil
		}},
		{"the Prefix and its seal of the same body in another account", 1000, func(m *store.Message, from store.Message) {
			m.Key = append(m.Key[:len(m.Key)-40], from.Key[len(from.Key)-40:]...)
			m.Prefix = from.Prefix
		}},
		{"no Prefix", two, func(m *store.Message, _ store.Message) { m.Prefix = nil }},
		{"no Key", two, func(m *store.Message, _ store.Message) { m.Key = nil }},
	} {
		s.message = func(m *store.Message) {
			if m.UID == one {
				c.put(m, rows[c.from])
			}
		}
		got, err := a.read(a.inbox, one)
		if err == nil || !errors.Is(err, store.ErrCorrupt) && !errors.Is(err, encrypt.ErrPlain) {
			t.Errorf("with %s: %q, %v", c.what, got, err)
		}
		list := a.all(everything)
		if list[0].Prefix != nil || list[0].Meta != nil || list[0].Key != nil {
			t.Errorf("with %s: %+v", c.what, list[0])
		}
	}
}

func clone(m *store.Message) store.Message {
	c := *m
	c.Key, c.Prefix, c.Meta = bytes.Clone(m.Key), bytes.Clone(m.Prefix), bytes.Clone(m.Meta)
	return c
}

// TestEntryDamage flips each octet of a value, and moves values about.
func TestEntryDamage(t *testing.T) {
	v := newVault(t, nil, encrypt.Options{})
	a := open(t, v, "alice")
	a.do(store.PutEntry{Key: "a", Value: []byte("one")}, store.PutEntry{Key: "b", Value: []byte("two")}, store.PutEntry{Mailbox: a.inbox, Key: "a", Value: []byte("three")})
	var raw []store.Entry
	for e := range open(t, v.below, "alice").Entries(t.Context(), store.EntryQuery{All: true}) {
		raw = append(raw, e)
	}
	s := v.tamper(t, encrypt.Options{})
	a = open(t, v, "alice")
	fails := func(what string, change func(e *store.Entry)) {
		t.Helper()
		s.entry = func(e *store.Entry) {
			if e.Mailbox.IsZero() && e.Key == "a" {
				change(e)
			}
		}
		fine := 0
		for e, err := range a.Entries(t.Context(), store.EntryQuery{All: true}) {
			switch {
			case e.Mailbox.IsZero() && e.Key == "a":
				if err == nil || e.Value != nil || !strings.Contains(err.Error(), `account "alice"`) || !strings.Contains(err.Error(), `entry "a"`) {
					t.Errorf("%s: %q, %v", what, e.Value, err)
				}
			case err == nil:
				fine++
			}
		}
		if fine != 2 {
			t.Errorf("%s: %d other entries are read", what, fine)
		}
	}
	for i := range raw[0].Value {
		fails(fmt.Sprint("octet ", i), func(e *store.Entry) { e.Value = bytes.Clone(e.Value); e.Value[i] ^= 1 << (i % 8) })
		fails(fmt.Sprint("cut after ", i), func(e *store.Entry) { e.Value = e.Value[:i] })
	}
	fails("the value of another entry", func(e *store.Entry) { e.Value = raw[1].Value })
	fails("the value of the mailbox's", func(e *store.Entry) { e.Value = raw[2].Value })
	fails("a value that nobody encrypted", func(e *store.Entry) { e.Value = []byte("forged") })
}

// TestOpenContentWithout: what a caller leaves out of a Message is found again.
func TestOpenContentWithout(t *testing.T) {
	v := newVault(t, nil, encrypt.Options{})
	a := open(t, v, "alice")
	a.add(message(1))
	for _, change := range []func(m *store.Message){
		func(*store.Message) {}, func(m *store.Message) { m.Prefix = nil }, func(m *store.Message) { m.Key = nil },
	} {
		m := a.all(everything)[0]
		change(&m)
		c, err := store.OpenContent(t.Context(), a.Account, a.inbox, &m)
		if err != nil || c.Size() != m.Size {
			t.Fatalf("%v", err)
		}
		c.Close()
	}
}

// TestBodyDamage: the error of a damaged body names the message.
func TestBodyDamage(t *testing.T) {
	v := newVault(t, nil, encrypt.Options{})
	a := open(t, v, "alice")
	uid := a.add(strings.Repeat("0123456789abcde\n", 20_000))
	ref := a.all(everything)[0].Blob
	bad := stored(t, v.blobs)[ref]
	bad[1000] ^= 4
	v.Store = wrapped(t, reopened{v.below, overBlobs(t, same{v.blobs, ref, bad}, v.ring, encrypt.Options{})}, v.ring, encrypt.Options{})
	_, err := open(t, v, "alice").read(a.inbox, uid)
	damaged(t, "a body", err, uid)
	if !errors.Is(err, blob.ErrCorrupt) {
		t.Errorf("error %v", err)
	}
}

// TestNothingPlain: nothing of a message is readable below.
func TestNothingPlain(t *testing.T) {
	v := newVault(t, nil, encrypt.Options{})
	var ops []store.Append
	s := v.tamper(t, encrypt.Options{})
	s.op = func(op store.Op) {
		if m, ok := op.(store.Append); ok {
			ops = append(ops, m)
		}
	}
	a := open(t, v, "alice")
	text := "Subject: =?utf-8?q?confidential?=\r\nFrom: confidential@example.org\r\nMessage-ID: <m@confidential>\r\n\r\nconfidential text\r\n"
	op, err := store.PrepareAppend(t.Context(), v, store.NewMessage{Mailbox: a.inbox, Body: strings.NewReader(text), BodySize: -1, Prefix: []byte("Received: from confidential\r\n")})
	if err != nil {
		t.Fatal(err)
	}
	a.do(op)
	a.do(op, store.PutEntry{Key: "k", Value: []byte("confidential")})
	var all bytes.Buffer
	for _, data := range stored(t, v.blobs) {
		all.Write(data)
	}
	below := open(t, v.below, "alice")
	for _, m := range below.all(everything) {
		fmt.Fprintf(&all, "%s%s%s", m.Key, m.Prefix, m.Meta)
	}
	for e := range below.Entries(t.Context(), store.EntryQuery{All: true}) {
		all.Write(e.Value)
	}
	for _, word := range []string{"confidential", "Received", "example.org"} {
		if bytes.Contains(all.Bytes(), []byte(word)) {
			t.Errorf("%q can be read below", word)
		}
	}
	if len(ops) != 2 || len(ops[0].ThreadKeys) != 1 || ops[0].ThreadKeys[0] == op.ThreadKeys[0] || ops[0].SubjectHash == op.SubjectHash {
		t.Errorf("hashes of %+v are kept as they are", op)
	}
	if ops[0].ThreadKeys[0] != ops[1].ThreadKeys[0] || ops[0].SubjectHash != ops[1].SubjectHash {
		t.Error("the same message has other hashes the second time")
	}
	if bytes.Equal(ops[0].Key, ops[1].Key) || bytes.Equal(ops[0].Prefix, ops[1].Prefix) || bytes.Equal(ops[0].Meta, ops[1].Meta) {
		t.Error("two messages show that they are the same")
	}
}
