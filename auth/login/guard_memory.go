package login

import (
	"cmp"
	"context"
	"crypto/sha256"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxName is how many octets of a user name are kept for reports.
const maxName = 64

// MemoryGuard is a GuardStore of one process. The zero value is empty and ready
// for use.
type MemoryGuard struct {
	// MaxEntries bounds the memory: so many users, pairs, wrong passwords and
	// pairs that succeeded are remembered, and three times as many addresses
	// and networks. Zero means 65536, which takes 40 MB when all are there.
	// Beyond it those with few failures go first. What succeeded has a place of
	// its own, so that no flood of failures drives it out.
	MaxEntries int

	mu       sync.Mutex
	users    map[Digest]*userTally
	prefixes map[prefixKey]tally
	pairs    map[Digest]tally
	known    map[Digest]tally // pairs that succeeded
	wrong    map[Digest]int64 // when it last came
}

var _ GuardStore = (*MemoryGuard)(nil)

// prefixKey is a Prefix without its pointers.
type prefixKey struct {
	addr [16]byte
	bits uint8 // of an IPv6 address
}

// tally is a Tally in little room; times are nanoseconds since 1970, 0: never.
type tally struct {
	failures     int
	failed, succ int64
}

// userTally is what is kept of a user.
type userTally struct {
	tally
	name      string // cut to maxName octets
	peer      [16]byte
	attempts  int
	attempted int64
}

// Tallies implements GuardStore.
func (g *MemoryGuard) Tallies(_ context.Context, subjects []Subject, since time.Time) ([]Tally, error) {
	list := make([]Tally, len(subjects))
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, s := range subjects {
		key := keyOf(s)
		switch {
		case s.User == "":
			list[i] = g.prefixes[keyOfPrefix(s.Prefix)].since(since).public()
		case s.Prefix.IsValid():
			y, ok := g.known[key]
			if !ok {
				y = g.pairs[key]
			}
			list[i] = y.since(since).public()
		case g.users[key] != nil:
			list[i] = g.users[key].public(since)
		}
	}
	return list, nil
}

// Fail implements GuardStore.
func (g *MemoryGuard) Fail(_ context.Context, f Failure) (distinct bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.initLocked()
	at := f.At.UnixNano()
	distinct = true
	if f.Wrong != (Digest{}) {
		last, seen := g.wrong[f.Wrong]
		distinct = !seen || last < f.Since.UnixNano()
		if !seen {
			makeRoom(g.wrong, g.limit(), func(last int64) int64 { return last })
		}
		g.wrong[f.Wrong] = at
	}
	if f.User.User != "" {
		u := g.userLocked(f.User)
		u.attempts, u.attempted = u.attempts+1, at
	}
	if !distinct {
		return false, nil
	}
	for _, s := range f.Subjects {
		g.changeLocked(s, func(y *tally) {
			*y = y.since(f.Since)
			y.failures, y.failed = y.failures+1, at
		})
	}
	return true, nil
}

// Succeed implements GuardStore.
func (g *MemoryGuard) Succeed(_ context.Context, s Success) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.initLocked()
	key := keyOf(s.Pair)
	forgiven := g.pairs[key].since(s.Since).failures + g.known[key].since(s.Since).failures
	delete(g.pairs, key)
	if _, ok := g.known[key]; !ok {
		makeRoom(g.known, g.limit(), func(y tally) int64 { return y.succ })
	}
	g.known[key] = tally{succ: s.At.UnixNano()}
	if forgiven > 0 {
		for _, o := range s.Others {
			g.changeLocked(o, func(y *tally) { y.failures = max(0, y.since(s.Since).failures-forgiven) })
		}
	}
	if s.User.User != "" {
		u := g.userLocked(s.User)
		u.attempts, u.succ, u.peer = 0, s.At.UnixNano(), s.Peer.As16()
		if !s.Peer.IsValid() {
			u.peer = [16]byte{}
		}
	}
	return nil
}

// Worst implements GuardStore.
func (g *MemoryGuard) Worst(_ context.Context, since time.Time, n int) ([]Suspect, error) {
	var list []Suspect
	g.mu.Lock()
	for _, u := range g.users {
		if y := u.public(since); y.Failures > 0 {
			list = append(list, Suspect{Subject{User: u.name}, y})
		}
	}
	for key, y := range g.prefixes {
		if y := y.since(since).public(); y.Failures > 0 {
			list = append(list, Suspect{Subject{Prefix: key.prefix()}, y})
		}
	}
	g.mu.Unlock()
	slices.SortFunc(list, func(a, b Suspect) int {
		return cmp.Or(cmp.Compare(b.Tally.Failures, a.Tally.Failures), strings.Compare(a.Subject.String(), b.Subject.String()))
	})
	return list[:min(n, len(list))], nil
}

func (g *MemoryGuard) limit() int { return max(1, orDefault(g.MaxEntries, 65536)) }

func (g *MemoryGuard) initLocked() {
	if g.users == nil {
		g.users, g.prefixes = make(map[Digest]*userTally), make(map[prefixKey]tally)
		g.pairs, g.known, g.wrong = make(map[Digest]tally), make(map[Digest]tally), make(map[Digest]int64)
	}
}

// userLocked returns what is kept of a user, and makes it where there is nothing.
func (g *MemoryGuard) userLocked(s Subject) *userTally {
	key := keyOf(s)
	u := g.users[key]
	if u == nil {
		makeRoom(g.users, g.limit(), func(u *userTally) int64 { return u.worth() })
		u = &userTally{name: strings.Clone(s.User[:min(len(s.User), maxName)])}
		g.users[key] = u
	}
	return u
}

// changeLocked changes the tally of a subject.
func (g *MemoryGuard) changeLocked(s Subject, f func(*tally)) {
	key := keyOf(s)
	switch {
	case s.User == "":
		change(g.prefixes, keyOfPrefix(s.Prefix), 3*g.limit(), f)
	case !s.Prefix.IsValid():
		f(&g.userLocked(s).tally)
	default:
		m := g.pairs
		if _, ok := g.known[key]; ok {
			m = g.known
		}
		change(m, key, g.limit(), f)
	}
}

// change changes an entry of a map, which is made where there is none.
func change[K comparable](m map[K]tally, key K, limit int, f func(*tally)) {
	y, ok := m[key]
	if !ok {
		makeRoom(m, limit, tally.worth)
	}
	f(&y)
	m[key] = y
}

// worth says how much would be lost with a tally.
func (y tally) worth() int64 { return int64(min(y.failures, 1<<10))<<50 + max(y.failed, y.succ)>>14 }

// since returns y without failures that are too old.
func (y tally) since(t time.Time) tally {
	if y.failed < t.UnixNano() {
		y.failures = 0
	}
	return y
}

func (y tally) public() Tally {
	return Tally{Failures: y.failures, LastFailure: instant(y.failed), LastSuccess: instant(y.succ)}
}

func (u *userTally) public(since time.Time) Tally {
	p := u.since(since).public()
	p.Attempts, p.LastAttempt = u.attempts, instant(u.attempted)
	if u.peer != [16]byte{} {
		p.Peer = netip.AddrFrom16(u.peer).Unmap()
	}
	return p
}

// instant returns the time of so many nanoseconds, the zero Time for 0.
func instant(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns)
}

// keyOf names a user or a pair.
func keyOf(s Subject) (d Digest) {
	var b [128]byte
	text := append(append(b[:0], s.User...), 0)
	if s.Prefix.IsValid() {
		text, _ = s.Prefix.AppendText(text)
	}
	sum := sha256.Sum256(text)
	copy(d[:], sum[:])
	return d
}

func keyOfPrefix(p netip.Prefix) prefixKey {
	bits := p.Bits()
	if p.Addr().Is4() {
		bits += 96
	}
	return prefixKey{p.Addr().As16(), uint8(bits)}
}

func (k prefixKey) prefix() netip.Prefix {
	addr := netip.AddrFrom16(k.addr)
	if addr.Is4In6() && k.bits >= 96 {
		return netip.PrefixFrom(addr.Unmap(), int(k.bits)-96)
	}
	return netip.PrefixFrom(addr, int(k.bits))
}
