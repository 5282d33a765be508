package encrypt_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/memqueue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/memblob"
	"github.com/mailstead/mailstead/store/encrypt"
	"github.com/mailstead/mailstead/store/memstore"
)

// TestFromBefore opens a store that was used without encryption.
func TestFromBefore(t *testing.T) {
	ctx := t.Context()
	raw, ring := memblob.New(), keyFile(t)
	before := open(t, memstore.New(raw), "alice")
	uid := before.add(message(1))
	plainRef := before.all(everything)[0].Blob
	before.do(store.PutEntry{Key: "k", Value: []byte("from before")})
	below := before.s.(*memstore.Store)
	opened := func(o encrypt.Options) *box {
		return open(t, wrapped(t, reopened{below, overBlobs(t, raw, ring, o)}, ring, o), "alice")
	}

	a := opened(encrypt.Options{})
	if _, err := a.read(a.inbox, uid); !errors.Is(err, encrypt.ErrPlain) {
		t.Errorf("reading what is not encrypted: %v, want ErrPlain", err)
	}
	for _, err := range a.Entries(ctx, store.EntryQuery{}) {
		if !errors.Is(err, encrypt.ErrPlain) {
			t.Errorf("an entry that is not encrypted: %v, want ErrPlain", err)
		}
	}
	op := store.Append{Mailbox: a.inbox, Blob: plainRef, Size: int64(len(message(1))), Prefix: []byte("P: p\r\n"), Meta: []byte("\x01meta")}
	if _, err := a.Apply(ctx, store.Change{Ops: []store.Op{op}}); !errors.Is(err, encrypt.ErrNoKey) {
		t.Errorf("adopting a body that is not encrypted: %v, want ErrNoKey", err)
	}

	half := open(t, wrapped(t, reopened{below, overBlobs(t, raw, ring, encrypt.Options{AllowPlain: true})}, ring, encrypt.Options{}), "alice")
	if _, err := half.Apply(ctx, store.Change{Ops: []store.Op{op}}); !errors.Is(err, encrypt.ErrPlain) {
		t.Errorf("adopting a plain body where Blobs alone allow it: %v, want ErrPlain", err)
	}

	a = opened(encrypt.Options{AllowPlain: true})
	a.reads(a.inbox, uid, message(1))
	for e, err := range a.Entries(ctx, store.EntryQuery{}) {
		if err != nil || string(e.Value) != "from before" {
			t.Errorf("entry %q, %v", e.Value, err)
		}
	}
	// A body that waited in the queue is adopted; its row is encrypted.
	adopted := a.do(op).Ops[0].Dest.Min()
	if got, err := a.read(a.inbox, adopted); err != nil || got != "P: p\r\n"+message(1) {
		t.Errorf("the adopted body reads %q, %v", got, err)
	}
	if m := before.all(everything)[1]; strings.Contains(string(m.Prefix), "P:") || strings.Contains(string(m.Meta), "meta") {
		t.Errorf("the row of the adopted body is not encrypted: %+v", m)
	}
	fresh := a.add(message(2))
	a.reads(a.inbox, fresh, message(2))
	list := a.all(everything)
	if len(list) != 3 || list[0].Meta == nil || string(list[1].Meta) != "\x01meta" {
		t.Errorf("%+v", list)
	}
	// Whoever leaves a key behind does not get a message that nobody can read.
	op.Blob = list[2].Blob
	if _, err := a.Apply(ctx, store.Change{Ops: []store.Op{op}}); !errors.Is(err, encrypt.ErrNoKey) {
		t.Errorf("an encrypted body without its key: %v, want ErrNoKey", err)
	}
	// A value from before that looks like one of ours is damage, not mail.
	before.do(store.PutEntry{Key: "k", Value: []byte("\x00mse\x01 forged")})
	for e, err := range a.Entries(ctx, store.EntryQuery{}) {
		if !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("entry %q, %v", e.Value, err)
		}
	}
}

// TestBodiesAlone: a store over encrypted bodies whose rows were not encrypted
// gets encrypted rows later.
func TestBodiesAlone(t *testing.T) {
	v := newVault(t, nil, encrypt.Options{})
	before := open(t, v.below, "alice")
	uid := before.add(message(1))
	before.reads(before.inbox, uid, message(1))
	a := open(t, v, "alice")
	if _, err := a.read(a.inbox, uid); !errors.Is(err, encrypt.ErrPlain) {
		t.Errorf("a row that is not encrypted: %v, want ErrPlain", err)
	}
	v.Store = wrapped(t, v.below, v.ring, encrypt.Options{AllowPlain: true})
	a = open(t, v, "alice")
	a.reads(a.inbox, uid, message(1))
	if m := a.all(everything)[0]; m.Meta == nil || m.Key == nil {
		t.Errorf("%+v", m)
	}
	old, now := rotate(t, v.ring)
	if st, err := v.Rewrap(t.Context(), "alice", nil); err != nil || st.Rewrapped != 1 {
		t.Errorf("%+v, %v", st, err)
	}
	if u := uses(t, v.Store); u[old] != 0 || u[now] != 1 {
		t.Errorf("uses %v", u)
	}
	a.reads(a.inbox, uid, message(1))
	before.reads(before.inbox, uid, message(1))
}

func TestNewRefuses(t *testing.T) {
	if _, err := encrypt.New(memstore.New(nil), keyFile(t), encrypt.Options{}); err == nil {
		t.Error("a store whose bodies are not encrypted is accepted")
	}
	if _, err := encrypt.NewBlobs(nil, nil, encrypt.Options{}); err == nil {
		t.Error("NewBlobs without Blobs")
	}
}

// TestCapabilities: nothing is found that would look at ciphertext.
func TestCapabilities(t *testing.T) {
	v := newVault(t, nil, encrypt.Options{})
	if _, ok := store.As[store.KeyWriter](open(t, v, "alice").Account); ok {
		t.Error("KeyWriter is found: the keys below are not the caller's")
	}
	s := wrapped(t, indexed{v.below}, v.ring, encrypt.Options{})
	b := open(t, s, "alice")
	if _, ok := store.As[store.Searcher](b.Account); ok {
		t.Error("a Searcher over ciphertext is found")
	}
	if _, ok := store.As[store.Sorter](b.Account); ok {
		t.Error("a Sorter over ciphertext is found")
	}
}

// indexed is a store that searches and sorts.
type indexed struct{ store.Store }

func (s indexed) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	a, err := s.Store.Open(ctx, id)
	return indexedAccount{a}, err
}

type indexedAccount struct{ store.Account }

func (indexedAccount) SearchText(context.Context, store.SearchQuery) (store.SearchHits, error) {
	return store.SearchHits{}, nil
}

func (indexedAccount) SortMessages(context.Context, store.SortQuery) ([]store.UID, error) {
	return nil, nil
}

// local is a directory and a router for which everyone is here.
type local struct{ to smtp.Receiver }

func (local) Lookup(_ context.Context, paths []smtp.ForwardPath) (out []deliver.Entry, err error) {
	for _, p := range paths {
		out = append(out, deliver.Entry{Kind: deliver.Local, Account: store.AccountID(p.String())})
	}
	return out, nil
}

func (local) Key(smtp.ForwardPath) string { return "local" }

func (l local) Route(_ context.Context, j *queue.Job) ([]queue.Hop, error) {
	h := queue.Hop{Receiver: l.to, Name: "local"}
	for i := range j.Recipients {
		h.Recipients = append(h.Recipients, i)
	}
	return []queue.Hop{h}, nil
}

// TestHandOver sends a message through the queue to two accounts: one body,
// written once, with a key of the queue in its row and keys of the accounts in
// theirs.
func TestHandOver(t *testing.T) {
	for name, v := range map[string]*vault{
		"encrypted": newVault(t, nil, encrypt.Options{}),
		"compressed and encrypted": newVault(t, func(b blob.Blobs, ring encrypt.KeyRing) blob.Blobs {
			return squeezed(t, b, ring)
		}, encrypt.Options{}),
	} {
		t.Run(name, func(t *testing.T) { handOver(t, v) })
	}
}

// queueUses counts the jobs that need each master key.
func queueUses(ctx context.Context, storage queue.Storage) (map[encrypt.KeyID]int, error) {
	uses := make(map[encrypt.KeyID]int)
	for job, err := range storage.List(ctx, queue.Filter{}) {
		if err != nil {
			return nil, err
		}
		if len(job.Key) == 0 {
			continue
		}
		id, err := encrypt.KeyIDOf(job.Key)
		if err != nil {
			return nil, err
		}
		uses[id]++
	}
	return uses, nil
}

func handOver(t *testing.T, v *vault) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	boxes := map[string]*box{"a@example.org": open(t, v, "a@example.org"), "b@example.org": open(t, v, "b@example.org")}
	l := local{&deliver.LocalDelivery{Store: v, Directory: local{}}}
	q := &queue.Queue{Storage: &memqueue.Storage{}, Blobs: v.Blobs(), Router: l}
	done := make(chan queue.Event, 2)
	r := &queue.Runner{Queue: q, Router: l, Event: func(e queue.Event) { done <- e }, Logger: slog.New(slog.DiscardHandler)}
	env := &smtp.Envelope{Mail: &smtp.Mail{ID: smtp.NewID()}}
	for to := range boxes {
		name, domain, _ := strings.Cut(to, "@")
		rcpt := &smtp.Recipient{}
		rcpt.ForwardPath.Local, rcpt.ForwardPath.Domain = name, domain
		env.Recipients = append(env.Recipients, rcpt)
	}
	if err := q.Enqueue(ctx, env, strings.NewReader(message(1))); err != nil {
		t.Fatal(err)
	}
	current, _ := v.ring.Current(ctx)
	if uses, err := queueUses(ctx, q.Storage); err != nil || uses[current] != 1 {
		t.Errorf("the queue uses %v, %v; want %s once", uses, err, current)
	}
	ended := make(chan error)
	go func() { ended <- r.Run(ctx) }()
	for range boxes {
		if e := <-done; e.Result.State != queue.Delivered {
			t.Errorf("%+v", e.Result)
		}
	}
	cancel()
	<-ended
	for to, b := range boxes {
		list := b.all(everything)
		if len(list) != 1 {
			t.Fatalf("%s has %d messages", to, len(list))
		}
		if got, err := b.read(b.inbox, 1); err != nil || got != "Return-Path: <>\r\nDelivered-To: "+to+"\r\n"+message(1) {
			t.Errorf("%s reads %q, %v", to, got, err)
		}
	}
	if n := len(stored(t, v.blobs)); n != 1 {
		t.Errorf("%d bodies are stored", n)
	}
}

// TestBetweenStores copies a message from one encrypted store to another, with
// keys of its own, and within one store to another account.
func TestBetweenStores(t *testing.T) {
	ctx := t.Context()
	v, w := newVault(t, nil, encrypt.Options{}), newVault(t, nil, encrypt.Options{})
	a, b, c := open(t, v, "alice"), open(t, v, "bob"), open(t, w, "carol")
	a.add(message(1))
	m := a.all(everything)[0]
	for _, to := range []*box{b, c} {
		if _, err := store.AppendMessage(ctx, to.s, to.Account, "", store.NewMessage{
			Mailbox: to.inbox, Blob: m.Blob, From: v.Blobs(), Key: m.Key, Prefix: m.Prefix,
		}); err != nil {
			t.Fatal(err)
		}
		to.reads(to.inbox, 1, message(1))
	}
	if b.all(everything)[0].Blob != m.Blob || len(stored(t, v.blobs)) != 1 || len(stored(t, w.blobs)) != 1 {
		t.Error("the body is stored more than once in a store")
	}
}

func BenchmarkMessages(b *testing.B) {
	v := newVault(b, nil, encrypt.Options{})
	a := open(b, v, "alice")
	for i := range 1000 {
		a.add(message(i))
	}
	below := open(b, v.below, "alice")
	for name, s := range map[string]*box{"encrypted": a, "plain": below} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for _, err := range s.Messages(b.Context(), s.inbox, store.Query{Fields: everything}) {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/message")
		})
	}
}

func BenchmarkRewrap(b *testing.B) {
	v := newVault(b, nil, encrypt.Options{})
	a := open(b, v, "alice")
	for i := range 1000 {
		a.add(message(i))
	}
	for b.Loop() {
		rotate(b, v.ring)
		if st, err := v.Rewrap(b.Context(), "alice", nil); err != nil || st.Rewrapped != 1000 {
			b.Fatal(st, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/message")
}
