package logintest

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/login"
)

// GuardStore judges a login.GuardStore. MaxEntries and the like are large enough
// for 100 subjects.
func GuardStore(t *testing.T, open func(t *testing.T) login.GuardStore) {
	t.Run("failures", func(t *testing.T) { guardFailures(t, open(t)) })
	t.Run("distinct", func(t *testing.T) { guardDistinct(t, open(t)) })
	t.Run("success", func(t *testing.T) { guardSuccess(t, open(t)) })
	t.Run("worst", func(t *testing.T) { guardWorst(t, open(t)) })
	t.Run("concurrent", func(t *testing.T) { guardConcurrent(t, open(t)) })
}

var (
	alice = login.Subject{User: "alice@example.org"}
	here  = login.Subject{Prefix: netip.MustParsePrefix("192.0.2.1/32")}
	net4  = login.Subject{Prefix: netip.MustParsePrefix("192.0.2.0/24")}
	net6  = login.Subject{Prefix: netip.MustParsePrefix("2001:db8::/48")}
	pair  = login.Subject{User: alice.User, Prefix: here.Prefix}
	start = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
)

// since is an hour before at.
func since(at time.Time) time.Time { return at.Add(-time.Hour) }

// fail counts a failure of alice against subjects.
func fail(t *testing.T, g login.GuardStore, at time.Time, wrong byte, subjects ...login.Subject) bool {
	t.Helper()
	distinct, err := g.Fail(t.Context(), login.Failure{
		At: at, Since: since(at), Wrong: login.Digest{wrong}, Subjects: subjects, User: alice,
	})
	if err != nil {
		t.Fatal(err)
	}
	return distinct
}

// tally returns what is known about a subject.
func tally(t *testing.T, g login.GuardStore, at time.Time, s login.Subject) login.Tally {
	t.Helper()
	list, err := g.Tallies(t.Context(), []login.Subject{s}, since(at))
	if err != nil || len(list) != 1 {
		t.Fatalf("tallies %v, %v", list, err)
	}
	return list[0]
}

func guardFailures(t *testing.T, g login.GuardStore) {
	if y := tally(t, g, start, alice); y != (login.Tally{}) {
		t.Errorf("an empty store knows %+v", y)
	}
	fail(t, g, start, 1, alice, here, net4, net6, pair)
	at := start.Add(30 * time.Minute)
	fail(t, g, at, 2, alice, here)
	for s, want := range map[login.Subject]int{alice: 2, here: 2, net4: 1, net6: 1, pair: 1} {
		if y := tally(t, g, at, s); y.Failures != want {
			t.Errorf("%v: %d failures, want %d", s, y.Failures, want)
		}
	}
	if y := tally(t, g, at, alice); !y.LastFailure.Equal(at) || y.Attempts != 2 || !y.LastAttempt.Equal(at) || !y.LastSuccess.IsZero() {
		t.Errorf("alice: %+v", y)
	}
	list, err := g.Tallies(t.Context(), []login.Subject{net4, {User: "bob"}, here}, since(at))
	if err != nil || len(list) != 3 || list[0].Failures != 1 || list[1] != (login.Tally{}) || list[2].Failures != 2 {
		t.Errorf("several at once: %+v, %v", list, err)
	}
	if list, err := g.Tallies(t.Context(), nil, since(at)); len(list) != 0 || err != nil {
		t.Errorf("none at once: %v, %v", list, err)
	}
	late := at.Add(2 * time.Hour)
	if y := tally(t, g, late, alice); y.Failures != 0 {
		t.Errorf("%d failures count after two hours", y.Failures)
	}
	fail(t, g, late, 3, alice)
	if y := tally(t, g, late, alice); y.Failures != 1 {
		t.Errorf("old failures come back: %d", y.Failures)
	}
}

func guardDistinct(t *testing.T, g login.GuardStore) {
	if !fail(t, g, start, 1, alice) || fail(t, g, start, 1, alice, here) {
		t.Error("a repetition is taken for a new guess, or the first for a repetition")
	}
	if y := tally(t, g, start, alice); y.Failures != 1 || y.Attempts != 2 {
		t.Errorf("after a repetition: %+v", y)
	}
	if y := tally(t, g, start, here); y.Failures != 0 {
		t.Errorf("a repetition counts against the address: %+v", y)
	}
	if !fail(t, g, start, 2, alice) || !fail(t, g, start, 0, alice) || !fail(t, g, start, 0, alice) {
		t.Error("another guess, or one that nobody saw, is taken for a repetition")
	}
	at := start.Add(59 * time.Minute)
	if fail(t, g, at, 1, alice) {
		t.Error("a repetition is forgotten too early")
	}
	if !fail(t, g, at.Add(2*time.Hour), 1, alice) {
		t.Error("a repetition is never forgotten")
	}
}

func guardSuccess(t *testing.T, g login.GuardStore) {
	other := netip.MustParseAddr("2001:db8::1")
	for i := range byte(3) {
		fail(t, g, start, 1+i, alice, here, net4, pair)
	}
	fail(t, g, start, 10, alice, here) // somebody else's
	at := start.Add(time.Minute)
	success := login.Success{At: at, Since: since(at), Peer: other, Pair: pair, Others: []login.Subject{alice, here, net4}, User: alice}
	if err := g.Succeed(t.Context(), success); err != nil {
		t.Fatal(err)
	}
	for s, want := range map[login.Subject]int{alice: 1, here: 1, net4: 0, pair: 0} {
		if y := tally(t, g, at, s); y.Failures != want {
			t.Errorf("%v: %d failures after a success, want %d", s, y.Failures, want)
		}
	}
	if y := tally(t, g, at, alice); y.Attempts != 0 || !y.LastSuccess.Equal(at) || y.Peer != other {
		t.Errorf("alice: %+v", y)
	}
	if y := tally(t, g, at, pair); !y.LastSuccess.Equal(at) {
		t.Errorf("the pair is not known: %+v", y)
	}
	if y := tally(t, g, at, here); !y.LastSuccess.IsZero() {
		t.Errorf("the address is known: %+v", y)
	}
	fail(t, g, at, 20, pair)
	if y := tally(t, g, at, pair); y.Failures != 1 || !y.LastSuccess.Equal(at) {
		t.Errorf("the pair after a failure: %+v", y)
	}
	if y := tally(t, g, at, alice); y.Failures != 1 || y.Attempts != 1 {
		t.Errorf("alice after a failure of the pair: %+v", y)
	}
}

func guardWorst(t *testing.T, g login.GuardStore) {
	for i := range byte(5) {
		fail(t, g, start, 1+i, alice, pair, net6)
	}
	fail(t, g, start, 10, here, net6)
	list, err := g.Worst(t.Context(), since(start), 2)
	if err != nil || len(list) != 2 || list[0].Subject != net6 || list[0].Tally.Failures != 6 || list[1].Subject != alice {
		t.Errorf("worst: %+v, %v", list, err)
	}
	late := start.Add(3 * time.Hour)
	if list, err := g.Worst(t.Context(), since(late), 10); len(list) != 0 || err != nil {
		t.Errorf("worst after three hours: %+v, %v", list, err)
	}
}

func guardConcurrent(t *testing.T, g login.GuardStore) {
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 5 {
				f := login.Failure{At: start, Since: since(start), Wrong: login.Digest{1, byte(i), byte(j)}, User: alice}
				f.Subjects = []login.Subject{alice, here, net4, net6, pair}
				if i%2 == 0 {
					f.Subjects = []login.Subject{pair, net6, net4, here, alice}
				}
				if distinct, err := g.Fail(t.Context(), f); err != nil || !distinct {
					t.Errorf("fail: %t, %v", distinct, err)
				}
			}
		})
	}
	wg.Wait()
	for _, s := range []login.Subject{alice, here, net4, net6, pair} {
		if y := tally(t, g, start, s); y.Failures != 40 {
			t.Errorf("%v: %d of 40 failures", s, y.Failures)
		}
	}
}
