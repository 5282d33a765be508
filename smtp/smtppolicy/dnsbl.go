package smtppolicy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/mailstead/mailstead/internal/flight"
	"github.com/mailstead/mailstead/smtp"
)

// List is one DNS list of addresses (RFC 5782).
type List struct {
	// Zone is the domain of the list, such as "zen.spamhaus.org".
	Zone string

	// Weight is what a listing adds to the score where Codes says nothing
	// else; negative for a list of good hosts. Zero = 1.
	Weight int

	// Codes are weights by what the A record says; the first that holds the
	// address counts, and an address in none counts nothing. nil = Weight for
	// each address in 127.0.0.0/8 but 127.255.255.0/24, with which lists
	// report that they refuse to answer, and 127.0.0.1, which no list uses.
	Codes []Code
}

// Code is what A records in Answers mean.
type Code struct {
	Answers netip.Prefix
	Weight  int
}

// DNSBL judges addresses by DNS lists: their weights are added up, and an
// address that reaches the threshold is refused. A list that does not answer,
// or refuses to, says nothing.
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
	cache flight.Cache[listing, int]
	slots slots
	log   *slog.Logger
}

// listing is one question: an address and the number of a list.
type listing struct {
	addr netip.Addr
	list int
}

// Score is what the lists say of one address.
type Score struct {
	Sum    int
	Zones  []string // the lists that have it
	Failed []string // the lists that did not answer
}

// Check asks the lists for an address. It never fails: see Score.Failed.
func (d *DNSBL) Check(ctx context.Context, a netip.Addr) (s Score) {
	d.once.Do(d.init)
	a = a.Unmap().WithZone("")
	ctx, cancel := context.WithTimeout(ctx, or(d.Timeout, 4*time.Second))
	defer cancel()
	weights, errs := make([]int, len(d.Lists)), make([]error, len(d.Lists))
	var wg sync.WaitGroup
	for i := range d.Lists {
		wg.Go(func() {
			got, err := d.cache.Get(ctx, listing{a, i}, func(ctx context.Context) (int, time.Duration, error) {
				return d.ask(ctx, a, &d.Lists[i])
			})
			weights[i], errs[i] = got.Value, err
		})
	}
	wg.Wait()
	for i, l := range d.Lists {
		switch {
		case errs[i] != nil:
			s.Failed = append(s.Failed, l.Zone)
			d.log.LogAttrs(ctx, slog.LevelWarn, "smtppolicy: a DNS list does not answer",
				slog.String("zone", l.Zone), slog.Any("error", errs[i]))
		case weights[i] != 0:
			s.Sum += weights[i]
			s.Zones = append(s.Zones, l.Zone)
		}
	}
	return s
}

func (d *DNSBL) init() {
	d.cache.Max = int64(or(d.MaxEntries, 1<<16))
	d.slots = make(slots, or(d.Lookups, 64))
	d.log = or(d.Logger, slog.Default())
}

// errRefusing: a list says that it does not answer us.
var errRefusing = errors.New("smtppolicy: the list refuses to answer this resolver")

// ask is one lookup.
func (d *DNSBL) ask(ctx context.Context, a netip.Addr, l *List) (weight int, keep time.Duration, err error) {
	if err := d.slots.take(ctx); err != nil {
		return 0, 0, err
	}
	defer d.slots.give()
	answers, err := lookupIP(ctx, resolver(d.Resolver), "ip4", reverseName(a, l.Zone))
	if err != nil {
		return 0, 0, err
	}
	for _, answer := range answers {
		w, err := l.weight(answer.Unmap())
		if err != nil {
			return 0, 0, err
		}
		if w*w > weight*weight { // of several answers the strongest
			weight = w
		}
	}
	return weight, or(d.Keep, 10*time.Minute), nil
}

var (
	loopback4 = netip.PrefixFrom(netip.AddrFrom4([4]byte{127}), 8)
	refusing  = netip.PrefixFrom(netip.AddrFrom4([4]byte{127, 255, 255}), 24)
	unused    = netip.AddrFrom4([4]byte{127, 0, 0, 1})
)

// weight is what one A record means.
func (l *List) weight(answer netip.Addr) (int, error) {
	for _, c := range l.Codes {
		if c.Answers.Contains(answer) {
			return c.Weight, nil
		}
	}
	switch {
	case refusing.Contains(answer):
		return 0, errRefusing
	case l.Codes != nil, !loopback4.Contains(answer), answer == unused:
		return 0, nil // a zone that was given up often answers with the address of a web page
	}
	return or(l.Weight, 1), nil
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
	case s.Sum >= or(d.Threshold, 1):
		return refusal(550, smtp.EnhancedCode{Class: 5, Subject: 7, Detail: 1},
			fmt.Sprintf("Client host [%v] is listed at %s", address(p), strings.Join(s.Zones, ", ")),
			fmt.Errorf("smtppolicy: DNSBL score %d", s.Sum))
	case s.Sum > 0:
		Suspect(p)
	}
	return nil
}
