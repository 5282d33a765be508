package dnsx

import (
	"context"
	"errors"
	"net"
	"net/netip"
)

// Net gives a Resolver the methods of *net.Resolver that packages
// smtp/smtppolicy and deliver ask for. Errors are *net.DNSError, with the
// *Error behind them.
type Net struct{ Resolver Resolver }

// LookupNetIP returns the A records (network "ip4"), the AAAA records ("ip6"),
// or both ("ip").
func (n Net) LookupNetIP(ctx context.Context, network, host string) (addrs []netip.Addr, err error) {
	types := []Type{A, AAAA}
	switch network {
	case "ip4":
		types = types[:1]
	case "ip6":
		types = types[1:]
	}
	for _, t := range types {
		answer, lookupErr := n.Resolver.Lookup(ctx, host, t)
		switch {
		case lookupErr == nil:
			addrs = append(addrs, answer.Addrs...)
		case err == nil || !NotFound(lookupErr):
			err = netError(lookupErr)
		}
	}
	if len(addrs) > 0 {
		return addrs, nil
	}
	return nil, err
}

// LookupAddr returns the names of an address, each with a dot at its end.
func (n Net) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		return nil, &net.DNSError{Err: "unrecognized address", Name: addr, UnwrapErr: err}
	}
	answer, err := n.Resolver.Lookup(ctx, ReverseName(ip), PTR)
	if err != nil {
		return nil, netError(err)
	}
	names := make([]string, len(answer.Names))
	for i, name := range answer.Names {
		names[i] = name + "."
	}
	return names, nil
}

// LookupMX returns the MX records, each host with a dot at its end, in the
// order of the answer.
func (n Net) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	answer, err := n.Resolver.Lookup(ctx, name, MX)
	if err != nil {
		return nil, netError(err)
	}
	list := make([]*net.MX, len(answer.MX))
	for i, x := range answer.MX {
		list[i] = &net.MX{Host: x.Host + ".", Pref: x.Preference}
	}
	return list, nil
}

// LookupHost returns the addresses of a host.
func (n Net) LookupHost(ctx context.Context, host string) ([]string, error) {
	addrs, err := n.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	list := make([]string, len(addrs))
	for i, a := range addrs {
		list[i] = a.String()
	}
	return list, nil
}

// LookupTXT returns the TXT records.
func (n Net) LookupTXT(ctx context.Context, name string) ([]string, error) {
	answer, err := n.Resolver.Lookup(ctx, name, TXT)
	if err != nil {
		return nil, netError(err)
	}
	return answer.Texts, nil
}

func netError(err error) error {
	e := &net.DNSError{
		UnwrapErr: err, Err: err.Error(), IsNotFound: NotFound(err), IsTimeout: errors.Is(err, ErrTimeout),
		IsTemporary: !NotFound(err),
	}
	if own, ok := errors.AsType[*Error](err); ok {
		e.Name, e.Err = own.Name, own.Kind.Error()
	}
	return e
}
