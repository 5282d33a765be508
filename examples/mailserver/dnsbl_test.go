package main

import (
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/auth"
	"github.com/mailstead/mailstead/auth/dnsx/dnsxtest"
)

// A client that a list has is refused, whatever else speaks for the message; a
// list that is broken refuses nobody.
func TestLists(t *testing.T) {
	dns := dnsxtest.New(t, `
		example.org               TXT  v=spf1 +all
		_dmarc.example.org        TXT  v=DMARC1; p=reject
		5.113.0.203.bl.example    A    127.0.0.2
		2.0.0.127.bl.example      A    127.0.0.2
		broken.example            SERVFAIL
		6.113.0.203.broken.example SERVFAIL
		7.113.0.203.all.example   A    127.0.0.2
		1.0.0.127.all.example     A    127.0.0.2
	`)
	const message = "From: joe@example.org\r\n\r\ntext\r\n"
	o, err := parse(t, nil, "-resolver", dns.Addr(), "-dnsbl", "broken.example", "-dnsbl", "all.example", "-dnsbl", "bl.example")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{o: o, log: slog.New(slog.DiscardHandler)}
	if err := s.openDNS(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.inspect()
	for _, test := range []struct{ ip, want string }{
		{"203.0.113.5", "reject 550 5.7.1 Your address is listed by bl.example"},
		{"203.0.113.6", "accept"},
		{"203.0.113.7", "accept"}, // by a list that has everything
		{"203.0.113.8", "accept"},
		{"127.0.0.2", "accept"},
	} {
		session := auth.Session{IP: netip.MustParseAddr(test.ip), Helo: "mx.example.org", MailFrom: "joe@example.org"}
		r, err := s.verifier.Verify(t.Context(), session, strings.NewReader(message))
		if err != nil {
			t.Fatal(err)
		}
		d := o.policy.Decide(r)
		got := d.Action.String()
		if d.Action == auth.Reject {
			got += " " + strings.TrimSpace(d.Reply.String())
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", test.ip, got, test.want)
		}
	}
}
