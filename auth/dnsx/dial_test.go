package dnsx_test

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/auth/dnsx/dnsxtest"
)

func TestDialer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	dns := dnsxtest.New(t, `
		host.example A    127.0.0.1
		two.example  AAAA ::1
		two.example  A    127.0.0.1
		six.example  AAAA ::1
		slow.example SILENT
	`)
	d := &dnsx.Dialer{Resolver: &dnsx.Client{Servers: []netip.AddrPort{dns.AddrPort()}, Timeout: 50 * time.Millisecond, Rounds: 1}}
	for _, test := range []struct {
		network, host string
		ok            bool
	}{
		{"tcp", "host.example", true},
		{"tcp", "127.0.0.1", true},
		{"tcp", "two.example", true}, // nobody listens at the first
		{"tcp4", "two.example", true},
		{"tcp6", "two.example", false},
		{"tcp", "six.example", false},
		{"tcp", "other.example", false},
		{"tcp", "slow.example", false},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		c, err := d.DialContext(ctx, test.network, net.JoinHostPort(test.host, port))
		cancel()
		if (err == nil) != test.ok {
			t.Errorf("%s %s: %v", test.network, test.host, err)
		}
		if err == nil {
			c.Close()
		}
	}
	if _, err := d.DialContext(t.Context(), "tcp", "no port"); err == nil {
		t.Error("no port")
	}
}
