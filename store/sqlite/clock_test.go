package sqlite_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/sqlstore"
)

// past is what a Change made before the clock jumped back.
type past struct {
	inbox, gone store.MailboxID
	first       store.Result // of the Change with the Once key
	modSeq      store.ModSeq
	validity    store.UIDValidity // the greatest one
	next        store.UID
}

// once is a delivery with an idempotency key.
func once(t *testing.T, s store.Store, a store.Account, box store.MailboxID, key string) store.Result {
	t.Helper()
	text := "Subject: once\r\n\r\ntext\r\n"
	r, err := store.AppendMessage(t.Context(), s, a, key, store.NewMessage{Mailbox: box, Body: strings.NewReader(text), BodySize: int64(len(text))})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func must(t *testing.T, a store.Account, ops ...store.Op) store.Result {
	t.Helper()
	r, err := a.Apply(t.Context(), store.Change{Ops: ops})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// before is the life of a store whose clock is ahead.
func before(t *testing.T, dir string) (p past) {
	t.Helper()
	s := open(t, dir)
	defer s.Close()
	w := newWriter(t, s, "alice")
	p.inbox = w.inbox
	p.first = once(t, s, w.a, w.inbox, "key")
	once(t, s, w.a, w.inbox, "") // UID 2
	p.gone = store.NewMailboxID()
	r := must(t, w.a, store.PutMailbox{ID: p.gone, Create: true, Name: "Gone"})
	p.validity = r.Ops[0].UIDValidity
	must(t, w.a, store.PutEntry{Key: "kept", Value: []byte("1"), Expires: time.Now().Add(time.Hour)})
	must(t, w.a, store.PutMailbox{ID: p.gone, Delete: true})
	p.modSeq = must(t, w.a, store.Expunge{Mailbox: w.inbox, UIDs: store.UIDs(2)}).ModSeq
	p.next = 3
	return p
}

// TestClockJumpsBack: with a clock that is years behind what was written,
// nothing is given out twice, and nothing is taken for old.
func TestClockJumpsBack(t *testing.T) {
	dir := t.TempDir()
	p := before(t, dir)
	synctest.Test(t, func(t *testing.T) { // begins on 1 January 2000
		if y := time.Now().Year(); y != 2000 {
			t.Fatalf("the clock shows %d", y)
		}
		s := open(t, dir)
		defer s.Close()
		a, err := s.Open(t.Context(), "alice")
		if err != nil {
			t.Fatal(err)
		}
		again := once(t, s, a, p.inbox, "key")
		if !again.Repeated || again.ModSeq != p.first.ModSeq {
			t.Errorf("the Once key is forgotten: %+v", again)
		}
		r := once(t, s, a, p.inbox, "later")
		if r.ModSeq <= p.modSeq || r.Ops[0].Dest.Min() < p.next {
			t.Errorf("ModSeq %d after %d, UID %v, next was %d", r.ModSeq, p.modSeq, r.Ops[0].Dest, p.next)
		}
		v := must(t, a, store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: "Gone"}).Ops[0].UIDValidity
		if v <= p.validity {
			t.Errorf("UIDVALIDITY %d after %d", v, p.validity)
		}
		old := must(t, a, store.Expunge{Mailbox: p.inbox, UIDs: r.Ops[0].Dest}).ModSeq
		for _, days := range []int{0, 2, 20} {
			time.Sleep(time.Duration(days) * 24 * time.Hour)
			notEarly(t, s, a, &p)
		}
		time.Sleep(80 * 24 * time.Hour) // more than the log is kept, by this clock
		notEarly(t, s, a, &p)
		if _, _, err := a.Mailboxes(t.Context(), old); err != nil && !errors.Is(err, store.ErrResync) {
			t.Error(err)
		}
	})
	s := open(t, dir) // the clock is right again
	defer s.Close()
	a, err := s.Open(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	if r := once(t, s, a, p.inbox, "key"); !r.Repeated {
		t.Error("the Once key is forgotten after the clock was set right")
	}
}

// notEarly cleans and collects, and looks for what was written by the other
// clock.
func notEarly(t *testing.T, s *opened, a store.Account, p *past) {
	t.Helper()
	if err := s.engine.Store().Clean(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := blob.Collector{Blobs: s.Blobs(), Holders: []blob.Holder{s}}
	if _, err := c.Collect(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := once(t, s, a, p.inbox, "key"); !r.Repeated {
		t.Error("the Once key is forgotten")
	}
	for _, uid := range []store.UID{1, 2} { // one is there, one was expunged
		body, err := a.Content(t.Context(), p.inbox, uid)
		if err != nil {
			t.Errorf("content of UID %d: %v", uid, err)
			continue
		}
		body.Close()
	}
	found := false
	for e, err := range a.Entries(t.Context(), store.EntryQuery{Prefix: "kept"}) {
		found = err == nil && e.Key == "kept"
	}
	if !found {
		t.Error("an entry has expired early")
	}
	err := s.engine.Store().Verify(context.Background(), func(p *sqlstore.Problem) { t.Error(p) })
	if err != nil {
		t.Error(err)
	}
}
