package dmarc

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
)

// summary is the essence of a record in one line.
func summary(r *Record) string {
	s := fmt.Sprintf("%s/%s/%s", r.Policy, r.Subdomain, r.NonExistent)
	for _, f := range []struct {
		on   bool
		word string
	}{
		{r.StrictDKIM, "dkim"},
		{r.StrictSPF, "spf"},
		{r.Test, "test"},
		{r.PSD == PSDYes, "psd"},
		{r.PSD == PSDNo, "org"},
		{r.Percent != 100, fmt.Sprint(r.Percent, "%")},
		{r.Interval != 24*time.Hour, r.Interval.String()},
		{r.FailureOptions != "0", "fo=" + r.FailureOptions},
	} {
		if f.on {
			s += " " + f.word
		}
	}
	for _, u := range r.Aggregate {
		s += fmt.Sprintf(" rua=%s!%d", u.Text, u.MaxBytes)
	}
	for _, u := range r.Failure {
		s += fmt.Sprintf(" ruf=%s!%d", u.Text, u.MaxBytes)
	}
	if len(r.Faults) > 0 {
		s += " bad:" + strings.Join(r.Faults, ",")
	}
	return s
}

func TestParse(t *testing.T) {
	const rua = "rua=mailto:a@example.com"
	for text, want := range map[string]string{
		// RFC 9989 B.2
		"v=DMARC1; p=none; rua=mailto:dmarc-feedback@example.com":                                          "none/none/none rua=mailto:dmarc-feedback@example.com!0",
		"v=DMARC1; p=none; rua=mailto:dmarc-feedback@example.com; ruf=mailto:auth-reports@example.com":     "none/none/none rua=mailto:dmarc-feedback@example.com!0 ruf=mailto:auth-reports@example.com!0",
		"v=DMARC1; p=quarantine; rua=mailto:a@example.com,mailto:tld-test@thirdparty.example.net!10m; t=y": "quarantine/quarantine/quarantine test rua=mailto:a@example.com!0 rua=mailto:tld-test@thirdparty.example.net!10485760",
		"v=DMARC1; p=reject; aspf=r; rua=mailto:dmarc-feedback@example.com":                                "reject/reject/reject rua=mailto:dmarc-feedback@example.com!0",
		"V = DMARC1 ;P = Reject; SP=QUARANTINE;ADKIM=S;ASPF=s;PSD=N;T=Y;PCT=7;RI=60;RF=AFRF":               "reject/quarantine/quarantine dkim spf test org 7% 1m0s",
		"v=DMARC1;p=none;np=reject":             "none/none/reject",
		"v=DMARC1;p=reject;sp=none;psd=y":       "reject/none/none psd",
		"v=DMARC1;sp=none;p=reject;np=":         "none/none/none bad:np ErrPolicy",
		"v=DMARC1;p=reject;;;x;y=;=z;unknown=1": "reject/reject/reject",
		"v=DMARC1;\tp\t=\treject\t;":            "reject/reject/reject",
		"v=DMARC1;p=reject;p=none":              "reject/reject/reject bad:p",
		"v=DMARC1;p=reject;psd=x;t=1;adkim=;aspf=x;pct=101;ri=-1;rf=iodef;fo=2;rua=x;ruf=mailto:": "reject/reject/reject bad:psd,t,adkim,aspf,pct,ri,rf,fo,rua,ruf",
		// without a valid policy (§4.10.1)
		"v=DMARC1":                             "none/none/none ErrPolicy",
		"v=DMARC1; psd=y":                      "none/none/none psd ErrPolicy",
		"v=DMARC1;" + rua:                      "none/none/none rua=mailto:a@example.com!0",
		"v=DMARC1;p=nonsense;sp=reject;" + rua: "none/none/none rua=mailto:a@example.com!0 bad:p",
		"v=DMARC1;p=reject;sp=x;" + rua:        "none/none/none rua=mailto:a@example.com!0 bad:sp",
		"v=DMARC1;p=reject;np=x;" + rua:        "none/none/none rua=mailto:a@example.com!0 bad:np",
		"v=DMARC1;p=reject;np=x;rua=mailto:":   "none/none/none bad:np,rua ErrPolicy",
		"v=DMARC1;p=rej\u00e9ct":               "none/none/none bad:p ErrPolicy",
		"v=DMARC1;p=reject\x00":                "none/none/none bad:p ErrPolicy",
		// fo only with ruf
		"v=DMARC1;p=none;fo=1":                              "none/none/none",
		"v=DMARC1;p=none;fo=d : S:1;ruf=mailto:a@b.example": "none/none/none fo=ds1 ruf=mailto:a@b.example!0",
		"v=DMARC1;p=none;fo=0:1;ruf=mailto:a@b.example":     "none/none/none ruf=mailto:a@b.example!0 bad:fo",
		"v=DMARC1;p=none;fo=d:d;ruf=mailto:a@b.example":     "none/none/none ruf=mailto:a@b.example!0 bad:fo",
		// lists
		"v=DMARC1;p=none;rua=mailto:a@b.example , x, https://c.example/d!1G,mailto:e@f.example!,mailto:e@f.example!x": "none/none/none rua=mailto:a@b.example!0 rua=https://c.example/d!1073741824",
		"v=DMARC1;p=none;rua=mailto:a@b.example!99999999999999999999t":                                                fmt.Sprintf("none/none/none rua=mailto:a@b.example!%d", math.MaxInt64),
		"v=DMARC1;p=none;rua=mailto:a@b.example!9t,mailto:a@b.example!9223372036854775807":                            "none/none/none rua=mailto:a@b.example!9895604649984 rua=mailto:a@b.example!9223372036854775807",
	} {
		r, err := Parse(text)
		if r == nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		got := summary(r)
		if errors.Is(err, ErrPolicy) {
			got += " ErrPolicy"
		}
		if got != want {
			t.Errorf("%q:\n got %s\nwant %s", text, got, want)
		}
	}
}

func TestParseNotDMARC(t *testing.T) {
	for _, text := range []string{
		"", "v", "v=", "v=DMARC", "v=DMARC1x", "v=DMARC1 p=none", "v=dmarc1;p=none", "v=DMARC2;p=none", "p=none;v=DMARC1", " v=DMARC1;p=none",
		"v=DMARC1,p=none", "v=spf1 -all", "\"v=DMARC1;p=none\"", "v=DMARC1\x00;p=none", "x=DMARC1;p=none", "v==DMARC1",
	} {
		if r, err := Parse(text); !errors.Is(err, ErrNotDMARC) || r != nil {
			t.Errorf("%q: %v, %v", text, r, err)
		}
	}
}

func TestMailbox(t *testing.T) {
	for text, want := range map[string]string{
		"mailto:a@b.example": "a@b.example", "MAILTO:a%2Cb@c.example?subject=x": "", "mailto:a%21@b.example": "a!@b.example",
		"https://a@b.example": "", "mailto:a@b.example%0d%0aX:": "", "mailto:@b.example": "", "mailto:a@b@c.example": "", "mailto:a%40b.example": "a@b.example",
		"mailto:a@": "", "mailto:a": "", "mailto:a%2": "", "mailto:a%00@b.example": "",
	} {
		if got, ok := (URI{Text: text}).Mailbox(); got != want && ok || ok != (want != "") {
			t.Errorf("%q: %q %v, want %q", text, got, ok, want)
		}
	}
}

// A record of any size costs memory in proportion to it (A5).
func TestParseBounds(t *testing.T) {
	for name, text := range map[string]string{
		"tags":     "v=DMARC1;p=reject" + strings.Repeat(";p=none", 10_000),
		"unknown":  "v=DMARC1;p=reject" + strings.Repeat(";x=y", 16_000),
		"uris":     "v=DMARC1;p=reject;rua=" + strings.Repeat("mailto:a@b.example,", 3_400),
		"junkuris": "v=DMARC1;p=reject;rua=" + strings.Repeat("x,", 32_000) + "mailto:a@b.example",
		"fo":       "v=DMARC1;p=reject;fo=" + strings.Repeat("d:", 32_000),
		"equals":   "v=DMARC1;p=reject;" + strings.Repeat("=", 64_000),
	} {
		r, err := Parse(text)
		if err != nil || r.Policy != Reject || len(r.Aggregate) > maxList || len(r.Faults) > maxList {
			t.Errorf("%s: %v", name, err)
		}
		if n := allocated(func() { _, _ = Parse(text) }); n > uint64(len(text)) {
			t.Errorf("%s: %d bytes for a record of %d", name, n, len(text))
		}
	}
}

// allocated is how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func FuzzParse(f *testing.F) {
	f.Add("v=DMARC1;p=reject;sp=none;np=quarantine;psd=n;t=y;rua=mailto:a@b.example!10m,x;ruf=mailto:c@d.example;fo=1:d;pct=5;ri=1;rf=afrf")
	f.Add("v = DMARC1 ; p = none")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Parse(text)
		if (r == nil) != errors.Is(err, ErrNotDMARC) {
			t.Fatalf("%v, %v", r, err)
		}
		if r == nil {
			return
		}
		if r.Percent < 0 || r.Percent > 100 || r.Interval < 0 || r.Policy > Reject || len(r.Aggregate) > maxList || len(r.Formats) == 0 {
			t.Fatalf("%+v", r)
		}
		if err != nil && (r.Policy|r.Subdomain|r.NonExistent != PolicyNone || len(r.Aggregate) > 0) {
			t.Fatalf("%+v with %v", r, err)
		}
		again, _ := Parse(text + ";unknown=x")
		if !reflect.DeepEqual(r, again) {
			t.Fatalf("an unknown tag changes %+v to %+v", r, again)
		}
	})
}
