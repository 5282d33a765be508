package tlspolicy_test

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/auth/mtasts"
	"github.com/mailstead/mailstead/auth/tlsrpt"
	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/deliver/delivertest"
	"github.com/mailstead/mailstead/deliver/tlspolicy"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
)

const message = "From: a@b.example\r\n\r\ntext\r\n"

// send delivers a message to joe at a domain; "" = it was taken, else the code.
func send(t *testing.T, mx *deliver.MX, domain, text string, params smtp.MailParams) string {
	t.Helper()
	r, _ := tlspolicy.NextHops{NextHops: mx}.Receiver(domain)
	from := smtp.ReversePath{Path: smtp.Path{Local: "a", Domain: "b.example"}}
	tx, err := r.Begin(t.Context(), &smtp.Mail{ID: smtp.NewID(), ReversePath: from, Params: params})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Abort()
	tx.Rcpt(t.Context(), []*smtp.Recipient{{ForwardPath: smtp.ForwardPath{Path: smtp.Path{Local: "joe", Domain: domain}}}})
	status, err := tx.Data(t.Context(), smtp.NewBody(strings.NewReader(text), int64(len(text))))
	if err == nil {
		err = status[0].Err
	}
	if err == nil {
		return ""
	}
	reply := smtp.ReplyOf(err)
	return reply.Enhanced.String()
}

// digestOf is the TLSA record 3 0 1 of a server.
func digestOf(c *tls.Config) dnsx.Association {
	sum := sha256.Sum256(c.Certificates[0].Certificate[0])
	return dnsx.Association{Usage: 3, Matching: 1, Data: sum[:]}
}

// world is one mail host of several domains, and one whose records are wrong.
type world struct {
	*delivertest.Internet
	mx          *deliver.MX
	host, wrong *delivertest.Host
	counted     *tlsrpt.Collector
}

func newWorld(t *testing.T, roots bool) *world {
	t.Helper()
	w := &world{Internet: delivertest.New(t), counted: &tlsrpt.Collector{}}
	w.host, w.wrong = w.Host("mx.example.org", "192.0.2.1"), w.Host("wrong.example.org", "192.0.2.2")
	cert := w.Certificate(time.Time{}, "mx.example.org")
	for _, h := range []*delivertest.Host{w.host, w.wrong} {
		h.SetTLS(cert)
		h.SetExtensions(append(delivertest.Usual(), "REQUIRETLS")...)
	}
	own := w.Host("own.example", "192.0.2.3") // its own mail host, without DNSSEC
	own.SetTLS(w.Certificate(time.Time{}, "own.example"))
	own.SetExtensions("REQUIRETLS")
	w.DNS.TLSA("_25._tcp.mx.example.org", digestOf(cert))
	w.DNS.TLSA("_25._tcp.wrong.example.org", dnsx.Association{Usage: 3, Matching: 1, Data: make([]byte, 32)})
	w.DNS.Secure("mx.example.org", "wrong.example.org", "_25._tcp.mx.example.org", "_25._tcp.wrong.example.org", "signed.example", "more.example", "failing.example")
	for domain, host := range map[string]string{
		"plain.example": "mx.example.org", "encrypted.example": "mx.example.org", "signed.example": "mx.example.org", "more.example": "mx.example.org", "failing.example": "wrong.example.org", "own.example": "own.example",
	} {
		w.DNS.MX(domain, "10 "+host)
	}
	var trusted *x509.CertPool
	if roots {
		trusted = w.Roots()
	}
	w.mx = &deliver.MX{
		Resolver: w.DNS, TLS: &tlspolicy.Policies{
			DANE: w.DNS, Collector: w.counted, Roots: trusted,
			Static: &tlspolicy.Table{Domains: map[string]tlspolicy.Static{"encrypted.example": {Level: tlspolicy.Encrypt}}},
		},
		Relay: deliver.Relay{Dialer: &smtpclient.Dialer{Hello: "client.example", Net: w.Internet}},
	}
	return w
}

// TestPool: a connection on which nobody was authenticated serves no domain that
// asks for it, and one that serves two domains is verified once.
func TestPool(t *testing.T) {
	w := newWorld(t, false)
	pool := &smtpclient.Pool{}
	defer pool.Close()
	w.mx.Relay.Pool = pool
	for i, step := range []struct {
		domain string
		dials  int
	}{{"plain.example", 1}, {"plain.example", 1}, {"encrypted.example", 2}, {"signed.example", 3}, {"more.example", 3}, {"plain.example", 3}} {
		if got := send(t, w.mx, step.domain, message, smtp.MailParams{}); got != "" || w.host.Dials() != step.dials {
			t.Errorf("%d, %s: %s, %d connections, want %d", i, step.domain, got, w.host.Dials(), step.dials)
		}
	}
	if n := len(w.host.Taken()); n != 6 {
		t.Errorf("%d messages", n)
	}
}

// TestWishes: what senders ask for beside the policies (RFC 8689).
func TestWishes(t *testing.T) {
	const no = "TLS-Required: No\r\n" + message
	require := smtp.MailParams{RequireTLS: true}
	for _, c := range []struct {
		name, domain, text string
		params             smtp.MailParams
		roots              bool
		want               string
	}{
		{"DANE fails", "failing.example", message, smtp.MailParams{}, false, "4.4.1"},
		{"DANE fails, waived", "failing.example", no, smtp.MailParams{}, false, ""},
		{"REQUIRETLS by DANE", "signed.example", message, require, false, ""},
		{"REQUIRETLS, and DANE fails", "failing.example", message, require, false, "5.7.10"},
		{"REQUIRETLS to whom nobody vouches for", "plain.example", message, require, true, "5.7.10"},
		{"REQUIRETLS without a policy", "own.example", message, require, true, ""},
		{"REQUIRETLS without a policy or an authority", "own.example", message, require, false, "5.7.10"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.roots)
			if got := send(t, w.mx, c.domain, c.text, c.params); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// TestUnknownPolicy: as long as nobody knows what a domain asks for, mail waits,
// but for that whose sender does without TLS (RFC 8689 §4.2.2).
func TestUnknownPolicy(t *testing.T) {
	w := newWorld(t, false)
	w.DNS.Lie("_mta-sts.plain.example", delivertest.Fails(dnsx.ErrServFail))
	w.mx.TLS.(*tlspolicy.Policies).STS = &mtasts.Cache{Resolver: w.DNS}
	if got := send(t, w.mx, "plain.example", message, smtp.MailParams{}); got != "4.7.5" || len(w.host.Taken()) != 0 {
		t.Errorf("%q, %d messages", got, len(w.host.Taken()))
	}
	if got := send(t, w.mx, "plain.example", "TLS-Required: No\r\n"+message, smtp.MailParams{}); got != "" {
		t.Errorf("waived: %q", got)
	}
	if got := send(t, w.mx, "plain.example", "TLS-Required: No\r\n"+message, smtp.MailParams{RequireTLS: true}); got != "4.7.5" {
		t.Errorf("REQUIRETLS: %q", got)
	}
}
