package main

import (
	"bytes"
	"context"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/dmarc"
	"github.com/mailstead/mailstead/auth/dmarc/report"
	"github.com/mailstead/mailstead/auth/dnsx/dnsxtest"
	"github.com/mailstead/mailstead/auth/tlsrpt"
	"github.com/mailstead/mailstead/deliver/tlspolicy"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
)

func outboundOf(t *testing.T, text string) (*outboundFile, error) {
	t.Helper()
	dir := t.TempDir()
	if text != "" {
		if err := os.WriteFile(filepath.Join(dir, outboundFileName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return readOutboundFile(dir)
}

func TestOutboundFile(t *testing.T) {
	f, err := outboundOf(t, "")
	if err != nil || !isOn(f.TLS.DANE) || !isOn(f.TLS.MTASTS) || f.TLS.relay != nil || f.TLS.table.Find("x").Level != tlspolicy.Opportunistic {
		t.Errorf("%+v, %v", f, err)
	}
	f, err = outboundOf(t, `
[tls]
dane = false
default = { level = "encrypt" }
relay = { level = "verify", names = ["smart.example.net"] }
[tls.domains."Example.NET"]
level = "none"
override = true
[tls.domains.".example.net"]
level = "fingerprint"
fingerprints = ["`+strings.Repeat("0A:", 31)+`0A"]
[reports]
enabled = false
from = "reports@example.org"
`)
	if err != nil || isOn(f.TLS.DANE) || f.TLS.relay.Level != tlspolicy.Verify || isOn(f.Reports.Enabled) {
		t.Fatalf("%+v, %v", f, err)
	}
	for domain, want := range map[string]tlspolicy.Level{"example.net": tlspolicy.None, "x.example.net": tlspolicy.Fingerprint, "example.com": tlspolicy.Encrypt} {
		if got := f.TLS.table.Find(domain).Level; got != want {
			t.Errorf("%s: %v", domain, got)
		}
	}
	for text, want := range map[string]string{
		"[tls]\nclass = 1":                           "unknown name",
		"[tls]\ndefault = { level = \"may\" }":       "none of opportunistic",
		"[tls]\ndefault = { level = \"none\" }":      "Override",
		"[tls]\nrelay = { level = \"dane-only\" }":   "smart host",
		"[tls.domains.x]\nfingerprints = [\"xy\"]":   "SHA-256",
		"[tls.domains.\"a b\"]\nlevel = \"encrypt\"": "no domain",
		"[reports]\nfrom = \"joe\"":                  "not a mailbox",
		"[reports]\nenabled = \"yes\"":               "reports",
	} {
		if _, err := outboundOf(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// unopened is a server that has read what it is to do.
func unopened(t *testing.T, text string, args ...string) *server {
	t.Helper()
	o, err := parse(t, nil, args...)
	if err != nil {
		t.Fatal(err)
	}
	f, err := outboundOf(t, text)
	if err != nil {
		t.Fatal(err)
	}
	return &server{o: o, outbound: f}
}

// TestReportsAreOn: by default where there is a key and a name that others know.
func TestReportsAreOn(t *testing.T) {
	key := write(t, keyFile(t))
	for _, c := range []struct {
		name, text string
		args       []string
		want       bool
		fails      string
	}{
		{"no key", "", []string{"-domain", "mailstead.dev"}, false, ""},
		{"key", "", []string{"-domain", "mailstead.dev", "-dkim", "mailstead.dev:s:" + key}, true, ""},
		{"key of another", "", []string{"-domain", "mailstead.dev", "-dkim", "mailstead.net:s:" + key}, false, ""},
		{"no public name", "", []string{"-dkim", "example.org:s:" + key}, false, ""},
		{"asked for", "[reports]\nenabled = true", []string{"-dkim", "example.org:s:" + key}, true, ""},
		{"not wanted", "[reports]\nenabled = false", []string{"-domain", "mailstead.dev", "-dkim", "mailstead.dev:s:" + key}, false, ""},
		{"asked for without a key", "[reports]\nenabled = true", nil, false, "no key"},
		{"from another domain", "[reports]\nfrom = 'r@x.mailstead.dev'", []string{"-domain", "example.org", "-hostname", "mx.mailstead.dev", "-dkim", "mailstead.dev:s:" + key}, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, keys, err := unopened(t, c.text, c.args...).reportsFrom(t.Context())
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) {
					t.Error(err)
				}
				return
			}
			if got := len(keys) > 0; err != nil || got != c.want {
				t.Errorf("reports %v, %v", got, err)
			}
		})
	}
}

// TestReportsAreWired: both collectors are asked, and the counts of DMARC are in
// the database.
func TestReportsAreWired(t *testing.T) {
	s, err := newTestServer(t, "-domain", "mailstead.dev", "-dkim", "mailstead.dev:s:"+write(t, keyFile(t)))
	if err != nil {
		t.Fatal(err)
	}
	if s.reports == nil || s.policies.Collector != s.reports.tls || s.reports.sendDMARC.Storage != s.reports.stored {
		t.Errorf("%+v", s.reports)
	}
}

func TestIsPublic(t *testing.T) {
	for name, want := range map[string]bool{
		"mail.mailstead.dev": true, "mailstead.dev": true, "mail": false, "mail.example.org": false, "x.TEST": false, "host.local": false, "a.home.arpa": false, "myexample.org": true,
	} {
		if got := isPublic(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestDSNsAreSigned: by a key of the host's domain, where there is one.
func TestDSNsAreSigned(t *testing.T) {
	key := write(t, keyFile(t))
	for want, args := range map[string][]string{"DKIM-Signature: ": {"-dkim", "example.org:s:" + key}, "": nil} {
		s, err := newTestServer(t, args...)
		if err != nil {
			t.Fatal(err)
		}
		w, err := s.engine.blobs.Create(t.Context(), -1)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(w, "Subject: x\r\n\r\ntext\r\n")
		ref, err := w.Commit(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		to := smtp.Path{Local: "joe", Domain: "example.net"}
		j := &queue.Job{ID: "1", Message: "1", ReversePath: smtp.ReversePath{Path: to}, Blob: ref, Recipients: []queue.Recipient{{}}}
		reports, err := s.runner.Reporter.Report(context.Background(), j, []queue.Result{{State: queue.Failed}})
		if err != nil || len(reports) != 1 {
			t.Fatal(len(reports), err)
		}
		text, err := io.ReadAll(reports[0].Body)
		if err != nil || !bytes.HasPrefix(text, []byte(want)) {
			t.Errorf("%.40q, %v", text, err)
		}
		if signed := bytes.Contains(text, []byte("d=example.org")); signed != (args != nil) {
			t.Errorf("signed: %v", signed)
		}
	}
}

// TestRelayTLS: what outbound.toml says of the smart host.
func TestRelayTLS(t *testing.T) {
	for text, want := range map[string]smtpclient.TLSMode{
		"":                                     smtpclient.TLSIfOffered,
		"[tls]\nrelay = { level = 'encrypt' }": smtpclient.TLSRequired,
		"[tls]\nrelay = { level = 'none', override = true }": smtpclient.TLSNever,
		"[tls]\nrelay = { level = 'opportunistic' }":         smtpclient.TLSIfOffered,
	} {
		s := unopened(t, text, "-relay", "127.0.0.1:25")
		var d smtpclient.Dialer
		s.relayTLS(&d, "127.0.0.1")
		if d.TLS != want || (d.TLSConfig != nil) != (text != "" && want != smtpclient.TLSNever) {
			t.Errorf("%q: %v, %v", text, d.TLS, d.TLSConfig)
		}
	}
}

// TestRelayPassword: it goes to nobody whose certificate is not looked at.
func TestRelayPassword(t *testing.T) {
	for _, c := range []struct {
		level, relay, user string
		ok                 bool
	}{
		{"opportunistic", "smart.mailstead.dev:587", "", true},
		{"encrypt", "smart.mailstead.dev:587", "u:p", false},
		{"opportunistic", "smart.mailstead.dev:587", "u:p", false},
		{"verify", "smart.mailstead.dev:587", "u:p", true},
		{"encrypt", "127.0.0.1:587", "u:p", true},
	} {
		args := []string{"-relay", c.relay}
		if c.user != "" {
			args = append(args, "-relay-user", c.user)
		}
		if err := unopened(t, "[tls]\nrelay = { level = '"+c.level+"' }", args...).checkRelayTLS(); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// TestReportsGoOut: what was counted on a day that has ended is in the queue,
// signed, and what was counted survives a restart.
func TestReportsGoOut(t *testing.T) {
	dns := dnsxtest.New(t, `
		_dmarc.example.net     TXT  v=DMARC1; p=reject; rua=mailto:dmarc@example.net
		_smtp._tls.example.net TXT  v=TLSRPTv1; rua=mailto:tls@example.net
	`)
	data := filepath.Join(t.TempDir(), "data")
	args := []string{"-data", data, "-resolver", dns.Addr(), "-domain", "mailstead.dev", "-dkim", "mailstead.dev:s:" + write(t, keyFile(t))}
	s, err := newTestServer(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	record, err := dmarc.Parse("v=DMARC1; p=reject; rua=mailto:dmarc@example.net")
	if err != nil {
		t.Fatal(err)
	}
	yesterday := time.Now().Add(-24 * time.Hour)
	s.reports.dmarc.Count(&report.Message{
		Time: yesterday, SourceIP: netip.MustParseAddr("192.0.2.1"), Disposition: dmarc.Reject,
		Verdict: &dmarc.Verdict{Result: dmarc.Fail, Domain: "example.net", PolicyDomain: "example.net", Record: record, Policy: dmarc.Reject, Disposition: dmarc.Reject},
	})
	s.policies.Collector.Add(tlsrpt.Session{Domain: "example.net", Time: yesterday})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	s.reports.dmarc.Run(ended, s.reports.stored, 0) // as at the end of the process
	s.reports.tls.Run(ended, s.reports.sessions, 0, nil)
	if err := s.engine.close(); err != nil {
		t.Fatal(err)
	}
	if s, err = newTestServer(t, args...); err != nil {
		t.Fatal(err)
	}
	now := time.Now().Add(time.Hour)
	if n, err := s.reports.sendDMARC.SendDue(t.Context(), now); n != 1 || err != nil {
		t.Error("DMARC:", n, err)
	}
	if n, err := s.reports.sendTLS.SendDue(t.Context(), now); n != 1 || err != nil {
		t.Error("TLS:", n, err)
	}
	var got []string
	for job, err := range s.engine.queue.List(t.Context(), queue.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		b, err := s.engine.blobs.Open(t.Context(), job.Blob)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
		b.Close()
		if err != nil || !bytes.Contains(text, []byte("d=mailstead.dev")) || !job.ReversePath.IsNull() {
			t.Errorf("%v\n%s", err, text)
		}
		got = append(got, job.Recipients[0].ForwardPath.String())
	}
	slices.Sort(got)
	if want := []string{"dmarc@example.net", "tls@example.net"}; !slices.Equal(got, want) {
		t.Error(got)
	}
}
