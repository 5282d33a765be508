package delivertest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"testing"

	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/internal/netpipe"
)

// Internet is names, hosts, and the wires to them.
type Internet struct {
	// DNS is asked for hosts that are dialed by name; a sender asks it for MX.
	DNS *DNS

	// Port is where hosts listen; "" = "25". Set before the first use.
	Port string

	tb   testing.TB
	ca   authority
	work sync.WaitGroup // connections that are served

	mu     sync.Mutex // guards what follows
	hosts  map[netip.Addr]*Host
	served map[*netpipe.Conn]struct{} // the hosts' ends
	dialed int
	closed bool
}

// New returns an internet without hosts. It ends with the test.
func New(tb testing.TB) *Internet {
	n := &Internet{
		DNS: &DNS{names: make(map[string]*node), asked: make(map[question]int)}, tb: tb,
		hosts: make(map[netip.Addr]*Host), served: make(map[*netpipe.Conn]struct{}),
	}
	tb.Cleanup(n.close)
	return n
}

// Host adds a host that takes mail, with its address records. A host without
// addresses has the name only.
func (n *Internet) Host(name string, addrs ...string) *Host {
	n.tb.Helper()
	h := &Host{Name: name, net: n}
	if len(addrs) > 0 {
		n.DNS.Addrs(name, addrs...)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, text := range addrs {
		addr, err := netip.ParseAddr(text)
		if err != nil {
			n.tb.Fatalf("delivertest: host %s: %v", name, err)
		}
		n.hosts[addr] = h
	}
	return h
}

// Close ends what is left of connections, and waits for those who serve them.
func (n *Internet) close() {
	n.mu.Lock()
	n.closed = true
	for c := range n.served {
		c.Close()
	}
	n.mu.Unlock()
	n.work.Wait()
}

// DialContext connects to "host:port"; a name is looked up in the DNS, and its
// addresses are tried one after the other. It is the method of a
// smtpclient.ContextDialer.
func (n *Internet) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return n.dial(ctx, network, addr, port)
	}
	addrs, err := dnsx.Net{Resolver: n.DNS}.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	var all error
	for _, addr := range addrs {
		c, err := n.dial(ctx, network, addr, port)
		if err == nil {
			return c, nil
		}
		all = errors.Join(all, err)
	}
	return nil, all
}

// dial connects to one address.
func (n *Internet) dial(ctx context.Context, network string, addr netip.Addr, port string) (net.Conn, error) {
	n.mu.Lock()
	n.dialed++
	local := &net.TCPAddr{IP: net.IPv4(198, 51, 100, 1), Port: 10_000 + n.dialed%50_000}
	h := n.hosts[addr]
	want := n.Port
	n.mu.Unlock()
	if want == "" {
		want = "25"
	}
	fail := func(err error) (net.Conn, error) {
		remote := net.TCPAddrFromAddrPort(netip.AddrPortFrom(addr, 0))
		return nil, &net.OpError{Op: "dial", Net: network, Addr: remote, Err: err}
	}
	if h == nil {
		return fail(os.NewSyscallError("connect", syscall.EHOSTUNREACH))
	}
	if port != want {
		return fail(os.NewSyscallError("connect", syscall.ECONNREFUSED))
	}
	client, server := netpipe.Pair(local, net.TCPAddrFromAddrPort(netip.AddrPortFrom(addr, 25)))
	if err := h.connect(ctx, server); err != nil {
		return fail(err)
	}
	return client, nil
}

// serve runs f for a connection that a host has taken.
func (n *Internet) serve(c *netpipe.Conn, f func()) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return fmt.Errorf("delivertest: %w", net.ErrClosed)
	}
	n.served[c] = struct{}{}
	n.work.Go(func() {
		defer func() {
			c.Close()
			n.mu.Lock()
			delete(n.served, c)
			n.mu.Unlock()
		}()
		f()
	})
	return nil
}
