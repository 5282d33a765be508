package itest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/dkim"
	"github.com/mailstead/mailstead/auth/dmarc"
	"github.com/mailstead/mailstead/auth/dmarc/report"
	"github.com/mailstead/mailstead/smtp"
)

// reportMail is a report that a Sender sends, signed, with its key in a zone.
func reportMail(t *testing.T) ([]byte, dkimZone) {
	t.Helper()
	key, err := dkim.GenerateEd25519()
	if err != nil {
		t.Fatal(err)
	}
	record, err := dkim.Record(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	zone := dkimZone{"s._domainkey.mx.example": record, "_dmarc.example.org": "v=DMARC1; p=reject; sp=none; pct=50; rua=mailto:a@example.org", "_dmarc.mx.example": "v=DMARC1; p=reject"}
	var counted report.Collector
	policy, err := dmarc.Parse(zone["_dmarc.example.org"])
	if err != nil {
		t.Fatal(err)
	}
	noon := time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)
	m := &report.Message{
		Time: noon, SourceIP: netip.MustParseAddr("2001:db8::1"), Mode: dmarc.RFC7489, EnvelopeFrom: "example.org", EnvelopeTo: "mx.example",
		Verdict: &dmarc.Verdict{Result: dmarc.Fail, Domain: "example.org", PolicyDomain: "example.org", Record: policy, Policy: dmarc.Reject, Disposition: dmarc.Quarantine, Override: dmarc.SampledOut},
		DKIM:    []report.Result{{Domain: "example.net", Selector: "s1", Result: "pass"}}, SPF: []report.Result{{Domain: "example.org", Result: "softfail", Scope: "mfrom"}},
		Disposition: dmarc.Quarantine,
	}
	counted.Count(m)
	counted.Count(m)
	var text []byte
	s := &report.Sender{
		Checker: &dmarc.Checker{Resolver: zone, Mode: dmarc.RFC7489}, Storage: &counted, Organization: "B\u00fccher & Co", Email: "reports@mx.example",
		Signer: &dkim.Signer{Keys: []dkim.Key{{Domain: "mx.example", Selector: "s", Signer: key}}},
		Receiver: smtp.ReceiveFunc(func(_ context.Context, _ *smtp.Envelope, r io.Reader) (err error) {
			text, err = io.ReadAll(r)
			return err
		}),
	}
	if n, err := s.SendDue(t.Context(), noon.Add(24*time.Hour)); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	return text, zone
}

// TestDMARCReportAligned: a report passes DMARC where it comes to (RFC 9990
// §3.5.2).
func TestDMARCReportAligned(t *testing.T) {
	text, zone := reportMail(t)
	signatures, err := (&dkim.Verifier{Resolver: zone}).Verify(t.Context(), bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var ids []dmarc.Identifier
	for _, r := range signatures.Results {
		ids = append(ids, dmarc.Identifier{Method: dmarc.DKIM, Domain: r.Domain, Result: r.Result})
	}
	header, _, _ := bytes.Cut(text, []byte("\r\n\r\n"))
	author, err := dmarc.AuthorDomain(header)
	if err != nil {
		t.Fatal(err)
	}
	if v := (&dmarc.Checker{Resolver: zone}).Check(t.Context(), author, ids); v.Result != dmarc.Pass || author != "mx.example" {
		t.Errorf("%s: %+v", author, v)
	}
	if !report.IsReport(header) {
		t.Error("not recognised as a report")
	}
}

// TestDMARCReportMailDMARC: Mail::DMARC reads our reports, and we read what it
// makes of them.
func TestDMARCReportMailDMARC(t *testing.T) {
	text, _ := reportMail(t)
	path := filepath.Join(t.TempDir(), "report.eml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	env := mailDMARCEnv(t)
	run := func(what string) string {
		cmd := exec.CommandContext(t.Context(), "perl", "-CO", "testdata/dmarc_report.pl", what, path)
		cmd.Env, cmd.Stderr = env, os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	ours, err := report.ParseMail(bytes.NewReader(text), report.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	want := "B\u00fccher & Co|reports@mx.example|" + ours.ID + "|1775001600|1775087999\nexample.org|r|r|reject|none|50\n" +
		"2001:db8::1|2|quarantine|fail|fail|sampled_out|example.org|example.org|dkim example.net s1 pass|spf example.org mfrom softfail\n"
	if got := run("read"); got != want {
		t.Errorf("%q\nwant %q", got, want)
	}
	theirs, err := report.Parse(strings.NewReader(run("write")), report.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprintf("%+v", theirs.Records), fmt.Sprintf("%+v", ours.Records); got != want || theirs.Policy.Domain != ours.Policy.Domain || theirs.ID != ours.ID {
		t.Errorf("%s %+v\nwant %s", got, theirs.Policy, want)
	}
}
