package smtppolicy

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/mailstead/mailstead/auth/iprev"
	"github.com/mailstead/mailstead/internal/flight"
	"github.com/mailstead/mailstead/smtp"
)

// HostName is what the DNS says of an address.
type HostName struct {
	// Name is a name of the address that leads back to it; "" = none.
	Name string

	// Claimed reports that the address has names, be they true or not.
	Claimed bool
}

// FCrDNS looks up the name of each client, in the reverse DNS, and confirms it
// in the forward DNS (FCrDNS, "iprev" of RFC 8601 §3). The name then stands in
// Peer.Name, and so in the Received field. It is iprev.Checker, with memory and
// limits for all connections.
//
//	cfg.Connect = (&smtppolicy.FCrDNS{}).Connect
//
// The zero value refuses nobody. Fields are set before the first use. Any
// number of goroutines may call the methods.
type FCrDNS struct {
	// Require refuses clients that have no confirmed name, with 550 5.7.25
	// (RFC 7372 §3.3). When the DNS does not answer nobody is refused.
	Require bool

	// Resolver asks; nil = net.DefaultResolver.
	Resolver Resolver

	// Timeout bounds the lookups for one address together. Zero = 4 s.
	Timeout time.Duration

	// MaxNames is how many names of one address are tried. Zero = 10.
	MaxNames int

	// Lookups are for at most this many addresses at once; others wait, within
	// Timeout. Zero = 64.
	Lookups int

	// Keep is how long an answer is good. Zero = 10 min. Failures are not kept.
	Keep time.Duration

	// MaxEntries bounds the memory: answers that are kept, 500 octets each at
	// most. Zero = 32768.
	MaxEntries int

	// Exempt are not looked up, as loopback never is.
	Exempt []netip.Prefix

	once  sync.Once
	cache flight.Cache[netip.Addr, HostName]
	slots slots
}

// Connect is for the hook Connect.
func (f *FCrDNS) Connect(ctx context.Context, p *smtp.Peer) error {
	if exempt(f.Exempt, p) {
		return nil
	}
	host, err := f.Lookup(ctx, address(p))
	switch {
	case err != nil:
		return nil // not to know is no verdict
	case host.Name != "":
		p.Name = host.Name
		return nil
	case !f.Require:
		return nil
	}
	cause := errNoName
	if host.Claimed {
		cause = errFalseName
	}
	return refusal(550, smtp.EnhancedCode{Class: 5, Subject: 7, Detail: 25}, "Your address has no name that leads back to it", cause)
}

var (
	errNoName    = errors.New("smtppolicy: no reverse DNS")
	errFalseName = errors.New("smtppolicy: reverse DNS is not confirmed")
)

// Lookup returns the confirmed name of an address. An error is a failure to
// find out.
func (f *FCrDNS) Lookup(ctx context.Context, a netip.Addr) (HostName, error) {
	f.once.Do(func() {
		f.cache.Max = int64(or(f.MaxEntries, 1<<15))
		f.slots = make(slots, or(f.Lookups, 64))
	})
	a = a.Unmap().WithZone("")
	ctx, cancel := context.WithTimeout(ctx, or(f.Timeout, 4*time.Second))
	defer cancel()
	got, err := f.cache.Get(ctx, a, func(ctx context.Context) (HostName, time.Duration, error) {
		if err := f.slots.take(ctx); err != nil {
			return HostName{}, 0, err
		}
		defer f.slots.give()
		host, err := f.ask(ctx, a)
		return host, or(f.Keep, 10*time.Minute), err
	})
	return got.Value, err
}

// ask looks an address up. One failure among several names is forgiven when
// another name is confirmed.
func (f *FCrDNS) ask(ctx context.Context, a netip.Addr) (HostName, error) {
	r := &records{Resolver: resolver(f.Resolver), addr: a}
	v := (&iprev.Checker{Resolver: r, MaxNames: f.MaxNames, Timeout: -1}).Check(ctx, a)
	return HostName{Name: v.Name, Claimed: r.claimed}, v.Err
}
