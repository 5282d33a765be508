package dnsx

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

type rawReply func(query, reply []byte, send func([]byte))

// server is a DNS server on loopback whose answers are made by a function.
type server struct {
	addr   netip.AddrPort
	udp    net.PacketConn
	tcp    net.Listener
	asked  atomic.Int64
	answer func(q dnsmessage.Question, b *dnsmessage.Message, tcp bool)
	raw    atomic.Pointer[rawReply] // instead of sending the reply over UDP
}

func newServer(t *testing.T, answer func(q dnsmessage.Question, m *dnsmessage.Message, tcp bool)) *server {
	t.Helper()
	s := &server{answer: answer}
	var err error
	if s.tcp, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	if s.udp, err = net.ListenPacket("udp", s.tcp.Addr().String()); err != nil {
		t.Skip("no UDP port beside the TCP port: ", err)
	}
	s.addr = s.tcp.Addr().(*net.TCPAddr).AddrPort()
	done := make(chan struct{}, 2)
	go func() { s.serveUDP(); done <- struct{}{} }()
	go func() { s.serveTCP(); done <- struct{}{} }()
	t.Cleanup(func() {
		s.udp.Close()
		s.tcp.Close()
		<-done
		<-done
	})
	return s
}

func (s *server) setRaw(f rawReply) { s.raw.Store(&f) }

func (s *server) reply(query []byte, tcp bool) []byte {
	s.asked.Add(1)
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	r := dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true}, Questions: m.Questions}
	s.answer(m.Questions[0], &r, tcp)
	out, err := r.Pack()
	if err != nil {
		return nil
	}
	return out
}

func (s *server) serveUDP() {
	buf := make([]byte, 4096)
	for {
		n, peer, err := s.udp.ReadFrom(buf)
		if err != nil {
			return
		}
		reply := s.reply(buf[:n], false)
		send := func(b []byte) { s.udp.WriteTo(b, peer) }
		if raw := s.raw.Load(); raw != nil {
			(*raw)(buf[:n], reply, send)
		} else if reply != nil {
			send(reply)
		}
	}
}

func (s *server) serveTCP() {
	for {
		c, err := s.tcp.Accept()
		if err != nil {
			return
		}
		var size [2]byte
		io.ReadFull(c, size[:])
		buf := make([]byte, int(size[0])<<8|int(size[1]))
		io.ReadFull(c, buf)
		reply := s.reply(buf, true)
		c.Write(append([]byte{byte(len(reply) >> 8), byte(len(reply))}, reply...))
		c.Close()
	}
}

func rr(name string, ttl uint32, body dnsmessage.ResourceBody) dnsmessage.Resource {
	return dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(name), Class: dnsmessage.ClassINET, TTL: ttl}, Body: body}
}

func soa(ttl, minimum uint32) dnsmessage.Resource {
	return rr("example.", ttl, &dnsmessage.SOAResource{NS: dnsmessage.MustNewName("ns."), MBox: dnsmessage.MustNewName("m."), MinTTL: minimum})
}

// zone is a small one with everything in it.
func zone(q dnsmessage.Question, m *dnsmessage.Message, tcp bool) {
	name := strings.ToLower(q.Name.String())
	add := func(r ...dnsmessage.Resource) { m.Answers = append(m.Answers, r...) }
	switch first, _, _ := strings.Cut(name, "."); {
	case first == "all" && q.Type == dnsmessage.TypeA:
		add(rr(name, 60, &dnsmessage.AResource{A: [4]byte{192, 0, 2, 1}}), rr(name, 30, &dnsmessage.AResource{A: [4]byte{192, 0, 2, 2}}))
	case first == "all" && q.Type == dnsmessage.TypeAAAA:
		add(rr(name, 60, &dnsmessage.AAAAResource{AAAA: netip.MustParseAddr("2001:db8::1").As16()}))
	case first == "all" && q.Type == dnsmessage.TypeTXT:
		add(rr(name, 60, &dnsmessage.TXTResource{TXT: []string{"a", "b"}}), rr(name, 60, &dnsmessage.TXTResource{TXT: []string{""}}))
	case first == "all" && q.Type == dnsmessage.TypeMX:
		add(rr(name, 60, &dnsmessage.MXResource{Pref: 5, MX: dnsmessage.MustNewName("Mail.example.")}), rr(name, 60, &dnsmessage.MXResource{MX: dnsmessage.MustNewName(".")}))
	case first == "all" && q.Type == dnsmessage.TypePTR:
		add(rr(name, 60, &dnsmessage.PTRResource{PTR: dnsmessage.MustNewName("Host.example.")}))
	case first == "all" && q.Type == 52:
		add(rr(name, 60, &dnsmessage.UnknownResource{Type: 52, Data: []byte{3, 1, 1, 0xab}}))
	case first == "all":
	case first == "short":
		add(rr(name, 60, &dnsmessage.UnknownResource{Type: 52, Data: []byte{3, 1}}))
	case first == "nodata":
		m.Authorities = append(m.Authorities, soa(100, 50))
	case first == "chain":
		add(rr(name, 20, &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("ALL.example.")}),
			rr("all.example.", 60, &dnsmessage.AResource{A: [4]byte{192, 0, 2, 9}}))
	case first == "half":
		add(rr(name, 20, &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("all.example.")}))
	case first == "loop":
		add(rr(name, 20, &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("loop2.example.")}),
			rr("loop2.example.", 20, &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("loop.example.")}))
	case first == "endless":
		add(rr(name, 20, &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("endless." + name)}))
	case first == "big" && !tcp:
		m.Truncated = true
	case first == "big":
		for range 200 {
			add(rr(name, 60, &dnsmessage.TXTResource{TXT: []string{strings.Repeat("x", 255)}}))
		}
	case first == "servfail":
		m.RCode = dnsmessage.RCodeServerFailure
	case first == "refused":
		m.RCode = dnsmessage.RCodeRefused
	case first == "bogus":
		m.RCode = dnsmessage.RCodeServerFailure
		m.Additionals = append(m.Additionals, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(".")},
			Body:   &dnsmessage.OPTResource{Options: []dnsmessage.Option{{Code: 15, Data: []byte{0, 6, 'x'}}}},
		})
	case first == "secure":
		m.AuthenticData = true
		add(rr(name, 60, &dnsmessage.AResource{}))
	case first == "other": // records of another name
		add(rr("all.example.", 60, &dnsmessage.AResource{}))
	default:
		m.RCode = dnsmessage.RCodeNameError
		m.Authorities = append(m.Authorities, soa(10, 50))
	}
}

func TestClient(t *testing.T) {
	s := newServer(t, zone)
	c := &Client{Servers: []netip.AddrPort{s.addr}}
	addr := netip.MustParseAddr
	for _, test := range []struct {
		name string
		t    Type
		want Answer
		kind error
		ttl  time.Duration
	}{
		{"all.example", A, Answer{Name: "all.example", Addrs: []netip.Addr{addr("192.0.2.1"), addr("192.0.2.2")}, TTL: 30 * time.Second}, nil, 0},
		{"ALL.example.", AAAA, Answer{Name: "all.example", Addrs: []netip.Addr{addr("2001:db8::1")}, TTL: time.Minute}, nil, 0},
		{"all.example", TXT, Answer{Name: "all.example", Texts: []string{"ab", ""}, TTL: time.Minute}, nil, 0},
		{"all.example", MX, Answer{Name: "all.example", MX: []Exchange{{5, "Mail.example"}, {0, ""}}, TTL: time.Minute}, nil, 0},
		{"all.example", PTR, Answer{Name: "all.example", Names: []string{"Host.example"}, TTL: time.Minute}, nil, 0},
		{"all.example", TLSA, Answer{Name: "all.example", TLSA: []Association{{3, 1, 1, []byte{0xab}}}, TTL: time.Minute}, nil, 0},
		{"chain.example", A, Answer{Name: "all.example", Addrs: []netip.Addr{addr("192.0.2.9")}, TTL: 20 * time.Second}, nil, 0},
		{"half.example", TXT, Answer{Name: "all.example", Texts: []string{"ab", ""}, TTL: 20 * time.Second}, nil, 0},
		{"secure.example", A, Answer{Name: "secure.example", Addrs: []netip.Addr{addr("0.0.0.0")}, TTL: time.Minute, Secure: true}, nil, 0},
		{"chain.example", CNAME, Answer{Name: "chain.example", Names: []string{"all.example"}, TTL: 20 * time.Second}, nil, 0},
		{"short.example", TLSA, Answer{Name: "short.example", TLSA: []Association{{255, 255, 255, []byte{}}}, TTL: time.Minute}, nil, 0},
		{"nodata.example", A, Answer{}, ErrNoData, 50 * time.Second},
		{"nosuch.example", A, Answer{}, ErrNXDomain, 10 * time.Second},
		{"other.example", A, Answer{}, ErrNoData, 0},
		{"loop.example", A, Answer{}, ErrServFail, 0},
		{"endless.example", A, Answer{}, ErrServFail, 0},
		{"servfail.example", A, Answer{}, ErrServFail, 0},
		{"refused.example", A, Answer{}, ErrServFail, 0},
		{"bogus.example", A, Answer{}, ErrBogus, 0},
		{"", A, Answer{}, ErrName, 0},
		{"a..b", A, Answer{}, ErrName, 0},
		{strings.Repeat("a", 64) + ".b", A, Answer{}, ErrName, 0},
		{strings.Repeat("a.", 127) + "b", A, Answer{}, ErrName, 0},
	} {
		got, err := c.Lookup(t.Context(), test.name, test.t)
		if test.kind != nil {
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Kind != test.kind || e.TTL != test.ttl || got != nil || NotFound(err) == (test.kind == ErrServFail || test.kind == ErrBogus) {
				t.Errorf("%s %v: %v, %v; want %v", test.name, test.t, got, err, test.kind)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(*got, test.want) {
			t.Errorf("%s %v: %+v, %v; want %+v", test.name, test.t, got, err, test.want)
		}
	}
	if got, err := c.Lookup(t.Context(), "big.example", TXT); err != nil || len(got.Texts) != 200 {
		t.Errorf("over TCP: %v", err)
	}
}

// Answers that are not ours do not count: another id, another name, another
// case, no answer at all; the true one behind them does.
func TestClientSpoofed(t *testing.T) {
	s := newServer(t, zone)
	c := &Client{Servers: []netip.AddrPort{s.addr}}
	s.setRaw(func(query, reply []byte, send func([]byte)) {
		forged := append([]byte(nil), reply...)
		forged[len(forged)-1] = 99 // another address
		id := append([]byte(nil), forged...)
		id[0] ^= 1
		send(id)
		name := append([]byte(nil), forged...)
		name[13] ^= 2
		send(name)
		send(query)
		send([]byte("x"))
		send(nil)
		send(reply)
	})
	if got, err := c.Lookup(t.Context(), "chain.example", A); err != nil || got.Addrs[0] != netip.MustParseAddr("192.0.2.9") {
		t.Errorf("%v, %v", got, err)
	}
	// Who does not repeat our case is asked over TCP, where nobody can guess.
	s.setRaw(func(_, reply []byte, send func([]byte)) {
		for i := 13; i < 13+5; i++ {
			reply[i] ^= 0x20
		}
		reply[len(reply)-1] = 99
		send(reply)
	})
	if got, err := c.Lookup(t.Context(), "chain.example", A); err != nil || got.Addrs[0] != netip.MustParseAddr("192.0.2.9") {
		t.Errorf("%v, %v", got, err)
	}
}

// A server that does not answer costs its time, and the next one is asked.
func TestClientTimeout(t *testing.T) {
	silent := newServer(t, zone)
	silent.setRaw(func(_, _ []byte, _ func([]byte)) {})
	s := newServer(t, zone)
	c := &Client{Servers: []netip.AddrPort{silent.addr, s.addr}, Timeout: 50 * time.Millisecond}
	if _, err := c.Lookup(t.Context(), "all.example", A); err != nil {
		t.Error(err)
	}
	c.Servers = c.Servers[:1]
	if _, err := c.Lookup(t.Context(), "all.example", A); !errors.Is(err, ErrTimeout) || NotFound(err) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Lookup(ctx, "all.example", A); !errors.Is(err, ErrTimeout) || !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// What one server takes is bounded, not each of the ways to ask it.
func TestClientTimeoutOfAllWays(t *testing.T) {
	s := newServer(t, zone)
	s.setRaw(func(query, _ []byte, send func([]byte)) {
		bad := append([]byte(nil), query...)
		bad[2] |= 0x80
		if query[11] != 0 { // ARCOUNT
			bad[3] = 1 // FORMERR
		} else {
			bad[2] |= 2 // truncated
		}
		send(bad)
	})
	var ends []time.Time
	c := &Client{Servers: []netip.AddrPort{s.addr}, Rounds: 1, Timeout: time.Minute, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		end, _ := ctx.Deadline()
		ends = append(ends, end)
		if network == "tcp" {
			return nil, errors.New("closed")
		}
		return (&net.Dialer{}).DialContext(ctx, network, s.addr.String())
	}}
	if _, err := c.Lookup(t.Context(), "all.example", A); err == nil || len(ends) != 3 {
		t.Fatalf("%v after %d ways", err, len(ends))
	}
	if !ends[1].Equal(ends[0]) || !ends[2].Equal(ends[0]) {
		t.Errorf("the time begins anew: %v", ends)
	}
}

// A server from before EDNS is asked again without.
func TestClientWithoutEDNS(t *testing.T) {
	s := newServer(t, zone)
	c := &Client{Servers: []netip.AddrPort{s.addr}}
	s.setRaw(func(query, reply []byte, send func([]byte)) {
		if query[11] != 0 { // ARCOUNT
			bad := append([]byte(nil), query...)
			bad[2], bad[3] = bad[2]|0x80, 1 // FORMERR
			send(bad)
			return
		}
		send(reply)
	})
	if _, err := c.Lookup(t.Context(), "all.example", A); err != nil {
		t.Error(err)
	}
}

func TestTrustAD(t *testing.T) {
	for server, want := range map[string]bool{"127.0.0.1:53": true, "[::1]:53": true, "192.0.2.1:53": false} {
		ap := netip.MustParseAddrPort(server)
		s := newServer(t, zone)
		c := &Client{Servers: []netip.AddrPort{ap}, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, s.addr.String())
		}}
		if a, err := c.Lookup(t.Context(), "secure.example", A); err != nil || a.Secure != want {
			t.Errorf("%s: %+v, %v", server, a, err)
		}
		c = &Client{Servers: c.Servers, Dial: c.Dial, TrustAD: true}
		if a, err := c.Lookup(t.Context(), "secure.example", A); err != nil || !a.Secure {
			t.Errorf("%s, trusted: %+v, %v", server, a, err)
		}
	}
}

// FuzzReply reads answers of all kinds.
func FuzzReply(f *testing.F) {
	for _, name := range []string{"all.example.", "nodata.example.", "loop.example.", "bogus.example."} {
		for _, typ := range []dnsmessage.Type{1, 16, 15, 12, 28, 52} {
			q := dnsmessage.Question{Name: dnsmessage.MustNewName(name), Type: typ, Class: dnsmessage.ClassINET}
			m := dnsmessage.Message{Header: dnsmessage.Header{Response: true}, Questions: []dnsmessage.Question{q}}
			zone(q, &m, true)
			if b, err := m.Pack(); err == nil {
				f.Add(b, uint16(typ), strings.TrimSuffix(name, "."))
			}
		}
	}
	f.Fuzz(func(t *testing.T, msg []byte, typ uint16, name string) {
		sent, err := dnsmessage.NewName(name + ".")
		if err != nil {
			return
		}
		q := question{name: name, t: Type(typ), edns: true, sent: sent, stream: true}
		r, err := q.parse(msg)
		if err != nil {
			return
		}
		var a Answer
		if _, links, err := r.collect(&a, name, q.t, maxChain); err == nil && links > maxChain {
			t.Errorf("%d links", links)
		}
	})
}
