package smtppolicy

import (
	"net/netip"
	"sync"
	"time"

	"github.com/mailstead/mailstead/smtp"
)

// EarlyTalkers lets clients wait for the greeting: a mail client waits too,
// a program that pours its commands out does not, and the server refuses it
// (RFC 5321 §4.3.1). A network that has waited once need not for a while.
//
//	cfg.Pause = (&smtppolicy.EarlyTalkers{}).Pause
//	cfg.StrictPipelining = true
//
// StrictPipelining refuses those who wait for the greeting, and then not for the
// replies to EHLO and DATA.
//
// The zero value uses the defaults. Fields are set before the first use. Any
// number of goroutines may call the methods.
type EarlyTalkers struct {
	// Wait is how long the greeting is held back. Zero = 5 s.
	Wait time.Duration

	// Remember is how long a client that waited need not wait again. Zero =
	// 7 days, negative = it waits each time.
	Remember time.Duration

	// MaxEntries bounds the memory: clients that are remembered, 150 octets
	// each. Zero = 65536.
	MaxEntries int

	// Exempt do not wait, as loopback does not.
	Exempt []netip.Prefix

	mu    sync.Mutex // guards what follows
	known *lru[netip.Prefix, time.Time]
}

type waitedKey struct{ e *EarlyTalkers }

// Pause is for the hook Pause.
func (e *EarlyTalkers) Pause(p *smtp.Peer, verb string) time.Duration {
	if exempt(e.Exempt, p) {
		return 0
	}
	client := network(address(p), 32, 64)
	if verb != "" { // it waited
		if p.Value(waitedKey{e}) != nil {
			p.SetValue(waitedKey{e}, nil)
			e.remember(client)
		}
		return 0
	}
	if e.remembers(client) {
		return 0
	}
	p.SetValue(waitedKey{e}, true)
	return or(e.Wait, 5*time.Second)
}

func (e *EarlyTalkers) remembers(client netip.Prefix) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.known == nil {
		return false
	}
	until := e.known.get(client)
	return until != nil && time.Now().Before(*until)
}

func (e *EarlyTalkers) remember(client netip.Prefix) {
	keep := or(e.Remember, 7*24*time.Hour)
	if keep < 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.known == nil {
		e.known = newLRU[netip.Prefix, time.Time](or(e.MaxEntries, 1<<16))
	}
	*e.known.add(client) = time.Now().Add(keep)
}
