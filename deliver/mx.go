package deliver

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/idna"

	"github.com/mailstead/mailstead/smtp"
)

// MXResolver is what delivery by MX asks; *net.Resolver is one.
type MXResolver interface {
	LookupMX(ctx context.Context, name string) ([]*net.MX, error)
}

// MX is the NextHops that sends foreign mail to the MX hosts of its domain
// (RFC 5321 §5). Addresses of hosts are looked up when they are dialed.
type MX struct {
	// Resolver finds MX records; nil = net.DefaultResolver.
	Resolver MXResolver

	// Port is dialed; "" = "25".
	Port string

	// Self are names of this host: an MX of this name, and those not better
	// than it, are not tried (RFC 5321 §5.1).
	Self []string

	// Vouch reports whether host is beyond doubt an MX host of domain: its MX
	// records are signed (DNSSEC), or an MTA-STS policy names it. nil = it is of
	// none, so that messages with REQUIRETLS go only to domains that are their own
	// mail host (RFC 8689 §4.2.1).
	Vouch func(ctx context.Context, domain, host string) (bool, error)

	// Relay is how hosts are reached; its Hosts and Vouch are ignored.
	Relay Relay
}

// Key implements NextHops: the domain.
func (m *MX) Key(p smtp.ForwardPath) string { return CanonicalDomain(p.Domain) }

// Receiver implements NextHops.
func (m *MX) Receiver(key string) (smtp.Receiver, string) {
	r := m.Relay
	r.Hosts = func(ctx context.Context) ([]string, error) { return m.hosts(ctx, key) }
	r.Vouch = func(ctx context.Context, addr string) (bool, error) { return m.vouch(ctx, key, addr) }
	return &r, key
}

// vouch: a host with the name of the domain itself cannot be the wrong one, for
// its certificate is for that name.
func (m *MX) vouch(ctx context.Context, domain, addr string) (bool, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil || CanonicalDomain(host) == domain || m.Vouch == nil {
		return err == nil && CanonicalDomain(host) == domain, err
	}
	return m.Vouch(ctx, domain, host)
}

// hosts are the addresses to dial for a domain or an address literal.
func (m *MX) hosts(ctx context.Context, domain string) ([]string, error) {
	port := m.Port
	if port == "" {
		port = "25"
	}
	if lit, ok := strings.CutPrefix(domain, "["); ok {
		lit = strings.TrimPrefix(strings.TrimSuffix(lit, "]"), "ipv6:")
		return []string{net.JoinHostPort(lit, port)}, nil
	}
	names, err := m.names(ctx, domain)
	if err != nil {
		return nil, err
	}
	for i, n := range names {
		names[i] = net.JoinHostPort(n, port)
	}
	return names, nil
}

// names are the hosts to try, best first, equal preferences shuffled. Without
// MX the domain itself is the host. A null MX is refused with 556 5.1.10
// (RFC 7505 §4.2).
func (m *MX) names(ctx context.Context, domain string) ([]string, error) {
	name, err := idna.Lookup.ToASCII(domain)
	if err != nil {
		return nil, &smtp.Error{Reply: smtp.NewReply(553, smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 2}, "Bad destination domain"), Err: err}
	}
	var res MXResolver = net.DefaultResolver
	if m.Resolver != nil {
		res = m.Resolver
	}
	mxs, err := res.LookupMX(ctx, name+".")
	if err != nil && len(mxs) == 0 {
		return withoutMX(ctx, res, name, err)
	}
	if len(mxs) == 1 && strings.Trim(mxs[0].Host, ".") == "" {
		return nil, smtp.Errorf(556, smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 10}, "The domain takes no mail (null MX)")
	}
	rand.Shuffle(len(mxs), func(i, j int) { mxs[i], mxs[j] = mxs[j], mxs[i] })
	slices.SortStableFunc(mxs, func(a, b *net.MX) int { return int(a.Pref) - int(b.Pref) })
	return m.beforeSelf(mxs)
}

// addressResolver is what an MXResolver may be besides, as *net.Resolver is:
// it tells a domain that does not exist from one that is its own mail host.
type addressResolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// withoutMX tells a domain without MX, which is its own host, from one without
// addresses, which gets no mail (RFC 5321 §5.1), and from a look-up that failed
// for now.
func withoutMX(ctx context.Context, res MXResolver, name string, err error) ([]string, error) {
	if notFound(err) {
		addresses, ok := res.(addressResolver)
		if !ok {
			return []string{name}, nil
		}
		if _, err = addresses.LookupNetIP(ctx, "ip", name+"."); err == nil {
			return []string{name}, nil
		}
	}
	if notFound(err) {
		return nil, &smtp.Error{Reply: smtp.NewReply(550, smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 2}, "The domain does not exist or has no mail host"), Err: err}
	}
	return nil, &smtp.Error{Reply: smtp.NewReply(451, smtp.EnhancedCode{Class: 4, Subject: 4, Detail: 3}, "Cannot look up the mail hosts of the destination"), Err: err}
}

func notFound(err error) bool {
	dns, ok := errors.AsType[*net.DNSError](err)
	return ok && dns.IsNotFound
}

// beforeSelf cuts the sorted list at this host's own preference. If nothing is
// left, the domain points here and nobody here knows it: 5.4.6, a loop.
func (m *MX) beforeSelf(mxs []*net.MX) ([]string, error) {
	cut := -1
	for _, mx := range mxs {
		if slices.ContainsFunc(m.Self, func(s string) bool { return CanonicalDomain(s) == CanonicalDomain(mx.Host) }) {
			cut = int(mx.Pref)
			break
		}
	}
	var names []string
	for _, mx := range mxs {
		host := strings.TrimSuffix(mx.Host, ".")
		if (cut < 0 || int(mx.Pref) < cut) && host != "" && !slices.Contains(names, host) {
			names = append(names, host)
		}
	}
	if len(names) == 0 {
		return nil, smtp.Errorf(554, smtp.EnhancedCode{Class: 5, Subject: 4, Detail: 6}, "Mail for this domain loops back to this host")
	}
	return names, nil
}
