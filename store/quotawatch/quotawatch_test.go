package quotawatch_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/memstore"
	"github.com/mailstead/mailstead/store/quotawatch"
	"github.com/mailstead/mailstead/store/storetest"
)

// heard collects warnings.
type heard struct {
	mu   sync.Mutex
	list []quotawatch.Warning
}

func (h *heard) warn(_ context.Context, w quotawatch.Warning) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = append(h.list, w)
}

// take returns what came since the last call.
func (h *heard) take() (percents []int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range h.list {
		percents = append(percents, w.Percent)
	}
	h.list = nil
	return percents
}

type fixture struct {
	t     *testing.T
	s     *quotawatch.Store
	a     store.Account
	inbox store.MailboxID
	*heard
}

func newFixture(t *testing.T, inner store.Store, limits store.Limits) *fixture {
	t.Helper()
	f := &fixture{t: t, heard: &heard{}}
	f.s = quotawatch.New(inner, quotawatch.Options{Warn: f.warn})
	err := f.s.Create(t.Context(), "alice", store.AccountInfo{Limits: limits})
	if err != nil && !strings.Contains(err.Error(), "exists") {
		t.Fatal(err)
	}
	if f.a, err = f.s.Open(t.Context(), "alice"); err != nil {
		t.Fatal(err)
	}
	m, err := store.MailboxByName(t.Context(), f.a, store.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	f.inbox = m.ID
	return f
}

func (f *fixture) op(n int) store.Op {
	f.t.Helper()
	op, err := store.PrepareAppend(f.t.Context(), f.s, store.NewMessage{Mailbox: f.inbox, Body: strings.NewReader(strings.Repeat("x", n)), BodySize: int64(n)})
	if err != nil {
		f.t.Fatal(err)
	}
	return op
}

func (f *fixture) apply(ops ...store.Op) {
	f.t.Helper()
	if _, err := f.a.Apply(f.t.Context(), store.Change{Ops: ops}); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) want(what string, percents ...int) {
	f.t.Helper()
	if got := f.take(); !slices.Equal(got, percents) {
		f.t.Errorf("%s: warned of %v, want %v", what, got, percents)
	}
}

func TestThresholds(t *testing.T) {
	inner := memstore.New(nil)
	defer inner.Close()
	f := newFixture(t, inner, store.Limits{Bytes: 1000, Messages: 100})
	f.apply(f.op(799))
	f.want("below")
	f.apply(f.op(1))
	f.want("at 80 percent", 80)
	f.apply(f.op(100))
	f.apply(store.SetFlags{Mailbox: f.inbox, UIDs: store.AllUIDs(), Flags: store.Seen})
	f.want("between")
	f.apply(f.op(50))
	f.want("at 95 percent", 95)

	again := newFixture(t, inner, store.Limits{}) // another process, later
	again.apply(again.op(1))
	again.want("after a restart")
	again.apply(store.Expunge{Mailbox: f.inbox, UIDs: store.UIDs(1)})
	again.want("falling")
	again.apply(again.op(799))
	again.want("again, both at once", 95)
	again.apply(store.PutAccount{Limits: &store.Limits{Messages: 6}})
	again.want("another limit, less full")
	again.apply(store.PutAccount{Limits: &store.Limits{}})
	again.apply(again.op(1))
	again.want("without limits")
	again.apply(store.PutAccount{Limits: &store.Limits{Mailboxes: 1}})
	again.want("mailboxes", 95)
}

// TestOnce: many writers that pass a threshold together make one warning.
func TestOnce(t *testing.T) {
	inner := memstore.New(nil)
	defer inner.Close()
	f := newFixture(t, inner, store.Limits{Messages: 100})
	op := f.op(1)
	var wg sync.WaitGroup
	for range 17 {
		wg.Go(func() {
			for range 5 {
				if _, err := f.a.Apply(t.Context(), store.Change{Ops: []store.Op{op}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	f.want("85 messages of 100", 80)
	if w, _ := f.a.Usage(t.Context()); w.Messages != 85 {
		t.Errorf("%+v", w)
	}
}

func TestPercent(t *testing.T) {
	for _, x := range []struct {
		u    store.Usage
		want int
	}{
		{store.Usage{Bytes: 57, Limits: store.Limits{Bytes: 100}}, 57},
		{store.Usage{Bytes: 999, Limits: store.Limits{Bytes: 1000}}, 99},
		{store.Usage{Bytes: 1 << 62, Limits: store.Limits{Bytes: 1<<62 + 1}}, 99},
		{store.Usage{Bytes: 1 << 62, Limits: store.Limits{Bytes: 1}}, 1<<31 - 1},
		{store.Usage{Bytes: 5, Messages: 9, Limits: store.Limits{Bytes: 10, Messages: 10}}, 90},
		{store.Usage{Bytes: 5, Messages: 9}, 0},
	} {
		if got := x.u.Percent(); got != x.want {
			t.Errorf("%+v: %d, want %d", x.u, got, x.want)
		}
	}
}

// TestSuite: a store that is watched is a store like any other.
func TestSuite(t *testing.T) {
	if testing.Short() {
		t.Skip("the suite on a wrapper")
	}
	storetest.Run(t, storetest.Config{
		New: func(t *testing.T) store.Store {
			s := quotawatch.New(memstore.New(nil), quotawatch.Options{Warn: func(context.Context, quotawatch.Warning) {}, Thresholds: []int{1 << 20}})
			t.Cleanup(func() { s.Close() })
			return s
		},
		Has: storetest.Everything | storetest.Locks | storetest.Keys | storetest.Metas | storetest.Snapshots | storetest.Retains,
	})
}
