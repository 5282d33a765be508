package dnsxtest

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Server is a DNS server on loopback, over UDP and TCP.
type Server struct {
	udp   net.PacketConn
	tcp   net.Listener
	wg    sync.WaitGroup
	asked atomic.Int64

	mu   sync.Mutex // guards zone
	zone map[string]*node
}

// New starts a server that ends with the test. Each line of zone is a name, a
// type (A, AAAA, TXT, MX, CNAME, PTR) and the value, which for TXT is the rest of
// the line; or a name and SERVFAIL, or SILENT, which is answered to nothing.
// "*" is every name that is not there.
func New(t testing.TB, zone string) *Server {
	t.Helper()
	parsed, err := parse(zone)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{zone: parsed}
	for try := 0; ; try++ {
		if s.tcp, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		if s.udp, err = net.ListenPacket("udp", s.tcp.Addr().String()); err == nil {
			break
		}
		s.tcp.Close()
		if try == 10 {
			t.Fatal(err)
		}
	}
	s.wg.Go(s.serveUDP)
	s.wg.Go(s.serveTCP)
	t.Cleanup(func() {
		s.udp.Close()
		s.tcp.Close()
		s.wg.Wait()
	})
	return s
}

// Addr is where the server listens: host:port.
func (s *Server) Addr() string { return s.tcp.Addr().String() }

// AddrPort is the same.
func (s *Server) AddrPort() netip.AddrPort { return s.tcp.Addr().(*net.TCPAddr).AddrPort() }

// Asked is how many questions have come.
func (s *Server) Asked() int { return int(s.asked.Load()) }

// Add adds a record as a line of the zone does, with any octets in its value.
func (s *Server) Add(t testing.TB, name, kind, value string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := add(s.zone, name, kind, value); err != nil {
		t.Fatal(err)
	}
}

func (s *Server) serveUDP() {
	buf := make([]byte, 4096)
	for {
		n, peer, err := s.udp.ReadFrom(buf)
		if err != nil {
			return
		}
		if reply := s.reply(buf[:n], true); reply != nil {
			_, _ = s.udp.WriteTo(reply, peer)
		}
	}
}

func (s *Server) serveTCP() {
	for {
		c, err := s.tcp.Accept()
		if err != nil {
			return
		}
		s.wg.Go(func() {
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(10 * time.Second))
			var size [2]byte
			if _, err := io.ReadFull(c, size[:]); err != nil {
				return
			}
			buf := make([]byte, binary.BigEndian.Uint16(size[:]))
			if _, err := io.ReadFull(c, buf); err != nil {
				return
			}
			if reply := s.reply(buf, false); reply != nil {
				_, _ = c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...))
			}
		})
	}
}

// reply answers a query; nil = not at all.
func (s *Server) reply(query []byte, udp bool) []byte {
	s.asked.Add(1)
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	r := dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true, RecursionAvailable: true}, Questions: m.Questions}
	if !s.answer(&r, m.Questions[0]) {
		return nil
	}
	out, err := r.Pack()
	limit := 512
	for _, extra := range m.Additionals {
		if extra.Header.Type == dnsmessage.TypeOPT {
			limit = max(limit, int(extra.Header.Class))
		}
	}
	if err == nil && udp && len(out) > limit {
		r.Truncated, r.Answers, r.Authorities = true, nil, nil
		out, err = r.Pack()
	}
	if err != nil {
		return nil
	}
	return out
}

// answer fills in what the zone says, and follows the CNAMEs in it.
func (s *Server) answer(r *dnsmessage.Message, q dnsmessage.Question) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := q.Name
	for range 10 {
		n := s.find(canonical(name.String()))
		switch {
		case n == nil:
			r.RCode = dnsmessage.RCodeNameError
		case n.silent:
			return false
		case n.servfail:
			r.RCode, r.Answers = dnsmessage.RCodeServerFailure, nil
			return true
		}
		var next *dnsmessage.Name
		found := false
		for _, body := range n.records() {
			alias, isAlias := body.(*dnsmessage.CNAMEResource)
			if typeOf(body) != q.Type && !isAlias {
				continue
			}
			found = true
			r.Answers = append(r.Answers, resource(name, body))
			if isAlias && q.Type != dnsmessage.TypeCNAME {
				next = &alias.CNAME
			}
		}
		if next == nil {
			if !found {
				root := dnsmessage.MustNewName(".")
				r.Authorities = append(r.Authorities, resource(root, &dnsmessage.SOAResource{NS: root, MBox: root, MinTTL: ttl}))
			}
			return true
		}
		name = *next
	}
	return true
}

func (n *node) records() []dnsmessage.ResourceBody {
	if n == nil {
		return nil
	}
	return n.bodies
}

// find is what a name has; nil = it does not exist.
func (s *Server) find(name string) *node {
	if n := s.zone[name]; n != nil {
		return n
	}
	for other := range s.zone {
		if strings.HasSuffix(other, "."+name) {
			return &node{}
		}
	}
	return s.zone["*"]
}

func resource(name dnsmessage.Name, body dnsmessage.ResourceBody) dnsmessage.Resource {
	return dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET, TTL: ttl}, Body: body}
}
