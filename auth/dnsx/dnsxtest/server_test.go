package dnsxtest_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/auth/dnsx/dnsxtest"
)

func TestServer(t *testing.T) {
	long := strings.Repeat("x", 3000)
	s := dnsxtest.New(t, `
		# a comment
		example.org          TXT  v=spf1 -all
		example.org          MX   10 MX.example.org
		mx.example.org       A    192.0.2.1
		mx.example.org       AAAA 2001:db8::1
		alias.example.org    CNAME mx.example.org
		1.2.0.192.in-addr.arpa PTR mx.example.org
		broken.example.org   SERVFAIL
		slow.example.org     SILENT
		long.example.org     TXT  `+long+`
		a.b.example.org      TXT  deep
	`)
	s.Add(t, "Odd.example.org", "TXT", "a\r\n\x00 b")
	r := &dnsx.Client{Servers: []netip.AddrPort{s.AddrPort()}, Timeout: 100 * time.Millisecond, Rounds: 1}
	text := func(a *dnsx.Answer) string { return strings.Join(a.Texts, "|") }
	tests := []struct {
		name string
		t    dnsx.Type
		got  func(*dnsx.Answer) string
		want string
		err  error
	}{
		{"example.org", dnsx.TXT, text, "v=spf1 -all", nil},
		{"EXAMPLE.org.", dnsx.MX, func(a *dnsx.Answer) string { return a.MX[0].Host }, "mx.example.org", nil},
		{"mx.example.org", dnsx.A, func(a *dnsx.Answer) string { return a.Addrs[0].String() }, "192.0.2.1", nil},
		{"alias.example.org", dnsx.AAAA, func(a *dnsx.Answer) string { return a.Addrs[0].String() + " " + a.Name }, "2001:db8::1 mx.example.org", nil},
		{"1.2.0.192.in-addr.arpa", dnsx.PTR, func(a *dnsx.Answer) string { return a.Names[0] }, "mx.example.org", nil},
		{"long.example.org", dnsx.TXT, text, long, nil},
		{"odd.example.org", dnsx.TXT, text, "a\r\n\x00 b", nil},
		{"example.org", dnsx.A, nil, "", dnsx.ErrNoData},
		{"b.example.org", dnsx.TXT, nil, "", dnsx.ErrNoData},
		{"other.example.org", dnsx.TXT, nil, "", dnsx.ErrNXDomain},
		{"broken.example.org", dnsx.TXT, nil, "", dnsx.ErrServFail},
		{"slow.example.org", dnsx.TXT, nil, "", dnsx.ErrTimeout},
	}
	for _, test := range tests {
		a, err := r.Lookup(t.Context(), test.name, test.t)
		if !errors.Is(err, test.err) || err == nil && test.got(a) != test.want {
			t.Errorf("%s %v: %+v, %v; want %q, %v", test.name, test.t, a, err, test.want, test.err)
		}
	}
	if s.Asked() < len(tests) {
		t.Errorf("%d questions, want %d at least", s.Asked(), len(tests))
	}
}
