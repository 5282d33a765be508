package login

import (
	"context"
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

// burst is how many attempts at once count like one failure, so that many
// connections opened together do not outrun the counting.
const burst = 8

// knownFor is how long a user is known at an address after a success.
const knownFor = 24 * time.Hour

// Throttle is a Guard whose delay grows with the failures of an address prefix
// (IPv4 /32, IPv6 /64) and of a user, whichever is longer. The attempts of one
// prefix or user pass one after the other while there is a delay. A user who
// logged in from a prefix in the last day is counted apart there, so that
// somebody else's guessing does not lock him out.
//
// The zero value uses the defaults. Fields are not changed after first use.
type Throttle struct {
	// Free is the number of failures that nothing follows. Zero means 2, so that
	// three tries pass at once; negative means 0.
	Free int
	// Delay follows the first failure beyond Free; each further failure
	// doubles it up to MaxDelay. Zero means 1 s and 30 s.
	Delay, MaxDelay time.Duration
	// MaxWait is the longest time that an attempt is kept waiting; one that
	// would wait longer gets ErrTooMany. Zero means 15 s, negative 0.
	MaxWait time.Duration
	// Forget is how long failures count. Zero means 1 h.
	Forget time.Duration
	// MaxEntries bounds the memory: prefixes and users that are remembered, 80
	// octets each. Zero means 65536. Beyond it those with few failures go first.
	MaxEntries int
	// Trusted are prefixes whose failures count against the user only, such as
	// a webmail server. Loopback always is.
	Trusted []netip.Prefix

	mu      sync.Mutex
	seed    maphash.Seed // made with entries
	entries map[uint64]*tally
}

// tally counts the failures of one prefix, user, or pair of both.
type tally struct {
	failures int
	inFlight int
	next     time.Time // earliest start of the next attempt
	last     time.Time // of the last attempt
	known    bool      // a pair that succeeded
}

// Begin implements Guard.
func (t *Throttle) Begin(ctx context.Context, a Attempt) (func(Outcome), error) {
	wait, end, err := t.reserve(a)
	if err != nil {
		return nil, err
	}
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			end(Undecided)
			return nil, ctx.Err()
		}
	}
	return end, nil
}

// reserve takes the next free moment of everything that the attempt counts
// against.
func (t *Throttle) reserve(a Attempt) (time.Duration, func(Outcome), error) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	tallies, pair := t.talliesLocked(a, now)
	start := now
	for _, y := range tallies {
		if y.next.After(start) {
			start = y.next
		}
	}
	if start.Sub(now) > orDefault(t.MaxWait, 15*time.Second) {
		return 0, nil, ErrTooMany
	}
	for _, y := range tallies {
		y.inFlight++
		y.last = now
		y.next = start.Add(t.delay(y.failures + y.inFlight/burst))
	}
	end := func(o Outcome) { t.settle(o, a, tallies, pair) }
	return start.Sub(now), end, nil
}

// settle counts the outcome of an attempt.
func (t *Throttle) settle(o Outcome, a Attempt, tallies []*tally, pair uint64) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, y := range tallies {
		y.inFlight--
		if o != Failed {
			continue
		}
		y.failures++
		y.last = now
		if next := now.Add(t.delay(y.failures)); next.After(y.next) {
			y.next = next
		}
	}
	if o != Succeeded || a.Username == "" {
		return
	}
	// The prefix keeps its failures: a guesser may have an account too.
	for _, key := range [...]uint64{pair, t.keyLocked('u', netip.Prefix{}, a.Username)} {
		y := t.tallyLocked(key, now)
		y.failures, y.next, y.known = 0, now, key == pair
	}
}

// talliesLocked returns what the attempt counts against, and the key of its
// pair of user and prefix.
func (t *Throttle) talliesLocked(a Attempt, now time.Time) ([]*tally, uint64) {
	if t.entries == nil {
		t.entries, t.seed = make(map[uint64]*tally), maphash.MakeSeed()
	}
	prefix := prefixOf(a.Peer)
	pair := t.keyLocked('p', prefix, a.Username)
	if y, ok := t.entries[pair]; ok && y.known && now.Sub(y.last) < knownFor {
		return []*tally{t.tallyLocked(pair, now)}, pair
	}
	var tallies []*tally
	if a.Username != "" {
		tallies = append(tallies, t.tallyLocked(t.keyLocked('u', netip.Prefix{}, a.Username), now))
	}
	if prefix.IsValid() && !t.trusts(a.Peer) {
		tallies = append(tallies, t.tallyLocked(t.keyLocked('a', prefix, ""), now))
	}
	return tallies, pair
}

// keyLocked names a tally. The seed is secret, so nobody aims at a collision.
func (t *Throttle) keyLocked(kind byte, prefix netip.Prefix, user string) uint64 {
	var h maphash.Hash
	h.SetSeed(t.seed)
	_ = h.WriteByte(kind)
	addr := prefix.Addr().As16()
	_, _ = h.Write(addr[:])
	_, _ = h.WriteString(user)
	return h.Sum64()
}

// tallyLocked returns the tally of key with what is too old forgotten, and
// makes it where there is none.
func (t *Throttle) tallyLocked(key uint64, now time.Time) *tally {
	y, ok := t.entries[key]
	if !ok {
		makeRoom(t.entries, max(1, orDefault(t.MaxEntries, 65536)), func(y *tally) int64 {
			return int64(y.inFlight)<<40 + int64(y.failures)<<32 + y.last.Unix()
		})
		y = &tally{last: now}
		t.entries[key] = y
	}
	if now.Sub(y.last) >= orDefault(t.Forget, time.Hour) {
		y.failures = 0
	}
	return y
}

// delay returns the distance between two attempts after so many failures.
func (t *Throttle) delay(failures int) time.Duration {
	failures -= orDefault(t.Free, 2)
	if failures <= 0 {
		return 0
	}
	longest := orDefault(t.MaxDelay, 30*time.Second)
	d := orDefault(t.Delay, time.Second)
	for ; failures > 1 && d < longest; failures-- {
		d *= 2
	}
	return min(d, longest)
}

// trusts reports whether addr is not counted by itself.
func (t *Throttle) trusts(addr netip.Addr) bool {
	addr = addr.Unmap()
	if addr.IsLoopback() {
		return true
	}
	for _, p := range t.Trusted {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// prefixOf returns the part of an address that one client cannot change.
func prefixOf(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	p, _ := addr.Prefix(bits) // the zero Prefix for the zero Addr
	return p
}

// orDefault resolves an option: zero means def, negative means zero.
func orDefault[T int | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return max(v, 0)
}
