package smtppolicy_test

import (
	"encoding/binary"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtppolicy"
	"github.com/mailstead/mailstead/smtp/smtpserver"
)

func connectCode(t *testing.T, th *smtppolicy.Throttle, p *smtp.Peer) int {
	t.Helper()
	return smtp.ReplyOf(th.Connect(t.Context(), p)).Code
}

func TestThrottleConnections(t *testing.T) {
	th := &smtppolicy.Throttle{Levels: []smtppolicy.Level{
		{IPv4: 32, IPv6: 64, Connections: 2},
		{IPv4: 24, IPv6: 48, Connections: 3},
	}}
	one, two, three := peerAt("192.0.2.1"), peerAt("192.0.2.1"), peerAt("192.0.2.1")
	for i, step := range []struct {
		peer *smtp.Peer
		want int
	}{
		{one, 0},
		{two, 0},
		{three, 421},               // the address is full
		{peerAt("192.0.2.2"), 0},   // the network has room for one more
		{peerAt("192.0.2.3"), 421}, // and no more
		{peerAt("192.0.3.1"), 0},   // another network
		{peerAt("2001:db8::1"), 0}, // IPv6 is counted by /64
		{peerAt("2001:db8::2"), 0}, //
		{peerAt("2001:db8::3"), 421},
		{peerAt("::ffff:192.0.2.9"), 421}, // an IPv4 address all the same
		{peerAt("127.0.0.1"), 0},
		{peerAt("127.0.0.1"), 0},
		{peerAt("127.0.0.1"), 0},
		{&smtp.Peer{}, 0},
	} {
		if got := connectCode(t, th, step.peer); got != step.want {
			t.Errorf("step %d, %v: %d, want %d", i, step.peer.Addr, got, step.want)
		}
	}
	th.Closed(three) // was refused: nothing to give back
	if got := connectCode(t, th, peerAt("192.0.2.3")); got != 421 {
		t.Errorf("a refused connection made room: %d", got)
	}
	moved := one.Clone() // what TLS and XCLIENT do
	moved.Addr = netip.MustParseAddrPort("198.51.100.1:1")
	th.Closed(moved)
	if got := connectCode(t, th, peerAt("192.0.2.3")); got != 0 {
		t.Errorf("a closed connection made no room: %d", got)
	}
}

func TestThrottleRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := &smtppolicy.Throttle{Levels: []smtppolicy.Level{
			{IPv4: 32, IPv6: 64, Connects: smtppolicy.Rate{N: 2}, Messages: smtppolicy.Rate{N: 3, Per: 3 * time.Second}, Recipients: smtppolicy.Rate{N: 4}},
			{IPv4: 16, IPv6: 32, Connects: smtppolicy.Rate{N: 3}},
		}}
		var got []int
		for range 3 {
			got = append(got, connectCode(t, th, peerAt("192.0.2.1")))
		}
		got = append(got, connectCode(t, th, peerAt("192.0.7.1")), connectCode(t, th, peerAt("192.0.8.1")))
		time.Sleep(20 * time.Second) // a third of a minute: one at the wide level, none at the narrow one
		got = append(got, connectCode(t, th, peerAt("192.0.2.1")), connectCode(t, th, peerAt("192.0.8.1")))
		if want := []int{0, 0, 421, 0, 421, 421, 0}; !slices.Equal(got, want) {
			t.Errorf("connections: %v, want %v", got, want)
		}
		mw := th.Limit()
		for i, want := range []int{250, 250, 250, 450} {
			if mail, _ := offer(t, mw, peerAt("192.0.2.1"), "a@b.example"); mail != want {
				t.Errorf("message %d: %d, want %d", i, mail, want)
			}
		}
		time.Sleep(time.Second)
		mail, rcpts := offer(t, mw, peerAt("192.0.2.1"), "a@b.example", "1@x.example", "2@x.example", "3@x.example", "4@x.example", "5@x.example")
		if want := []int{250, 250, 250, 250, 450}; mail != 250 || !slices.Equal(rcpts, want) {
			t.Errorf("%d, recipients %v, want %v", mail, rcpts, want)
		}
		if mail, _ := offer(t, mw, nil, "a@b.example"); mail != 250 {
			t.Errorf("mail that starts here: %d", mail)
		}
	})
}

// Through a server the count follows the connections, however they end.
func TestThrottleServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := &smtppolicy.Throttle{Levels: []smtppolicy.Level{{IPv4: 32, IPv6: 64, Connections: 1}}}
		srv := quiet(smtpserver.Config{Connect: th.Connect, Closed: th.Closed})
		for range 3 {
			a := dial(t, srv, "192.0.2.1")
			a.cmd("", "220")
			b := dial(t, srv, "192.0.2.1")
			b.cmd("", "421 Too many connections")
			b.close()
			c := dial(t, srv, "192.0.2.1")
			c.cmd("", "421")
			a.close()
		}
	})
}

// A network with open connections is never forgotten, however many others come;
// where all are in use, who comes new is refused.
func TestThrottleHeld(t *testing.T) {
	th := &smtppolicy.Throttle{Levels: []smtppolicy.Level{{IPv4: 32, IPv6: 64, Connections: 1}}, MaxNetworks: 2}
	one, two := peerAt("192.0.2.1"), peerAt("192.0.2.2")
	if got := connectCode(t, th, one); got != 0 {
		t.Fatal(got)
	}
	for range 3 {
		p := peerAt("198.51.100.1")
		if got := connectCode(t, th, p); got != 0 {
			t.Fatal(got)
		}
		th.Closed(p)
		if got := connectCode(t, th, two); got != 0 {
			t.Fatal(got)
		}
		th.Closed(two)
	}
	if got := connectCode(t, th, peerAt("192.0.2.1")); got != 421 {
		t.Errorf("forgotten: %d", got)
	}
	if got := connectCode(t, th, two); got != 0 {
		t.Fatal(got)
	}
	if got := connectCode(t, th, peerAt("192.0.2.3")); got != 421 {
		t.Errorf("more networks than fit: %d", got)
	}
	th.Closed(one)
	if got := connectCode(t, th, peerAt("192.0.2.3")); got != 0 {
		t.Errorf("there is room again: %d", got)
	}
}

// A million addresses take no more memory than the limit says.
func TestThrottleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("a million addresses; not run with -short")
	}
	th := &smtppolicy.Throttle{MaxNetworks: 4096}
	before := heap()
	p := peerAt("192.0.2.1")
	for i := range uint32(1_000_000) {
		p.Addr = netip.AddrPortFrom(addr4(i), 25)
		if th.Connect(t.Context(), p) == nil {
			th.Closed(p)
		}
	}
	if grown := heap() - before; grown > 3*4096*400 {
		t.Errorf("%d octets for 3 levels of 4096 networks", grown)
	}
	runtime.KeepAlive(th)
}

// addr4 spreads numbers over the IPv4 space, loopback left out.
func addr4(i uint32) netip.Addr {
	var raw [4]byte
	binary.BigEndian.PutUint32(raw[:], i*2654435761)
	if raw[0] == 127 {
		raw[0] = 128
	}
	return netip.AddrFrom4(raw)
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func BenchmarkThrottle(b *testing.B) {
	th := &smtppolicy.Throttle{}
	p := peerAt("192.0.2.1")
	b.ReportAllocs()
	for i := range b.N {
		p.Addr = netip.AddrPortFrom(addr4(uint32(i)), 25)
		if th.Connect(b.Context(), p) == nil {
			th.Closed(p)
		}
	}
}
