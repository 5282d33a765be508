// Package greytest judges implementations of smtppolicy.GreyStore.
//
//	func TestStore(t *testing.T) {
//		greytest.Run(t, func(t *testing.T) smtppolicy.GreyStore { return &myStore{} })
//	}
package greytest

import (
	"sync"
	"testing"
	"time"

	"github.com/mailstead/mailstead/smtp/smtppolicy"
)

// Run judges the stores that open returns, each empty.
func Run(t *testing.T, open func(t *testing.T) smtppolicy.GreyStore) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, smtppolicy.GreyStore)
	}{
		{"an unknown key has no entry", unknown},
		{"the first attempt stays", firstStays},
		{"what has expired is as good as none", expired},
		{"passing counts and prolongs", passing},
		{"entries come in the order of their keys", order},
		{"one of two who make an entry makes it", race},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

var start = time.Unix(1_800_000_000, 0)

func key(n byte) smtppolicy.GreyKey { return smtppolicy.GreyKey{0: n, 15: n} }

func lookup(t *testing.T, s smtppolicy.GreyStore, k smtppolicy.GreyKey, now time.Time) smtppolicy.GreyEntry {
	t.Helper()
	e, err := s.Lookup(t.Context(), k, now)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func attempt(t *testing.T, s smtppolicy.GreyStore, now, until time.Time, ks ...smtppolicy.GreyKey) []smtppolicy.GreyEntry {
	t.Helper()
	es, err := s.Attempt(t.Context(), ks, now, until)
	if err != nil {
		t.Fatal(err)
	}
	if len(es) != len(ks) {
		t.Fatalf("Attempt returned %d entries for %d keys", len(es), len(ks))
	}
	return es
}

func pass(t *testing.T, s smtppolicy.GreyStore, now, until time.Time, ks ...smtppolicy.GreyKey) {
	t.Helper()
	if err := s.Pass(t.Context(), ks, now, until); err != nil {
		t.Fatal(err)
	}
}

func check(t *testing.T, what string, e smtppolicy.GreyEntry, first, expires time.Time, passed int) {
	t.Helper()
	if !e.First.Equal(first) || !e.Expires.Equal(expires) || e.Passed != passed {
		t.Errorf("%s: %+v, want first %v, passed %d, expires %v", what, e, first, passed, expires)
	}
}

func unknown(t *testing.T, s smtppolicy.GreyStore) {
	if e := lookup(t, s, key(1), start); e.Passed != 0 || !e.First.IsZero() {
		t.Errorf("Lookup: %+v", e)
	}
	if es := attempt(t, s, start, start); len(es) != 0 {
		t.Errorf("Attempt of no keys: %+v", es)
	}
	pass(t, s, start, start)
}

func firstStays(t *testing.T, s smtppolicy.GreyStore) {
	until := start.Add(time.Hour)
	check(t, "first", attempt(t, s, start, until, key(1))[0], start, until, 0)
	later := start.Add(time.Minute)
	check(t, "second", attempt(t, s, later, later.Add(time.Hour), key(1))[0], start, until, 0)
	check(t, "Lookup", lookup(t, s, key(1), later), start, until, 0)
}

func expired(t *testing.T, s smtppolicy.GreyStore) {
	until := start.Add(time.Hour)
	attempt(t, s, start, until, key(1))
	pass(t, s, start, until, key(2))
	for _, k := range []smtppolicy.GreyKey{key(1), key(2)} {
		if e := lookup(t, s, k, until); e.Passed != 0 || !e.First.IsZero() {
			t.Errorf("Lookup at its end: %+v", e)
		}
	}
	again := until.Add(time.Hour)
	check(t, "a new attempt", attempt(t, s, until, again, key(1))[0], until, again, 0)
	check(t, "of what had passed", attempt(t, s, until, again, key(2))[0], until, again, 0)
	pass(t, s, start, until, key(3))
	pass(t, s, until, again, key(3))
	check(t, "passing anew", lookup(t, s, key(3), until), until, again, 1)
}

func passing(t *testing.T, s smtppolicy.GreyStore) {
	attempt(t, s, start, start.Add(time.Hour), key(1))
	for i := range 3 {
		now := start.Add(time.Duration(i) * time.Minute)
		until := now.Add(24 * time.Hour)
		pass(t, s, now, until, key(1), key(2))
		check(t, "with an attempt", lookup(t, s, key(1), now), start, until, i+1)
		check(t, "without one", lookup(t, s, key(2), now), start, until, i+1)
		check(t, "Attempt", attempt(t, s, now, now, key(1))[0], start, until, i+1)
	}
}

func order(t *testing.T, s smtppolicy.GreyStore) {
	for i, n := range []byte{7, 3, 9} {
		now := start.Add(time.Duration(i) * time.Second)
		attempt(t, s, now, now.Add(time.Hour), key(n))
	}
	now := start.Add(time.Minute)
	es := attempt(t, s, now, now.Add(time.Hour), key(9), key(1), key(3), key(7))
	for i, want := range []time.Duration{2 * time.Second, time.Minute, time.Second, 0} {
		if got := es[i].First.Sub(start); got != want {
			t.Errorf("entry %d: first %v, want %v", i, got, want)
		}
	}
}

func race(t *testing.T, s smtppolicy.GreyStore) {
	var mu sync.Mutex
	seen := make(map[int64]bool)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			now := start.Add(time.Duration(i) * time.Second)
			es, err := s.Attempt(t.Context(), []smtppolicy.GreyKey{key(1), key(2)}, now, start.Add(time.Hour))
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			seen[es[0].First.Unix()] = true
		})
	}
	wg.Wait()
	if len(seen) != 1 {
		t.Errorf("%d first attempts of one key", len(seen))
	}
}
