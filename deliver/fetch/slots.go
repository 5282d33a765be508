package fetch

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// slots bounds connections, by host and in all, first come, first served.
type slots struct {
	perHost, all int

	mu      sync.Mutex
	used    int
	hosts   map[string]int // connections
	waiting []*waiter      // in the order of arrival
	holders map[*holder]bool
}

type waiter struct {
	host  string
	ready chan struct{} // closed when it has its slot
	h     *holder
}

// holder is who has a slot. wanted is closed while it idles and somebody else
// could use the slot.
type holder struct {
	s      *slots
	host   string
	wanted chan struct{}
	idle   bool // guarded by s.mu, as is told
	told   bool
}

func newSlots(perHost, all int) *slots {
	return &slots{perHost: perHost, all: all, hosts: make(map[string]int), holders: make(map[*holder]bool)}
}

// take waits for a slot; the error is that of ctx.
func (s *slots) take(ctx context.Context, host string) (*holder, error) {
	w := &waiter{host: host, ready: make(chan struct{}), h: &holder{s: s, host: host, wanted: make(chan struct{})}}
	s.mu.Lock()
	s.waiting = append(s.waiting, w)
	s.serve()
	s.mu.Unlock()
	select {
	case <-w.ready:
		return w.h, nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.waiting, w); i >= 0 {
		s.waiting = slices.Delete(s.waiting, i, i+1)
	} else {
		s.give(w.h) // it came at the same moment
	}
	return nil, ctx.Err()
}

// release gives the slot to who waits.
func (h *holder) release() {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	h.s.give(h)
}

// idles says whether the holder only waits for something to happen.
func (h *holder) idles(idle bool) {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	if h.idle = idle; idle {
		h.s.serve()
	}
}

// give takes a slot back. mu is held.
func (s *slots) give(h *holder) {
	s.used--
	if s.hosts[h.host]--; s.hosts[h.host] == 0 {
		delete(s.hosts, h.host)
	}
	delete(s.holders, h)
	s.serve()
}

// serve gives free slots to who waits, and asks for one where there is none. mu is
// held.
func (s *slots) serve() {
	left := s.waiting[:0]
	for _, w := range s.waiting {
		if s.used < s.all && s.hosts[w.host] < s.perHost {
			s.used++
			s.hosts[w.host]++
			s.holders[w.h] = true
			close(w.ready)
			continue
		}
		left = append(left, w)
		s.ask(w)
	}
	clear(s.waiting[len(left):])
	s.waiting = left
}

// ask tells one who idles, and whose slot w could have.
func (s *slots) ask(w *waiter) {
	full := s.hosts[w.host] >= s.perHost
	for h := range s.holders {
		if h.idle && !h.told && (!full || h.host == w.host) {
			h.told = true
			close(h.wanted)
			return
		}
	}
}

// whileLonger is a context that ends d after ctx does.
func whileLonger(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var mu sync.Mutex
	var timer *time.Timer
	stop := context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		timer = time.AfterFunc(d, cancel)
	})
	return longer, func() {
		stop()
		mu.Lock()
		defer mu.Unlock()
		if timer != nil {
			timer.Stop()
		}
		cancel()
	}
}

// both is a context that ends with each of two, with that one's cause.
func both(a, b context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(a)
	stop := context.AfterFunc(b, func() { cancel(context.Cause(b)) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

// errStalled ends a pass in which nothing moves.
var errStalled = errors.New("fetch: the source makes no progress")

// watchdog cancels a context when nothing moves.
type watchdog struct {
	d      time.Duration
	timer  *time.Timer
	ctx    context.Context
	cancel context.CancelCauseFunc
}

func watch(ctx context.Context, d time.Duration) (context.Context, *watchdog) {
	w := &watchdog{d: d}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	w.timer = time.AfterFunc(d, func() { w.cancel(errStalled) })
	return w.ctx, w
}

func (w *watchdog) touch() { w.timer.Reset(w.d) }

func (w *watchdog) stop() { w.timer.Stop() }

func (w *watchdog) end() {
	w.timer.Stop()
	w.cancel(nil)
}

// reason adds the cause to an error that the watchdog made.
func (w *watchdog) reason(err error) error {
	if err != nil && context.Cause(w.ctx) == errStalled {
		return errors.Join(errStalled, err)
	}
	return err
}
