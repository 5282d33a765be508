package imapserver

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/memstore"
)

func proxyConfig(st store.Store) Config {
	cfg := testConfig(st)
	cfg.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	return cfg
}

const proxyHeader = "PROXY TCP4 192.0.2.7 192.0.2.8 4711 143\r\n"

// A client behind a proxy counts for itself, and the hooks see its address.
func TestProxy(t *testing.T) {
	cfg := proxyConfig(testStore(t))
	cfg.Limits.MaxConnectionsPerIP = 1
	seen := make(chan netip.Addr, 10)
	cfg.Trace.Connected = func(p Peer) { seen <- p.Addr }
	dial := listenAndServe(t, testServer(t, cfg))
	for i, tt := range []struct{ header, want string }{
		{proxyHeader, "* OK"},
		{strings.Replace(proxyHeader, "192.0.2.7", "192.0.2.9", 1), "* OK"},
		{proxyHeader, "* BYE [UNAVAILABLE]"},
		{"a NOOP\r\n", ""},
		{"PROXY UNKNOWN\r\n", "* OK"},
	} {
		nc, err := dial()
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		io.WriteString(nc, tt.header)
		line, err := bufio.NewReader(nc).ReadString('\n')
		if !strings.HasPrefix(line, tt.want) || tt.want == "" && err == nil {
			t.Errorf("%d: %q, want %q", i, line, tt.want)
		}
	}
	for _, want := range []string{"192.0.2.7", "192.0.2.9", "127.0.0.1"} {
		if got := <-seen; got.String() != want {
			t.Errorf("peer %v, want %s", got, want)
		}
	}
}

type headed struct {
	net.Conn
	head string
}

func (h *headed) Write(b []byte) (int, error) {
	head := h.head
	h.head = ""
	n, err := h.Conn.Write(append([]byte(head), b...))
	return max(0, n-len(head)), err
}

// TLS starts behind the header, also in the same segment.
func TestProxyTLS(t *testing.T) {
	serverTLS, clientTLS := testTLS(t)
	cfg := proxyConfig(testStore(t))
	cfg.TLSConfig, cfg.ImplicitTLS = serverTLS, true
	nc, err := listenAndServe(t, testServer(t, cfg))()
	if err != nil {
		t.Fatal(err)
	}
	c := tls.Client(&headed{Conn: nc, head: proxyHeader}, clientTLS)
	defer c.Close()
	if line, err := bufio.NewReader(c).ReadString('\n'); !strings.HasPrefix(line, "* OK") {
		t.Errorf("%q, %v", line, err)
	}
}

// addrConn has a TCP address on a pipe.
type addrConn struct{ net.Conn }

func (addrConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// A proxy that says nothing, or not all, is given up after 5 seconds.
func TestProxyTimeout(t *testing.T) {
	for _, start := range []string{"", "PROXY TCP4 192.", "\r\n\r\n\x00\r\nQUIT\n\x21\x11"} {
		synctest.Test(t, func(t *testing.T) {
			st := memstore.New(nil)
			defer st.Close()
			srv, err := New(proxyConfig(st))
			if err != nil {
				t.Fatal(err)
			}
			defer srv.Close()
			a, b := net.Pipe()
			go func() { _ = srv.ServeConn(addrConn{b}) }()
			begin := time.Now()
			io.WriteString(a, start)
			out, _ := io.ReadAll(a)
			if d := time.Since(begin); len(out) > 0 || d != 5*time.Second {
				t.Errorf("%q after %v", out, d)
			}
		})
	}
}

// A user has so many sessions, over all servers that share the count, and one
// that ends makes room.
func TestUserLimit(t *testing.T) {
	st := testStore(t)
	cfg := proxyConfig(st) // from loopback nothing is limited
	cfg.Limits.MaxConnectionsPerUser = 2
	cfg.Users = new(Users)
	from := func(dial func() (net.Conn, error)) func() (net.Conn, error) {
		return func() (net.Conn, error) {
			nc, err := dial()
			if err == nil {
				_, err = io.WriteString(nc, proxyHeader)
			}
			return nc, err
		}
	}
	one, two := from(listenAndServe(t, testServer(t, cfg))), from(listenAndServe(t, testServer(t, cfg)))
	first, _ := loggedInConn(t, one)
	second, _ := loggedInConn(t, two)
	nc, err := one()
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	r := bufio.NewReader(nc)
	r.ReadString('\n')
	say := func(line string) string {
		io.WriteString(nc, line+"\r\n")
		answer, _ := r.ReadString('\n')
		return answer
	}
	if out := say("a LOGIN alice secret"); !strings.HasPrefix(out, "a NO [LIMIT]") {
		t.Errorf("third session: %q", out)
	}
	if out := say("b LOGIN bob secret"); !strings.HasPrefix(out, "b OK") {
		t.Errorf("another user: %q", out)
	}
	if out := say("c UNAUTHENTICATE"); !strings.HasPrefix(out, "c OK") || cfg.Users.Sessions("bob") != 0 {
		t.Errorf("%q, and bob has %d sessions", out, cfg.Users.Sessions("bob"))
	}
	first.Close()
	waitFor(t, func() bool { return cfg.Users.Sessions("alice") == 1 })
	if out := say("d LOGIN alice secret"); !strings.HasPrefix(out, "d OK") {
		t.Errorf("after one ended: %q", out)
	}
	second.Close()
}
