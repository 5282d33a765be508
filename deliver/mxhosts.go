package deliver

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/internal/dnsname"
	"github.com/mailstead/mailstead/internal/fanout"
	"github.com/mailstead/mailstead/smtp"
)

// The bounds of what a domain can make of its MX records. All of them are looked
// at, for the best may come last.
const (
	maxMXHosts     = 50 // are looked up for one attempt at most
	maxHostAddrs   = 2  // of a host, as long as there are others
	maxAddrsOfHost = 16 // of a host
)

// Why a host is passed over, though its name was looked up.
var (
	errNoAddress = errors.New("deliver: the mail host has no address")
	errForbidden = errors.New("deliver: no address of the mail host may be used")
)

// The refusals of a destination for good.
func errNullMX() error {
	return smtp.Errorf(556, smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 10}, "The domain takes no mail (null MX)")
}

func errNoDomain(cause error) error {
	return &smtp.Error{Reply: smtp.NewReply(550, smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 2}, "The domain does not exist or has no mail host"), Err: cause}
}

func errNoHost(cause error) error {
	return &smtp.Error{Reply: smtp.NewReply(550, smtp.EnhancedCode{Class: 5, Subject: 4, Detail: 4}, "No mail host of the domain has an address"), Err: cause}
}

func errLoop() error {
	return smtp.Errorf(554, smtp.EnhancedCode{Class: 5, Subject: 4, Detail: 6}, "Mail for this domain loops back to this host")
}

func errLookup(cause error) error {
	return &smtp.Error{Reply: smtp.NewReply(451, smtp.EnhancedCode{Class: 4, Subject: 4, Detail: 3}, "Cannot look up the mail hosts of the destination"), Err: cause}
}

// exchanges are the mail hosts of a domain, in the order in which they are tried.
type exchanges struct {
	hosts    []dnsx.Exchange
	implicit bool // the domain itself, for it has no MX
	secure   bool // the MX records were validated
	self     bool // this host is among them: what is not better was cut
}

// exchanges finds the mail hosts of a domain, which is in A-labels. A null MX
// beside others is none.
func (m *MX) exchanges(ctx context.Context, domain string) (exchanges, error) {
	answer, err := m.resolver().Lookup(ctx, domain, dnsx.MX)
	switch {
	case dnsx.NotFound(err):
		return m.cut(exchanges{hosts: []dnsx.Exchange{{Host: domain}}, implicit: true})
	case err != nil:
		return exchanges{}, errLookup(err)
	}
	x := exchanges{secure: answer.Secure}
	for _, e := range answer.MX {
		if e.Host = CanonicalDomain(strings.TrimSuffix(e.Host, ".")); e.Host != "" {
			x.hosts = append(x.hosts, e)
		}
	}
	if len(x.hosts) == 0 {
		return exchanges{}, errNullMX() // RFC 7505 §4.2
	}
	rand.Shuffle(len(x.hosts), func(i, j int) { x.hosts[i], x.hosts[j] = x.hosts[j], x.hosts[i] })
	slices.SortStableFunc(x.hosts, func(a, b dnsx.Exchange) int { return int(a.Preference) - int(b.Preference) })
	return m.cut(x)
}

// cut ends the list at this host's own preference. If nothing is left, the domain
// points here and nobody here knows it: a loop.
func (m *MX) cut(x exchanges) (exchanges, error) {
	isSelf := func(e dnsx.Exchange) bool {
		return slices.ContainsFunc(m.Self, func(s string) bool { return CanonicalDomain(s) == e.Host })
	}
	if i := slices.IndexFunc(x.hosts, isSelf); i >= 0 {
		x.hosts, x.self = x.better(x.hosts[i]), true
	}
	if len(x.hosts) == 0 {
		return exchanges{}, errLoop()
	}
	seen := make(map[string]bool, len(x.hosts))
	x.hosts = slices.DeleteFunc(x.hosts, func(e dnsx.Exchange) bool {
		again := seen[e.Host]
		seen[e.Host] = true
		return again
	})
	return x, nil
}

// better are the hosts that have a better preference than e.
func (x *exchanges) better(e dnsx.Exchange) []dnsx.Exchange {
	n, _ := slices.BinarySearchFunc(x.hosts, int(e.Preference), func(e dnsx.Exchange, p int) int { return int(e.Preference) - p })
	return x.hosts[:n]
}

// found is a host with its addresses.
type found struct {
	host  MXHost
	addrs []netip.Addr // those that may be used
	self  bool         // one of them is this host's
}

// lookUp finds the addresses of a host, of both families at once, IPv6 and IPv4
// in turn.
func (m *MX) lookUp(ctx context.Context, name string) (found, error) {
	f := found{host: MXHost{Name: name, Target: name}}
	var answers [2]*dnsx.Answer
	var errs [2]error
	fanout.Each(2, func(i int) {
		answers[i], errs[i] = m.resolver().Lookup(ctx, name, [2]dnsx.Type{dnsx.AAAA, dnsx.A}[i])
	})
	f.host.AddrSecure = true
	var families [2][]netip.Addr
	for i, a := range answers {
		if errs[i] != nil {
			continue
		}
		f.host.Target, f.host.AddrSecure = CanonicalDomain(a.Name), f.host.AddrSecure && a.Secure
		families[i] = a.Addrs[:min(len(a.Addrs), maxAddrsOfHost)]
	}
	if answers[0] == nil && answers[1] == nil || errs[0] != nil && errs[1] != nil {
		if dnsx.NotFound(errs[0]) && dnsx.NotFound(errs[1]) {
			return f, errors.Join(errNoAddress, errs[0])
		}
		return f, errLookup(errors.Join(errs[:]...))
	}
	f.self = m.isOwn(families[0]) || m.isOwn(families[1])
	for _, a := range inTurn(families[0], families[1]) {
		if m.permits(a) {
			f.addrs = append(f.addrs, a)
		}
	}
	if len(f.addrs) > 0 || f.self {
		return f, nil
	}
	for _, err := range errs {
		if err != nil && !dnsx.NotFound(err) { // the other family may have one that may be used
			return f, errLookup(err)
		}
	}
	return f, errForbidden
}

func (m *MX) isOwn(addrs []netip.Addr) bool {
	return slices.ContainsFunc(addrs, func(a netip.Addr) bool { return slices.Contains(m.SelfAddrs, a.Unmap()) })
}

// inTurn takes from a and b in turn.
func inTurn(a, b []netip.Addr) []netip.Addr {
	out := make([]netip.Addr, 0, len(a)+len(b))
	for i := range max(len(a), len(b)) {
		if i < len(a) {
			out = append(out, a[i])
		}
		if i < len(b) {
			out = append(out, b[i])
		}
	}
	return out
}

// targets are the ways to a domain, or to an address literal, found while they
// are tried. An error is of a host that is passed over; a final one comes where
// there is certainly no way at all.
func (m *MX) targets(ctx context.Context, domain string, from Source) iter.Seq2[target, error] {
	return func(yield func(target, error) bool) {
		if lit, ok := strings.CutPrefix(domain, "["); ok {
			yield(m.literal(lit))
			return
		}
		name, err := dnsname.ToASCII(domain)
		if err != nil || !dnsname.Valid(name) {
			yield(target{}, final{&smtp.Error{Reply: smtp.NewReply(553, smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 2}, "Bad destination domain"), Err: err}})
			return
		}
		x, err := m.exchanges(ctx, name)
		if err != nil {
			yield(target{}, final{err})
			return
		}
		w := walk{m: m, domain: name, from: from, x: x, yield: yield, unsure: len(x.hosts) > maxMXHosts}
		if m.TLS != nil {
			if w.policy, err = m.TLS.Policy(ctx, name); err != nil {
				yield(target{}, final{errPolicy(err)})
				return
			}
		}
		w.run(ctx)
	}
}

func (m *MX) literal(lit string) (target, error) {
	text := strings.TrimSuffix(lit, "]")
	if p, ok := strings.CutPrefix(strings.ToLower(text), "ipv6:"); ok {
		text = p
	}
	addr, err := netip.ParseAddr(text)
	if err != nil || !m.permits(addr) {
		return target{}, final{errNoDomain(err)}
	}
	if m.isOwn([]netip.Addr{addr}) {
		return target{}, final{errLoop()}
	}
	return target{
		addr: net.JoinHostPort(addr.String(), m.port()), ip: addr, rule: m.ownRule(),
		host: MXHost{Name: addr.String(), Target: addr.String()}, vouched: true,
	}, nil
}

// errPolicy defers: what cannot be judged now is not sent, and not returned.
func errPolicy(cause error) error {
	return &smtp.Error{Reply: smtp.NewReply(451, smtp.EnhancedCode{Class: 4, Subject: 7, Detail: 5}, "The TLS policy of the destination cannot be met now"), Err: cause}
}

// walk goes through the hosts of a domain.
type walk struct {
	m      *MX
	domain string
	from   Source
	x      exchanges
	policy TLSPolicy
	yield  func(target, error) bool
	given  int     // targets
	vain   []error // why hosts are certainly none
	unsure bool    // a host may be one another time
}

func (w *walk) run(ctx context.Context) {
	for i := range w.x.hosts[:min(len(w.x.hosts), maxMXHosts)] {
		e := w.x.hosts[i]
		f, err := w.m.lookUp(ctx, e.Host)
		if f.self {
			w.x.hosts, w.x.self = w.x.better(e), true
			break
		}
		if err != nil {
			w.note(err)
			if !w.yield(target{}, hostError(e.Host, err)) {
				return
			}
			continue
		}
		f.host.MXSecure = w.x.secure || w.x.implicit && f.host.AddrSecure
		if !w.host(ctx, f, i == len(w.x.hosts)-1) {
			return
		}
	}
	if w.given > 0 || w.unsure || ctx.Err() != nil {
		return
	}
	cause := errors.Join(w.vain...)
	switch {
	case w.x.self && len(w.vain) == 0:
		w.yield(target{}, final{errLoop()})
	case w.x.implicit && errors.Is(cause, errNoAddress):
		w.yield(target{}, final{errNoDomain(cause)})
	default:
		w.yield(target{}, final{errNoHost(cause)})
	}
}

// note remembers why a host was passed over.
func (w *walk) note(err error) {
	if errors.Is(err, errNoAddress) || errors.Is(err, errForbidden) {
		w.vain = append(w.vain, err)
		return
	}
	w.unsure = true
}

// host gives the addresses of one host; false = no more are wanted.
func (w *walk) host(ctx context.Context, f found, last bool) bool {
	to := target{host: f.host, rule: w.m.ownRule(), policy: w.policy, vouched: CanonicalDomain(f.host.Name) == w.domain}
	if w.policy != nil {
		rule, err := w.policy.Rule(ctx, f.host)
		if err != nil {
			to.refusal = passedOver{errPolicy(err)}
		}
		if err != nil && !rule.Waivable {
			w.unsure = true
			return w.yield(target{}, hostError(f.host.Name, to.refusal))
		}
		to.rule, to.vouched = &rule, to.vouched || rule.Vouched
	}
	n := 0
	for _, a := range f.addrs {
		if w.from.Addr.IsValid() && a.Unmap().Is4() != w.from.Addr.Unmap().Is4() {
			continue
		}
		if n++; n > maxHostAddrs && !last {
			break
		}
		w.given++
		to.addr, to.ip = net.JoinHostPort(f.host.Name, w.m.port()), a.Unmap()
		if !w.yield(to, nil) {
			return false
		}
	}
	if n == 0 {
		w.unsure = true
		return w.yield(target{}, hostError(f.host.Name, errForbidden))
	}
	return true
}
