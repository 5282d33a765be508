package listen

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"testing"
)

// fake is a connection that ends when it is woken or closed, as chosen.
type fake struct {
	g        *Group
	stubborn bool // ignores Wake
	woken    int
	closed   int
	over     bool
}

func (f *fake) Wake() {
	f.woken++
	if !f.stubborn {
		f.end()
	}
}

func (f *fake) Close() error {
	f.closed++
	f.end()
	return nil
}

func (f *fake) end() {
	if !f.over {
		f.over = true
		f.g.Done(f)
	}
}

func newGroup(l Limits) *Group {
	return &Group{Limits: l, Logger: slog.New(slog.DiscardHandler)}
}

func TestLimits(t *testing.T) {
	limits := Limits{Total: 5, PerPrefix: 2, Trusted: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}}
	tests := []struct {
		name  string
		addrs []string
		want  []bool // taken
	}{
		{"one address", []string{"192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2"}, []bool{true, true, false, true}},
		{"IPv4 in IPv6", []string{"192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1"}, []bool{true, true, false}},
		{"one IPv6 /64", []string{"2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1"}, []bool{true, true, false, true}},
		{"zones", []string{"fe80::1%a", "fe80::1%b", "fe80::2"}, []bool{true, true, false}},
		{"loopback and total", []string{"127.0.0.1", "127.0.0.1", "127.0.0.1", "::1", "::1", "::1"}, []bool{true, true, true, true, true, false}},
		{"trusted", []string{"198.51.100.1", "198.51.100.1", "198.51.100.1"}, []bool{true, true, true}},
		{"no address", []string{"", "", ""}, []bool{true, true, true}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := newGroup(limits)
			for i, a := range test.addrs {
				addr, _ := netip.ParseAddr(a)
				err := g.Add(&fake{g: g}, addr)
				if taken := err == nil; taken != test.want[i] || !taken && !errors.Is(err, ErrTooMany) {
					t.Errorf("%d, %s: %v, want taken %v", i, a, err, test.want[i])
				}
			}
		})
	}
}

// What has ended counts no more.
func TestDone(t *testing.T) {
	g := newGroup(Limits{Total: 1, PerPrefix: 1})
	addr := netip.MustParseAddr("192.0.2.1")
	for range 3 {
		f := &fake{g: g}
		if err := g.Add(f, addr); err != nil {
			t.Fatal(err)
		}
		if err := g.Add(&fake{g: g}, addr); !errors.Is(err, ErrTooMany) {
			t.Fatalf("a second one: %v", err)
		}
		f.end()
	}
	if len(g.conns) != 0 || len(g.perPrefix) != 0 {
		t.Errorf("left: %v, %v", g.conns, g.perPrefix)
	}
}

func TestShutdown(t *testing.T) {
	g := newGroup(Limits{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	started := make(chan net.Conn, 1)
	go func() { served <- g.Serve(l, func(nc net.Conn) { started <- nc }) }()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	(<-started).Close()
	polite, stubborn := &fake{g: g}, &fake{g: g, stubborn: true}
	for _, f := range []*fake{polite, stubborn} {
		if err := g.Add(f, netip.Addr{}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown: %v", err)
	}
	if polite.woken != 1 || stubborn.woken != 1 || stubborn.closed == 0 {
		t.Errorf("polite %+v, stubborn %+v", polite, stubborn)
	}
	if err := <-served; !errors.Is(err, ErrClosed) {
		t.Errorf("Serve: %v", err)
	}
	if err := g.Add(&fake{g: g}, netip.Addr{}); !errors.Is(err, ErrClosed) {
		t.Errorf("Add behind Shutdown: %v", err)
	}
	if err := g.Serve(l, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Serve behind Shutdown: %v", err)
	}
	if err := g.Shutdown(t.Context()); err != nil {
		t.Errorf("a second Shutdown: %v", err)
	}
}

// failing is a listener that fails for a while, then for good.
type failing struct {
	net.Listener
	errs []error
}

func (f *failing) Accept() (net.Conn, error) {
	err := f.errs[0]
	f.errs = f.errs[1:]
	return nil, err
}

func (f *failing) Close() error { return nil }

type temporary struct{ error }

func (temporary) Temporary() bool { return true }

func TestServeRetries(t *testing.T) {
	gone := errors.New("gone")
	f := &failing{errs: []error{temporary{errors.New("out of files")}, gone}}
	if err := newGroup(Limits{}).Serve(f, nil); !errors.Is(err, gone) || len(f.errs) != 0 {
		t.Errorf("%v with %d left", err, len(f.errs))
	}
}
