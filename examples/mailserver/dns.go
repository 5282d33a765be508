package main

import (
	"context"
	"net"
	"time"

	"github.com/mailstead/mailstead/examples/internal/program"
)

// dialTime bounds one connection to another server.
const dialTime = 30 * time.Second

// openDNS makes the one resolver of the server: it finds MX hosts, and what SPF,
// DKIM and DMARC ask for.
func (s *server) openDNS(ctx context.Context) (err error) {
	s.dns, err = program.Resolver(ctx, s.o.resolver)
	return err
}

// hostDialer connects to a host of the operator, which may also stand in
// /etc/hosts.
func (s *server) hostDialer() *net.Dialer {
	d := &net.Dialer{Timeout: dialTime}
	if s.o.resolver != "" {
		d.Resolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, s.o.resolver)
		}}
	}
	return d
}
