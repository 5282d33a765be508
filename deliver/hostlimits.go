package deliver

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/mailstead/mailstead/smtp"
)

// HostLimits are what mail hosts are spared, whatever domains they serve, and
// which of their addresses did not answer a short while ago. The zero value has
// the defaults named. It may be used from any number of goroutines and must not
// be copied. Its memory is for hosts in use, and for MaxRemembered addresses.
type HostLimits struct {
	// PerHost bounds the connections in use to one host; zero = 20, negative = no
	// bound. PerSource bounds those from one source address; zero = 200.
	PerHost   int
	PerSource int

	// Interval is the least time between two messages to one host; zero = none.
	Interval time.Duration

	// Wait is how long an attempt waits for its turn before it is deferred; zero
	// = 10 s, negative = not at all.
	Wait time.Duration

	// Forget is how long an address that did not answer, or refused the session
	// before a message was offered, is not tried again from the same Source, by
	// whatever message: a random time between the half of it and all; zero = 3 min,
	// negative = it is tried each time. A failure of TLS is none.
	Forget time.Duration

	// MaxRemembered bounds the addresses that are remembered so; zero = 10,000.
	MaxRemembered int

	mu     sync.Mutex
	hosts  map[string]*slots // guarded by mu
	sweep  int               // forget those of hosts that are not in use at so many; guarded by mu
	failed map[way]remark    // guarded by mu
}

// way is an address and from where it was tried: a host that refuses one source
// may well take mail from another.
type way struct {
	to   netip.Addr
	from Source
}

// slots are the connections in use of a host, or of a source.
type slots struct {
	used, waiting int
	free          chan struct{} // one token, when a connection was given back
	next          time.Time     // of Interval
}

// remark is why an address is left alone, and until when.
type remark struct {
	until time.Time
	cause error
}

var errBusy = &smtp.Error{
	Reply: smtp.NewReply(450, smtp.EnhancedCode{Class: 4, Subject: 4, Detail: 5}, "Too many connections to the mail host"),
	Err:   errors.New("deliver: HostLimits are reached"),
}

// acquire waits for a turn at a host and from a source, and returns what gives it
// back.
func (h *HostLimits) acquire(ctx context.Context, host string, from Source) (release func(), err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, max(withDefault(h.Wait, 10*time.Second), 0), errBusy)
	defer cancel()
	first, err := h.take(ctx, "to "+host, withDefault(h.PerHost, 20), h.Interval)
	if err != nil {
		return nil, err
	}
	second, err := h.take(ctx, "from "+from.Addr.String(), withDefault(h.PerSource, 200), 0)
	if err != nil {
		first()
		return nil, err
	}
	return func() { second(); first() }, nil
}

func withDefault[T int | time.Duration](n, def T) T {
	if n == 0 {
		return def
	}
	return n
}

// take waits until fewer than limit are in use, and for the interval.
func (h *HostLimits) take(ctx context.Context, name string, limit int, interval time.Duration) (release func(), err error) {
	h.mu.Lock()
	s := h.slots(name)
	for limit > 0 && s.used >= limit {
		s.waiting++
		h.mu.Unlock()
		select {
		case <-s.free:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		h.mu.Lock()
		s.waiting--
		if err != nil {
			h.giveBack(name, s, 0)
			h.mu.Unlock()
			return nil, err
		}
	}
	wait, ok := s.turn(ctx, interval)
	if !ok {
		h.giveBack(name, s, 0)
		h.mu.Unlock()
		return nil, errBusy
	}
	s.used++
	if s.used < limit {
		s.wake() // the token may have stood for more than one
	}
	h.mu.Unlock()
	release = sync.OnceFunc(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.giveBack(name, s, 1)
	})
	if err := pause(ctx, wait); err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// slots are those of a name. The lock is held.
func (h *HostLimits) slots(name string) *slots {
	s := h.hosts[name]
	if s != nil {
		return s
	}
	if h.hosts == nil {
		h.hosts = make(map[string]*slots)
	}
	if h.sweep = max(h.sweep, 1024); len(h.hosts) >= h.sweep {
		now := time.Now()
		maps.DeleteFunc(h.hosts, func(_ string, s *slots) bool { return s.idle(now) })
		h.sweep = 2 * len(h.hosts)
	}
	s = &slots{free: make(chan struct{}, 1)}
	h.hosts[name] = s
	return s
}

// idle reports that nothing is to be remembered.
func (s *slots) idle(now time.Time) bool { return s.used == 0 && s.waiting == 0 && !now.Before(s.next) }

// turn is how long to wait for the next turn, and takes it; false = ctx ends
// before, and the turn is left to others.
func (s *slots) turn(ctx context.Context, interval time.Duration) (wait time.Duration, ok bool) {
	if interval <= 0 {
		return 0, true
	}
	now := time.Now()
	wait = max(s.next.Sub(now), 0)
	if end, limited := ctx.Deadline(); limited && wait > 0 && !now.Add(wait).Before(end) {
		return 0, false
	}
	s.next = now.Add(wait + interval)
	return wait, true
}

// wake is for one who waits, if there is one.
func (s *slots) wake() {
	if s.waiting == 0 {
		return
	}
	select {
	case s.free <- struct{}{}:
	default:
	}
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// giveBack wakes one who waits, and forgets a host that nobody uses. The lock is
// held.
func (h *HostLimits) giveBack(name string, s *slots, n int) {
	s.used -= n
	s.wake()
	if s.idle(time.Now()) {
		delete(h.hosts, name)
	}
}

// silence is why an address that is left alone was not connected to.
type silence struct{ error }

func (s silence) Unwrap() error { return s.error }

// silent is why a way is left alone now; nil = it is not.
func (h *HostLimits) silent(w way) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	r, ok := h.failed[w]
	if !ok {
		return nil
	}
	if !time.Now().Before(r.until) {
		delete(h.failed, w)
		return nil
	}
	return silence{r.cause}
}

// answered forgets what was remembered of a way.
func (h *HostLimits) answered(w way) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.failed, w)
}

// failedNow remembers that an address did not answer.
func (h *HostLimits) failedNow(w way, cause error) {
	forget := withDefault(h.Forget, 3*time.Minute)
	if forget < 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failed == nil {
		h.failed = make(map[way]remark)
	}
	for other := range h.failed { // any of them: it is a memory, no ledger
		if len(h.failed) < or(h.MaxRemembered, 10_000) {
			break
		}
		delete(h.failed, other)
	}
	h.failed[w] = remark{time.Now().Add(forget/2 + rand.N(forget/2+1)), cause}
}
