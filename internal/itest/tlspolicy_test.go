package itest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/auth/mtasts"
	"github.com/mailstead/mailstead/auth/tlsrpt"
	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/deliver/tlspolicy"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
	"github.com/mailstead/mailstead/smtp/smtpserver"
)

// webAuthority issues certificates that clients with its roots trust.
type webAuthority struct {
	key   *ecdsa.PrivateKey
	cert  *x509.Certificate
	roots *x509.CertPool
}

func newWebAuthority(t *testing.T) *webAuthority {
	t.Helper()
	a := &webAuthority{roots: x509.NewCertPool()}
	a.key, a.cert = a.issue(t, &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	a.roots.AddCert(a.cert)
	return a
}

func (a *webAuthority) issue(t *testing.T, template *x509.Certificate) (*ecdsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, template.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: "itest"}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return key, cert
}

func (a *webAuthority) serving(t *testing.T, names ...string) tls.Certificate {
	t.Helper()
	key, cert := a.issue(t, &x509.Certificate{DNSNames: names})
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

// taken are the messages of a mail host, by the domain of the recipient.
type taken struct {
	mu   sync.Mutex
	tls  map[string]bool // whether it came under TLS
	addr netip.AddrPort
}

// newMailHost is a server that shows a certificate and takes everything.
func newMailHost(t *testing.T, cert tls.Certificate) *taken {
	t.Helper()
	k := &taken{tls: map[string]bool{}}
	server := smtpserver.New(smtpserver.Config{
		Logger: slog.New(slog.DiscardHandler), Hostname: "mx.signed.example", TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}},
		Receiver: smtp.ReceiveFunc(func(_ context.Context, env *smtp.Envelope, r io.Reader) error {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.tls[env.Recipients[0].ForwardPath.Domain] = env.Mail.Peer.TLS != nil
			_, err := io.Copy(io.Discard, r)
			return err
		}),
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	k.addr = l.Addr().(*net.TCPAddr).AddrPort()
	done := make(chan error, 1)
	go func() { done <- server.Serve(context.Background(), l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = server.Shutdown(ctx)
		<-done
	})
	return k
}

// how is "tls", "plain", or "" for what has not come.
func (k *taken) how(domain string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	under, ok := k.tls[domain]
	switch {
	case !ok:
		return ""
	case under:
		return "tls"
	}
	return "plain"
}

// newPolicyWeb serves the MTA-STS policies of domains, and returns a client that
// finds all names there.
func newPolicyWeb(t *testing.T, a *webAuthority, policies map[string]string) *http.Client {
	t.Helper()
	names := []string{}
	for domain := range policies {
		names = append(names, "mta-sts."+domain)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(w, policies[strings.TrimPrefix(r.Host, "mta-sts.")])
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that fail
	s.TLS = &tls.Config{Certificates: []tls.Certificate{a.serving(t, names...)}}
	s.StartTLS()
	t.Cleanup(s.Close)
	tr := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: a.roots},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, s.Listener.Addr().String())
		},
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// policyZones are the zones of TestTLSPolicies: signed.example and bogus.example
// are signed, the latter wrongly, and the rest of example is not.
func policyZones(t *testing.T, host *taken, cert tls.Certificate) *dnssecZones {
	t.Helper()
	right := sha256.Sum256(cert.Leaf.RawSubjectPublicKeyInfo)
	z := newDNSSEC(t, "signed.example", "bogus.example")
	for _, h := range []string{"mx", "wrong", "unusable", "forged"} {
		z.add(t, h+".signed.example. IN A 127.0.0.1")
	}
	tlsa := func(name, record string) {
		z.add(t, fmt.Sprintf("_%d._tcp.%s. IN TLSA %s", host.addr.Port(), name, record))
	}
	tlsa("mx.signed.example", fmt.Sprintf("3 1 1 %x", right))
	tlsa("wrong.signed.example", fmt.Sprintf("3 1 1 %064x", 1))
	tlsa("unusable.signed.example", fmt.Sprintf("1 1 1 %064x", 1))
	tlsa("forged.signed.example", fmt.Sprintf("3 1 1 %x", right))
	z.forge(fmt.Sprintf("_%d._tcp.forged.signed.example", host.addr.Port()), dns.TypeTLSA)
	z.add(t, "alias.signed.example. IN CNAME mx.signed.example.")
	for _, d := range []string{"mx", "wrong", "unusable", "forged", "alias"} {
		z.add(t, "to-"+d+".signed.example. IN MX 10 "+d+".signed.example.")
	}
	z.add(t, "both.signed.example. IN MX 10 wrong.signed.example.")
	z.add(t, "both.signed.example. IN MX 20 mx.signed.example.")
	z.add(t, "away.signed.example. IN MX 10 mx.plain.example.")
	z.add(t, "bogus.example. IN MX 10 mx.signed.example.")
	z.forge("bogus.example", dns.TypeMX)
	z.add(t, "mx.plain.example. IN A 127.0.0.1")
	tlsa("mx.plain.example", fmt.Sprintf("3 1 1 %064x", 1)) // nobody vouches for it
	for _, d := range []string{"plain", "sts", "sts-other", "sts-testing", "sts-host"} {
		z.add(t, d+".example. IN MX 10 mx.plain.example.")
		z.add(t, "_mta-sts."+d+".example. IN TXT \"v=STSv1; id="+strings.ReplaceAll(d, "-", "")+"\"")
	}
	z.add(t, "lent.example. IN MX 10 wrong.signed.example.")
	return z
}

// TestTLSPolicies delivers by MX with DANE and MTA-STS against a real validating
// resolver.
func TestTLSPolicies(t *testing.T) {
	needServer(t)
	authority := newWebAuthority(t)
	cert := authority.serving(t, "mx.plain.example")
	host := newMailHost(t, cert)
	zones := policyZones(t, host, cert)
	policy := func(mode, mx string) string {
		return "version: STSv1\nmode: " + mode + "\nmx: " + mx + "\nmax_age: 86400\n"
	}
	client := newPolicyWeb(t, authority, map[string]string{
		"sts.example": policy("enforce", "*.plain.example"), "sts-other.example": policy("enforce", "mx.other.example"),
		"sts-testing.example": policy("testing", "mx.other.example"), "sts-host.example": policy("enforce", "mx.signed.example"),
	})
	resolver := &dnsx.Cache{Resolver: &dnsx.Client{Servers: []netip.AddrPort{netip.MustParseAddrPort(zones.validating(t))}}}
	counted := &tlsrpt.Collector{}
	mx := &deliver.MX{
		Resolver: resolver, Port: strconv.Itoa(int(host.addr.Port())), Permit: func(netip.Addr) bool { return true },
		TLS: &tlspolicy.Policies{
			DANE: resolver, STS: &mtasts.Cache{Resolver: resolver, Fetcher: &mtasts.Fetcher{Client: client}},
			Roots: authority.roots, Port: host.addr.Port(), Collector: counted,
		},
		Relay: deliver.Relay{Dialer: &smtpclient.Dialer{Hello: "client.example"}},
	}
	for _, c := range []struct{ domain, want, how, count string }{
		{"to-mx.signed.example", "ok", "tls", "tlsa good"},
		{"to-alias.signed.example", "ok", "tls", "tlsa good"},
		{"to-wrong.signed.example", "temporary", "", "tlsa validation-failure"},
		{"both.signed.example", "ok", "tls", "tlsa good tlsa validation-failure"},
		{"to-unusable.signed.example", "ok", "tls", "tlsa tlsa-invalid"},
		{"to-forged.signed.example", "temporary", "", "tlsa dnssec-invalid"},
		{"away.signed.example", "ok", "tls", "no-policy-found good"},
		{"bogus.example", "temporary", "", ""},
		{"plain.example", "ok", "tls", "no-policy-found good sts sts-webpki-invalid"}, // a record without a policy
		{"lent.example", "ok", "tls", "no-policy-found good"},                         // the MX records are not signed
		{"sts.example", "ok", "tls", "sts good"},
		{"sts-other.example", "temporary", "", "sts validation-failure"},
		{"sts-host.example", "temporary", "", "sts validation-failure"},
		{"sts-testing.example", "ok", "tls", "sts validation-failure"},
	} {
		got := "ok"
		if err := sendTo(t, mx, c.domain); smtp.IsPermanent(err) {
			got = "permanent: " + err.Error()
		} else if err != nil {
			got = "temporary"
			t.Logf("%s: %v", c.domain, err)
		}
		if how := host.how(c.domain); got != c.want || how != c.how {
			t.Errorf("%s: %s, came %q; want %s, %q", c.domain, got, how, c.want, c.how)
		}
		if n := sessions(t, counted); n != c.count {
			t.Errorf("%s: counted %q, want %q", c.domain, n, c.count)
		}
	}
}

// sendTo sends a message to a domain.
func sendTo(t *testing.T, mx *deliver.MX, domain string) error {
	t.Helper()
	r, _ := mx.Receiver(domain)
	tx, err := r.Begin(t.Context(), &smtp.Mail{ID: smtp.NewID()})
	if err != nil {
		return err
	}
	defer tx.Abort()
	to := smtp.ForwardPath{Path: smtp.Path{Local: "joe", Domain: domain}}
	if errs := tx.Rcpt(t.Context(), []*smtp.Recipient{{ForwardPath: to}}); errs[0] != nil {
		return errs[0]
	}
	status, err := tx.Data(t.Context(), smtp.NewBody(strings.NewReader("From: a@b.example\r\n\r\ntext\r\n"), -1))
	if err != nil {
		return err
	}
	return errors.Join(status[0].Err)
}

// sessions are those that were counted since the last call, by policy and result.
func sessions(t *testing.T, c *tlsrpt.Collector) string {
	t.Helper()
	var words []string
	for _, r := range c.Take(time.Now().Add(24 * time.Hour)) {
		text, err := r.MarshalJSON()
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
				} `json:"failure-details"`
			} `json:"policies"`
		}
		if err := json.Unmarshal(text, &doc); err != nil {
			t.Fatal(err)
		}
		for _, p := range doc.Policies {
			if p.Summary.Good > 0 {
				words = append(words, p.Policy.Type+" good")
			}
			for _, d := range p.Details {
				words = append(words, p.Policy.Type+" "+d.Result)
			}
		}
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}
