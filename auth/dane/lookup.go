package dane

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mailstead/mailstead/auth/dnsx"
)

// Why there is no policy; tested with errors.Is.
var (
	// ErrLookup: nobody knows now whether there are records. The host is not
	// used (RFC 7672 §2.1.2). The error of the resolver is behind it.
	ErrLookup = errors.New("dane: lookup failed")
	// ErrNoAddress: the host has no address.
	ErrNoAddress = errors.New("dane: host without address")
)

// Target is a server to connect to.
type Target struct {
	// Host is its name, in A-labels: an MX host, a smart host, or a domain
	// without MX records. For an address there is no DANE.
	Host string

	// Port is the TCP port; 0 = 25.
	Port uint16

	// NextHop are further names that the server's certificate may have (RFC
	// 7672 §3.2.2): the domain of the recipient, and what its CNAME leads to, if
	// Host comes from validated MX records or is that domain. Else empty.
	NextHop []string
}

// Level is what a server has to do.
type Level uint8

// The levels.
const (
	// NotApplicable: no validated records.
	NotApplicable Level = iota
	// Encrypt: records, but none that is usable; TLS is required.
	Encrypt
	// Authenticate: TLS is required, and a certificate that a record matches.
	Authenticate
)

// String is a word for logs.
func (l Level) String() string {
	switch l {
	case Encrypt:
		return "encrypt"
	case Authenticate:
		return "authenticate"
	}
	return "not applicable"
}

// Policy is what the records of a server ask for. It is not changed once it is
// made.
type Policy struct {
	Level Level

	// Base is the TLSA base domain, which SNI names.
	Base string

	// Names are those of which the certificate must have one where the record
	// is for a trust anchor: Base, and those of Target.NextHop.
	Names []string

	// Records are all that were found, also those that are not usable.
	Records []dnsx.Association

	// TTL is how long the records may be kept.
	TTL time.Duration

	usable []dnsx.Association
}

// Lookup finds the records of a server (RFC 7672 §2.2.2, §2.2.3). The error is
// ErrLookup or ErrNoAddress, and means that the server is not connected to.
func Lookup(ctx context.Context, r dnsx.Resolver, t Target) (*Policy, error) {
	host := clean(t.Host)
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil || strings.HasPrefix(host, "[") {
		return &Policy{}, nil
	}
	bases, err := baseDomains(ctx, r, host)
	if err != nil {
		return nil, err
	}
	port := t.Port
	if port == 0 {
		port = 25
	}
	for _, base := range bases {
		answer, err := r.Lookup(ctx, "_"+strconv.Itoa(int(port))+"._tcp."+base, dnsx.TLSA)
		switch {
		case dnsx.NotFound(err):
		case err != nil:
			return nil, fmt.Errorf("%w: %w", ErrLookup, err)
		case answer.Secure && len(answer.TLSA) > 0:
			return newPolicy(base, t.NextHop, answer), nil
		}
	}
	return &Policy{}, nil
}

// baseDomains are the names whose records count, the first that has any: of a
// host in a signed zone, the end of its CNAMEs if all of that is validated, and
// the name itself.
func baseDomains(ctx context.Context, r dnsx.Resolver, host string) ([]string, error) {
	addresses, err := r.Lookup(ctx, host, dnsx.A)
	if dnsx.NotFound(err) {
		addresses, err = r.Lookup(ctx, host, dnsx.AAAA)
	}
	switch {
	case dnsx.NotFound(err):
		return nil, fmt.Errorf("%w: %w", ErrNoAddress, err)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrLookup, err)
	}
	end := clean(addresses.Name)
	alias := end != "" && end != host
	switch {
	case addresses.Secure && alias:
		return []string{end, host}, nil
	case addresses.Secure:
		return []string{host}, nil
	case !alias:
		return nil, nil
	}
	// Something on the way is not signed; the alias itself may be (§2.2.2).
	first, err := r.Lookup(ctx, host, dnsx.CNAME)
	switch {
	case dnsx.NotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrLookup, err)
	case first.Secure:
		return []string{host}, nil
	}
	return nil, nil
}

func newPolicy(base string, nextHop []string, answer *dnsx.Answer) *Policy {
	p := &Policy{Level: Encrypt, Base: base, Names: []string{base}, Records: answer.TLSA, TTL: answer.TTL}
	for _, name := range nextHop {
		if name = clean(name); name != "" && !slices.Contains(p.Names, name) {
			p.Names = append(p.Names, name)
		}
	}
	p.usable = usable(answer.TLSA)
	if len(p.usable) > 0 {
		p.Level = Authenticate
	}
	return p
}

// clean is a name in lower case without the dot at its end.
func clean(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// Lines are the records in their presentation format, as TLS reports quote them
// (RFC 8460 §4.4).
func (p *Policy) Lines() []string {
	lines := make([]string, len(p.Records))
	for i, a := range p.Records {
		lines[i] = fmt.Sprintf("%d %d %d %X", a.Usage, a.Selector, a.Matching, a.Data)
	}
	return lines
}
