package smtppolicy

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/mailstead/mailstead/auth/dnsbl"
	"github.com/mailstead/mailstead/internal/flight"
	"github.com/mailstead/mailstead/smtp"
)

// List is one DNS list of addresses (RFC 5782), and Code what its answers mean:
// those of auth/dnsbl.
type (
	List = dnsbl.List
	Code = dnsbl.Code
)

// DNSBL judges addresses by DNS lists: their weights are added up, and an
// address that reaches the threshold is refused, unless an allow list has it. A
// list that does not answer, refuses to, or answers what no list may, says nothing.
// It is dnsbl.Checker, which asks, with memory and limits for all connections.
//
//	bl := &smtppolicy.DNSBL{Lists: []smtppolicy.List{{Zone: "zen.spamhaus.org"}}}
//	cfg.Receiver = smtp.Chain(receiver, bl.Refuse())
//
// Fields are set before the first use. Any number of goroutines may call the
// methods.
type DNSBL struct {
	// Lists are asked all at once.
	Lists []List

	// Threshold is the score that refuses. Zero = 1.
	Threshold int

	// Resolver asks; nil = net.DefaultResolver.
	Resolver Resolver

	// Timeout bounds the lookups for one address together. Zero = 4 s.
	Timeout time.Duration

	// Lookups are at most this many at once, over all connections; others
	// wait, within Timeout. Zero = 64.
	Lookups int

	// Keep is how long an answer is good. Zero = 10 min. Failures are not kept.
	Keep time.Duration

	// MaxEntries bounds the memory: answers that are kept, 250 octets each.
	// Zero = 65536.
	MaxEntries int

	// Exempt are not looked up, as loopback and private networks never are.
	Exempt []netip.Prefix

	// Logger gets the failures of lists; nil = slog.Default().
	Logger *slog.Logger

	once  sync.Once
	cache flight.Cache[listing, hit]
	slots slots
	log   *slog.Logger
}

// listing is one question: an address and the number of a list.
type listing struct {
	addr netip.Addr
	list int
}

// hit is what a list says; the zero value is nothing.
type hit struct {
	weight int
	allow  bool
}

// Score is what the lists say of one address.
type Score struct {
	Sum    int
	Zones  []string // the lists that have it
	Failed []string // the lists that say nothing

	Allowed bool // an allow list has it
}

// Check asks the lists for an address. It never fails: see Score.Failed.
func (d *DNSBL) Check(ctx context.Context, a netip.Addr) (s Score) {
	d.once.Do(d.init)
	a = a.Unmap().WithZone("")
	ctx, cancel := context.WithTimeout(ctx, or(d.Timeout, 4*time.Second))
	defer cancel()
	hits, errs := make([]hit, len(d.Lists)), make([]error, len(d.Lists))
	var wg sync.WaitGroup
	for i := range d.Lists {
		wg.Go(func() {
			got, err := d.cache.Get(ctx, listing{a, i}, func(ctx context.Context) (hit, time.Duration, error) {
				return d.ask(ctx, a, &d.Lists[i])
			})
			hits[i], errs[i] = got.Value, err
		})
	}
	wg.Wait()
	for i, l := range d.Lists {
		switch {
		case errs[i] != nil:
			s.Failed = append(s.Failed, l.Zone)
			d.log.LogAttrs(ctx, slog.LevelWarn, "smtppolicy: a DNS list does not answer",
				slog.String("zone", l.Zone), slog.Any("error", errs[i]))
		case hits[i].allow, hits[i].weight != 0:
			s.Sum += hits[i].weight
			s.Zones = append(s.Zones, l.Zone)
			s.Allowed = s.Allowed || hits[i].allow
		}
	}
	return s
}

func (d *DNSBL) init() {
	d.cache.Max = int64(or(d.MaxEntries, 1<<16))
	d.slots = make(slots, or(d.Lookups, 64))
	d.log = or(d.Logger, slog.Default())
}

// ask asks one list.
func (d *DNSBL) ask(ctx context.Context, a netip.Addr, l *List) (h hit, keep time.Duration, err error) {
	if err := d.slots.take(ctx); err != nil {
		return hit{}, 0, err
	}
	defer d.slots.give()
	c := dnsbl.Checker{Resolver: &records{Resolver: resolver(d.Resolver)}, Lists: []List{*l}, Timeout: -1}
	v := c.Check(ctx, a)
	if len(v.Failed) > 0 {
		return hit{}, 0, v.Failed[0].Err
	}
	return hit{v.Score, v.Allowed}, or(d.Keep, 10*time.Minute), nil
}

// Connect is for the hook Connect: it refuses before the greeting, with 550
// 5.7.1. Nobody can then write to the postmaster; see Refuse.
func (d *DNSBL) Connect(ctx context.Context, p *smtp.Peer) error {
	if d.exempt(p) {
		return nil
	}
	return d.verdict(p, d.Check(ctx, address(p)))
}

// Refuse returns a middleware that refuses recipients, with 550 5.7.1, but the
// postmaster (RFC 5321 §4.5.1), to whom a wrong listing can be reported. Who is
// authenticated is not judged.
func (d *DNSBL) Refuse() smtp.Middleware {
	return smtp.JudgeRcpt(func(ctx context.Context, m *smtp.Mail, rs []*smtp.Recipient) []error {
		errs := make([]error, len(rs))
		if m.Peer == nil || m.Peer.Identity != "" || d.exempt(m.Peer) {
			return errs
		}
		err := d.verdict(m.Peer, d.Check(ctx, address(m.Peer)))
		for i, r := range rs {
			if !strings.EqualFold(r.ForwardPath.Local, "postmaster") {
				errs[i] = err
			}
		}
		return errs
	})
}

// exempt reports an address of which no list knows anything.
func (d *DNSBL) exempt(p *smtp.Peer) bool {
	a := address(p)
	return exempt(d.Exempt, p) || a.IsPrivate() || a.IsLinkLocalUnicast()
}

// verdict is what a score means. A score below the threshold makes a suspect.
func (d *DNSBL) verdict(p *smtp.Peer, s Score) error {
	switch {
	case s.Allowed:
	case s.Sum >= or(d.Threshold, 1):
		return refusal(550, smtp.EnhancedCode{Class: 5, Subject: 7, Detail: 1},
			fmt.Sprintf("Client host [%v] is listed at %s", address(p), strings.Join(s.Zones, ", ")),
			fmt.Errorf("smtppolicy: DNSBL score %d", s.Sum))
	case s.Sum > 0:
		Suspect(p)
	}
	return nil
}
