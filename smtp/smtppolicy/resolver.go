package smtppolicy

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"

	"github.com/mailstead/mailstead/auth/dnsx"
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

// records is a Resolver in the form in which packages dnsbl and iprev ask.
type records struct {
	Resolver

	addr    netip.Addr // whose names are asked for
	claimed bool       // it has names, whether they can be ones or not
}

// Lookup implements dnsx.Resolver.
func (r *records) Lookup(ctx context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	answer := &dnsx.Answer{}
	var err error
	switch t {
	case dnsx.PTR:
		var names []string
		names, err = r.LookupAddr(ctx, r.addr.String())
		r.claimed = len(names) > 0
		for _, n := range names {
			if n = strings.TrimSuffix(n, "."); isHostName(n) {
				answer.Names = append(answer.Names, n)
			}
		}
		if r.claimed {
			return answer, nil
		}
	case dnsx.A:
		answer.Addrs, err = r.LookupNetIP(ctx, "ip4", name+".")
	case dnsx.AAAA:
		answer.Addrs, err = r.LookupNetIP(ctx, "ip6", name+".")
	}
	switch {
	case err != nil && !notFound(err):
		return nil, &dnsx.Error{Name: name, Type: t, Kind: dnsx.ErrServFail, Err: err}
	case err != nil || len(answer.Addrs) == 0:
		return nil, &dnsx.Error{Name: name, Type: t, Kind: dnsx.ErrNoData}
	}
	return answer, nil
}

// isHostName reports a name that may stand in a Received field.
func isHostName(s string) bool {
	p, n, err := smtp.ConsumeForwardPath([]byte("<a@"+s+">"), false)
	return err == nil && n == len(s)+4 && p.Domain == s && !strings.HasPrefix(s, "[")
}
