package acl_test

import (
	"context"
	"errors"
	"iter"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/acl"
)

// between runs f before the n-th Change from now, and afterwards fails all that
// is asked of it, if crash is set.
type between struct {
	store.Store
	n     int
	f     func()
	crash bool
	down  bool
}

var errDown = errors.New("down")

type betweenAccount struct {
	store.Account
	s *between
}

func (s *between) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	a, err := s.Store.Open(ctx, id)
	return betweenAccount{a, s}, err
}

func (a betweenAccount) Apply(ctx context.Context, c store.Change) (store.Result, error) {
	if a.s.down {
		return store.Result{}, errDown
	}
	if a.s.n--; a.s.n != 0 {
		return a.Account.Apply(ctx, c)
	}
	a.s.f()
	res, err := a.Account.Apply(ctx, c)
	a.s.down = a.s.crash
	return res, err
}

func (a betweenAccount) Entries(ctx context.Context, q store.EntryQuery) iter.Seq2[store.Entry, error] {
	if a.s.down {
		return func(yield func(store.Entry, error) bool) { yield(store.Entry{}, errDown) }
	}
	return a.Account.Entries(ctx, q)
}

// TestRemoveOverSet: Remove decides that bob shares nothing with alice any more,
// and just then she gives him a right.
func TestRemoveOverSet(t *testing.T) {
	t.Run("Set comes between, then the power goes", func(t *testing.T) {
		st, box := world(t)
		set(t, st, box, "bob", "lr")
		s := &between{Store: st, n: 2, f: func() { set(t, st, box, "bob", "l") }, crash: true}
		if err := acl.Remove(t.Context(), s, "alice", box, "bob"); err != nil && !errors.Is(err, errDown) {
			t.Fatal(err)
		}
		if !book(t, st, "bob").HasOwner("alice") {
			t.Error("bob has a right and does not know alice")
		}
	})
	t.Run("the list of a Set that does not end comes between", func(t *testing.T) {
		st, box := world(t)
		set(t, st, box, "bob", "lr")
		right := func() { put(t, open(t, st, "alice"), "acl/"+box.String()+"/bob", []byte("l")) }
		if err := acl.Remove(t.Context(), &between{Store: st, n: 2, f: right}, "alice", box, "bob"); err != nil {
			t.Fatal(err)
		}
		if !book(t, st, "bob").HasOwner("alice") {
			t.Error("bob has a right and does not know alice")
		}
	})
}

// TestSetTellsFirst: a Set that does not come to its end leaves no right that is
// not found.
func TestSetTellsFirst(t *testing.T) {
	st, box := world(t)
	s := &between{Store: st, n: 2, f: func() {}, crash: true}
	if err := acl.Set(t.Context(), s, "alice", box, "bob", acl.Modification{Rights: acl.Read}); !errors.Is(err, errDown) {
		t.Fatal(err)
	}
	if !book(t, st, "bob").HasOwner("alice") {
		t.Error("bob has a right and does not know alice")
	}
}

// TestSetAgainstSet: two that change one identifier lose nothing.
func TestSetAgainstSet(t *testing.T) {
	st, box := world(t)
	s := &between{Store: st, n: 2, f: func() { set(t, st, box, "bob", "+s") }}
	if err := acl.Set(t.Context(), s, "alice", box, "bob", acl.Modification{Sign: '+', Rights: acl.Read}); err != nil {
		t.Fatal(err)
	}
	if r := book(t, st, "alice").List(box).Of("bob"); r != acl.Read|acl.Seen {
		t.Errorf("bob has %v", r)
	}
}
