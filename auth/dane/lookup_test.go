package dane

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/dnsx"
)

// zone is a DNS: by "name TYPE". What it does not have does not exist. It
// counts the questions.
type zone struct {
	answers map[string]*dnsx.Answer
	fail    map[string]error
	asked   []string
}

func (z *zone) Lookup(_ context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	k := name + " " + t.String()
	z.asked = append(z.asked, k)
	if err := z.fail[k]; err != nil {
		return nil, &dnsx.Error{Name: name, Type: t, Kind: err}
	}
	if a := z.answers[k]; a != nil {
		return a, nil
	}
	return nil, &dnsx.Error{Name: name, Type: t, Kind: dnsx.ErrNXDomain}
}

func address(secure bool, at string) *dnsx.Answer {
	return &dnsx.Answer{Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.1")}, Secure: secure, Name: at}
}

func records(secure bool, list ...dnsx.Association) *dnsx.Answer {
	return &dnsx.Answer{TLSA: list, Secure: secure, TTL: time.Hour}
}

var (
	good311 = dnsx.Association{Usage: 3, Selector: 1, Matching: 1, Data: make([]byte, 32)}
	pkix111 = dnsx.Association{Usage: 1, Selector: 1, Matching: 1, Data: make([]byte, 32)}
)

const (
	hostA, hostAAAA = "mx.example A", "mx.example AAAA"
	hostCNAME       = "mx.example CNAME"
	hostTLSA        = "_25._tcp.mx.example TLSA"
	endTLSA         = "_25._tcp.end.example TLSA"
)

// TestLookup is the table of RFC 7672 §2.2.
func TestLookup(t *testing.T) {
	aliased, unsigned := address(true, "end.example"), address(false, "end.example")
	for _, c := range []struct {
		name    string
		answers map[string]*dnsx.Answer
		level   Level
		base    string
		asked   int
	}{
		{"signed", map[string]*dnsx.Answer{hostA: address(true, "mx.example"), hostTLSA: records(true, good311)}, Authenticate, "mx.example", 2},
		{"IPv6 only", map[string]*dnsx.Answer{hostAAAA: address(true, "mx.example"), hostTLSA: records(true, good311)}, Authenticate, "mx.example", 3},
		{"resolver without names", map[string]*dnsx.Answer{hostA: address(true, ""), hostTLSA: records(true, good311)}, Authenticate, "mx.example", 2},
		{"no records", map[string]*dnsx.Answer{hostA: address(true, "mx.example")}, NotApplicable, "", 2},
		{"records not signed", map[string]*dnsx.Answer{hostA: address(true, "mx.example"), hostTLSA: records(false, good311)}, NotApplicable, "", 2},
		{"zone not signed: not asked", map[string]*dnsx.Answer{hostA: address(false, "mx.example"), hostTLSA: records(true, good311)}, NotApplicable, "", 1},
		{"not usable", map[string]*dnsx.Answer{hostA: address(true, "mx.example"), hostTLSA: records(true, pkix111)}, Encrypt, "mx.example", 2},
		{"one usable", map[string]*dnsx.Answer{hostA: address(true, "mx.example"), hostTLSA: records(true, pkix111, good311)}, Authenticate, "mx.example", 2},
		{"alias, records at its end", map[string]*dnsx.Answer{hostA: aliased, endTLSA: records(true, good311), hostTLSA: records(true, pkix111)}, Authenticate, "end.example", 2},
		{"alias, records at its beginning", map[string]*dnsx.Answer{hostA: aliased, hostTLSA: records(true, good311)}, Authenticate, "mx.example", 3},
		{"alias, records at its end not signed", map[string]*dnsx.Answer{hostA: aliased, endTLSA: records(false, pkix111), hostTLSA: records(true, good311)}, Authenticate, "mx.example", 3},
		{"alias without records", map[string]*dnsx.Answer{hostA: aliased}, NotApplicable, "", 3},
		{"signed alias into a zone that is not", map[string]*dnsx.Answer{
			hostA: unsigned, hostCNAME: {Names: []string{"end.example"}, Secure: true}, endTLSA: records(true, good311), hostTLSA: records(true, pkix111),
		}, Encrypt, "mx.example", 3},
		{"nothing signed", map[string]*dnsx.Answer{
			hostA: unsigned, hostCNAME: {Names: []string{"end.example"}}, endTLSA: records(true, good311), hostTLSA: records(true, good311),
		}, NotApplicable, "", 2},
		{"alias that is gone", map[string]*dnsx.Answer{hostA: unsigned, hostTLSA: records(true, good311)}, NotApplicable, "", 2},
	} {
		z := &zone{answers: c.answers}
		p, err := Lookup(t.Context(), z, Target{Host: "MX.example."})
		if err != nil || p.Level != c.level || p.Base != c.base || len(z.asked) != c.asked {
			t.Errorf("%s: %+v, %v, asked %q", c.name, p, err, z.asked)
		}
		// Invariant N1: whichever question fails, nothing gets better.
		for _, k := range z.asked {
			for _, kind := range []error{dnsx.ErrServFail, dnsx.ErrBogus, dnsx.ErrTimeout, dnsx.ErrBudget} {
				bad := &zone{answers: c.answers, fail: map[string]error{k: kind}}
				if p, err := Lookup(t.Context(), bad, Target{Host: "mx.example"}); !errors.Is(err, ErrLookup) || !errors.Is(err, kind) || p != nil {
					t.Errorf("%s, %s fails: %+v, %v", c.name, k, p, err)
				}
			}
		}
	}
}

func TestTargets(t *testing.T) {
	z := &zone{answers: map[string]*dnsx.Answer{hostA: address(true, ""), "_2525._tcp.mx.example TLSA": records(true, good311)}}
	p, err := Lookup(t.Context(), z, Target{Host: "mx.example", Port: 2525, NextHop: []string{"Example.", "mx.example", "", "end.example"}})
	if err != nil || p.Level != Authenticate || !slices.Equal(p.Names, []string{"mx.example", "example", "end.example"}) || p.TTL != time.Hour {
		t.Errorf("%+v, %v", p, err)
	}
	if got := p.Lines(); len(got) != 1 || got[0] != "3 1 1 "+strings.Repeat("00", 32) {
		t.Error(got)
	}
	if _, err := Lookup(t.Context(), z, Target{Host: "other.example"}); !errors.Is(err, ErrNoAddress) || errors.Is(err, ErrLookup) {
		t.Error(err)
	}
	for _, literal := range []string{"192.0.2.1", "[192.0.2.1]", "2001:db8::1", "[IPv6:2001:db8::1]", "[x"} {
		if p, err := Lookup(t.Context(), &zone{}, Target{Host: literal}); err != nil || p.Level != NotApplicable {
			t.Error(literal, p, err)
		}
	}
	for level, want := range map[Level]string{NotApplicable: "not applicable", Encrypt: "encrypt", Authenticate: "authenticate"} {
		if fmt.Sprint(level) != want {
			t.Error(level)
		}
	}
}
