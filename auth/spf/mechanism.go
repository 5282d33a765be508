package spf

import (
	"context"
	"net/netip"
	"strings"

	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/internal/dnsname"
)

// match evaluates one mechanism (RFC 7208 §5).
func (c *check) match(ctx context.Context, m *mechanism, domain string) (bool, error) {
	switch m.kind {
	case all:
		return true, nil
	case ip4, ip6:
		return m.net.Contains(c.ip), nil
	}
	if err := c.term(); err != nil {
		return false, err
	}
	target := domain
	if m.domain != "" {
		target = cutDomain(c.expand(ctx, m.domain, domain, true))
	}
	switch m.kind {
	case include:
		return c.include(ctx, target)
	case a:
		found, err := c.addresses(ctx, target)
		if err == nil {
			err = c.empty(len(found) > 0)
		}
		return err == nil && c.contains(m, found), err
	case mx:
		return c.mx(ctx, m, target)
	case exists:
		answer, err := c.lookup(ctx, target, dnsx.A)
		if err == nil {
			err = c.empty(len(answer.Addrs) > 0)
		}
		return err == nil && len(answer.Addrs) > 0, err
	}
	for _, name := range c.clientNames(ctx) { // ptr
		if dnsname.Within(name, target) {
			return true, nil
		}
	}
	return false, nil
}

// include: RFC 7208 §5.2.
func (c *check) include(ctx context.Context, domain string) (bool, error) {
	if domain = initial(domain); domain == "" {
		return false, permanent{errNoPolicy}
	}
	result, _, _, err := c.host(ctx, domain)
	switch result {
	case Pass:
		return true, nil
	case Fail, SoftFail, Neutral:
		return false, nil
	case TempError:
		return false, err
	}
	if err == nil {
		err = errNoPolicy
	}
	return false, permanent{err}
}

// addresses are those of a name, of the client's family.
func (c *check) addresses(ctx context.Context, name string) ([]netip.Addr, error) {
	t := dnsx.A
	if !c.ip.Is4() {
		t = dnsx.AAAA
	}
	answer, err := c.lookup(ctx, name, t)
	if err != nil {
		return nil, err
	}
	return answer.Addrs, nil
}

// contains reports whether the client is in the network of one of the
// addresses.
func (c *check) contains(m *mechanism, addrs []netip.Addr) bool {
	bits := m.bits4
	if !c.ip.Is4() {
		bits = m.bits6
	}
	for _, addr := range addrs {
		if p, err := addr.Prefix(int(bits)); err == nil && p.Contains(c.ip) {
			return true
		}
	}
	return false
}

// mx: RFC 7208 §5.4.
func (c *check) mx(ctx context.Context, m *mechanism, domain string) (bool, error) {
	answer, err := c.lookup(ctx, domain, dnsx.MX)
	if err == nil {
		err = c.empty(len(answer.MX) > 0)
	}
	if err != nil {
		return false, err
	}
	if len(answer.MX) > 10 {
		return false, errTooManyMX
	}
	for _, x := range answer.MX {
		if x.Host == "" { // the null MX
			continue
		}
		addrs, err := c.addresses(ctx, x.Host)
		if err != nil {
			return false, err
		}
		if c.contains(m, addrs) {
			return true, nil
		}
	}
	return false, nil
}

// clientNames are the names of the client that its address confirms (RFC 7208
// §5.5), found once; of those that it has the first 10 are looked at.
func (c *check) clientNames(ctx context.Context) []string {
	if c.named {
		return c.names
	}
	c.named = true
	answer, err := c.lookup(ctx, dnsx.ReverseName(c.ip), dnsx.PTR)
	if err != nil {
		return nil
	}
	for _, name := range answer.Names[:min(10, len(answer.Names))] {
		addrs, err := c.addresses(ctx, name)
		if err != nil {
			continue
		}
		for _, addr := range addrs {
			if addr.Unmap() == c.ip {
				c.names = append(c.names, name)
				break
			}
		}
	}
	return c.names
}

// validated is the name that "p" stands for (RFC 7208 §7.3): the domain itself
// where that is a name of the client, else one below it, else any, else
// "unknown".
func (c *check) validated(ctx context.Context, domain string) string {
	names := c.clientNames(ctx)
	best := "unknown"
	for i, name := range names {
		switch {
		case strings.EqualFold(name, domain):
			return name
		case dnsname.Within(name, domain) && !dnsname.Within(best, domain):
			best = name
		case i == 0:
			best = name
		}
	}
	return best
}
