package report

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"
)

// least is a report of one record, as the big ones write it without namespace.
const least = `<feedback><report_metadata><org_name>o</org_name></report_metadata><policy_published><domain>a.example</domain></policy_published>` +
	`<record><row><source_ip>192.0.2.1</source_ip><count>1</count></row></record></feedback>`

func utf16Text(s string, big bool) []byte {
	out := []byte{0xff, 0xfe}
	if big {
		out = []byte{0xfe, 0xff}
	}
	for _, u := range utf16.Encode([]rune(s)) {
		if big {
			u = u<<8 | u>>8
		}
		out = append(out, byte(u), byte(u>>8))
	}
	return out
}

// What reporters send that is not as the schemas want it.
func TestRealWorld(t *testing.T) {
	for name, in := range map[string][]byte{
		"no declaration":          []byte(least),
		"white space in front":    []byte("\r\n  " + least),
		"two BOMs' worth":         []byte("\xef\xbb\xbf\r\n" + least),
		"UTF-16, little":          utf16Text(`<?xml version="1.0" encoding="utf-16"?>`+least, false),
		"UTF-16, big":             utf16Text(least, true),
		"Latin-1":                 []byte(`<?xml version="1.0" encoding="ISO-8859-1"?>` + strings.Replace(least, "<org_name>o", "<org_name>o<!-- \xfc -->", 1)),
		"another namespace":       []byte(strings.Replace(least, "<feedback>", `<feedback xmlns="http://dmarc.org/dmarc-xml/0.1" xmlns:xsi="urn:x">`, 1)),
		"a prefix":                []byte(strings.NewReplacer("</", "</d:", "<", "<d:").Replace(strings.Replace(least, "<feedback>", `<feedback xmlns:d="urn:d">`, 1))),
		"unknown elements":        []byte(strings.NewReplacer("<record>", "<new><record><row/></record></new><record><more>x<y/></more>", "<row>", "<row><z>1</z>").Replace(least)),
		"attributes":              []byte(strings.ReplaceAll(least, "<row>", `<row xsi:type="x" y='z'>`)),
		"comments and CDATA":      []byte(strings.Replace(least, "192.0.2.1", "<!-- ip --><![CDATA[192.0.2.1]]>", 1)),
		"processing instructions": []byte(`<?xml version="1.0"?><?xml-stylesheet href="x"?>` + least),
		"text behind it":          []byte(least + "\x00\x00"),
		"another order":           []byte(`<feedback><record><row><count> 1 </count><source_ip> 192.0.2.1</source_ip></row></record><policy_published><domain>a.example</domain></policy_published><report_metadata><org_name>o</org_name></report_metadata></feedback>`),
		"gzip":                    gzipped(least),
		"zip in a folder":         zipped("a/b/r.xml", least, "__MACOSX/._r", "x"),
		"zip out of all folders":  zipped("../../../../etc/cron.d/r.xml", least),
		"zip with a drive's name": zipped(`C:\r.xml`, least),
	} {
		rep, err := Parse(bytes.NewReader(in), Limits{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := fmt.Sprint(rep.OrgName, " ", rep.Policy.Domain, " ", len(rep.Records), rep.Records[0].SourceIP, rep.Records[0].Count); got != "o a.example 1192.0.2.11" && got != "o a.example 1 192.0.2.1 1" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// A bomb in a bomb is not unpacked: what is in a report is XML, not gzip.
func TestNestedBomb(t *testing.T) {
	inner := gzipped("<feedback>" + strings.Repeat(" ", 8<<20))
	for range 3 { // 1:10,000 and beyond
		inner = gzipped(string(inner))
	}
	in := inner
	rep, err := Parse(bytes.NewReader(in), Limits{MaxBytes: 1 << 20})
	t.Logf("%d octets", len(in))
	if rep != nil || !errors.Is(err, ErrFormat) {
		t.Errorf("%v, %v", rep, err)
	}
}

// part is a body part of a message.
func part(contentType, more, body string) string {
	return "--b\r\nContent-Type: " + contentType + "\r\n" + more + "\r\n" + body + "\r\n"
}

func multipart(contentType string, parts ...string) string {
	return "From: a@example.org\r\nMIME-Version: 1.0\r\nContent-Type: " + contentType + "; boundary=b\r\n\r\n" + strings.Join(parts, "") + "--b--\r\n"
}

func base64Lines(raw []byte) string {
	s := base64.StdEncoding.EncodeToString(raw)
	var b strings.Builder
	for len(s) > 76 {
		b.WriteString(s[:76] + "\r\n")
		s = s[76:]
	}
	return b.String() + s
}

const inBase64 = "Content-Transfer-Encoding: base64\r\n"

func TestParseMail(t *testing.T) {
	packed := base64Lines(gzipped(least))
	text := part("text/plain", "", "a report")
	for name, c := range map[string]struct {
		in   string
		want error
	}{
		"gzip":              {in: multipart("multipart/mixed", text, part("application/gzip", inBase64, packed))},
		"x-gzip":            {in: multipart("multipart/mixed", text, part("application/x-gzip; name=x", inBase64, packed))},
		"zip":               {in: multipart("multipart/mixed", part("application/zip", inBase64, base64Lines(zipped("r.xml", least))))},
		"octets":            {in: multipart("multipart/mixed", part("application/octet-stream", inBase64+"Content-Disposition: attachment; filename=\"R.XML.GZ\"\r\n", packed))},
		"octets, by name":   {in: multipart("multipart/mixed", part("application/octet-stream; name=r.zip", inBase64, base64Lines(zipped("r.xml", least))))},
		"XML":               {in: multipart("multipart/mixed", part("text/xml", "", least))},
		"XML, quoted":       {in: multipart("multipart/mixed", part("text/xml", "Content-Transfer-Encoding: quoted-printable\r\n", strings.ReplaceAll(least, "record", "recor=64")))},
		"the message is it": {in: "Content-Type: application/gzip\r\n" + inBase64 + "\r\n" + packed},
		"behind another":    {in: multipart("multipart/mixed", part("text/xml", "", "<html/>"), part("application/gzip", inBase64, packed))},
		"nothing":           {in: multipart("multipart/mixed", text), want: ErrFormat},
		"empty":             {in: "", want: ErrFormat},
		"not one":           {in: multipart("multipart/mixed", part("text/xml", "", "<html/>")), want: ErrFormat},
		"a DTD":             {in: multipart("multipart/mixed", part("text/xml", "", "<!DOCTYPE x>"+least)), want: ErrDTD},
		"behind many":       {in: multipart("multipart/mixed", strings.Repeat(part("text/xml", "", "<html/>"), maxTries), part("application/gzip", inBase64, packed)), want: ErrFormat},
		"broken base64":     {in: multipart("multipart/mixed", part("application/gzip", inBase64, "!!!!")), want: ErrFormat},
		"too large":         {in: multipart("multipart/mixed", part("text/plain", "", strings.Repeat("x", 200_000))), want: ErrTooLarge},
	} {
		rep, err := ParseMail(strings.NewReader(c.in), Limits{MaxPackedBytes: 50_000})
		if !errors.Is(err, c.want) || (rep != nil) != (c.want == nil) || rep != nil && rep.Policy.Domain != "a.example" {
			t.Errorf("%s: %+v, %v", name, rep, err)
		}
	}
}

const failure = "Feedback-Type: auth-failure\r\nVersion: 1\r\nUser-Agent: Filter/1\r\n (x)\r\nAuth-Failure: DMARC\r\nAuthentication-Results: mx.example;\r\n dmarc=fail header.from=a.example\r\n" +
	"Identity-Alignment: dkim , SPF\r\nDelivery-Result: Reject\r\nDKIM-Domain: a.example\r\nDKIM-Identity: @a.example\r\nDKIM-Selector: s\r\nOriginal-Envelope-Id: E1\r\n" +
	"Original-Mail-From: <b@c.example>\r\nOriginal-Rcpt-To: <d@e.example>\r\nOriginal-Rcpt-To: f@e.example\r\nSource-IP: 192.0.2.2\r\nSource-Port: 12345\r\nReported-Domain: a.example\r\n" +
	"SPF-DNS: txt : a.example : \"v=spf1 -all\"\r\nArrival-Date: Tue, 19 Jul 2022 00:57:48 -0500\r\nIncidents: 3\r\nX-More: y\r\n"

func feedback(fields, original string) string {
	return multipart("multipart/report; report-type=feedback-report", part("text/plain", "", "x"), part("message/feedback-report", "", fields), original)
}

func TestParseFailure(t *testing.T) {
	original := part("message/rfc822", "", "From: b@a.example\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nx\r\n--c--")
	f, err := ParseFailure(strings.NewReader(feedback(failure, original)), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{Type:auth-failure Auth:dmarc Reporter:Filter/1 (x) Delivery:reject Alignment:[dkim spf] Domains:[a.example] SourceIP:192.0.2.2 SourcePort:12345 MailFrom:b@c.example ` +
		`RcptTo:[d@e.example f@e.example] EnvelopeID:E1 Arrival:2022-07-19 00:57:48 -0500 -0500 Incidents:3 DKIMDomain:a.example DKIMIdentity:@a.example DKIMSelector:s ` +
		`SPF:[txt : a.example : "v=spf1 -all"] Results:[mx.example; dmarc=fail header.from=a.example] Original:`
	if got := fmt.Sprintf("%+v", *f); !strings.HasPrefix(got, want) || !strings.HasPrefix(string(f.Original), "From: b@a.example\r\n") || !strings.HasSuffix(string(f.Original), "--c--") {
		t.Errorf("%s\nwant %s\n%q", got, want, f.Original)
	}
	for name, c := range map[string]struct {
		in   string
		want error
		size int // of the original
	}{
		"least":           {in: feedback("Feedback-Type: auth-failure\r\n", "")},
		"header block":    {in: feedback(failure, part("text/rfc822-headers", "", "From: x")), size: 7},
		"in base64":       {in: multipart("multipart/report", part("message/feedback-report", inBase64, base64Lines([]byte(failure))), part("text/rfc822-headers", inBase64, base64Lines([]byte("From: x\r\n")))), size: 9},
		"original before": {in: multipart("multipart/report", part("text/rfc822-headers", "", "From: x"), part("message/feedback-report", "", failure))},
		"no fields":       {in: feedback("", ""), want: ErrFormat},
		"no such part":    {in: multipart("multipart/report", part("text/plain", "", failure)), want: ErrFormat},
		"large":           {in: feedback(failure, part("message/rfc822", "", strings.Repeat("x", 20_000))), want: ErrTooLarge},
		"a bomb":          {in: feedback(failure+strings.Repeat("Reported-Domain: a\r\n", 8000), "")},
		"much too large":  {in: feedback(strings.Repeat("x", 1<<20), ""), want: ErrTooLarge},
	} {
		f, err := ParseFailure(strings.NewReader(c.in), Limits{MaxBytes: 10_000, MaxPackedBytes: 100_000})
		if !errors.Is(err, c.want) || (f != nil) != (c.want == nil) || f != nil && (len(f.Original) != c.size || f.Type != "auth-failure" || len(f.Domains) > 100) {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
	}
}

func FuzzParseFailure(f *testing.F) {
	f.Add([]byte(feedback(failure, part("message/rfc822", "", "From: x\r\n\r\nx"))))
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := ParseFailure(bytes.NewReader(in), Limits{})
		if (got == nil) == (err == nil) {
			t.Fatal(got, err)
		}
		if got == nil {
			return
		}
		all := append([]string{got.Type, got.Auth, got.Reporter, got.Delivery, got.MailFrom, got.EnvelopeID, got.DKIMDomain, got.DKIMIdentity, got.DKIMSelector}, got.Domains...)
		for _, s := range append(append(append(all, got.RcptTo...), got.SPF...), got.Results...) {
			if !utf8.ValidString(s) || strings.ContainsAny(s, "\r\n\x00") || len(s) > 1024 {
				t.Fatalf("%q", s)
			}
		}
		if got.Incidents < 1 || len(got.Original) > len(in) {
			t.Fatalf("%+v", got)
		}
	})
}

func FuzzParseMail(f *testing.F) {
	f.Add([]byte(multipart("multipart/mixed", part("application/gzip", inBase64, base64Lines(gzipped(least))))))
	f.Add([]byte(multipart("multipart/mixed", part("text/xml", "", least))))
	f.Fuzz(func(t *testing.T, in []byte) {
		if rep, err := ParseMail(bytes.NewReader(in), Limits{MaxBytes: 1 << 16}); (rep == nil) == (err == nil) {
			t.Fatal(rep, err)
		}
	})
}

func TestIsReport(t *testing.T) {
	for header, want := range map[string]bool{
		"From: a@b\r\nSubject: Report Domain: x Submitter: y\r\n":                              true,
		"SUBJECT:\r\n Report\r\n Domain: x\r\n\r\n":                                            true,
		"TLS-Report-Domain: x\r\n":                                                             true,
		"Content-Type: multipart/report;\r\n\treport-type=\"feedback-report\"; boundary=x\r\n": true,
		"Content-Type: multipart/report; report-type=tlsrpt\r\n":                               true,
		"Content-Type: multipart/report; report-type=delivery-status\r\n":                      false,
		"Subject: Re: Report Domain: x\r\n":                                                    false,
		"Subject: x\r\n\r\nSubject: Report Domain: x\r\n":                                      false,
		"": false,
	} {
		if got := IsReport([]byte(header)); got != want {
			t.Errorf("%q: %v", header, got)
		}
	}
}
