package pop3server_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/pop3/pop3server"
)

func TestShutdown(t *testing.T) {
	s := maildrop(t, "A: 1\r\n\r\n")
	srv, addr := serve(t, s, nil)
	c := dial(t, addr)
	c.play(greetAndLogin + "C: DELE 1\nS: +OK ...")
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.play("S: -ERR [SYS/TEMP] Server shutting down\nS: EOF")
	if got := uids(t, s); got != "1" {
		t.Errorf("left %q: a marked message was deleted without QUIT", got)
	}
}

func TestConnectionLimit(t *testing.T) {
	_, addr := serve(t, maildrop(t), func(c *pop3server.Config) { c.Limits.MaxConnections = 1 })
	dial(t, addr).play("S: +OK ...")
	dial(t, addr).play("S: -ERR [SYS/TEMP] Too many connections, try again later\nS: EOF")
}

// proxied is a connection from a proxy that does not count as loopback.
type proxied struct{ net.Conn }

func (proxied) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort("192.0.2.1:4000"))
}

// Connections count for the client that a proxy speaks for, not for the proxy.
func TestProxyIsNotCounted(t *testing.T) {
	s := maildrop(t)
	defer s.Close()
	srv, err := pop3server.New(pop3server.Config{
		Store: s, Auth: authn.PasswordFunc(judge), AllowPlaintextAuth: true, Logger: discard,
		Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}, Limits: pop3server.Limits{MaxConnectionsPerIP: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	var ends []net.Conn
	for range 3 {
		here, there := net.Pipe()
		defer here.Close()
		go srv.ServeConn(proxied{there})
		ends = append(ends, here)
	}
	for i, here := range ends {
		io.WriteString(here, "PROXY TCP4 192.0.2."+string(rune('5'+i))+" 192.0.2.1 4000 110\r\n")
		if line, err := bufio.NewReader(here).ReadString('\n'); !strings.HasPrefix(line, "+OK") {
			t.Errorf("connection %d: %q, %v", i, line, err)
		}
	}
}

// The hooks see the client that a proxy speaks for, and one that panics ends its
// own connection alone.
func TestTraceOfConnections(t *testing.T) {
	s := maildrop(t)
	defer s.Close()
	var mu sync.Mutex
	var seen []string
	note := func(what string) func(pop3server.Peer) {
		return func(p pop3server.Peer) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, what+" "+p.Addr.String())
			panic("a hook panics")
		}
	}
	srv, err := pop3server.New(pop3server.Config{
		Store: s, Auth: authn.PasswordFunc(judge), AllowPlaintextAuth: true, Logger: discard,
		Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")},
		Trace:   pop3server.Trace{Connected: note("connected"), Closed: note("closed")},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	for _, head := range []string{"PROXY TCP4 192.0.2.7 192.0.2.1 4000 110\r\n", "no header\r\n"} {
		here, there := net.Pipe()
		done := make(chan error, 1)
		go func() { done <- srv.ServeConn(proxied{there}) }()
		go io.WriteString(here, head)
		io.Copy(io.Discard, here)
		<-done
	}
	if got := strings.Join(seen, ", "); got != "connected 192.0.2.7, closed 192.0.2.7" {
		t.Error(got)
	}
}

// The errors of ServeConn have names.
func TestServeConnErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := maildrop(t)
		defer s.Close()
		srv, err := pop3server.New(pop3server.Config{
			Store: s, Auth: authn.PasswordFunc(judge), AllowPlaintextAuth: true, Logger: discard,
			Limits: pop3server.Limits{MaxConnections: 1},
		})
		if err != nil {
			t.Fatal(err)
		}
		first, there := net.Pipe()
		go srv.ServeConn(there)
		synctest.Wait()
		_, there = net.Pipe()
		if err := srv.ServeConn(there); !errors.Is(err, pop3server.ErrTooManyConnections) {
			t.Error(err)
		}
		first.Close()
		srv.Close()
		_, there = net.Pipe()
		if err := srv.ServeConn(there); !errors.Is(err, pop3server.ErrServerClosed) {
			t.Error(err)
		}
	})
}
