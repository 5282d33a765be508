package smtppolicy

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/mailstead/mailstead/smtp"
)

// Rate allows N events at once, and N in each Per from then on. Zero N = no
// limit.
type Rate struct {
	N   int
	Per time.Duration // zero = a minute
}

// Level bounds what comes from one network of a given size. Zero fields bound
// nothing.
type Level struct {
	IPv4, IPv6 int // lengths of the prefix, in bits

	Connections int  // at once; needs both hooks, Connect and Closed
	Connects    Rate // connections
	Messages    Rate // MAIL commands
	Recipients  Rate // RCPT commands
}

// DefaultLevels are the levels of a Throttle that names none: an address, an
// assignment to a site, and a provider.
func DefaultLevels() []Level {
	return []Level{
		{32, 64, 30, Rate{N: 60}, Rate{N: 120}, Rate{N: 1200}},
		{24, 48, 90, Rate{N: 300}, Rate{N: 600}, Rate{N: 6000}},
		{16, 32, 400, Rate{N: 1500}, Rate{N: 3000}, Rate{N: 30000}},
	}
}

// Throttle bounds connections, messages and recipients by the network that they
// come from, at several sizes of network at once: who spreads over the
// addresses of a wide network meets the limit of the wide one. What one level
// refuses counts at none.
//
//	t := &smtppolicy.Throttle{}
//	cfg.Connect, cfg.Closed = t.Connect, t.Closed
//	cfg.Receiver = smtp.Chain(receiver, t.Limit())
//
// The zero value uses the defaults. Fields are set before the first use. Any
// number of goroutines may call the methods. A decision takes no I/O and a few
// microseconds.
type Throttle struct {
	// Levels are the sizes of network that are counted; nil = DefaultLevels.
	Levels []Level

	// Exempt are not bounded, as loopback never is.
	Exempt []netip.Prefix

	// MaxNetworks bounds the memory: networks remembered at each level, 200
	// octets each. Beyond it the one that was idle for longest is forgotten.
	// Zero = 65536.
	MaxNetworks int

	mu     sync.Mutex // guards what follows
	start  time.Time
	tables []*lru[netip.Prefix, usage]
}

// event is what a Throttle counts.
type event int

const (
	connects event = iota
	messages
	recipients
	events // how many there are
)

// usage is what one network has used. A rate is kept as the time at which the
// network would have nothing used (GCRA): one number, and no timer.
type usage struct {
	open int32
	full [events]time.Duration // since Throttle.start
}

// Connect is for the hook Connect: it refuses with 421 4.7.0.
func (t *Throttle) Connect(_ context.Context, p *smtp.Peer) error {
	if exempt(t.Exempt, p) {
		return nil
	}
	a := address(p)
	if n, at := t.take(connects, a, 1); n == 0 {
		return refusal(421, smtp.EnhancedCode{Class: 4, Subject: 7}, "Too many connections from your network, try again later", throttled(at))
	}
	p.SetValue(openKey{t}, a) // the peer's address may change, by XCLIENT
	return nil
}

type openKey struct{ t *Throttle }

// Closed is for the hook Closed.
func (t *Throttle) Closed(p *smtp.Peer) {
	a, open := p.Value(openKey{t}).(netip.Addr)
	if !open {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, l := range t.levels() {
		if u := t.tables[i].peek(network(a, l.IPv4, l.IPv6)); u != nil && u.open > 0 {
			u.open--
		}
	}
}

// Limit returns a middleware that refuses messages and recipients beyond the
// rates with 450 4.7.1. Mail that starts here is not bounded.
func (t *Throttle) Limit() smtp.Middleware {
	mail := smtp.JudgeMail(func(_ context.Context, m *smtp.Mail) error {
		if exempt(t.Exempt, m.Peer) {
			return nil
		}
		if n, at := t.take(messages, address(m.Peer), 1); n == 0 {
			return refusal(450, smtp.EnhancedCode{Class: 4, Subject: 7, Detail: 1}, "Too many messages from your network, try again later", throttled(at))
		}
		return nil
	})
	rcpt := smtp.JudgeRcpt(func(_ context.Context, m *smtp.Mail, rs []*smtp.Recipient) []error {
		errs := make([]error, len(rs))
		if exempt(t.Exempt, m.Peer) {
			return errs
		}
		n, at := t.take(recipients, address(m.Peer), len(rs))
		for i := n; i < len(rs); i++ {
			errs[i] = refusal(450, smtp.EnhancedCode{Class: 4, Subject: 7, Detail: 1}, "Too many recipients from your network, try again later", throttled(at))
		}
		return errs
	})
	return func(next smtp.Receiver) smtp.Receiver { return smtp.Chain(next, mail, rcpt) }
}

// throttled is the cause in the log.
func throttled(at netip.Prefix) error { return fmt.Errorf("smtppolicy: limit of %v", at) }

// take counts up to n events at every level and returns how many are allowed,
// and the network that had no room for more.
func (t *Throttle) take(e event, a netip.Addr, n int) (allowed int, at netip.Prefix) {
	t.mu.Lock()
	defer t.mu.Unlock()
	levels := t.levels()
	now := time.Since(t.start)
	used := make([]*usage, 0, 4)
	for i := range levels {
		prefix := network(a, levels[i].IPv4, levels[i].IPv6)
		u := t.tables[i].add(prefix)
		if u == nil { // as many connections as there may be networks
			return 0, prefix
		}
		used = append(used, u)
		if room := levels[i].room(u, e, now); room < n {
			n, at = room, prefix
		}
	}
	if n == 0 {
		return 0, at
	}
	for i, u := range used {
		levels[i].charge(u, e, now, n)
	}
	return n, at
}

// levels makes the tables on first use. The caller holds mu.
func (t *Throttle) levels() []Level {
	if t.tables == nil {
		t.start = time.Now()
		if t.Levels == nil {
			t.Levels = DefaultLevels()
		}
		for range t.Levels {
			table := newLRU[netip.Prefix, usage](or(t.MaxNetworks, 1<<16))
			table.held = func(u *usage) bool { return u.open > 0 }
			t.tables = append(t.tables, table)
		}
	}
	return t.Levels
}

// rate is the limit of an event.
func (l *Level) rate(e event) Rate {
	return [events]Rate{l.Connects, l.Messages, l.Recipients}[e]
}

// room is how many events u has room for.
func (l *Level) room(u *usage, e event, now time.Duration) int {
	room := 1 << 30
	if r := l.rate(e); r.N > 0 {
		room = r.room(u.full[e], now)
	}
	if e == connects && l.Connections > 0 {
		room = min(room, max(l.Connections-int(u.open), 0))
	}
	return room
}

func (l *Level) charge(u *usage, e event, now time.Duration, n int) {
	if r := l.rate(e); r.N > 0 {
		u.full[e] = r.charge(u.full[e], now, n)
	}
	if e == connects {
		u.open++
	}
}

func (r Rate) per() time.Duration { return or(r.Per, time.Minute) }

// room is how many events there is room for at now, where full is the time at
// which nothing would be used. N is not zero.
func (r Rate) room(full, now time.Duration) int {
	free := r.per() - max(full-now, 0)
	return min(max(int(free/(r.per()/time.Duration(r.N))), 0), r.N)
}

// charge counts n events.
func (r Rate) charge(full, now time.Duration, n int) time.Duration {
	return max(full, now) + time.Duration(n)*(r.per()/time.Duration(r.N))
}
