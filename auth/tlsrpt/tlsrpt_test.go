package tlsrpt

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/dnsx"
)

func join(list []*url.URL) string {
	var s []string
	for _, u := range list {
		s = append(s, u.String())
	}
	return strings.Join(s, " ")
}

func TestParseRecord(t *testing.T) {
	const bad = "bad"
	for text, want := range map[string]string{
		"v=TLSRPTv1; rua=mailto:reports@example.com":                   "mailto:reports@example.com",
		"v=TLSRPTv1;rua=https://reporting.example.com/v1/tlsrpt;":      "https://reporting.example.com/v1/tlsrpt",
		"v=TLSRPTv1 ; rua=mailto:a@b , https://c/d ; ":                 "mailto:a@b https://c/d",
		"v=TLSRPTv1; x=y; rua=mailto:a@b; rua=mailto:c@d":              "mailto:a@b",
		"v=TLSRPTv1; rua=gopher://x/y":                                 "",
		"v=TLSRPTv1; rua=http://x/y,mailto:a@b":                        "mailto:a@b",
		"v=TLSRPTv1; rua=https://user:secret@x/y":                      "",
		"v=TLSRPTv1; rua=https:///y":                                   "",
		"v=TLSRPTv1; rua=mailto:a@b?bcc=c@d":                           "",
		"v=TLSRPTv1; rua=mailto:a@b%0d%0aRCPT:x":                       "",
		"v=TLSRPTv1; rua=mailto:a":                                     "",
		"v=TLSRPTv1; rua=mailto:@b":                                    "",
		"v=TLSRPTv1; rua=mailto:a@":                                    "",
		"v=TLSRPTv1; rua=mailto:a@b%2Cc@d":                             "",
		"v=TLSRPTv1; rua=" + strings.Repeat("mailto:a@b,", 20) + "x:y": strings.TrimSpace(strings.Repeat("mailto:a@b ", maxAddresses)),

		"":                                    bad,
		"v=TLSRPTv1":                          bad,
		"v=TLSRPTv1;":                         bad,
		"v=tlsrptv1; rua=mailto:a@b":          bad,
		"v=TLSRPTv10; rua=mailto:a@b":         bad,
		"v=TLSRPTv1; rua=":                    bad,
		"v=TLSRPTv1; rua":                     bad,
		"v=TLSRPTv1; rua=a@b":                 bad,
		"v=TLSRPTv1; rua=mailto:a@b,":         bad,
		"v=TLSRPTv1; rua=mailto:a@b\r\n":      bad,
		"v=TLSRPTv1; x=y\x00; rua=mailto:a@b": bad,
		"v=TLSRPTv1; x=y":                     bad,
		"v=TLSRPTv1; ;rua=mailto:a@b":         bad,
	} {
		r, err := ParseRecord(text)
		if (err != nil) != (want == bad) || err != nil && !errors.Is(err, ErrRecord) || err == nil && join(r.Addresses) != want {
			t.Errorf("%q: %q, %v; want %q", text, join(r.Addresses), err, want)
		}
	}
}

type texts struct {
	list []string
	err  error
}

func (x texts) Lookup(_ context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	switch {
	case name != "_smtp._tls.example.org" || t != dnsx.TXT:
		return nil, errors.New("another question")
	case x.err != nil:
		return nil, &dnsx.Error{Name: name, Type: t, Kind: x.err}
	}
	return &dnsx.Answer{Texts: x.list}, nil
}

func TestLookup(t *testing.T) {
	const one = "v=TLSRPTv1; rua=mailto:a@b"
	for _, c := range []struct {
		r    texts
		want error
	}{
		{texts{list: []string{"v=spf1 -all", one, "v=TLSRPTv2; rua=x"}}, nil},
		{texts{list: []string{one, one}}, ErrRecord},
		{texts{list: []string{one, "v=TLSRPTv1; x"}}, ErrRecord},
		{texts{list: []string{"v=spf1 -all"}}, ErrNoRecord},
		{texts{err: dnsx.ErrNXDomain}, ErrNoRecord},
		{texts{err: dnsx.ErrNoData}, ErrNoRecord},
		{texts{err: dnsx.ErrServFail}, dnsx.ErrServFail},
		{texts{err: dnsx.ErrTimeout}, dnsx.ErrTimeout},
	} {
		if r, err := Lookup(t.Context(), c.r, "example.org."); !errors.Is(err, c.want) || err == nil && join(r.Addresses) != "mailto:a@b" {
			t.Errorf("%+v: %+v, %v", c.r, r, err)
		}
	}
}

func TestClassify(t *testing.T) {
	verify := func(err error) error {
		return fmt.Errorf("dial: %w", &tls.CertificateVerificationError{Err: err})
	}
	for want, err := range map[Result]error{
		CertificateHostMismatch: verify(x509.HostnameError{Certificate: &x509.Certificate{}}),
		CertificateExpired:      verify(x509.CertificateInvalidError{Reason: x509.Expired}),
		CertificateNotTrusted:   verify(x509.UnknownAuthorityError{}),
		ValidationFailure:       verify(io.ErrUnexpectedEOF),
	} {
		if got := Classify(err); got != want {
			t.Errorf("%v: %s", err, got)
		}
	}
	if got := Classify(x509.CertificateInvalidError{Reason: x509.NameConstraintsWithoutSANs}); got != CertificateNotTrusted {
		t.Error(got)
	}
}

var noon = time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)

func decode(t *testing.T, r *Report) (text string, parsed reportJSON) {
	t.Helper()
	var b bytes.Buffer
	if err := r.Encode(&b); err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(z)
	if err != nil || json.Unmarshal(raw, &parsed) != nil {
		t.Fatal(err, string(raw))
	}
	return strings.TrimSpace(string(raw)), parsed
}

const golden = `{"organization-name":"Company-X","date-range":{"start-datetime":"2026-04-01T00:00:00Z","end-datetime":"2026-04-01T23:59:59Z"},` +
	`"contact-info":"sts@company-x.example","report-id":"ID","policies":[{"policy":{"policy-type":"sts","policy-string":["version: STSv1","mode: testing"],` +
	`"policy-domain":"company-y.example","mx-host":["*.mail.company-y.example"]},"summary":{"total-successful-session-count":3,"total-failure-session-count":3},` +
	`"failure-details":[{"result-type":"certificate-expired","sending-mta-ip":"2001:db8::1","receiving-mx-hostname":"mx1.mail.company-y.example","failed-session-count":2},` +
	`{"result-type":"validation-failure","failed-session-count":1,"failure-reason-code":"X"}]},` +
	`{"policy":{"policy-type":"no-policy-found","policy-domain":"company-y.example"},"summary":{"total-successful-session-count":1,"total-failure-session-count":0}}]}`

func TestReport(t *testing.T) {
	c := &Collector{Organization: "Company-X", Contact: "sts@company-x.example", Submitter: "company-x.example"}
	sts := Policy{Type: STS, Lines: []string{"version: STSv1", "mode: testing"}, MX: []string{"*.mail.company-y.example"}}
	add := func(p Policy, f *Failure) {
		c.Add(Session{Domain: "Company-Y.example.", Policy: p, Failure: f, Time: noon})
	}
	for range 3 {
		add(sts, nil)
	}
	for range 2 {
		add(sts, &Failure{Result: CertificateExpired, SendingIP: "2001:db8::1", MXHost: "mx1.mail.company-y.example"})
	}
	add(sts, &Failure{Reason: "X"})
	sts.Lines[0] = "changed" // what was counted is the Collector's
	add(Policy{}, nil)
	c.Add(Session{Domain: "a.example", Time: noon.Add(day)})
	c.Add(Session{Domain: "b.example", Time: noon.Add(-day)})

	if got := c.Take(time.Date(2026, 4, 1, 23, 59, 59, 0, time.UTC)); len(got) != 1 || got[0].Domain != "b.example" {
		t.Error("the day is not over", got)
	}
	got := c.Take(noon.Add(12 * time.Hour))
	if len(got) != 1 {
		t.Fatal(got)
	}
	r := got[0]
	if r.ID == "" || r.Filename() != fmt.Sprintf("company-x.example!company-y.example!1775001600!1775087999!%s.json.gz", r.ID) {
		t.Error(r.ID, r.Filename())
	}
	r.ID = "ID"
	if text, _ := decode(t, r); text != golden {
		t.Errorf("%s\nwant\n%s", text, golden)
	}
	if got := c.Take(noon.Add(3 * day)); len(got) != 1 || got[0].Domain != "a.example" || len(c.counted) != 0 {
		t.Error(got)
	}
	if got := c.Take(noon.Add(4 * day)); got != nil {
		t.Error("taken twice", got)
	}
}

// TestBounds: whatever others make us count, memory is bounded and each
// session is counted (invariant T1).
func TestBounds(t *testing.T) {
	c := &Collector{MaxDomains: 2}
	total := 0
	for i := range 50 {
		for j := range 300 {
			f := &Failure{MXHelo: fmt.Sprint(j, strings.Repeat("\xffx", 1000)), Result: Result(fmt.Sprint("r", j%60))}
			c.Add(Session{Domain: "a.example", Policy: Policy{Lines: []string{fmt.Sprint(i)}}, Failure: f, Time: noon})
			total++
		}
	}
	c.Add(Session{Domain: "b.example", Policy: Policy{Lines: make([]string, 1000)}, Time: noon})
	for range 5 {
		c.Add(Session{Domain: "c.example", Time: noon})
	}
	if c.Dropped() != 5 {
		t.Error(c.Dropped())
	}
	reports := c.Take(noon.Add(day))
	if len(reports) != 2 {
		t.Fatal(reports)
	}
	_, parsed := decode(t, reports[0])
	sum := int64(0)
	for _, p := range parsed.Policies {
		sum += p.Summary.Failures
		details := int64(0)
		for _, d := range p.Details {
			details += d.Count
			if len(d.MXHelo) > maxText || strings.ContainsRune(d.MXHelo, '\ufffd') {
				t.Errorf("%q", d.MXHelo)
			}
		}
		if details != p.Summary.Failures || len(p.Details) > maxFailures+21 {
			t.Error(details, p.Summary, len(p.Details))
		}
	}
	if sum != int64(total) || len(parsed.Policies) != maxPolicies {
		t.Error(sum, total, len(parsed.Policies))
	}
	if _, parsed = decode(t, reports[1]); len(parsed.Policies[0].Policy.Lines) != maxLines {
		t.Error(len(parsed.Policies[0].Policy.Lines))
	}
	c.Add(Session{Domain: "c.example", Time: noon}) // there is room again
	if c.Dropped() != 5 || len(c.Take(noon.Add(day))) != 1 {
		t.Error(c.Dropped())
	}
}

// The bounds of domains, policies and failures do not multiply: all together
// take MaxBytes, and what is known already is counted on.
func TestMaxBytes(t *testing.T) {
	const limit = 1 << 20
	c := &Collector{MaxBytes: limit}
	long := strings.Repeat("x", maxText)
	known := Session{Domain: "known.example", Failure: &Failure{Result: CertificateExpired, Reason: long}, Time: noon}
	c.Add(known)
	total := int64(1)
	for i := range 100 {
		for j := range 10 {
			s := Session{Domain: fmt.Sprintf("%d.example", i), Policy: Policy{Lines: []string{fmt.Sprint(j), long}, MX: []string{long}}, Time: noon.Add(time.Duration(i%2) * day)}
			c.Add(s)
			for k := range 5 {
				s.Failure = &Failure{Reason: fmt.Sprint(k) + long, MXHelo: long, MXHost: long}
				c.Add(s)
			}
			total += 6
		}
	}
	if c.bytes > limit || c.bytes < limit-10_000 || c.Dropped() == 0 {
		t.Errorf("%d bytes, %d dropped", c.bytes, c.Dropped())
	}
	dropped := c.Dropped()
	c.Add(known)
	if total++; c.Dropped() != dropped {
		t.Error("what takes no memory is dropped")
	}
	count := func(reports []*Report) (n int64) {
		for _, r := range reports {
			if len(r.counts) == 0 {
				t.Errorf("a report of nothing: %s", r.Domain)
			}
			for _, p := range r.counts {
				one := p.successes
				for _, k := range p.failures {
					one += k
				}
				if one == 0 {
					t.Errorf("a policy without sessions: %s", r.Domain)
				}
				n += one
			}
		}
		return n
	}
	n := count(c.Take(noon.Add(day)))
	if c.bytes <= 0 {
		t.Errorf("%d bytes after one of two days", c.bytes)
	}
	if n += count(c.Take(noon.Add(3 * day))); n+c.Dropped() != total || c.bytes != 0 {
		t.Errorf("%d counted, %d dropped of %d; %d bytes are left", n, c.Dropped(), total, c.bytes)
	}
}

func TestConcurrent(t *testing.T) {
	c := &Collector{}
	var all sync.WaitGroup
	var mu sync.Mutex
	sum := int64(0)
	take := func() {
		for _, r := range c.Take(noon.Add(day)) {
			mu.Lock()
			sum += r.counts[0].successes
			mu.Unlock()
		}
	}
	for range 8 {
		all.Go(func() {
			for range 200 {
				c.Add(Session{Domain: "a.example", Time: noon})
				take()
			}
		})
	}
	all.Wait()
	if take(); sum != 1600 {
		t.Error(sum)
	}
}

func TestOrder(t *testing.T) {
	c := &Collector{}
	for i := range 60 {
		c.Add(Session{Domain: fmt.Sprintf("%c.example", 'a'+i%20), Time: noon.Add(time.Duration(i%3) * day)})
	}
	last := ""
	for _, r := range c.Take(noon.Add(9 * day)) {
		if next := r.Start.Format(time.DateOnly) + r.Domain; next <= last {
			t.Error(last, next)
		} else {
			last = next
		}
	}
}

func TestFilename(t *testing.T) {
	r := &Report{Submitter: "../x", Domain: "a/b!c\r\nX: y", ID: "é", Start: noon, End: noon}
	if got := r.Filename(); got != ".._x!a_b_c__X__y!1775044800!1775044800!_.json.gz" {
		t.Error(got)
	}
}

func FuzzRecord(f *testing.F) {
	f.Add("v=TLSRPTv1; rua=mailto:a@b,https://c/d; x=y")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseRecord(text)
		if err != nil && !errors.Is(err, ErrRecord) || len(r.Addresses) > maxAddresses {
			t.Fatal(r, err)
		}
		for _, u := range r.Addresses {
			again, err := ParseRecord("v=TLSRPTv1; rua=" + strings.ReplaceAll(u.String(), ";", "%3B"))
			to, _ := url.PathUnescape(u.Opaque)
			if err != nil || len(again.Addresses) != 1 || strings.ContainsAny(u.String()+to, "\r\n\x00") || u.Host == "" && !strings.Contains(to, "@") {
				t.Fatalf("%q: %q, %v", text, u, err)
			}
		}
	})
}
