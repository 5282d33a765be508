package dkim_test

import (
	"bytes"
	"crypto"
	"fmt"
	"strings"
	"testing"

	msgauth "github.com/emersion/go-msgauth/dkim"

	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dkim"
)

// messages is a matrix of well-formed messages.
func messages() []string {
	headers := []string{
		"From: a@example.org\r\nSubject: x\r\n",
		"From: \"A, B\" <a@example.org>\r\nTo: b@example.net,\r\n\tc@example.net\r\nSubject:  two  spaces \r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\n",
		"Received: from x by y;\r\n Fri, 20 Nov 2026 10:00:00 +0000\r\nReceived: from z by x;\r\n\tFri, 20 Nov 2026 09:00:00 +0000\r\nFROM:\r\n a@example.org\r\nSUBJECT:\tx\r\nX-Empty:\r\n",
		"From: a@example.org\r\nSubject: =?utf-8?q?b=C3=BCcher?=\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n\tboundary=\"x y\"\r\nTo: a@b.example\r\nTo: c@d.example\r\n",
	}
	bodies := []string{
		"", "\r\n", "\r\n\r\n\r\n", "text\r\n", "text", "two\r\n\r\nparagraphs\r\n\r\n\r\n", " leading\r\n", "trailing \t \r\n  \r\nx  y\tz\r\n",
		"--x y\r\nContent-Type: text/plain\r\n\r\nbücher\r\n--x y--\r\n", "  ", "\t\r\n", strings.Repeat("a line of some words\r\n", 2000),
		strings.Repeat("TWFpbHN0ZWFkIG1haWwgYnVpbGRpbmcgYmxvY2tzTWFpbHN0ZWFkIG1haWwgYnVpbGRpbmcg\r\n", 700), strings.Repeat("x", 900) + "\r\n.\r\n..\r\n",
	}
	var out []string
	for _, h := range headers {
		for _, b := range bodies {
			out = append(out, h+"\r\n"+b)
		}
	}
	return out
}

// testKeys are an RSA and an Ed25519 key, with their zone.
func testKeys(t testing.TB) ([]dkim.Key, zone) {
	t.Helper()
	r, err := dkim.GenerateRSA(0)
	if err != nil {
		t.Fatal(err)
	}
	e, err := dkim.GenerateEd25519()
	if err != nil {
		t.Fatal(err)
	}
	keys := []dkim.Key{{"example.org", "rsa", r}, {"example.org", "ed", e}}
	z := zone{}
	for _, k := range keys {
		record, err := dkim.Record(k.Signer.Public())
		if err != nil {
			t.Fatal(err)
		}
		z[k.Selector+"._domainkey."+k.Domain] = []string{record}
	}
	return keys, z
}

func (z zone) txt(name string) ([]string, error) {
	if texts, ok := z[strings.TrimSuffix(name, ".")]; ok {
		return texts, nil
	}
	return nil, fmt.Errorf("no %s", name)
}

// TestMsgauth: what either signs, the other verifies, over the matrix.
func TestMsgauth(t *testing.T) {
	keys, z := testKeys(t)
	v := &dkim.Verifier{Resolver: z}
	for i, message := range messages() {
		for _, header := range []dkim.Canonicalization{dkim.Relaxed, dkim.Simple} {
			for _, body := range []dkim.Canonicalization{dkim.Relaxed, dkim.Simple} {
				name := fmt.Sprintf("%d/%v/%v", i, header, body)
				s := &dkim.Signer{Keys: keys, Header: header, Body: body}
				fields, err := s.Sign(strings.NewReader(message))
				if err != nil {
					t.Fatal(name, err)
				}
				checkLines(t, fields)
				checkBoth(t, name+" ours", v, z, string(fields)+message, 2)
				for _, k := range keys {
					theirs := msgauthSign(t, message, k, header, body)
					checkBoth(t, name+" theirs "+k.Selector, v, z, theirs, 1)
				}
			}
		}
	}
}

func msgauthSign(t *testing.T, message string, k dkim.Key, header, body dkim.Canonicalization) string {
	t.Helper()
	var b bytes.Buffer
	err := msgauth.Sign(&b, strings.NewReader(message), &msgauth.SignOptions{
		Domain: k.Domain, Selector: k.Selector, Signer: k.Signer, Hash: crypto.SHA256,
		HeaderCanonicalization: msgauth.Canonicalization(header.String()), BodyCanonicalization: msgauth.Canonicalization(body.String()),
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func checkBoth(t *testing.T, name string, v *dkim.Verifier, z zone, message string, n int) {
	t.Helper()
	got := judge(t, v, message).Results
	for _, r := range got {
		if r.Result != authres.Pass {
			t.Errorf("%s: %+v", name, r)
		}
	}
	theirs, err := msgauth.VerifyWithOptions(strings.NewReader(message), &msgauth.VerifyOptions{LookupTXT: z.txt})
	if err != nil || len(theirs) != n || len(got) != n {
		t.Errorf("%s: %d and %d signatures, %v", name, len(got), len(theirs), err)
	}
	for _, r := range theirs {
		if r.Err != nil {
			t.Errorf("%s: go-msgauth: %v", name, r.Err)
		}
	}
}

func checkLines(t *testing.T, fields []byte) {
	t.Helper()
	for line := range strings.SplitSeq(strings.TrimSuffix(string(fields), "\r\n"), "\r\n") {
		if len(line) > 78 || strings.TrimSpace(line) == "" {
			t.Errorf("line %q", line)
		}
	}
}
