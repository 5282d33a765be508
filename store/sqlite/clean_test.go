package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/sqldb"
	"github.com/mailstead/mailstead/store/sqlite"
	"github.com/mailstead/mailstead/store/sqlstore"
)

func (w *writer) apply(t testing.TB, ops ...store.Op) store.Result {
	t.Helper()
	r, err := w.a.Apply(context.Background(), store.Change{Ops: ops})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// rows counts the rows of a table.
func rows(t testing.TB, s *opened, table string) int64 {
	t.Helper()
	n, _, err := sqldb.One(context.Background(), s.engine.DB(), sqldb.Int64, `SELECT COUNT(*) FROM `+table)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func clean(t testing.TB, s *opened) {
	t.Helper()
	if err := s.engine.Store().Clean(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func held(t testing.TB, s *opened, refs ...blob.Ref) int {
	t.Helper()
	out, err := s.Holds(context.Background(), refs)
	if err != nil {
		t.Fatal(err)
	}
	return len(out)
}

// TestHoldEnds: the blob of an expunged message is held for 24 h, and the
// message can be read meanwhile.
func TestHoldEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, t.TempDir())
		w := newWriter(t, s, "alice")
		gone, kept := w.op(t, body(100), 1), w.op(t, body(200), 2)
		w.apply(t, gone, kept)
		w.apply(t, store.Expunge{Mailbox: w.inbox, UIDs: store.UIDs(1)})
		time.Sleep(24 * time.Hour)
		clean(t, s)
		if n := held(t, s, gone.Blob, kept.Blob); n != 2 {
			t.Errorf("%d held after 24 h, want 2", n)
		}
		c, err := w.a.Content(context.Background(), w.inbox, 1)
		if err != nil {
			t.Fatalf("content of the expunged message: %v", err)
		}
		c.Close()
		time.Sleep(time.Minute)
		clean(t, s)
		if n := held(t, s, gone.Blob, kept.Blob); n != 1 {
			t.Errorf("%d held after that, want 1", n)
		}
		if _, err := w.a.Content(context.Background(), w.inbox, 1); !errors.Is(err, store.ErrExpunged) {
			t.Errorf("content after that: %v, want ErrExpunged", err)
		}
		if n := rows(t, s, "trash"); n != 0 {
			t.Errorf("%d rows of trash left", n)
		}
		s.Close()
	})
}

// TestSweep: many scattered messages are taken away in few commits.
func TestSweep(t *testing.T) {
	if testing.Short() {
		t.Skip("thousands of messages")
	}
	synctest.Test(t, func(t *testing.T) {
		s := open(t, t.TempDir())
		w := newWriter(t, s, "alice")
		w.deliver(t, body(100), 1)
		for range 11 {
			w.apply(t, store.Copy{Source: w.inbox, UIDs: store.AllUIDs(), Dest: w.inbox})
		}
		const n = 1 << 11
		var odd store.UIDSet
		for u := store.UID(1); u < n; u += 2 {
			odd.Add(u)
		}
		w.apply(t, store.Expunge{Mailbox: w.inbox, UIDs: odd})
		for u := store.UID(2); u <= 100; u += 2 {
			w.apply(t, store.Expunge{Mailbox: w.inbox, UIDs: store.UIDs(u)})
		}
		before := s.engine.DB().Stats().Commits
		time.Sleep(25 * time.Hour)
		clean(t, s)
		if k := rows(t, s, "fact"); k != n-n/2-50 {
			t.Errorf("%d facts left, want %d", k, n-n/2-50)
		}
		if c := s.engine.DB().Stats().Commits - before; c > 10 || rows(t, s, "trash") != 0 {
			t.Errorf("%d commits; %d rows of trash left", c, rows(t, s, "trash"))
		}
		sound(t, s)
		s.Close()
	})
}

// TestDropEndsEmpty: a dropped account and a deleted mailbox leave no row.
func TestDropEndsEmpty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, t.TempDir())
		for i, id := range []store.AccountID{"alice", "bob"} {
			w := newWriter(t, s, id)
			work := store.NewMailboxID()
			w.apply(t, store.PutMailbox{ID: work, Create: true, Name: "Work"},
				store.PutEntry{Mailbox: work, Key: "k", Value: []byte("v")})
			inbox := w.inbox
			w.inbox = work
			for k := range 3 {
				w.deliver(t, body(100), uint64(10*i+k))
			}
			w.apply(t, store.Copy{Source: work, UIDs: store.AllUIDs(), Dest: inbox})
			w.apply(t, store.Expunge{Mailbox: work, UIDs: store.UIDs(2)})
			if id == "bob" {
				w.apply(t, store.PutMailbox{ID: work, Delete: true})
				continue
			}
			w.apply(t, store.DropAccount{})
		}
		time.Sleep(25 * time.Hour)
		clean(t, s)
		for table, want := range map[string]int64{
			"account": 1, "mailbox": 2, "state": 1, "fact": 3, "entry": 0, "once": 3, "trash": 0, "thread": 3,
		} {
			if n := rows(t, s, table); n != want {
				t.Errorf("%d rows of %s, want %d", n, table, want)
			}
		}
		s.Close()
	})
}

// TestExpiry: idempotency keys live for 30 days, the log for KeepLog.
func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, t.TempDir())
		w := newWriter(t, s, "alice")
		w.deliver(t, body(100), 1)
		w.apply(t, store.Expunge{Mailbox: w.inbox, UIDs: store.UIDs(1)},
			store.PutEntry{Key: "k", Value: []byte("v"), Expires: time.Now().Add(time.Hour)})
		time.Sleep(30 * 24 * time.Hour)
		clean(t, s)
		if n := rows(t, s, "once"); n != 1 {
			t.Errorf("%d idempotency keys after 30 days, want 1", n)
		}
		if n := rows(t, s, "entry"); n != 0 {
			t.Errorf("%d entries after they expired", n)
		}
		if _, _, err := w.a.Mailboxes(context.Background(), 1); err != nil {
			t.Errorf("changes since 30 days ago: %v", err)
		}
		time.Sleep(61 * 24 * time.Hour)
		clean(t, s)
		if n := rows(t, s, "once") + rows(t, s, "log"); n != 0 {
			t.Errorf("%d rows of once and log after 91 days", n)
		}
		_, _, err := w.a.Mailboxes(context.Background(), 1)
		if !errors.Is(err, store.ErrResync) {
			t.Errorf("changes since 91 days ago: %v, want ErrResync", err)
		}
		for _, err = range w.a.Messages(context.Background(), w.inbox, store.Query{Since: 1}) {
		}
		if !errors.Is(err, store.ErrResync) {
			t.Errorf("messages since 91 days ago: %v, want ErrResync", err)
		}
		s.Close()
	})
}

// TestChangesBothWays: where the log is long the state is read instead, with
// the same answer.
func TestChangesBothWays(t *testing.T) {
	if testing.Short() {
		t.Skip("thousands of messages")
	}
	s := open(t, t.TempDir())
	w := newWriter(t, s, "alice")
	w.deliver(t, body(100), 1)
	const n = 1 << 13
	for range 13 {
		w.apply(t, store.Copy{Source: w.inbox, UIDs: store.AllUIDs(), Dest: w.inbox})
	}
	_, before, _ := w.a.Mailboxes(t.Context(), 0)
	var odd, some store.UIDSet
	for u := store.UID(1); u < n; u += 2 { // more ranges than the log is read for
		odd.Add(u)
	}
	w.apply(t, store.SetFlags{Mailbox: w.inbox, UIDs: odd, Flags: store.Seen})
	_, middle, _ := w.a.Mailboxes(t.Context(), 0)
	some = store.UIDs(3, 4, 500, n-1)
	w.apply(t, store.SetFlags{Mailbox: w.inbox, UIDs: some, Flags: store.Flagged})
	w.apply(t, store.Expunge{Mailbox: w.inbox, UIDs: store.UIDs(1, 2, 4)})
	for _, c := range []struct {
		since store.ModSeq
		want  store.UIDSet
	}{{before, union(odd, some, store.UIDs(2))}, {middle, union(some, store.UIDs(1, 2))}} {
		var got store.UIDSet
		last := store.UID(0)
		for m, err := range w.a.Messages(t.Context(), w.inbox, store.Query{Since: c.since}) {
			if err != nil {
				t.Fatal(err)
			}
			if m.UID <= last || m.Gone != (m.UID == 1 || m.UID == 2 || m.UID == 4) {
				t.Errorf("message %d after %d, gone %v", m.UID, last, m.Gone)
			}
			last = m.UID
			got.Add(m.UID)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("since %d: %d messages, want %d", c.since, got.Len(), c.want.Len())
		}
	}
}

func union(sets ...store.UIDSet) (out store.UIDSet) {
	for _, s := range sets {
		out.AddSet(s)
	}
	return out
}

// TestEviction: accounts that leave memory come back as they were.
func TestEviction(t *testing.T) {
	e, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{Store: sqlstore.Options{CachedAccounts: 2}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	s := &opened{Store: e.Store(), engine: e}
	var ws []*writer
	for i := range 8 {
		ws = append(ws, newWriter(t, s, store.AccountID(fmt.Sprint("a", i))))
	}
	for k := range 5 {
		for i, w := range ws {
			w.deliver(t, body(100), uint64(10*k+i))
		}
	}
	for _, w := range ws {
		m, err := store.MailboxByID(t.Context(), w.a, w.inbox)
		if err != nil || m.Messages != 5 || m.UIDNext != 6 {
			t.Errorf("%+v, %v", m, err)
		}
	}
	if err := e.Store().Verify(t.Context(), func(p *sqlstore.Problem) { t.Error(p) }); err != nil {
		t.Error(err)
	}
}
