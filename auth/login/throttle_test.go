package login

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// try runs one attempt and returns how long the guard kept it.
func try(t *testing.T, g Guard, a Attempt, o Outcome) (time.Duration, error) {
	t.Helper()
	start := time.Now()
	end, err := g.Begin(t.Context(), a)
	if err == nil {
		end(o)
	}
	return time.Since(start), err
}

func from(user, addr string) Attempt {
	return Attempt{Username: user, Peer: netip.MustParseAddr(addr)}
}

// guess is an attempt with a password of its own.
func guess(user, addr string, n int) Attempt {
	a := from(user, addr)
	a.Password = NewPassword(fmt.Sprint("guess", n))
	return a
}

func TestThrottleGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &Throttle{}
		s := time.Second
		for i, want := range []time.Duration{0, 0, 0, s, 2 * s, 4 * s, 8 * s} {
			if d, err := try(t, g, guess("alice", "192.0.2.1", i), Failed); d != want || err != nil {
				t.Errorf("attempt %d waited %v, %v; want %v", i, d, err, want)
			}
		}
		if _, err := try(t, g, from("alice", "192.0.2.1"), Failed); err != ErrTooMany {
			t.Errorf("a wait of 16 s: %v", err)
		}
		time.Sleep(2 * time.Second)
		if d, err := try(t, g, from("alice", "192.0.2.1"), Succeeded); d != 14*s || err != nil {
			t.Errorf("later: %v, %v", d, err)
		}
		if d, _ := try(t, g, from("alice", "192.0.2.1"), Failed); d != 0 {
			t.Errorf("after a success: %v", d)
		}
		if d, _ := try(t, g, from("bob", "192.0.2.1"), Failed); d != 0 {
			t.Errorf("somebody else after a success: %v", d)
		}
	})
}

func TestThrottleKeys(t *testing.T) {
	tests := []struct {
		name    string
		failing Attempt
		next    Attempt
		delayed bool
	}{
		{"same user elsewhere", from("alice", "192.0.2.1"), from("alice", "198.51.100.1"), true},
		{"other user, same address", from("alice", "192.0.2.1"), from("bob", "192.0.2.1"), true},
		{"other user, mapped address", from("alice", "192.0.2.1"), from("bob", "::ffff:192.0.2.1"), true},
		{"other user, same /64", from("alice", "2001:db8::1"), from("bob", "2001:db8::ffff:1"), true},
		{"other user, other /64", from("alice", "2001:db8::1"), from("bob", "2001:db8:0:1::1"), false},
		{"other user, other address", from("alice", "192.0.2.1"), from("bob", "192.0.2.2"), false},
		{"other user on loopback", from("alice", "127.0.0.1"), from("bob", "127.0.0.1"), false},
		{"same user on loopback", from("alice", "::1"), from("alice", "::1"), true},
		{"other user, trusted", from("alice", "10.1.2.3"), from("bob", "10.1.2.3"), false},
		{"no address", Attempt{Username: "alice"}, Attempt{Username: "bob"}, false},
		{"same user, no address", Attempt{Username: "alice"}, Attempt{Username: "alice"}, true},
		{"nobody named, then somebody", Attempt{Peer: netip.MustParseAddr("192.0.2.1")}, from("bob", "192.0.2.1"), true},
		{"nobody named, elsewhere", Attempt{Peer: netip.MustParseAddr("192.0.2.1")}, Attempt{Peer: netip.MustParseAddr("192.0.2.2")}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &Throttle{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
				for range 5 {
					_, _ = try(t, g, tt.failing, Failed)
				}
				if d, _ := try(t, g, tt.next, Failed); (d > 0) != tt.delayed {
					t.Errorf("waited %v", d)
				}
			})
		})
	}
}

// Guesses from many addresses of a network count against the network.
func TestThrottleNetworks(t *testing.T) {
	for _, tt := range []struct {
		name, address, next string
		guesses             int
		delayed             bool
	}{
		{"few from a /24", "192.0.2.%d", "192.0.2.250", 40, false},
		{"many from a /24", "192.0.2.%d", "192.0.2.250", 60, true},
		{"many from another /24", "192.0.2.%d", "192.0.3.250", 60, false},
		{"many from a /48", "2001:db8:0:%x::1", "2001:db8:0:ffff::1", 60, true},
		{"many from another /48", "2001:db8:0:%x::1", "2001:db8:1::1", 60, false},
		{"few from a /16", "192.0.%d.1", "192.0.251.1", 250, false},
		{"many from a /32", "2001:db8:%x::1", "2001:db8:ffff::1", 900, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &Throttle{}
				for i := range tt.guesses {
					_, _ = try(t, g, from(fmt.Sprint("user", i), fmt.Sprintf(tt.address, i%0xfff)), Failed)
				}
				if d, err := try(t, g, from("alice", tt.next), Failed); (d > 0 || err != nil) != tt.delayed {
					t.Errorf("waited %v, %v", d, err)
				}
			})
		})
	}
}

// A program that repeats the same wrong password locks nobody out, and is held
// to one attempt per Delay.
func TestThrottleRepetition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &Throttle{}
		for i := range 1000 {
			d, err := try(t, g, guess("alice", "192.0.2.1", 0), Failed)
			if want := time.Second; err != nil || d > want || i > 1 && d != want {
				t.Fatalf("attempt %d waited %v, %v", i, d, err)
			}
		}
		if d, err := try(t, g, guess("alice", "192.0.2.2", 1), Succeeded); d != 0 || err != nil {
			t.Errorf("alice elsewhere: %v, %v", d, err)
		}
		if d, err := try(t, g, guess("bob", "192.0.2.1", 1), Succeeded); d != 0 || err != nil {
			t.Errorf("bob at the same address: %v, %v", d, err)
		}
		if r, err := g.Report(t.Context(), "Alice"); err != nil || r.Failures != 1 || r.Attempts != 0 || r.Peer != netip.MustParseAddr("192.0.2.2") {
			t.Errorf("report: %+v, %v", r, err)
		}
	})
}

// The same password for many users is many guesses.
func TestThrottleSpraying(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &Throttle{}
		for i := range 20 {
			_, _ = try(t, g, guess(fmt.Sprint("user", i), "192.0.2.1", 0), Failed)
		}
		if _, err := try(t, g, guess("alice", "192.0.2.1", 0), Failed); err != ErrTooMany {
			t.Errorf("after 20 users: %v", err)
		}
	})
}

// Somebody else's guessing, also from everywhere, does not lock out a user who
// was here before, and his own failures there count.
func TestThrottleKnownPair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &Throttle{}
		home := from("alice", "192.0.2.1")
		_, _ = try(t, g, home, Succeeded)
		time.Sleep(29 * 24 * time.Hour)
		for i := range 1000 {
			_, _ = try(t, g, guess("alice", fmt.Sprintf("198.%d.%d.1", i/250, i%250), i), Failed)
			time.Sleep(time.Second)
		}
		if _, err := try(t, g, from("alice", "203.0.113.1"), Succeeded); err != ErrTooMany {
			t.Errorf("from a new place: %v", err)
		}
		for range 3 {
			if d, err := try(t, g, home, Failed); d != 0 || err != nil {
				t.Errorf("at home: %v, %v", d, err)
			}
		}
		if d, _ := try(t, g, home, Failed); d != time.Second {
			t.Errorf("fourth failure at home: %v", d)
		}
		if d, err := try(t, g, home, Succeeded); d != 2*time.Second || err != nil {
			t.Errorf("success at home: %v, %v", d, err)
		}
		if _, err := try(t, g, from("alice", "203.0.113.1"), Succeeded); err != ErrTooMany {
			t.Errorf("a success at home lets a guesser go on: %v", err)
		}
		if list, err := g.Worst(t.Context(), 1); err != nil || len(list) != 1 || list[0].Subject.User != "alice" || list[0].Tally.Failures < 20 {
			t.Errorf("worst: %+v, %v", list, err)
		}
		time.Sleep(31 * 24 * time.Hour)
		for range 20 {
			_, _ = try(t, g, from("alice", "198.51.100.1"), Failed)
		}
		if _, err := try(t, g, home, Succeeded); err != ErrTooMany {
			t.Errorf("known for ever: %v", err)
		}
	})
}

// A success does not clear the address: a guesser may own an account.
func TestThrottleSuccessKeepsPrefix(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &Throttle{}
		for i := range 5 {
			_, _ = try(t, g, from(fmt.Sprint("victim", i), "192.0.2.1"), Failed)
		}
		_, _ = try(t, g, from("mallory", "192.0.2.1"), Succeeded)
		if d, _ := try(t, g, from("victim9", "192.0.2.1"), Failed); d == 0 {
			t.Error("no delay after mallory's success")
		}
	})
}

func TestThrottleForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &Throttle{}
		for range 6 {
			_, _ = try(t, g, from("alice", "192.0.2.1"), Failed)
		}
		time.Sleep(time.Hour + time.Second)
		if d, err := try(t, g, from("alice", "192.0.2.1"), Undecided); d != 0 || err != nil {
			t.Errorf("an hour later: %v, %v", d, err)
		}
	})
}

// Attempts opened at once do not outrun the counting.
func TestThrottleParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &Throttle{}
		var wg sync.WaitGroup
		var mu sync.Mutex
		atOnce, refused := 0, 0
		start := time.Now()
		for i := range 500 {
			wg.Go(func() {
				end, err := g.Begin(t.Context(), guess("alice", "192.0.2.1", i))
				mu.Lock()
				switch {
				case err == ErrTooMany:
					refused++
				case time.Since(start) == 0:
					atOnce++
				}
				mu.Unlock()
				if err == nil {
					time.Sleep(100 * time.Millisecond)
					end(Failed)
				}
			})
		}
		wg.Wait()
		if atOnce > burst*4 || refused < 400 {
			t.Errorf("%d at once, %d refused", atOnce, refused)
		}
	})
}

func TestThrottleContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &Throttle{}
		for range 4 {
			_, _ = try(t, g, from("alice", "192.0.2.1"), Failed)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := g.Begin(ctx, from("alice", "192.0.2.1")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		for s, y := range g.pacer.entries {
			if y.inFlight != 0 {
				t.Errorf("left behind: %v %+v", s, y)
			}
		}
		if r, _ := g.Report(t.Context(), "alice"); r.Failures != 4 {
			t.Errorf("%d failures", r.Failures)
		}
	})
}

// brokenStore fails where it is told to.
type brokenStore struct {
	MemoryGuard
	read, write error
}

func (b *brokenStore) Tallies(ctx context.Context, s []Subject, since time.Time) ([]Tally, error) {
	if b.read != nil {
		return nil, b.read
	}
	return b.MemoryGuard.Tallies(ctx, s, since)
}

func (b *brokenStore) Fail(ctx context.Context, f Failure) (bool, error) {
	if b.write != nil {
		return false, b.write
	}
	return b.MemoryGuard.Fail(ctx, f)
}

func TestThrottleStoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &brokenStore{read: errDown}
		g := &Throttle{Store: store, Logger: slog.New(slog.DiscardHandler)}
		if _, err := g.Begin(t.Context(), from("alice", "192.0.2.1")); !errors.Is(err, errDown) || errors.Is(err, ErrTooMany) {
			t.Errorf("got %v", err)
		}
		store.read, store.write = nil, errDown
		_, _ = try(t, g, guess("alice", "192.0.2.1", 0), Failed)
		if d, err := try(t, g, guess("bob", "192.0.2.1", 1), Failed); d != time.Second || err != nil {
			t.Errorf("failures that cannot be counted let a guesser run: %v, %v", d, err)
		}
	})
}

// Two nodes that share a store count together.
func TestThrottleNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &MemoryGuard{}
		a, b := &Throttle{Store: store, Key: []byte("key")}, &Throttle{Store: store, Key: []byte("key")}
		_, _ = try(t, a, guess("alice", "192.0.2.9", 99), Succeeded)
		_, _ = try(t, a, guess("bob", "192.0.2.1", 0), Failed)
		_, _ = try(t, b, guess("bob", "192.0.2.1", 0), Failed)
		if r, _ := b.Report(t.Context(), "bob"); r.Failures != 1 || r.Attempts != 2 {
			t.Errorf("one password on two nodes: %+v", r)
		}
		for i := range 8 {
			g := []*Throttle{a, b}[i%2]
			_, _ = try(t, g, guess("alice", "192.0.2.1", i), Failed)
		}
		for name, g := range map[string]*Throttle{"a": a, "b": b} {
			if _, err := try(t, g, guess("alice", "192.0.2.1", 20), Failed); err != ErrTooMany {
				t.Errorf("node %s: %v", name, err)
			}
			if d, err := try(t, g, guess("alice", "192.0.2.9", 99), Succeeded); d != 0 || err != nil {
				t.Errorf("node %s, at home: %v, %v", name, d, err)
			}
		}
	})
}

func TestMemoryGuardBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &MemoryGuard{MaxEntries: 100}
		g := &Throttle{Store: m}
		_, _ = try(t, g, from("carol", "192.0.2.1"), Succeeded)
		for i := range 6 {
			_, _ = try(t, g, guess("alice", "192.0.2.1", i), Failed)
		}
		for i := range 5000 {
			_, _ = try(t, g, guess(fmt.Sprint("user", i), fmt.Sprintf("198.%d.%d.1", i/250, i%250), i), Failed)
		}
		for name, n := range map[string]int{
			"users": len(m.users), "pairs": len(m.pairs), "known": len(m.known), "wrong": len(m.wrong), "prefixes": len(m.prefixes) / 3,
		} {
			if n > 100 {
				t.Errorf("%d %s", n, name)
			}
		}
		if d, _ := try(t, g, guess("alice", "192.0.2.1", 7), Failed); d == 0 {
			t.Error("a flood of user names hid the failures of alice")
		}
		if d, _ := try(t, g, guess("carol", "192.0.2.1", 7), Failed); d != 0 {
			t.Error("a flood made carol's address unknown")
		}
		for i := range 300 {
			_, _ = try(t, g, from(fmt.Sprint("good", i), "203.0.113.1"), Succeeded)
			time.Sleep(time.Second)
		}
		if len(m.known) > 100 || m.known[keyOf(Subject{"good299", netip.MustParsePrefix("203.0.113.1/32")})].succ == 0 {
			t.Errorf("%d known pairs, the last one not among them", len(m.known))
		}
	})
}

// A million attempts from a hundred thousand addresses, with names longer than
// is kept, leave the guard under 64 MB. A million take 40 s; without
// MAILSTEAD_FULL=1 there are fewer.
func TestThrottleMillion(t *testing.T) {
	attempts, addresses := 200_000, 100_000
	switch {
	case os.Getenv("MAILSTEAD_FULL") != "":
		attempts = 1_000_000
	case testing.Short():
		attempts = 20_000
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	synctest.Test(t, func(t *testing.T) {
		before := heap()
		g := &Throttle{MaxWait: 30 * time.Second}
		refused := 0
		long := strings.Repeat("x", 80)
		for i := range attempts {
			n := uint32(i % addresses)
			a := Attempt{Username: fmt.Sprint(i%300_000, "@", long), Password: NewPassword(fmt.Sprint(i))}
			a.Peer = netip.AddrFrom4([4]byte{byte(11 + n%200), byte(n >> 16), byte(n >> 8), byte(n)})
			end, err := g.Begin(t.Context(), a)
			if err != nil {
				refused++
				continue
			}
			end(Failed)
		}
		used := int64(heap()) - int64(before)
		t.Logf("%d attempts, %d refused, %d octets, %d paces", attempts, refused, used, len(g.pacer.entries))
		if used > 64<<20 {
			t.Errorf("the guard takes %d octets", used)
		}
		runtime.KeepAlive(g)
	})
}

func TestThrottleOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &Throttle{Free: -1, Delay: time.Minute, MaxDelay: 90 * time.Second, MaxWait: time.Hour}
		for i, want := range []time.Duration{0, time.Minute, 90 * time.Second, 90 * time.Second} {
			if d, err := try(t, g, from("alice", "192.0.2.1"), Failed); d != want || err != nil {
				t.Errorf("attempt %d: %v, %v; want %v", i, d, err, want)
			}
		}
		g = &Throttle{Free: -1, MaxWait: -1}
		_, _ = try(t, g, from("alice", "192.0.2.1"), Failed)
		if _, err := try(t, g, from("alice", "192.0.2.1"), Failed); err != ErrTooMany {
			t.Errorf("MaxWait -1: %v", err)
		}
		g = &Throttle{KnownFor: -1}
		_, _ = try(t, g, from("alice", "192.0.2.1"), Succeeded)
		for range 5 {
			_, _ = try(t, g, from("alice", "192.0.2.2"), Failed)
		}
		if d, _ := try(t, g, from("alice", "192.0.2.1"), Failed); d == 0 {
			t.Error("KnownFor -1: known")
		}
	})
}
