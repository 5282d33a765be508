package program

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"github.com/mailstead/mailstead/auth/dnsx"
)

// Resolver asks the DNS server at addr, HOST:PORT, or those of the system where
// addr is "", and remembers what they say.
func Resolver(ctx context.Context, addr string) (*dnsx.Cache, error) {
	client := &dnsx.Client{}
	if addr == "" {
		return &dnsx.Cache{Resolver: client}, nil
	}
	host, service, err := net.SplitHostPort(addr)
	if err != nil || host == "" || service == "" {
		return nil, fmt.Errorf("-resolver: %q is not HOST:PORT", addr)
	}
	port, err := net.DefaultResolver.LookupPort(ctx, "udp", service)
	if err != nil || port == 0 {
		return nil, fmt.Errorf("-resolver: bad port in %q", addr)
	}
	ips := []netip.Addr{}
	if ip, err := netip.ParseAddr(host); err == nil {
		ips = append(ips, ip)
	} else if ips, err = net.DefaultResolver.LookupNetIP(ctx, "ip", host); err != nil {
		return nil, fmt.Errorf("-resolver: %w", err)
	}
	for _, ip := range ips {
		client.Servers = append(client.Servers, netip.AddrPortFrom(ip.Unmap(), uint16(port)))
	}
	return &dnsx.Cache{Resolver: client}, nil
}
