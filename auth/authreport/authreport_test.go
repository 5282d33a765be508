package authreport_test

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
	"github.com/mailstead/mailstead/auth/authreport"
	"github.com/mailstead/mailstead/auth/dmarc"
	"github.com/mailstead/mailstead/auth/dmarc/report"
	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/smtp"
)

// records is a resolver over TXT records.
type records map[string]string

func (r records) Lookup(_ context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	if text, ok := r[name]; ok && t == dnsx.TXT {
		return &dnsx.Answer{Texts: []string{text}}, nil
	}
	return nil, &dnsx.Error{Name: name, Type: t, Kind: dnsx.ErrNXDomain}
}

// What an Inspector does with messages is what a report says.
func TestCounter(t *testing.T) {
	const header = "From: a@example.org\r\nSubject: "
	for name, c := range map[string]struct {
		from, header string
		ip           string
		policy       auth.Policy
		want         string
	}{
		"passes":                {from: "b@example.org", header: header + "x", ip: "192.0.2.1", want: "pass dkim=fail spf=pass [] example.org/example.org spf example.org pass mfrom"},
		"a report that passes":  {from: "b@example.org", header: header + "Report Domain: x", ip: "192.0.2.1"},
		"a bounce that passes":  {from: "", header: "From: a@mx.example.org\r\nX: y", ip: "192.0.2.1"},
		"a report that fails":   {from: "b@example.org", header: header + "Report Domain: x", ip: "198.51.100.1", want: "reject dkim=fail spf=fail [] example.org/example.org spf example.org fail mfrom"},
		"fails":                 {from: "b@example.net", header: header + "x", ip: "198.51.100.1", want: "reject dkim=fail spf=fail [] example.org/example.net spf example.net none mfrom"},
		"fails, put aside":      {from: "b@example.net", header: header + "x", ip: "198.51.100.1", policy: auth.Policy{OnReject: auth.Quarantine}, want: "quarantine dkim=fail spf=fail [{local_policy }] example.org/example.net spf example.net none mfrom"},
		"fails, of a forwarder": {from: "b@example.net", header: header + "x", ip: "198.51.100.1", policy: auth.Policy{Forwarders: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}}, want: "none dkim=fail spf=fail [{trusted_forwarder }] example.org/example.net spf example.net none mfrom"},
		"refused for SPF":       {from: "b@example.org", header: "From: a@none.example.org", ip: "198.51.100.1", policy: auth.Policy{OnSPFFail: auth.Reject}, want: "none dkim=fail spf=fail [] none.example.org/example.org spf example.org fail mfrom"},
		"deferred":              {from: "b@example.org", header: header + "x", ip: "198.51.100.1", policy: auth.Policy{OnReject: auth.Defer}},
		"no reports wanted":     {from: "b@example.net", header: "From: a@quiet.example", ip: "198.51.100.1"},
	} {
		dns := records{
			"example.org": "v=spf1 ip4:192.0.2.0/24 -all", "mx.example.org": "v=spf1 ip4:192.0.2.0/24 -all", "_dmarc.example.org": "v=DMARC1; p=reject; rua=mailto:r@example.org",
			"_dmarc.none.example.org": "v=DMARC1; p=none; rua=mailto:r@example.org", "_dmarc.quiet.example": "v=DMARC1; p=reject",
		}
		counter := &authreport.Counter{Collector: &report.Collector{}}
		in := &auth.Inspector{
			Verifier: &auth.Verifier{Resolver: dns, Methods: []auth.Method{counter}}, Policy: c.policy, ID: "mx.example.net", Observe: counter.Observe, Logger: slog.New(slog.DiscardHandler),
		}
		path, err := smtp.ParseReversePath("<"+c.from+">", false)
		if err != nil {
			t.Fatal(err)
		}
		m := &smtp.Mail{ID: "1", ReversePath: path, Peer: &smtp.Peer{Addr: netip.AddrPortFrom(netip.MustParseAddr(c.ip), 25), Hello: "mx.example.org"}}
		r := in.Middleware()(smtp.ReceiveFunc(func(_ context.Context, _ *smtp.Envelope, r io.Reader) error {
			_, err := io.Copy(io.Discard, r)
			return err
		}))
		_ = smtp.Hand(t.Context(), r, m, []*smtp.Recipient{{}}, smtp.NewBody(strings.NewReader(c.header+"\r\n\r\nText.\r\n"), -1))
		if got := counted(t, counter.Collector); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// counted is the one record that was counted.
func counted(t *testing.T, c *report.Collector) string {
	t.Helper()
	keys, err := c.Due(t.Context(), report.DayOf(time.Now())+1, report.Key{}, 10)
	if err != nil || len(keys) > 1 {
		t.Fatal(keys, err)
	}
	if len(keys) == 0 {
		return ""
	}
	rep, err := c.Load(t.Context(), keys[0])
	if err != nil || len(rep.Records) != 1 || rep.Policy.Discovery != "treewalk" {
		t.Fatalf("%+v, %v", rep, err)
	}
	r := rep.Records[0]
	s := fmt.Sprintf("%s dkim=%s spf=%s %v %s/%s", r.Disposition, r.DKIM, r.SPF, r.Reasons, r.HeaderFrom, r.EnvelopeFrom)
	for _, x := range r.SPFResults {
		s += fmt.Sprint(" spf ", x.Domain, " ", x.Result, " ", x.Scope)
	}
	for _, x := range r.DKIMResults {
		s += fmt.Sprint(" dkim ", x.Domain, " ", x.Result)
	}
	return s
}

// The null reverse-path has the scope that the schema knows.
func TestScope(t *testing.T) {
	for mode, want := range map[dmarc.Mode]string{dmarc.RFC9989: "mfrom", dmarc.RFC7489: "helo"} {
		counter := &authreport.Counter{Collector: &report.Collector{}, Mode: mode}
		record, err := dmarc.Parse("v=DMARC1; p=none; rua=mailto:a@example.org")
		if err != nil {
			t.Fatal(err)
		}
		r := &auth.Result{Session: auth.Session{IP: netip.MustParseAddr("192.0.2.1")}, DMARC: dmarc.Verdict{Result: dmarc.Fail, Domain: "example.org", PolicyDomain: "example.org", Record: record}}
		r.SPF.Result, r.SPF.Identity, r.SPF.Domain = "pass", "helo", "mx.example.org"
		counter.Observe(nil, r, auth.Decision{Action: auth.Accept})
		rep, err := counter.Collector.Load(t.Context(), report.Key{Domain: "example.org", Day: report.DayOf(time.Now())})
		if err != nil || rep == nil || rep.Records[0].SPFResults[0].Scope != want {
			t.Errorf("%d: %+v, %v", mode, rep, err)
		}
	}
}

// A header that is written octet by octet, or that has no end, is looked at within
// bounds.
func TestHeader(t *testing.T) {
	for text, want := range map[string]bool{
		"Subject: Report Domain: x\r\n\r\n":                                      true,
		"Subject: x\n\nSubject: Report Domain: x\n":                              false,
		strings.Repeat("X: y\r\n", 10_000) + "Subject: Report Domain: x\r\n\r\n": false,
	} {
		e := (&authreport.Counter{}).Start(auth.Input{})
		for i := range len(text) {
			if n, err := e.Write([]byte{text[i]}); n != 1 || err != nil {
				t.Fatal(n, err)
			}
		}
		if f := e.Finish(t.Context()); (f.Value != nil) != want || f.Statements != nil || f.Err != nil {
			t.Errorf("%.40q: %+v", text, f)
		}
	}
}
