package login

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"
)

// burst is how many attempts at once count like one failure, so that many
// connections opened together do not outrun the counting.
const burst = 8

// How many failures of a network count like one of an address.
const (
	siteScale = 16  // IPv4 /24, IPv6 /48
	wideScale = 256 // IPv4 /16, IPv6 /32
)

// Throttle is a Guard whose delay grows with the failures of a user, of an
// address (IPv4 /32, IPv6 /64), and more slowly of its networks (/24 and /16,
// /48 and /32), whichever is longest. What would wait too long is refused. The
// attempts of one subject pass one after the other while there is a delay.
//
// An attempt that names nobody yet (a bearer token) counts against its address
// only. Only distinct wrong passwords count: a program that repeats the one that it
// was given is held to one attempt per Delay and locks nobody out. Attempts
// that show no password (SCRAM) count each.
//
// A user who logged in from an address within KnownFor is counted apart there,
// so that somebody else's guessing, from ever so many addresses, does not lock
// him out. A success takes back the failures of its own user and address, and no
// others: a guesser may have an account too.
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
	// Forget is how long after the last one failures count. Zero means 1 h.
	Forget time.Duration
	// KnownFor is how long a user is known at an address after a success. Zero
	// means 30 days, negative never.
	KnownFor time.Duration
	// Trusted are prefixes whose failures count against the user only, such as
	// a webmail server. Loopback always is.
	Trusted []netip.Prefix
	// Store keeps the tallies. Nil means a MemoryGuard of this process.
	Store GuardStore
	// Key is the secret under which wrong passwords are remembered as digests.
	// Nodes that share a Store share it too, or a password that is repeated
	// elsewhere counts again. Empty means a random one.
	Key []byte
	// Logger receives failures of the Store. Nil means slog.Default.
	Logger *slog.Logger

	once  sync.Once
	store GuardStore
	key   []byte
	pacer pacer
}

var _ Guard = (*Throttle)(nil)

func (t *Throttle) start() {
	t.store, t.key = t.Store, t.Key
	if t.store == nil {
		t.store = &MemoryGuard{}
	}
	if len(t.key) == 0 {
		t.key = make([]byte, sha256.Size)
		_, _ = rand.Read(t.key) // never fails
	}
}

// Begin implements Guard.
func (t *Throttle) Begin(ctx context.Context, a Attempt) (func(Outcome), error) {
	t.once.Do(t.start)
	now := time.Now()
	x, err := t.look(ctx, a, now)
	if err != nil {
		return nil, fmt.Errorf("login: tallies of the guard: %w", err)
	}
	start, ok := t.pacer.reserve(x.levels, now, now.Add(orDefault(t.MaxWait, 15*time.Second)), t.delay)
	if !ok {
		return nil, ErrTooMany
	}
	if wait := start.Sub(now); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			t.pacer.release(x.levels)
			return nil, ctx.Err()
		}
	}
	return func(o Outcome) { t.settle(context.WithoutCancel(ctx), x, o) }, nil
}

// attemptLevels is an attempt with what it counts against.
type attemptLevels struct {
	attempt Attempt
	user    Subject // zero: nobody is named
	pair    level   // the last one of levels, if somebody is named
	known   bool    // the pair succeeded lately
	levels  []level // that decide
}

// look finds out what an attempt counts against, and what is known about it.
func (t *Throttle) look(ctx context.Context, a Attempt, now time.Time) (x attemptLevels, err error) {
	x = attemptLevels{attempt: a, user: Subject{User: a.Username}}
	networks := networksOf(a.Peer)
	if a.Username != "" {
		x.levels = append(x.levels, level{subject: x.user, scale: 1})
	}
	if !t.trusts(a.Peer) {
		for i, scale := range [...]int{1, siteScale, wideScale} {
			x.levels = append(x.levels, level{subject: Subject{Prefix: networks[i]}, scale: scale})
		}
	}
	if a.Username != "" {
		x.levels = append(x.levels, level{subject: Subject{a.Username, networks[0]}})
	}
	subjects := make([]Subject, len(x.levels))
	for i, l := range x.levels {
		subjects[i] = l.subject
	}
	tallies, err := t.store.Tallies(ctx, subjects, now.Add(-t.forget()))
	if err != nil {
		return x, err
	}
	for i := range x.levels {
		x.levels[i].tally, x.levels[i].key = tallies[i], keyOf(x.levels[i].subject)
	}
	if a.Username == "" {
		return x, nil
	}
	x.pair = x.levels[len(x.levels)-1]
	success := x.pair.tally.LastSuccess
	if x.known = !success.IsZero() && now.Sub(success) < orDefault(t.KnownFor, 30*24*time.Hour); x.known {
		x.pair.scale = 1
		x.levels = []level{x.pair}
	}
	return x, nil
}

// settle counts the outcome of an attempt.
func (t *Throttle) settle(ctx context.Context, x attemptLevels, o Outcome) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	var err error
	switch o {
	case Failed:
		err = t.fail(ctx, x)
	case Succeeded:
		err = t.succeed(ctx, x)
	}
	t.pacer.release(x.levels)
	if err != nil {
		logger := t.Logger
		if logger == nil {
			logger = slog.Default()
		}
		logger.LogAttrs(ctx, slog.LevelError, "guard: outcome of a login not counted", slog.Any("error", err))
	}
}

// fail counts a failure. One that is not counted, because it repeats another or
// because the store fails, holds up the next attempt of the same kind all the
// same.
func (t *Throttle) fail(ctx context.Context, x attemptLevels) error {
	now := time.Now()
	f := Failure{At: now, Since: now.Add(-t.forget()), Wrong: t.digest(x.attempt), User: x.user}
	for _, l := range x.levels {
		f.Subjects = append(f.Subjects, l.subject)
	}
	distinct, err := t.store.Fail(ctx, f)
	held := x.levels
	switch {
	case err == nil && distinct:
		return nil
	case err == nil && x.attempt.Username != "":
		held = []level{x.pair}
	}
	next := now.Add(orDefault(t.Delay, time.Second))
	t.pacer.update(held, func(y *pace) { y.next = later(y.next, next) })
	return err
}

// succeed remembers a success. One a minute is enough for a pair that has
// nothing to forgive.
func (t *Throttle) succeed(ctx context.Context, x attemptLevels) error {
	now := time.Now()
	pair := x.pair.tally
	if x.attempt.Username == "" {
		return nil
	}
	if x.known && pair.Failures == 0 && now.Sub(pair.LastSuccess) < UsePeriod {
		return nil
	}
	s := Success{At: now, Since: now.Add(-t.forget()), Peer: x.attempt.Peer.Unmap().WithZone(""), Pair: x.pair.subject, User: x.user}
	for _, l := range x.levels[:len(x.levels)-1] { // none, where the pair is known
		s.Others = append(s.Others, l.subject)
	}
	if err := t.store.Succeed(ctx, s); err != nil {
		return err
	}
	for _, l := range x.levels {
		l.tally.Failures = max(0, l.tally.Failures-pair.Failures)
		next := now.Add(t.delay(l.failures(0)))
		t.pacer.update([]level{l}, func(y *pace) {
			if next.Before(y.next) {
				y.next = next
			}
		})
	}
	return nil
}

// digest names a wrong password; the zero Digest where there is none to see.
func (t *Throttle) digest(a Attempt) (d Digest) {
	password := a.Password.Reveal()
	if password == "" {
		return d
	}
	mac := hmac.New(sha256.New, t.key)
	mac.Write([]byte(a.Username))
	mac.Write([]byte{0})
	mac.Write([]byte(password))
	var sum [sha256.Size]byte
	copy(d[:], mac.Sum(sum[:0]))
	return d
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

func (t *Throttle) forget() time.Duration { return orDefault(t.Forget, time.Hour) }

// trusts reports whether addr is not counted by itself.
func (t *Throttle) trusts(addr netip.Addr) bool {
	addr = addr.Unmap()
	if !addr.IsValid() || addr.IsLoopback() {
		return true
	}
	for _, p := range t.Trusted {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// networksOf returns the part of an address that one client cannot change, its
// site and its provider's block. Peers without an address share one that nobody
// has.
func networksOf(addr netip.Addr) (list [3]netip.Prefix) {
	if !addr.IsValid() {
		addr = netip.IPv6Unspecified()
	}
	addr = addr.Unmap().WithZone("")
	bits := [...]int{32, 24, 16}
	if addr.Is6() {
		bits = [...]int{64, 48, 32}
	}
	for i, n := range bits {
		list[i], _ = addr.Prefix(n) // never fails: n is within the address
	}
	return list
}

// orDefault resolves an option: zero means def, negative means zero.
func orDefault[T int | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return max(v, 0)
}
