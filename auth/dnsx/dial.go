package dnsx

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"
)

// Dialer connects to hosts whose addresses a Resolver finds: one address after
// the other, IPv6 and IPv4 in turn, each with its share of the time that ctx
// leaves. It may be used from any number of goroutines.
type Dialer struct {
	// Resolver is asked. Required.
	Resolver Resolver

	// Net makes the connections; nil = a net.Dialer.
	Net *net.Dialer
}

// DialContext connects to "host:port"; host may be an address. The network is
// "tcp", "tcp4", "tcp6" or the same with "udp".
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	nd := d.Net
	if nd == nil {
		nd = &net.Dialer{}
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return nd.DialContext(ctx, network, address)
	}
	family := "ip"
	if last := network[max(0, len(network)-1):]; last == "4" || last == "6" {
		family += last
	}
	addrs, err := Net{d.Resolver}.LookupNetIP(ctx, family, host)
	if err != nil {
		return nil, err
	}
	var all error
	for i, a := range interleave(addrs) {
		conn, err := dialPart(ctx, nd, network, net.JoinHostPort(a.String(), port), len(addrs)-i)
		if err == nil {
			return conn, nil
		}
		all = errors.Join(all, err)
	}
	return nil, all
}

// dialPart dials one address with its share of the time.
func dialPart(ctx context.Context, nd *net.Dialer, network, address string, left int) (net.Conn, error) {
	if deadline, ok := ctx.Deadline(); ok && left > 1 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(left))
		defer cancel()
	}
	return nd.DialContext(ctx, network, address)
}

// interleave begins with IPv6, if there is any, and changes between the two as
// long as there are both.
func interleave(addrs []netip.Addr) []netip.Addr {
	var six, four, out []netip.Addr
	for _, a := range addrs {
		if a.Unmap().Is4() {
			four = append(four, a)
		} else {
			six = append(six, a)
		}
	}
	for i := range max(len(six), len(four)) {
		if i < len(six) {
			out = append(out, six[i])
		}
		if i < len(four) {
			out = append(out, four[i])
		}
	}
	return out
}
