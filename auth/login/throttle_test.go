package login

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
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

func TestThrottleGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &Throttle{}
		s := time.Second
		for i, want := range []time.Duration{0, 0, 0, s, 2 * s, 4 * s, 8 * s} {
			if d, err := try(t, g, from("alice", "192.0.2.1"), Failed); d != want || err != nil {
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

// Somebody else's guessing does not lock out a user who was here before, and
// his own failures there count.
func TestThrottleKnownPair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &Throttle{}
		home := from("alice", "192.0.2.1")
		_, _ = try(t, g, home, Succeeded)
		for range 20 {
			_, _ = try(t, g, from("alice", "198.51.100.1"), Failed)
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
		time.Sleep(time.Hour)
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
		for range 500 {
			wg.Go(func() {
				end, err := g.Begin(t.Context(), from("alice", "192.0.2.1"))
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
		for _, y := range g.entries {
			if y.inFlight != 0 || y.failures != 4 {
				t.Errorf("left behind: %+v", y)
			}
		}
	})
}

func TestThrottleBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &Throttle{MaxEntries: 100}
		for range 6 {
			_, _ = try(t, g, from("alice", "192.0.2.1"), Failed)
		}
		for i := range 5000 {
			_, _ = try(t, g, from(fmt.Sprint("user", i), "127.0.0.1"), Failed)
		}
		if len(g.entries) > 100 {
			t.Errorf("%d entries", len(g.entries))
		}
		if d, _ := try(t, g, from("alice", "192.0.2.1"), Failed); d == 0 {
			t.Error("a flood of user names hid the failures of alice")
		}
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
	})
}
