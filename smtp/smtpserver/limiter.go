package smtpserver

import (
	"net/netip"
	"sync"
)

// limiter counts connections, in all and for each IPv4 /32 or IPv6 /64.
type limiter struct {
	total, perAddress int
	trusted           []netip.Prefix

	mu  sync.Mutex // guards what follows
	n   int
	per map[netip.Prefix]int
}

// add reports whether one more connection from a is allowed, and counts it.
func (l *limiter) add(a netip.Addr) bool {
	key, counted := l.key(a)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n >= l.total || counted && l.per[key] >= l.perAddress {
		return false
	}
	l.n++
	if counted {
		if l.per == nil {
			l.per = make(map[netip.Prefix]int)
		}
		l.per[key]++
	}
	return true
}

func (l *limiter) remove(a netip.Addr) {
	key, counted := l.key(a)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n--
	if !counted {
		return
	}
	if l.per[key]--; l.per[key] <= 0 {
		delete(l.per, key)
	}
}

// key is what connections from a are counted under. Loopback, trusted and
// unknown addresses are not counted one by one.
func (l *limiter) key(a netip.Addr) (netip.Prefix, bool) {
	a = a.Unmap().WithZone("")
	if !a.IsValid() || a.IsLoopback() {
		return netip.Prefix{}, false
	}
	for _, p := range l.trusted {
		if p.Contains(a) {
			return netip.Prefix{}, false
		}
	}
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	return p, err == nil
}
