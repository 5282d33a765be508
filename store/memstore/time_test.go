package memstore

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
)

// account makes one, and a message in its INBOX.
func accountWithMessage(t *testing.T, s *Store, once string) (store.Account, store.MailboxID, store.Append, store.Result) {
	t.Helper()
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
	w, err := s.Blobs().Create(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	w.Write([]byte("x"))
	ref, err := w.Commit(ctx)
	if err != nil {
		t.Fatal(err)
	}
	op := store.Append{Mailbox: inbox.ID, Blob: ref, Size: 1}
	r, err := a.Apply(ctx, store.Change{Once: once, Ops: []store.Op{op}})
	if err != nil {
		t.Fatal(err)
	}
	return a, inbox.ID, op, r
}

func apply(t *testing.T, a store.Account, ops ...store.Op) store.Result {
	t.Helper()
	r, err := a.Apply(t.Context(), store.Change{Ops: ops})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestHoldsFor24Hours: I11.
func TestHoldsFor24Hours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(nil)
		a, inbox, op, r := accountWithMessage(t, s, "")
		held := func() bool {
			refs, err := s.Holds(t.Context(), []blob.Ref{op.Blob})
			if err != nil {
				t.Fatal(err)
			}
			return slices.Contains(refs, op.Blob)
		}
		time.Sleep(48 * time.Hour)
		if !held() {
			t.Error("the blob of a message that is there is not held")
		}
		apply(t, a, store.Expunge{Mailbox: inbox, UIDs: r.Ops[0].Dest})
		time.Sleep(24*time.Hour - time.Second)
		if !held() {
			t.Error("not held a second before 24 h are over")
		}
		time.Sleep(2 * time.Second)
		if held() {
			t.Error("still held 24 h after it was released")
		}
		apply(t, a, op)
		if !held() {
			t.Error("not held after it was adopted again")
		}
	})
}

// TestHoldsCountsMessages: a blob is held while one of its messages is there.
func TestHoldsCountsMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(nil)
		a, inbox, op, r := accountWithMessage(t, s, "")
		apply(t, a, op)
		apply(t, a, store.Expunge{Mailbox: inbox, UIDs: r.Ops[0].Dest})
		time.Sleep(48 * time.Hour)
		if refs, err := s.Holds(t.Context(), []blob.Ref{op.Blob}); len(refs) != 1 || err != nil {
			t.Errorf("Holds = %v, %v, though one message is left", refs, err)
		}
	})
}

// TestHoldsAfterDrop: a dropped account releases each blob as often as it held
// it.
func TestHoldsAfterDrop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(nil)
		a, inbox, op, r := accountWithMessage(t, s, "")
		apply(t, a, op)
		apply(t, a, store.Expunge{Mailbox: inbox, UIDs: r.Ops[0].Dest})
		apply(t, a, store.DropAccount{})
		time.Sleep(48 * time.Hour)
		if refs, err := s.Holds(t.Context(), []blob.Ref{op.Blob}); len(refs) != 0 || err != nil {
			t.Errorf("Holds = %v, %v, though the account is gone for 48 h", refs, err)
		}
		_, _, second, _ := accountWithMessage(t, s, "")
		if refs, err := s.Holds(t.Context(), []blob.Ref{second.Blob}); len(refs) != 1 || err != nil {
			t.Errorf("Holds = %v, %v for a message of the account made again", refs, err)
		}
	})
}

// TestOnceFor30Days: I9.
func TestOnceFor30Days(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _, op, first := accountWithMessage(t, New(nil), "key")
		again := func() store.Result {
			r, err := a.Apply(t.Context(), store.Change{Once: "key", Ops: []store.Op{op}})
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		time.Sleep(30 * 24 * time.Hour)
		if r := again(); !r.Repeated || r.ModSeq != first.ModSeq {
			t.Errorf("after 30 days: %+v", r)
		}
		time.Sleep(10 * 24 * time.Hour)
		if _, err := a.Apply(t.Context(), store.Change{Once: "another"}); err != nil {
			t.Fatal(err)
		}
		if a := a.(*account); len(a.once.results) != 1 || len(a.once.order) != 1 {
			t.Errorf("%d keys are remembered after 40 days, %d in order", len(a.once.results), len(a.once.order))
		}
	})
}

func TestEntryExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _, _, _ := accountWithMessage(t, New(nil), "")
		put := store.PutEntry{Key: "k", Value: []byte("v"), Expires: time.Now().Add(time.Minute), IfAbsent: true}
		apply(t, a, put)
		count := func() (n int) {
			for range a.Entries(t.Context(), store.EntryQuery{}) {
				n++
			}
			return n
		}
		if time.Sleep(time.Minute - 1); count() != 1 {
			t.Error("the entry expires early")
		}
		if time.Sleep(time.Nanosecond); count() != 0 {
			t.Error("the entry is there after its time")
		}
		put.Expires = time.Time{}
		apply(t, a, put)
		if count() != 1 {
			t.Error("the entry written again is not there")
		}
	})
}

// TestWaitParks: Wait does nothing while nothing happens, however long.
func TestWaitParks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _, op, r := accountWithMessage(t, New(nil), "")
		var woke store.ModSeq
		go func() { woke, _ = a.Wait(t.Context(), r.ModSeq) }()
		time.Sleep(time.Hour)
		synctest.Wait()
		if woke != 0 {
			t.Errorf("Wait returned %d though nothing happened", woke)
		}
		want := apply(t, a, op).ModSeq
		synctest.Wait()
		if woke != want {
			t.Errorf("Wait returned %d, want %d", woke, want)
		}
	})
}

// TestMessageIsReused: callers that keep a *Message beyond its step are found.
func TestMessageIsReused(t *testing.T) {
	a, inbox, op, _ := accountWithMessage(t, New(nil), "")
	apply(t, a, op)
	var kept []*store.Message
	for m, err := range a.Messages(t.Context(), inbox, store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, m)
	}
	if len(kept) != 2 || kept[0] != kept[1] {
		t.Errorf("%d messages; each step has a Message of its own", len(kept))
	}
}

// TestUIDsEnd: the last UID is never passed (RFC 9051 §2.3.1.1: 32 bits).
func TestUIDsEnd(t *testing.T) {
	ctx := t.Context()
	s := New(nil)
	a, inbox, op, _ := accountWithMessage(t, s, "")
	importing, active := store.AccountImporting, store.AccountActive
	apply(t, a, store.PutAccount{State: &importing}, store.PutMailbox{ID: inbox, UIDNext: maxUID - 1}, store.PutAccount{State: &active})
	apply(t, a, op)
	for range 2 {
		if _, err := a.Apply(ctx, store.Change{Ops: []store.Op{op}}); !errors.Is(err, store.ErrLimit) {
			t.Errorf("Append to a mailbox without UIDs left: %v", err)
		}
	}
	last := store.Import{Append: op, UID: maxUID, ModSeq: 1}
	_, err := a.Apply(ctx, store.Change{Ops: []store.Op{store.PutAccount{State: &importing}, last}})
	if !errors.Is(err, store.ErrLimit) {
		t.Errorf("Import of the UID that is never given out: %v", err)
	}
	if m, err := store.MailboxByID(ctx, a, inbox); err != nil || m.UIDNext != maxUID || m.Messages != 2 {
		t.Errorf("the mailbox is %+v, %v", m, err)
	}
}

func BenchmarkAppend(b *testing.B) {
	s := New(nil)
	if err := s.Create(b.Context(), "a", store.AccountInfo{}); err != nil {
		b.Fatal(err)
	}
	a, _ := s.Open(b.Context(), "a")
	inbox, _ := store.MailboxByName(b.Context(), a, store.Inbox)
	w, _ := s.Blobs().Create(b.Context(), 0)
	ref, _ := w.Commit(b.Context())
	c := store.Change{Ops: []store.Op{store.Append{Mailbox: inbox.ID, Blob: ref}}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Apply(b.Context(), c); err != nil {
			b.Fatal(err)
		}
	}
}
