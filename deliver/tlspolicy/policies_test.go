package tlspolicy

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/dane"
	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/auth/mtasts"
	"github.com/mailstead/mailstead/auth/tlsrpt"
	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/internal/certtest"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
)

// world is a DNS, a web and mail hosts without a network.
type world struct {
	t       *testing.T
	records map[string]*dnsx.Answer // by type and name
	broken  map[string]error        // by type and name
	policy  string                  // of mta-sts.example.org; "" = nobody answers
	fetches int
	web     *x509.Certificate
	roots   *x509.CertPool
	certs   map[string]tls.Certificate // host, domain, alone
	ca      *x509.Certificate
}

func newWorld(t *testing.T) *world {
	ca := certtest.New(t)
	w := &world{t: t, records: map[string]*dnsx.Answer{}, broken: map[string]error{}, roots: x509.NewCertPool(), certs: map[string]tls.Certificate{}}
	w.roots.AddCert(ca.Cert)
	w.ca = ca.Cert
	for name, dns := range map[string]string{"host": "mx.example.org", "domain": "example.org", "foreign": "mx.example.net"} {
		key, cert := ca.Issue(t, &x509.Certificate{DNSNames: []string{dns}})
		w.certs[name] = certtest.Chain(key, cert)
	}
	key, cert := new(certtest.Authority).Issue(t, &x509.Certificate{DNSNames: []string{"mx.example.org"}})
	w.certs["alone"] = certtest.Chain(key, cert)
	key, cert = ca.Issue(t, &x509.Certificate{DNSNames: []string{"mx.example.org"}, NotAfter: time.Now().Add(-time.Hour)})
	w.certs["expired"] = certtest.Chain(key, cert)
	_, w.web = ca.Issue(t, &x509.Certificate{DNSNames: []string{"mta-sts.example.org"}})
	w.records["A mx.example.org"] = &dnsx.Answer{Name: "mx.example.org", Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.1")}, Secure: true}
	return w
}

func (w *world) Lookup(_ context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	key := t.String() + " " + strings.TrimSuffix(name, ".")
	if err := w.broken[key]; err != nil {
		return nil, &dnsx.Error{Name: name, Type: t, Kind: err}
	}
	if a := w.records[key]; a != nil {
		return a, nil
	}
	return nil, &dnsx.Error{Name: name, Type: t, Kind: dnsx.ErrNXDomain}
}

func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	w.fetches++
	if w.policy == "" {
		return nil, io.ErrUnexpectedEOF
	}
	return &http.Response{
		StatusCode: 200, Header: http.Header{"Content-Type": {"text/plain"}}, Body: io.NopCloser(strings.NewReader(w.policy)), Request: r,
		TLS: &tls.ConnectionState{PeerCertificates: []*x509.Certificate{w.web}, VerifiedChains: [][]*x509.Certificate{{w.web}}},
	}, nil
}

// publish sets the MTA-STS policy.
func (w *world) publish(id, mode, mx string) {
	w.records["TXT _mta-sts.example.org"] = &dnsx.Answer{Texts: []string{"v=STSv1; id=" + id}}
	w.policy = "version: STSv1\nmode: " + mode + "\nmx: " + mx + "\nmax_age: 86400\n"
}

// tlsa publishes the certificate of this name.
func (w *world) tlsa(name string, usage uint8) {
	sum := sha256.Sum256(w.certs[name].Certificate[0])
	w.records["TLSA _25._tcp.mx.example.org"] = &dnsx.Answer{Secure: true, TLSA: []dnsx.Association{{Usage: usage, Selector: 0, Matching: 1, Data: sum[:]}}}
}

func (w *world) policies() *Policies {
	return &Policies{
		DANE: w, STS: &mtasts.Cache{Resolver: w, Fetcher: &mtasts.Fetcher{Client: &http.Client{Transport: w}}},
		Collector: &tlsrpt.Collector{}, Roots: w.roots,
	}
}

// shake is a handshake with a host that shows a certificate.
func (w *world) shake(rule deliver.TLSRule, name string) error {
	client, server := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s := tls.Server(server, &tls.Config{Certificates: []tls.Certificate{w.certs[name]}})
		_ = s.HandshakeContext(context.Background())
		server.Close()
	}()
	err := tls.Client(client, rule.Config).HandshakeContext(w.t.Context())
	client.Close()
	<-done
	return err
}

// counted is what a Collector has, one line for each kind of session.
func counted(t *testing.T, c *tlsrpt.Collector) (lines []string) {
	t.Helper()
	for _, r := range c.Take(time.Now().Add(24 * time.Hour)) {
		var b bytes.Buffer
		if err := r.Encode(&b); err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(&b)
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Policies []struct {
				Policy struct {
					Type string `json:"policy-type"`
				} `json:"policy"`
				Summary struct {
					Good int `json:"total-successful-session-count"`
				} `json:"summary"`
				Details []struct {
					Result string `json:"result-type"`
					Reason string `json:"failure-reason-code"`
					Count  int    `json:"failed-session-count"`
				} `json:"failure-details"`
			} `json:"policies"`
		}
		if err := json.NewDecoder(z).Decode(&doc); err != nil {
			t.Fatal(err)
		}
		for _, p := range doc.Policies {
			if p.Summary.Good > 0 {
				lines = append(lines, fmt.Sprintf("%s good %d", p.Policy.Type, p.Summary.Good))
			}
			for _, d := range p.Details {
				lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %d %s", p.Policy.Type, d.Result, d.Count, d.Reason)))
			}
		}
	}
	slices.Sort(lines)
	return lines
}

var secureHost = deliver.MXHost{Name: "mx.example.org", Target: "mx.example.org", MXSecure: true, AddrSecure: true}

// TestHandshakes: what is published, what a host shows, whether it gets mail, and
// what is counted.
func TestHandshakes(t *testing.T) {
	const plain = "" // the host offers no STARTTLS
	for _, c := range []struct {
		name   string
		static Static
		world  func(w *world)
		shows  string
		want   string // "" = taken
		count  string
	}{
		{"nothing", Static{}, func(*world) {}, "alone", "", "no-policy-found good 1"},
		{"nothing, plain", Static{}, func(*world) {}, plain, "", "no-policy-found starttls-not-supported 1"},
		{"encrypt, plain", Static{Level: Encrypt}, func(*world) {}, plain, "tls required", "no-policy-found starttls-not-supported 1"},
		{"dane", Static{}, func(w *world) { w.tlsa("alone", 3) }, "alone", "", "tlsa good 1"},
		{"dane, other certificate", Static{}, func(w *world) { w.tlsa("alone", 3) }, "host", "no TLSA record", "tlsa validation-failure 1 tlsa-no-match"},
		{"dane, plain", Static{}, func(w *world) { w.tlsa("alone", 3) }, plain, "tls required", "tlsa starttls-not-supported 1"},
		{"dane beats sts", Static{}, func(w *world) { w.tlsa("alone", 3); w.publish("1", "enforce", "mx.example.net") }, "alone", "", "tlsa good 1"},
		{"dane fails though sts would do", Static{}, func(w *world) { w.tlsa("alone", 3); w.publish("1", "enforce", "mx.example.org") }, "host", "no TLSA record", "tlsa validation-failure 1 tlsa-no-match"},
		{"dane unusable", Static{}, func(w *world) { w.tlsa("alone", 1) }, "host", "", "tlsa tlsa-invalid 1"},
		{"dane not validated", Static{}, func(w *world) { w.tlsa("alone", 3); w.records["TLSA _25._tcp.mx.example.org"].Secure = false }, "host", "", "no-policy-found good 1"},
		{"dane and secure", Static{Level: Secure}, func(w *world) { w.tlsa("alone", 3) }, "alone", "chain of certificates", ""},
		{"dane and fingerprint", Static{Level: Secure}, func(w *world) { w.tlsa("host", 3) }, "host", "", "tlsa good 1"},
		{"dane bogus", Static{}, func(w *world) { w.broken["TLSA _25._tcp.mx.example.org"] = dnsx.ErrBogus }, "host", "cannot be judged", "tlsa dnssec-invalid 1 tlsa-lookup-failed"},
		{"dane broken", Static{}, func(w *world) { w.broken["TLSA _25._tcp.mx.example.org"] = dnsx.ErrServFail }, "host", "cannot be judged", "tlsa dnssec-invalid 1 tlsa-lookup-failed"},
		{"dane-only", Static{Level: DANEOnly}, func(*world) {}, "host", "DANE is required", "no-policy-found dane-required 1 dane-required"},
		{"sts", Static{}, func(w *world) { w.publish("1", "enforce", "*.example.org") }, "host", "", "sts good 1"},
		{"sts, no authority", Static{}, func(w *world) { w.publish("1", "enforce", "*.example.org") }, "alone", "unknown authority", "sts certificate-not-trusted 1"},
		{"sts, other name", Static{}, func(w *world) { w.publish("1", "enforce", "*.example.org") }, "foreign", "mx.example.net", "sts certificate-host-mismatch 1"},
		{"sts, expired", Static{}, func(w *world) { w.publish("1", "enforce", "*.example.org") }, "expired", "expired", "sts certificate-expired 1"},
		{"sts, plain", Static{}, func(w *world) { w.publish("1", "enforce", "*.example.org") }, plain, "tls required", "sts starttls-not-supported 1"},
		{"sts, other host", Static{}, func(w *world) { w.publish("1", "enforce", "mx.example.net") }, "host", "not a host", "sts validation-failure 1 mx-not-in-policy"},
		{"sts testing", Static{}, func(w *world) { w.publish("1", "testing", "mx.example.org") }, "host", "", "sts good 1"},
		{"sts testing, no authority", Static{}, func(w *world) { w.publish("1", "testing", "mx.example.org") }, "alone", "", "sts certificate-not-trusted 1"},
		{"sts testing, other host", Static{}, func(w *world) { w.publish("1", "testing", "mx.example.net") }, "host", "", "sts validation-failure 1 mx-not-in-policy"},
		{"sts testing, plain", Static{}, func(w *world) { w.publish("1", "testing", "mx.example.org") }, plain, "", "sts starttls-not-supported 1"},
		{"sts none", Static{}, func(w *world) { w.publish("1", "none", "mx.example.net") }, "alone", "", "no-policy-found good 1"},
		{"sts cannot be fetched", Static{}, func(w *world) { w.publish("1", "", ""); w.policy = "" }, "alone", "", "no-policy-found good 1,sts sts-policy-fetch-error 1 policy-fetch-failed"},
		{"sts is broken", Static{}, func(w *world) { w.publish("1", "nonsense", "") }, "alone", "", "no-policy-found good 1,sts sts-policy-invalid 1 policy-invalid"},
		{"sts of another", Static{}, func(w *world) { w.publish("1", "enforce", "mx.example.org"); w.web = leaf(w.certs["host"]) }, "alone", "", "no-policy-found good 1,sts sts-webpki-invalid 1 policy-host-certificate"},
		{"override", Static{Level: Opportunistic, Override: true}, func(w *world) { w.tlsa("host", 3); w.publish("1", "enforce", "x.example") }, "alone", "", "no-policy-found good 1"},
		{"verify", Static{Level: Verify}, func(*world) {}, "host", "", "no-policy-found good 1"},
		{"verify, other name", Static{Level: Verify}, func(*world) {}, "domain", "name of the certificate", ""},
		{"secure", Static{Level: Secure}, func(*world) {}, "domain", "", "no-policy-found good 1"},
		{"secure, below the domain", Static{Level: Secure}, func(*world) {}, "host", "", "no-policy-found good 1"},
		{"secure, other name", Static{Level: Secure}, func(*world) {}, "foreign", "name of the certificate", ""},
		{"secure, named", Static{Level: Secure, Names: []string{".example.net"}}, func(*world) {}, "foreign", "", "no-policy-found good 1"},
		{"secure, nobody", Static{Level: Secure}, func(*world) {}, "alone", "chain of certificates", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			c.world(w)
			p := w.policies()
			p.Static = &Table{Default: c.static}
			if err := connect(t, w, p, secureHost, c.shows); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if got := strings.Join(counted(t, p.Collector), ","); got != c.count {
				t.Errorf("counted %q, want %q", got, c.count)
			}
		})
	}
}

func leaf(c tls.Certificate) *x509.Certificate {
	cert, _ := x509.ParseCertificate(c.Certificate[0])
	return cert
}

// connect does what delivery does with a rule.
func connect(t *testing.T, w *world, p *Policies, h deliver.MXHost, shows string) error {
	policy, err := p.Policy(t.Context(), "example.org")
	if err != nil {
		return err
	}
	rule, err := policy.Rule(t.Context(), h)
	if err != nil {
		return err
	}
	if rule.Required == rule.PlaintextRetry {
		t.Errorf("%+v", rule)
	}
	switch {
	case shows != "":
		err = w.shake(rule, shows)
	case rule.Required:
		err = fmt.Errorf("tls required: %w", smtpclient.ErrTLSRequired)
	}
	policy.Observe(h, netip.MustParseAddr("192.0.2.1"), rule, err)
	return err
}

// TestNames: which names a certificate under a trust anchor may have (RFC 7672
// §3.2.2), and which one SNI says (§8.1).
func TestNames(t *testing.T) {
	w := newWorld(t)
	w.records["A mx.example.org"].Name = "mx.example.com" // the end of its CNAMEs
	w.records["TLSA _25._tcp.mx.example.com"] = &dnsx.Answer{Secure: true, TLSA: []dnsx.Association{{Usage: 2, Data: w.ca.Raw}}}
	p := w.policies()
	p.InsecureMX = true
	if err := connect(t, w, p, secureHost, "domain"); err != nil {
		t.Error("the domain of the recipient:", err)
	}
	insecure := secureHost
	insecure.MXSecure = false
	if err := connect(t, w, p, insecure, "domain"); !errors.Is(err, dane.ErrName) {
		t.Error("MX records that nobody vouches for:", err)
	}
	policy, err := p.Policy(t.Context(), "example.org")
	if err != nil {
		t.Fatal(err)
	}
	if rule, err := policy.Rule(t.Context(), secureHost); err != nil || rule.Config.ServerName != "mx.example.com" {
		t.Errorf("%+v, %v", rule, err)
	}
}

func TestFingerprint(t *testing.T) {
	w := newWorld(t)
	cert := leaf(w.certs["alone"])
	for name, sum := range map[string][32]byte{"cert": sha256.Sum256(cert.Raw), "key": sha256.Sum256(cert.RawSubjectPublicKeyInfo)} {
		p := w.policies()
		p.Static = &Table{Default: Static{Level: Fingerprint, Fingerprints: [][32]byte{{}, sum}}}
		if err := connect(t, w, p, secureHost, "alone"); err != nil {
			t.Error(name, err)
		}
		if err := connect(t, w, p, secureHost, "host"); !errors.Is(err, ErrFingerprint) {
			t.Error(name, err)
		}
	}
}

// TestUnknown is invariant P1.
func TestUnknown(t *testing.T) {
	w := newWorld(t)
	p := w.policies()
	w.broken["TXT _mta-sts.example.org"] = dnsx.ErrServFail
	unknown, err := p.Policy(t.Context(), "example.org")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unknown.Rule(t.Context(), secureHost); !errors.Is(err, ErrUnknown) {
		t.Error("the record cannot be looked up:", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Policy(ended, "example.org"); !errors.Is(err, ErrUnknown) {
		t.Error("who asks has no time:", err)
	}
	p.Static = &Table{Default: Static{Level: Encrypt, Override: true}}
	if _, err := p.Policy(t.Context(), "example.org"); err != nil {
		t.Error("nobody asks for it:", err)
	}
	p = w.policies()
	w.broken = map[string]error{"A mx.example.org": dnsx.ErrTimeout}
	policy, err := p.Policy(t.Context(), "Example.ORG.")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := policy.Rule(t.Context(), secureHost); !errors.Is(err, dane.ErrLookup) || !errors.Is(err, ErrDANE) {
		t.Error("no addresses:", err)
	}
	w.broken = nil
	delete(w.records, "A mx.example.org")
	if _, err := policy.Rule(t.Context(), secureHost); !errors.Is(err, dane.ErrNoAddress) {
		t.Error("none at all:", err)
	}
}

// TestPolicyLives: a policy that is known holds where its record cannot be looked
// up, and a host is passed over only when there is no newer one (P5).
func TestPolicyLives(t *testing.T) {
	w := newWorld(t)
	p := w.policies()
	w.publish("1", "enforce", "mx.example.net")
	if err := connect(t, w, p, secureHost, "host"); !errors.Is(err, ErrNotNamed) {
		t.Fatal(err)
	}
	w.broken["TXT _mta-sts.example.org"] = dnsx.ErrServFail
	if err := connect(t, w, p, secureHost, "host"); !errors.Is(err, ErrNotNamed) {
		t.Error("it is alive:", err)
	}
	delete(w.broken, "TXT _mta-sts.example.org")
	policy, err := p.Policy(t.Context(), "example.org")
	if err != nil {
		t.Fatal(err)
	}
	w.publish("2", "enforce", "mx.example.org") // after the attempt has begun
	rule, err := policy.Rule(t.Context(), secureHost)
	if err != nil || rule.Source != "mta-sts" || w.fetches != 2 {
		t.Errorf("%+v, %v, %d fetches", rule, err, w.fetches)
	}
}

// TestIdentity is invariant P4.
func TestIdentity(t *testing.T) {
	w := newWorld(t)
	seen := map[string]string{}
	for _, c := range []struct {
		name, domain string
		static       Static
		dane         bool
		sts          bool
		prefix       string
	}{
		{"sts", "example.org", Static{}, false, true, "mta-sts:mx.example.org"},
		{"dane", "example.org", Static{}, true, false, "dane:"},
		{"verify", "example.org", Static{Level: Verify}, false, false, "static:verify:mx.example.org"},
		{"secure", "example.org", Static{Level: Secure}, false, false, "static:secure:example.org,.example.org"},
		{"secure of another", "example.com", Static{Level: Secure}, false, false, "static:secure:example.com,.example.com"},
		{"fingerprint", "example.org", Static{Level: Fingerprint, Fingerprints: [][32]byte{{1}}}, false, false, "static:fingerprint:"},
		{"another", "example.org", Static{Level: Fingerprint, Fingerprints: [][32]byte{{2}}}, false, false, "static:fingerprint:"},
		{"dane and secure", "example.org", Static{Level: Secure}, true, false, "dane:"},
		{"nothing", "example.org", Static{}, false, false, ""},
	} {
		w.records = map[string]*dnsx.Answer{"A mx.example.org": w.records["A mx.example.org"]}
		if c.dane {
			w.tlsa("alone", 3)
		}
		if c.sts {
			w.publish("1", "enforce", "mx.example.org")
		}
		p := w.policies()
		p.Static = &Table{Default: c.static}
		policy, err := p.Policy(t.Context(), c.domain)
		if err != nil {
			t.Fatal(err)
		}
		rule, err := policy.Rule(t.Context(), secureHost)
		if err != nil || !strings.HasPrefix(rule.Identity, c.prefix) || c.prefix == "" && rule.Identity != "" {
			t.Errorf("%s: %q, %v", c.name, rule.Identity, err)
		}
		if other, ok := seen[rule.Identity]; ok {
			t.Errorf("%s and %s are %q", c.name, other, rule.Identity)
		}
		seen[rule.Identity] = c.name
	}
	ta := func(usage uint8, names ...string) string {
		return digest(&dane.Policy{Base: "mx.example.org", Names: names, Records: []dnsx.Association{{Usage: usage, Data: []byte{1}}}})
	}
	if ta(3, "a") != ta(3, "b") || ta(2, "a") == ta(2, "b") {
		t.Error("names count for trust anchors, and for nothing else")
	}
}

// TestNone: no TLS, and nothing to report.
func TestNone(t *testing.T) {
	w := newWorld(t)
	p := w.policies()
	p.Static = &Table{Domains: map[string]Static{"example.org": {Level: None, Override: true}}}
	policy, err := p.Policy(t.Context(), "example.org")
	if err != nil {
		t.Fatal(err)
	}
	rule, err := policy.Rule(t.Context(), secureHost)
	if err != nil || rule.Source != "none" || rule.Required {
		t.Errorf("%+v, %v", rule, err)
	}
	policy.Observe(secureHost, netip.Addr{}, rule, nil)
	if got := counted(t, p.Collector); got != nil {
		t.Error(got)
	}
}

// TestRefusedStartTLS: a reply in place of a handshake, and nothing of its text.
func TestRefusedStartTLS(t *testing.T) {
	w := newWorld(t)
	p := w.policies()
	policy, err := p.Policy(t.Context(), "example.org")
	if err != nil {
		t.Fatal(err)
	}
	rule, err := policy.Rule(t.Context(), secureHost)
	if err != nil {
		t.Fatal(err)
	}
	policy.Observe(secureHost, netip.Addr{}, rule, smtp.Errorf(454, smtp.EnhancedCode{}, "joe@example.com cannot"))
	policy.Observe(secureHost, netip.Addr{}, rule, context.Canceled)
	if got := strings.Join(counted(t, p.Collector), ","); got != "no-policy-found starttls-not-supported 1 reply-454" {
		t.Error(got)
	}
}

// hops is a next hop whose policy is asked for while it takes a message.
type hops struct {
	t   *testing.T
	w   *world
	p   *Policies
	got io.Writer
}

func (h hops) Key(smtp.ForwardPath) string { return "example.org" }

func (h hops) Receiver(key string) (smtp.Receiver, string) {
	return smtp.ReceiveFunc(func(ctx context.Context, _ *smtp.Envelope, r io.Reader) error {
		policy, err := h.p.Policy(ctx, key)
		if err != nil {
			return err
		}
		rule, err := policy.Rule(ctx, secureHost)
		if err != nil {
			return err
		}
		policy.Observe(secureHost, netip.Addr{}, rule, h.w.shake(rule, "host"))
		_, err = io.Copy(h.got, r)
		return err
	}), key
}

// TestReportsAreNotCounted is invariant P6.
func TestReportsAreNotCounted(t *testing.T) {
	const report = "From: a@b\r\nTLS-Report-Domain: example.org\r\n\r\ntext\r\n"
	for _, c := range []struct {
		name, text string
		notify     smtp.Notify
		want       string
	}{
		{"report", report, smtp.NotifyNever, ""},
		{"stored report", report, smtp.NotifyNever, ""},
		{"stored message", "From: a@b\r\n\r\n" + strings.Repeat("text\r\n", 10_000), smtp.NotifyNever, "no-policy-found good 1"},
		{"another message", "From: a@b\r\n\r\nTLS-Report-Domain: example.org\r\n", smtp.NotifyNever, "no-policy-found good 1"},
		{"of a user", report, 0, "no-policy-found good 1"},
		{"long", "X: " + strings.Repeat("x", 20_000) + "\r\n\r\n" + strings.Repeat("text\r\n", 10_000), smtp.NotifyNever, "no-policy-found good 1"},
		{"empty", "", smtp.NotifyNever, "no-policy-found good 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			p := w.policies()
			var got bytes.Buffer
			r, name := NextHops{hops{t, w, p, &got}}.Receiver("example.org")
			tx, err := r.Begin(t.Context(), &smtp.Mail{})
			if err != nil || name != "example.org" {
				t.Fatal(name, err)
			}
			tx.Rcpt(t.Context(), []*smtp.Recipient{{Params: smtp.RcptParams{Notify: c.notify}}})
			b := smtp.NewBody(strings.NewReader(c.text), -1)
			if strings.HasPrefix(c.name, "stored") {
				b = smtp.NewStoredBody(strings.NewReader(c.text), int64(len(c.text)), "ref", nil)
			}
			if _, err := tx.Data(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			if got.String() != c.text {
				t.Errorf("%d octets of %d", got.Len(), len(c.text))
			}
			if b.Stored() != nil && b.Size() != int64(len(c.text)) {
				t.Error("the size is forgotten")
			}
			if got := strings.Join(counted(t, p.Collector), ","); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// TestSmartHost: what an operator says of a host of his own.
func TestSmartHost(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		level    Level
		shows    string
		required bool
		taken    bool
	}{
		{Opportunistic, "alone", false, true},
		{Encrypt, "alone", true, true},
		{DANEOnly, "alone", true, true},
		{Verify, "host", true, true},
		{Verify, "foreign", true, false},
		{Secure, "host", true, true},
		{Secure, "alone", true, false},
	} {
		rule := (&Static{Level: c.level}).Rule("mx.example.org", w.roots)
		if err := w.shake(rule, c.shows); rule.Required != c.required || (err == nil) != c.taken {
			t.Errorf("%v, %s: %+v, %v", c.level, c.shows, rule, err)
		}
	}
	if rule := (&Static{Level: None, Override: true}).Rule("mx.example.org", nil); rule.Source != "none" || rule.PlaintextRetry {
		t.Errorf("%+v", rule)
	}
}

// A host that the domain's policy passes over is for messages with "TLS-Required:
// No" nonetheless, unless the operator asks for TLS (RFC 8689 §4.2.2); so is one of
// which nobody knows now what the policy says.
func TestWaivableRefusal(t *testing.T) {
	for level, want := range map[Level]bool{Opportunistic: true, Encrypt: false, Verify: false} {
		w := newWorld(t)
		w.publish("1", "enforce", "elsewhere.example.org")
		p := w.policies()
		p.Static = &Table{Default: Static{Level: level}}
		waivable(t, p, ErrNotNamed, level, want)
		w.broken["TXT _mta-sts.example.org"] = dnsx.ErrServFail
		p.STS = w.policies().STS // it knows no policy yet
		waivable(t, p, ErrUnknown, level, want)
	}
}

func waivable(t *testing.T, p *Policies, why error, level Level, want bool) {
	t.Helper()
	a, err := p.Policy(t.Context(), "example.org")
	if err != nil {
		t.Fatal(err)
	}
	rule, err := a.Rule(t.Context(), deliver.MXHost{Name: "mx.example.org", Target: "mx.example.org"})
	if !errors.Is(err, why) || rule.Waivable != want || !rule.Required {
		t.Errorf("%v: %+v, %v", level, rule, err)
	}
}
