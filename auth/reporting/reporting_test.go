package reporting_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth"
	"github.com/mailstead/mailstead/auth/dmarc"
	"github.com/mailstead/mailstead/auth/dmarc/report"
	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/auth/reporting"
	"github.com/mailstead/mailstead/smtp"
)

// records is a resolver over TXT records; "fail" is no answer.
type records map[string]string

func (r records) Lookup(_ context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	text, ok := r[name]
	switch {
	case text == "fail":
		return nil, &dnsx.Error{Name: name, Type: t, Kind: dnsx.ErrServFail}
	case ok && t == dnsx.TXT:
		return &dnsx.Answer{Texts: []string{text}}, nil
	}
	return nil, &dnsx.Error{Name: name, Type: t, Kind: dnsx.ErrNXDomain}
}

var discard = smtp.ReceiveFunc(func(_ context.Context, _ *smtp.Envelope, r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
})

func TestObserve(t *testing.T) {
	dns := records{
		"example.org": "v=spf1 ip4:192.0.2.1 -all", "_dmarc.example.org": "v=DMARC1; p=reject; rua=mailto:r@example.org",
		"_dmarc.none.example.org": "v=DMARC1; p=none; rua=mailto:r@example.org", "slow.example.org": "fail", "mx.example.org": "v=spf1 -all",
	}
	const plain = "From: joe@example.org\r\n\r\nHello.\r\n"
	const reply = "Subject: Report Domain: example.net\r\n" + plain
	now := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	tests := []struct {
		name, ip, sender, message string
		policy                    auth.Policy
		want                      string
	}{
		{"passes", "192.0.2.1", "joe@example.org", plain, auth.Policy{}, "pass dkim=fail spf=pass from=example.org [] [example.org=pass/mfrom mx.example.org=fail/helo]"},
		{"refused", "192.0.2.9", "joe@example.org", plain, auth.Policy{}, "reject dkim=fail spf=fail from=example.org [] [example.org=fail/mfrom mx.example.org=fail/helo]"},
		{"softened", "192.0.2.9", "joe@example.org", plain, auth.Policy{OnReject: auth.Quarantine}, "quarantine dkim=fail spf=fail from=example.org [{local_policy }] [example.org=fail/mfrom mx.example.org=fail/helo]"},
		{"forwarder", "192.0.2.9", "joe@example.org", plain, auth.Policy{Forwarders: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}, "none dkim=fail spf=fail from=example.org [{trusted_forwarder }] [example.org=fail/mfrom mx.example.org=fail/helo]"},
		{"null sender", "192.0.2.9", "", plain, auth.Policy{}, "reject dkim=fail spf=fail from= [] [mx.example.org=fail/mfrom]"},
		{"refused for SPF", "192.0.2.9", "joe@example.org", "From: joe@none.example.org\r\n\r\nHello.\r\n", auth.Policy{OnSPFFail: auth.Reject}, "none dkim=fail spf=fail from=example.org [] [example.org=fail/mfrom mx.example.org=fail/helo]"},
		{"a report that fails", "192.0.2.9", "joe@example.org", reply, auth.Policy{}, "reject dkim=fail spf=fail from=example.org [] [example.org=fail/mfrom mx.example.org=fail/helo]"},
		{"deferred", "192.0.2.1", "joe@slow.example.org", plain, auth.Policy{}, ""},
		{"a report that passes", "192.0.2.1", "joe@example.org", reply, auth.Policy{}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var c report.Collector
			in := &auth.Inspector{
				Verifier: &auth.Verifier{Resolver: dns}, Policy: test.policy, ID: "mx.example.net",
				Logger: slog.New(slog.DiscardHandler), Observe: reporting.Observe(&c, dmarc.RFC9989),
			}
			m := &smtp.Mail{ID: "1", Received: now, Peer: &smtp.Peer{Addr: netip.AddrPortFrom(netip.MustParseAddr(test.ip), 25), Hello: "mx.example.org"}}
			if local, domain, ok := strings.Cut(test.sender, "@"); ok {
				m.ReversePath = smtp.ReversePath{Path: smtp.Path{Local: local, Domain: domain}}
			}
			tx, err := smtp.Chain(discard, in.Middleware()).Begin(t.Context(), m)
			if err != nil {
				t.Fatal(err)
			}
			tx.Rcpt(t.Context(), []*smtp.Recipient{{}})
			tx.Data(t.Context(), smtp.NewBody(strings.NewReader(test.message), -1))
			if got := describe(t, &c, now); got != test.want {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

// describe is the one record of the one report; "" = there is none.
func describe(t *testing.T, c *report.Collector, now time.Time) string {
	keys, err := c.Due(t.Context(), report.DayOf(now)+1, report.Key{}, 10)
	if err != nil || len(keys) == 0 {
		return ""
	}
	r, err := c.Load(t.Context(), keys[0])
	if err != nil {
		t.Fatal(err)
	}
	x := r.Records[0]
	var spf []string
	for _, s := range x.SPFResults {
		spf = append(spf, s.Domain+"="+s.Result+"/"+s.Scope)
	}
	return fmt.Sprintf("%s dkim=%s spf=%s from=%s %v %v", x.Disposition, x.DKIM, x.SPF, x.EnvelopeFrom, x.Reasons, spf)
}
