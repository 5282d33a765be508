package arf_test

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/deliver/arf"
)

func message(fields, original string) string {
	return crlf(`From: <abuse@provider.example>
Subject: FW: Earn money
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b 1"

--b 1
Content-Type: text/plain

This is an email abuse report.
--b 1
Content-Type: message/feedback-report

` + fields + `
--b 1
` + original + `
--b 1--
`)
}

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

func parse(s string) (*arf.Report, error) { return arf.Parse(strings.NewReader(s), int64(len(s))) }

const abuse = `Feedback-Type: Abuse
User-Agent: Provider-Feedback/1.0
Version: 1
Original-Mail-From: <news+bob=example.net@lists.example>
Original-Rcpt-To: <bob@example.net>
Original-Rcpt-To: redacted@example.net
Received-Date: Thu, 8 Mar 2005 14:00:00 +0000
Source-IP: 192.0.2.1
Source-Port: 2525
Reporting-MTA: dns; mail.provider.example
Reported-Domain: lists.example
Reported-Uri: http://lists.example/earn
Reported-Uri: mailto:x@lists.example
Authentication-Results: mail.provider.example;
 spf=pass smtp.mailfrom=lists.example
Incidents: 3
`

const original = `Content-Type: message/rfc822

From: <news@lists.example>
Message-ID: <8787KJKJ3K4J3K4J3K4J3@lists.example>
Subject: Earn money

Spam Spam Spam
`

func TestAbuse(t *testing.T) {
	r, err := parse(message(abuse, original))
	if err != nil {
		t.Fatal(err)
	}
	if r.Type != "abuse" || r.UserAgent != "Provider-Feedback/1.0" || r.Version != "1" || r.SourceIP.String() != "192.0.2.1" || r.SourcePort != 2525 || r.Incidents != 3 ||
		r.MailFrom != "news+bob=example.net@lists.example" || r.ReportingMTA != "mail.provider.example" || r.Failure != nil || !r.Redacted {
		t.Errorf("%+v", r)
	}
	if !reflect.DeepEqual(r.RcptTo, []string{"bob@example.net", "redacted@example.net"}) || len(r.URIs) != 2 || len(r.Domains) != 1 || len(r.Results) != 1 || !strings.Contains(r.Results[0], "; spf=pass") {
		t.Errorf("%+v", r)
	}
	if !r.Arrival.Equal(time.Date(2005, 3, 8, 14, 0, 0, 0, time.UTC)) {
		t.Errorf("arrival %v", r.Arrival)
	}
	if r.MessageID != "8787KJKJ3K4J3K4J3K4J3@lists.example" || !r.Whole || strings.Contains(string(r.Header), "Spam Spam") || !strings.HasSuffix(string(r.Header), "Subject: Earn money\r\n") {
		t.Errorf("%q %q", r.MessageID, r.Header)
	}
}

func TestAuthFailure(t *testing.T) {
	r, err := parse(message(`Feedback-Type: auth-failure
Version: 1
Auth-Failure: bodyhash
Delivery-Result: Reject
Identity-Alignment: dkim, spf
DKIM-Domain: example.org
DKIM-Selector: s1
DKIM-Identity: @example.org
SPF-DNS: txt : example.org : "v=spf1 -all"
`, `Content-Type: text/rfc822-headers
Content-Transfer-Encoding: base64

TWVzc2FnZS1JRDogPGFAYi5leGFtcGxlPg0KU3ViamVjdDogeA0K
`))
	if err != nil {
		t.Fatal(err)
	}
	f := r.Failure
	if f == nil || f.Auth != "bodyhash" || f.Delivery != "reject" || !reflect.DeepEqual(f.Alignment, []string{"dkim", "spf"}) || f.DKIMDomain != "example.org" || f.DKIMSelector != "s1" || len(f.SPF) != 1 {
		t.Errorf("%+v", f)
	}
	if r.MessageID != "a@b.example" || r.Whole || r.Redacted || r.Incidents != 1 {
		t.Errorf("%+v", r)
	}
}

func TestNoReport(t *testing.T) {
	for _, s := range []string{"", "Subject: x\r\n\r\nFeedback-Type: abuse\r\n", message("Version: 1\n", original), "Content-Type: message/rfc822\r\n\r\n" + message(abuse, original)} {
		if _, err := parse(s); !errors.Is(err, arf.ErrFormat) {
			t.Errorf("%q: %v", s, err)
		}
	}
	if _, err := arf.Parse(broken{}, 100); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a reader that fails: %v", err)
	}
}

type broken struct{}

func (broken) ReadAt([]byte, int64) (int, error) { return 0, io.ErrClosedPipe }

// Whatever the message, what comes out is bounded, of one line, and part of it.
func FuzzParse(f *testing.F) {
	f.Add([]byte(message(abuse, original)))
	f.Add([]byte(message("Feedback-Type: auth-failure\nAuth-Failure: spf\n", original)))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := arf.Parse(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			if !errors.Is(err, arf.ErrFormat) {
				t.Fatal(err)
			}
			return
		}
		if r.Type == "" || len(r.Header) > 64<<10 || r.Incidents < 1 || (r.Failure != nil) != (r.Type == "auth-failure") {
			t.Fatalf("%+v", r)
		}
		for _, list := range [][]string{r.RcptTo, r.Domains, r.URIs, r.Results, {r.Type, r.MailFrom, r.UserAgent}} {
			if len(list) > arf.MaxValues || strings.ContainsAny(strings.Join(list, ""), "\r\n\x00") {
				t.Fatalf("%q", list)
			}
		}
	})
}
