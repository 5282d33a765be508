package deliver

import (
	"context"
	"crypto/tls"
	"iter"
	"net/netip"
	"sync"

	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
)

// MX is the NextHops that sends foreign mail to the mail hosts of its domain
// (RFC 5321 §5). The zero value asks the name servers of the system, and uses TLS
// where it works. The fields are set before the first use. It must not be copied.
type MX struct {
	// Resolver finds mail hosts and their addresses; nil = a dnsx.Cache over the
	// name servers of the system.
	Resolver dnsx.Resolver

	// Port is dialed; "" = "25".
	Port string

	// Self are names of this host, and SelfAddrs its addresses: an MX of this
	// name or address, and those not better than it, are not tried (RFC 5321
	// §5.1).
	Self      []string
	SelfAddrs []netip.Addr

	// Permit reports whether mail may be sent to an address that the DNS gives;
	// nil = Reachable.
	Permit func(netip.Addr) bool

	// TLS says how TLS has to be with each host. nil = as the Dialer of Relay
	// says, where one of its TLS and TLSConfig is set; else TLS where a host
	// offers it, with whatever certificate, and without where that fails
	// (RFC 7435).
	TLS TLSPolicies

	// Source says from where a message goes; nil = the system decides.
	Source func(m *smtp.Mail) Source

	// MaxAddresses bounds the addresses that one attempt connects to; zero = 5.
	// MaxSessions bounds the hosts that are asked to take the message, the next
	// for those recipients only that the one before deferred; zero = 2.
	MaxAddresses int
	MaxSessions  int

	// Limits are those of mail hosts, whatever domains they serve.
	Limits HostLimits

	// Relay is how hosts are reached; its Hosts, Vouch and RecipientTLS are
	// ignored.
	Relay Relay

	once   sync.Once
	system dnsx.Resolver
}

// Source is where connections come from.
type Source struct {
	// Addr is the address; the zero one leaves it to the system. Addresses of
	// hosts that are of the other family are not tried.
	Addr netip.Addr

	// Hello is the name to say in EHLO; "" = that of the Dialer.
	Hello string
}

// Key implements NextHops: the domain.
func (m *MX) Key(p smtp.ForwardPath) string { return CanonicalDomain(p.Domain) }

// Receiver implements NextHops.
func (m *MX) Receiver(key string) (smtp.Receiver, string) {
	r := m.Relay
	r.Hosts, r.Vouch, r.RecipientTLS = nil, nil, true
	r.MaxHosts = or(m.MaxAddresses, 5)
	r.sessions = or(m.MaxSessions, 2)
	r.limits, r.source = &m.Limits, m.Source
	r.route = func(ctx context.Context, from Source) iter.Seq2[target, error] { return m.targets(ctx, key, from) }
	return &r, key
}

func or(n, def int) int {
	if n <= 0 {
		return def
	}
	return n
}

// Reachable reports whether an address can be that of another host: no loopback,
// unspecified, multicast, or link-local one. A domain that names such a one as
// its mail host would have its mail delivered to this host, or to a neighbour.
func Reachable(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsValid() && !a.IsLoopback() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLinkLocalUnicast() &&
		!netip.PrefixFrom(netip.IPv4Unspecified(), 8).Contains(a) && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

func (m *MX) permits(a netip.Addr) bool {
	if m.Permit != nil {
		return m.Permit(a)
	}
	return Reachable(a)
}

func (m *MX) resolver() dnsx.Resolver {
	if m.Resolver != nil {
		return m.Resolver
	}
	m.once.Do(func() { m.system = &dnsx.Cache{Resolver: &dnsx.Client{}} })
	return m.system
}

func (m *MX) port() string {
	if m.Port == "" {
		return "25"
	}
	return m.Port
}

// anyCertificate is better than no TLS where nobody says which is right.
func anyCertificate() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}
}

// ownRule is the rule of a host where there are no TLSPolicies; nil = that of the
// Dialer.
func (m *MX) ownRule() *TLSRule {
	if d := m.Relay.Dialer; d != nil && (d.TLS != smtpclient.TLSIfOffered || d.TLSConfig != nil) {
		return nil
	}
	return &TLSRule{Config: anyCertificate(), PlaintextRetry: true, Source: "opportunistic"}
}
