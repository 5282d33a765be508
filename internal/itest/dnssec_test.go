package itest

import (
	"crypto"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// dnssecZones is a name server on loopback whose answers are signed as they are
// asked for, for a validating resolver to judge.
type dnssecZones struct {
	addr  string
	zones []*dnssecZone

	mu      sync.Mutex // guards what follows
	records map[string][]dns.RR
	forged  map[string]bool // "NAME TYPE": the signature is not right
}

type dnssecZone struct {
	name string // absolute
	key  *dns.DNSKEY
	sign crypto.Signer
}

// newDNSSEC serves signed zones, and whatever other names are added.
func newDNSSEC(t *testing.T, signed ...string) *dnssecZones {
	t.Helper()
	z := &dnssecZones{records: map[string][]dns.RR{}, forged: map[string]bool{}}
	for _, name := range signed {
		key := &dns.DNSKEY{
			Hdr:   dns.RR_Header{Name: dns.Fqdn(name), Rrtype: dns.TypeDNSKEY, Class: dns.ClassINET, Ttl: 60},
			Flags: 257, Protocol: 3, Algorithm: dns.ECDSAP256SHA256,
		}
		private, err := key.Generate(256)
		if err != nil {
			t.Fatal(err)
		}
		z.zones = append(z.zones, &dnssecZone{key.Hdr.Name, key, private.(crypto.Signer)})
		z.add(t, key.String())
	}
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	z.addr = conn.LocalAddr().String()
	server := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(z.answer)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.ActivateAndServe()
	}()
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
	return z
}

// add adds a record in its presentation format.
func (z *dnssecZones) add(t *testing.T, record string) {
	t.Helper()
	rr, err := dns.NewRR(record)
	if err != nil {
		t.Fatal(err)
	}
	rr.Header().Ttl = 60
	z.mu.Lock()
	defer z.mu.Unlock()
	name := strings.ToLower(rr.Header().Name)
	z.records[name] = append(z.records[name], rr)
}

// forge breaks the signature of a set of records.
func (z *dnssecZones) forge(name string, rrtype uint16) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.forged[fmt.Sprint(dns.Fqdn(name), rrtype)] = true
}

// anchors are what a resolver needs to validate the signed zones.
func (z *dnssecZones) anchors() (lines []string) {
	for _, zone := range z.zones {
		lines = append(lines, strings.ReplaceAll(zone.key.ToDS(dns.SHA256).String(), "\t", " "))
	}
	return lines
}

func (z *dnssecZones) zoneOf(name string) *dnssecZone {
	for _, zone := range z.zones {
		if dns.IsSubDomain(zone.name, name) {
			return zone
		}
	}
	return nil
}

// answer has the records of a name, its CNAME, or the proof that there is
// nothing: an NSEC record for just that name.
func (z *dnssecZones) answer(w dns.ResponseWriter, q *dns.Msg) {
	z.mu.Lock()
	defer z.mu.Unlock()
	m := new(dns.Msg).SetReply(q)
	m.Authoritative = true
	m.SetEdns0(4096, true)
	name, rrtype := strings.ToLower(q.Question[0].Name), q.Question[0].Qtype
	zone := z.zoneOf(name)
	types := []uint16{dns.TypeRRSIG, dns.TypeNSEC}
	for _, rr := range z.records[name] {
		if t := rr.Header().Rrtype; t == rrtype || t == dns.TypeCNAME {
			m.Answer = append(m.Answer, rr)
		} else {
			types = append(types, t)
		}
	}
	if len(m.Answer) > 0 {
		m.Answer = append(m.Answer, z.signature(zone, m.Answer)...)
	} else {
		apex := "example."
		if zone != nil {
			apex = zone.name
		}
		soa, _ := dns.NewRR(apex + " 60 IN SOA ns." + apex + " root." + apex + " 1 60 60 60 60")
		m.Ns = append([]dns.RR{soa}, z.signature(zone, []dns.RR{soa})...)
		if zone != nil {
			slices.Sort(types)
			nsec := &dns.NSEC{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeNSEC, Class: dns.ClassINET, Ttl: 60}, NextDomain: "\\000." + name, TypeBitMap: types}
			m.Ns = append(append(m.Ns, nsec), z.signature(zone, []dns.RR{nsec})...)
		}
	}
	_ = w.WriteMsg(m)
}

// signature signs a set of records, where it lies in a signed zone.
func (z *dnssecZones) signature(zone *dnssecZone, set []dns.RR) []dns.RR {
	if zone == nil {
		return nil
	}
	h := set[0].Header()
	now := time.Now()
	sig := &dns.RRSIG{
		Hdr:       dns.RR_Header{Name: h.Name, Rrtype: dns.TypeRRSIG, Class: dns.ClassINET, Ttl: h.Ttl},
		Algorithm: zone.key.Algorithm, KeyTag: zone.key.KeyTag(), SignerName: zone.name,
		Inception: uint32(now.Add(-time.Hour).Unix()), Expiration: uint32(now.Add(time.Hour).Unix()),
	}
	if err := sig.Sign(zone.sign, set); err != nil {
		return nil
	}
	if z.forged[fmt.Sprint(strings.ToLower(h.Name), h.Rrtype)] {
		sig.Signature = "AAAA" + sig.Signature[4:]
	}
	return []dns.RR{sig}
}

// validating starts unbound as a validating resolver of these zones, and of what
// is below example without signatures.
func (z *dnssecZones) validating(t *testing.T) string {
	t.Helper()
	addr := freeAddrs(t, []string{"dns"})["dns"]
	var conf strings.Builder
	fmt.Fprintf(&conf, "server:\n directory: %q\n chroot: \"\"\n username: \"\"\n pidfile: \"\"\n use-syslog: no\n do-daemonize: no\n num-threads: 1\n", t.TempDir())
	fmt.Fprintf(&conf, " interface: %s\n module-config: \"validator iterator\"\n do-not-query-localhost: no\n qname-minimisation: no\n do-ip6: no\n", strings.Replace(addr, ":", "@", 1))
	for _, ds := range z.anchors() {
		fmt.Fprintf(&conf, " trust-anchor: %q\n", ds)
	}
	conf.WriteString(" local-zone: \"example.\" transparent\n")
	fmt.Fprintf(&conf, "stub-zone:\n name: \"example.\"\n stub-addr: %s\n", strings.Replace(z.addr, ":", "@", 1))
	for _, zone := range z.zones {
		fmt.Fprintf(&conf, "stub-zone:\n name: %q\n stub-addr: %s\n", zone.name, strings.Replace(z.addr, ":", "@", 1))
	}
	runUnbound(t, addr, conf.String())
	return addr
}
