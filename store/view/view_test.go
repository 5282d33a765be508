package view

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"unsafe"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/memstore"
)

// world is a store with one account.
type world struct {
	st    *memstore.Store
	acct  store.Account
	inbox store.MailboxID
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	st := memstore.New(nil)
	tb.Cleanup(func() { st.Close() })
	if err := st.Create(tb.Context(), "alice", store.AccountInfo{}); err != nil {
		tb.Fatal(err)
	}
	a, err := st.Open(tb.Context(), "alice")
	if err != nil {
		tb.Fatal(err)
	}
	m, err := store.MailboxByName(tb.Context(), a, store.Inbox)
	if err != nil {
		tb.Fatal(err)
	}
	return &world{st, a, m.ID}
}

func (w *world) apply(tb testing.TB, ops ...store.Op) store.Result {
	tb.Helper()
	res, err := w.acct.Apply(context.Background(), store.Change{Ops: ops})
	if err != nil {
		tb.Fatal(err)
	}
	return res
}

// fill adds n messages.
func (w *world) fill(tb testing.TB, n int, keywords ...string) {
	tb.Helper()
	op, err := store.PrepareAppend(tb.Context(), w.st, store.NewMessage{
		Mailbox: w.inbox, Body: strings.NewReader("a: b\r\n\r\n"), BodySize: 8, Keywords: keywords,
	})
	if err != nil {
		tb.Fatal(err)
	}
	for n > 0 {
		var ops []store.Op
		for range min(n, 5000) {
			op.EmailID = store.NewEmailID()
			ops = append(ops, op)
		}
		n -= len(ops)
		w.apply(tb, ops...)
	}
}

func (w *world) table(tb testing.TB, a *Account) *Table {
	tb.Helper()
	if _, err := a.Refresh(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	t, err := a.Table(tb.Context(), w.inbox)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

func open(tb testing.TB, v *Views) *Account {
	tb.Helper()
	a, err := v.Open(tb.Context(), "alice")
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

func dump(t *Table) string {
	var b strings.Builder
	for r := range t.Rows(1, t.MaxUID()) {
		fmt.Fprintf(&b, "%d %d %v %v %d\n", r.UID, r.ModSeq, r.Flags(), t.Keywords(r.KeywordSet()), r.Size)
	}
	return b.String()
}

// want is what dump has to be, read from the store.
func (w *world) want(tb testing.TB) string {
	var b strings.Builder
	for m, err := range w.acct.Messages(tb.Context(), w.inbox, store.Query{}) {
		if err != nil {
			tb.Fatal(err)
		}
		fmt.Fprintf(&b, "%d %d %v %v %d\n", m.UID, m.ModSeq, m.Flags, slices.Clip(m.Keywords), m.Size)
	}
	return b.String()
}

func TestRowSize(t *testing.T) {
	if n := unsafe.Sizeof(Row{}); n != rowBytes || n > 32 {
		t.Errorf("a row takes %d octets", n)
	}
}

// TestRandomHistory changes a mailbox at random; each new Table equals the
// store, tells correctly what changed and vanished, and no old Table changes
// (I1).
func TestRandomHistory(t *testing.T) {
	seeds := uint64(6)
	if testing.Short() {
		seeds = 2
	}
	for seed := range seeds {
		w := newWorld(t)
		views := New(w.st, Options{})
		a := open(t, views)
		rnd := rand.New(rand.NewPCG(seed, 7))
		w.fill(t, 1500)
		type past struct {
			table *Table
			text  string
		}
		var old []past
		for range 40 {
			w.randomChange(t, rnd)
			now := w.table(t, a)
			if got, want := dump(now), w.want(t); got != want {
				t.Fatalf("seed %d: table differs from the store", seed)
			}
			checkIndex(t, now)
			for _, p := range old {
				if dump(p.table) != p.text {
					t.Fatalf("seed %d: an old table has changed", seed)
				}
				checkSince(t, p.table, now)
			}
			if old = append(old, past{now, dump(now)}); len(old) > 5 {
				old = slices.Delete(old, rnd.IntN(5), 6-1)
			}
		}
		a.Release()
		views.Close()
	}
}

func (w *world) randomChange(t *testing.T, rnd *rand.Rand) {
	first := store.UID(1 + rnd.IntN(3000))
	set := store.UIDSet{{First: first, Last: first + store.UID(rnd.IntN(700))}}
	switch rnd.IntN(6) {
	case 0:
		w.apply(t, store.Expunge{Mailbox: w.inbox, UIDs: set})
	case 1:
		w.apply(t, store.Expunge{Mailbox: w.inbox, UIDs: store.UIDs(first)})
	case 2:
		w.fill(t, 1+rnd.IntN(300), fmt.Sprintf("k%d", rnd.IntN(5)))
	case 3:
		w.fill(t, 1)
	default:
		op := store.SetFlags{Mailbox: w.inbox, UIDs: set, Mode: store.FlagsMode(rnd.IntN(3)), Flags: store.Flags(rnd.IntN(32))}
		if rnd.IntN(2) == 0 {
			op.Keywords = []string{fmt.Sprintf("k%d", rnd.IntN(5))}
		}
		w.apply(t, op)
	}
}

// checkIndex compares the ways to look into a table.
func checkIndex(t *testing.T, tab *Table) {
	t.Helper()
	n := 0
	for r := range tab.Rows(1, tab.MaxUID()) {
		if tab.Row(r.UID) != r {
			t.Fatalf("Row(%d) is another row", r.UID)
		}
		n++
	}
	if n != tab.Len() || tab.UIDs().Len() != int64(n) {
		t.Fatalf("%d rows, Len %d, %d UIDs", n, tab.Len(), tab.UIDs().Len())
	}
	with, without := 0, 0
	for range tab.With(store.Seen, 1, tab.MaxUID()) {
		with++
	}
	for range tab.Without(store.Seen, 1, tab.MaxUID()) {
		without++
	}
	if with+without != n {
		t.Fatalf("%d rows with \\Seen, %d without, %d in all", with, without, n)
	}
}

// checkSince compares what now says of an older table with the truth.
func checkSince(t *testing.T, old, now *Table) {
	t.Helper()
	if got, want := now.Vanished(old.ModSeq(), old.UIDs()).String(), old.UIDs().Minus(now.UIDs()).String(); got != want {
		t.Fatalf("vanished %s, want %s", got, want)
	}
	changed := make(map[store.UID]bool)
	for r := range now.Changed(old.ModSeq()) {
		changed[r.UID] = true
	}
	for r := range now.Rows(1, now.MaxUID()) {
		before := old.Row(r.UID)
		if differs := before == nil || before.ModSeq != r.ModSeq; differs && !changed[r.UID] {
			t.Fatalf("UID %d changed and is not told", r.UID)
		}
	}
}

// TestEviction: with no room for two tables the older one goes, and comes back
// when it is asked for (I4).
func TestEviction(t *testing.T) {
	w := newWorld(t)
	w.fill(t, 2000)
	other := store.NewMailboxID()
	w.apply(t, store.PutMailbox{ID: other, Create: true, Name: "other"}, store.Copy{Source: w.inbox, UIDs: store.AllUIDs(), Dest: other})
	views := New(w.st, Options{MaxBytes: 70_000})
	defer views.Close()
	a := open(t, views)
	defer a.Release()
	for range 3 {
		if n := w.table(t, a).Len(); n != 2000 {
			t.Fatalf("%d messages", n)
		}
		tab, err := a.Table(t.Context(), other)
		if err != nil || tab.Len() != 2000 {
			t.Fatalf("%v", err)
		}
		if n := views.Bytes(); n > 70_000 {
			t.Fatalf("%d octets kept", n)
		}
		w.apply(t, store.SetFlags{Mailbox: w.inbox, UIDs: store.UIDs(5), Flags: store.Seen})
	}
	w.apply(t, store.PutMailbox{ID: other, Delete: true})
	w.table(t, a)
	if _, err := a.Table(t.Context(), other); err == nil {
		t.Error("a deleted mailbox has a table")
	}
}

// TestWatch: after a change there is a hint, with the view up to date (I5);
// Close waits for the watcher.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		views := New(w.st, Options{})
		a := open(t, views)
		hints := make(chan store.ModSeq, 100)
		first := a.Watch(func() { hints <- 0 })
		second := a.Watch(func() {})
		w.table(t, a)
		synctest.Wait()
		for len(hints) > 0 {
			<-hints
		}
		w.fill(t, 1)
		synctest.Wait()
		if len(hints) == 0 {
			t.Fatal("no hint")
		}
		if tab, err := a.Table(t.Context(), w.inbox); err != nil || tab.Len() != 1 {
			t.Errorf("the view lags behind the hint: %v", err)
		}
		first.Stop()
		first.Stop()
		for len(hints) > 0 {
			<-hints
		}
		w.fill(t, 1)
		synctest.Wait()
		if len(hints) != 0 {
			t.Error("a hint after Stop")
		}
		second.Stop()
		third := a.Watch(func() { hints <- 0 })
		synctest.Wait()
		w.fill(t, 1)
		synctest.Wait()
		if len(hints) == 0 {
			t.Error("no hint after a new watch")
		}
		third.Stop()
		a.Release()
		views.Close()
		if _, err := a.Refresh(t.Context()); err != ErrClosed {
			t.Errorf("Refresh after Close: %v", err)
		}
		w.st.Close()
	})
}

// TestWatchStartsLate: a watcher that has to wait for its predecessor gives hints
// also of what the view was brought up to meanwhile.
func TestWatchStartsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		views := New(w.st, Options{})
		a := open(t, views)
		w.table(t, a)
		predecessor := make(chan struct{})
		a.watch.stopped = predecessor
		hints := 0
		watch := a.Watch(func() { hints++ })
		if hints != 1 {
			t.Errorf("%d hints at once, want 1", hints)
		}
		w.fill(t, 1)
		w.table(t, a)
		close(predecessor)
		synctest.Wait()
		if hints != 2 {
			t.Errorf("%d hints, want 2", hints)
		}
		watch.Stop()
		a.Release()
		views.Close()
		w.st.Close()
	})
}

// TestClaimRecent: each message is \Recent for one session only.
func TestClaimRecent(t *testing.T) {
	w := newWorld(t)
	w.fill(t, 3)
	views := New(w.st, Options{})
	defer views.Close()
	a, b := open(t, views), open(t, views)
	tab := w.table(t, a)
	first, err := a.ClaimRecent(t.Context(), w.inbox, tab.MaxUID())
	if err != nil || first.String() != "1:3" {
		t.Errorf("first: %v %v", first, err)
	}
	second, err := b.ClaimRecent(t.Context(), w.inbox, tab.MaxUID())
	if err != nil || len(second) != 0 {
		t.Errorf("second: %v %v", second, err)
	}
	if from := b.RecentFrom(w.inbox); from != 4 {
		t.Errorf("RecentFrom %d", from)
	}
	a.Release()
	b.Release()
}

func BenchmarkRead(b *testing.B) {
	w := newWorld(b)
	w.fill(b, 100_000)
	views := New(w.st, Options{})
	defer views.Close()
	a := open(b, views)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Refresh(b.Context()); err != nil {
			b.Fatal(err)
		}
		if _, err := a.read(b.Context(), w.inbox, nil, 1); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAdvance(b *testing.B) {
	for _, n := range []int{1000, 100_000, 1_000_000} {
		if n > 100_000 && testing.Short() {
			continue
		}
		b.Run(fmt.Sprintf("messages=%d", n), func(b *testing.B) {
			t := syntheticTable(n)
			m := store.Message{UID: store.UID(n / 2), ModSeq: 2, Flags: store.Seen}
			b.ReportAllocs()
			for b.Loop() {
				builder := newBuilder(t)
				builder.message(&m)
				builder.finish(2)
			}
		})
	}
}

// syntheticTable has n messages with the UIDs 1..n.
func syntheticTable(n int) *Table {
	b := newBuilder(nil)
	for i := range n {
		b.message(&store.Message{UID: store.UID(i + 1), ModSeq: 1})
	}
	return b.finish(1)
}

func BenchmarkFirstUnseen(b *testing.B) {
	t := syntheticTable(1_000_000)
	builder := newBuilder(t)
	for i := range 999_999 {
		builder.message(&store.Message{UID: store.UID(i + 1), ModSeq: 2, Flags: store.Seen})
	}
	t = builder.finish(2)
	b.ReportAllocs()
	for b.Loop() {
		for r := range t.Without(store.Seen, 1, t.MaxUID()) {
			if r.UID != 1_000_000 {
				b.Fatal(r.UID)
			}
		}
	}
}
