package smtppolicy

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"

	"github.com/mailstead/mailstead/smtp"
)

// Resolver is what the policies ask of the DNS; *net.Resolver is one. Names end
// in a dot. "There is no such name, or no such record" is an error in whose
// chain stands a *net.DNSError with IsNotFound; every other error is a failure
// to find out, and never a verdict. Methods return soon after ctx ends.
type Resolver interface {
	// LookupNetIP returns the A records (network "ip4") or AAAA records
	// ("ip6") of a name.
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)

	// LookupAddr returns the PTR records of an address. Names may come
	// together with an error, which then concerns others.
	LookupAddr(ctx context.Context, addr string) ([]string, error)
}

func resolver(r Resolver) Resolver {
	if r == nil {
		return net.DefaultResolver
	}
	return r
}

// notFound reports the answer "there is none".
func notFound(err error) bool {
	e, ok := errors.AsType[*net.DNSError](err)
	return ok && e.IsNotFound
}

// lookupIP is LookupNetIP with "there is none" as no addresses.
func lookupIP(ctx context.Context, r Resolver, network, host string) ([]netip.Addr, error) {
	addrs, err := r.LookupNetIP(ctx, network, host)
	if notFound(err) {
		return nil, nil
	}
	return addrs, err
}

// reverseName is the name of an address in a list: its octets, or the nibbles
// of an IPv6 address, backwards (RFC 5782 §2.1, §2.4).
func reverseName(a netip.Addr, zone string) string {
	var b strings.Builder
	raw := a.AsSlice()
	const digits = "0123456789abcdef"
	for i := len(raw) - 1; i >= 0; i-- {
		if a.Is4() {
			b.WriteString(itoa(raw[i]))
			b.WriteByte('.')
			continue
		}
		b.Write([]byte{digits[raw[i]&15], '.', digits[raw[i]>>4], '.'})
	}
	b.WriteString(strings.TrimSuffix(zone, "."))
	b.WriteByte('.')
	return b.String()
}

func itoa(n byte) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}

// isHostName reports a name that may stand in a Received field.
func isHostName(s string) bool {
	p, n, err := smtp.ConsumeForwardPath([]byte("<a@"+s+">"), false)
	return err == nil && n == len(s)+4 && p.Domain == s && !strings.HasPrefix(s, "[")
}
