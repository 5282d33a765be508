package dmarc

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/auth/dnsx"
)

// uriList is URIs in one line, with their sizes.
func uriList(list []URI) string {
	var s []string
	for _, u := range list {
		text := strings.TrimPrefix(u.Text, "mailto:")
		if u.MaxBytes > 0 {
			text += fmt.Sprint("!", u.MaxBytes)
		}
		s = append(s, text)
	}
	return strings.Join(s, " ")
}

func TestDestinations(t *testing.T) {
	const report = "._report._dmarc."
	for name, c := range map[string]struct {
		rua     string
		consent map[string]string // host → texts of example.com's record there
		want    string
		fails   string
	}{
		"own":                {rua: "mailto:a@example.com!10m", want: "a@example.com!10485760"},
		"own organization":   {rua: "mailto:a@deep.sub.example.com,mailto:b@example.com", want: "a@deep.sub.example.com b@example.com"},
		"each once":          {rua: "mailto:a@example.com,MAILTO:a@EXAMPLE.com!1m,mailto:A@example.com", want: "a@example.com A@example.com"},
		"no consent":         {rua: "mailto:a@example.net,mailto:b@example.com", want: "b@example.com"},
		"consent":            {rua: "mailto:a@example.net", consent: map[string]string{"example.net": "v=DMARC1"}, want: "a@example.net"},
		"consent, semicolon": {rua: "mailto:a@example.net", consent: map[string]string{"example.net": "v=DMARC1;"}, want: "a@example.net"},
		"consent of many":    {rua: "mailto:a@example.net", consent: map[string]string{"example.net": "v=spf1|v=DMARC1|v=DMARC1"}, want: "a@example.net"},
		"no DMARC":           {rua: "mailto:a@example.net", consent: map[string]string{"example.net": "v=DMARC10|v=spf1"}, want: ""},
		"of a parent only":   {rua: "mailto:a@r.example.net", consent: map[string]string{"example.net": "v=DMARC1"}, want: ""},
		"instead":            {rua: "mailto:a@example.net!5k", consent: map[string]string{"example.net": "v=DMARC1; rua=mailto:c@example.net,mailto:d@example.net!1k"}, want: "c@example.net d@example.net!1024"},
		"instead, elsewhere": {rua: "mailto:a@example.net", consent: map[string]string{"example.net": "v=DMARC1; rua=mailto:c@example.net,mailto:c@victim.example"}, want: ""},
		"instead, not valid": {rua: "mailto:a@example.net", consent: map[string]string{"example.net": "v=DMARC1; rua=nothing"}, want: "a@example.net"},
		"not by mail":        {rua: "https://example.com/report,mailto:a@example.com", want: "a@example.com"},
		"none":               {rua: "nothing", want: ""},
		"nobody knows":       {rua: "mailto:a@example.net,mailto:b@example.com", want: "b@example.com failed", fails: "example.com" + report + "example.net"},
		"host unknown":       {rua: "mailto:a@example.net,mailto:b@example.com", want: "b@example.com failed", fails: "_dmarc.example.net"},
		"policy unknown":     {rua: "mailto:a@example.com", want: " failed", fails: "_dmarc.example.com"},
		"long names":         {rua: "mailto:a@" + strings.Repeat("x234567890.", 20) + "example.net", want: ""},
	} {
		z := newZone(map[string]string{"example.com": "v=DMARC1; p=none; rua=" + c.rua + "; ruf=" + c.rua})
		for host, texts := range c.consent {
			z.texts["example.com"+report+host] = strings.Split(texts, "|")
		}
		z.fails = c.fails
		for _, mode := range []Mode{RFC9989, RFC7489} {
			if c.fails == "_dmarc.example.net" && mode == RFC7489 {
				continue // the list needs no question
			}
			for _, kind := range []ReportKind{AggregateReports, FailureReports} {
				if kind == FailureReports && strings.HasPrefix(name, "instead") {
					continue
				}
				list, err := (&Checker{Resolver: z, Mode: mode}).Destinations(t.Context(), "Example.COM", kind)
				got := uriList(list)
				if errors.Is(err, dnsx.ErrServFail) {
					got += " failed"
				} else if err != nil {
					t.Error(err)
				}
				if got != c.want {
					t.Errorf("%s, mode %d, kind %d: %q, want %q", name, mode, kind, got, c.want)
				}
			}
		}
	}
}

// A record that sends reports to many others makes few of them hear of it, and
// asks each host once.
func TestDestinationBounds(t *testing.T) {
	z := newZone(nil)
	rua := ""
	for i := range 32 {
		rua += fmt.Sprintf(",mailto:a@victim%d.example,mailto:b@victim%d.example", i, i)
	}
	z.texts["_dmarc.example.com"] = []string{"v=DMARC1; p=none; rua=" + rua[1:]}
	list, err := (&Checker{Resolver: z}).Destinations(t.Context(), "example.com", AggregateReports)
	if n := len(z.asked); list != nil || err != nil || n > 1+1+5*3 {
		t.Errorf("%v, %v after %d questions", list, err, n)
	}
}

// Failure reports have too much in them for a public suffix.
func TestDestinationsSuffix(t *testing.T) {
	z := newZone(map[string]string{"bank": "v=DMARC1; p=none; psd=y; rua=mailto:a@bank; ruf=mailto:f@bank"})
	c := &Checker{Resolver: z}
	rua, err := c.Destinations(t.Context(), "bank", AggregateReports)
	ruf, err2 := c.Destinations(t.Context(), "bank", FailureReports)
	if err != nil || err2 != nil || uriList(rua) != "a@bank" || ruf != nil {
		t.Error(rua, ruf, err, err2)
	}
}
