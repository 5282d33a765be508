package mtasts

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParseRecord(t *testing.T) {
	for text, id := range map[string]string{
		"v=STSv1; id=20160831085700Z;":           "20160831085700Z",
		"v=STSv1;id=1":                           "1",
		"v=STSv1 ; id=a ; ":                      "a",
		"v=STSv1; future=x/y:z; id=2; n.o=1":     "2",
		"v=STSv1; id=1; id=2":                    "1",
		"v=STSv1; id=" + strings.Repeat("a", 32): strings.Repeat("a", 32),

		"":                                       "",
		"v=STSv1":                                "",
		"v=STSv1;":                               "",
		"v=STSv1; ;":                             "",
		"v=stsv1; id=1":                          "",
		"V=STSv1; id=1":                          "",
		" v=STSv1; id=1":                         "",
		"v=STSv10; id=1":                         "",
		"v=STSv1; id=":                           "",
		"v=STSv1; id = 1":                        "",
		"v=STSv1; id=a-b":                        "",
		"v=STSv1; id=1;; x=1":                    "",
		"v=STSv1; ID=1":                          "",
		"v=STSv1; x=a=b; id=1":                   "",
		"v=STSv1; x=; id=1":                      "",
		"v=STSv1; id=é":                          "",
		"v=STSv1; id=1; x=\x00":                  "",
		"v=STSv1; id=" + strings.Repeat("a", 33): "",
		"v=STSv1; " + strings.Repeat("n", 33) + "=1; id=1": "",
	} {
		r, err := ParseRecord(text)
		if r.ID != id || (err != nil) != (id == "") || err != nil && !errors.Is(err, ErrRecord) {
			t.Errorf("%q: %q, %v; want %q", text, r.ID, err, id)
		}
	}
}

func TestFindRecord(t *testing.T) {
	for _, c := range []struct {
		texts []string
		want  error
	}{
		{[]string{"v=STSv1; id=1"}, nil},
		{[]string{"v=spf1 -all", "v=STSv1; id=1", "v=STSv2; id=3"}, nil},
		{[]string{"v=STSv1; id=1", "v=STSv1; id=1"}, ErrRecord},
		{[]string{"v=STSv1; id=1", "v=STSv1; broken"}, ErrRecord},
		{[]string{"v=spf1 -all"}, ErrNoRecord},
		{nil, ErrNoRecord},
	} {
		if _, err := findRecord(c.texts); !errors.Is(err, c.want) {
			t.Errorf("%q: %v, want %v", c.texts, err, c.want)
		}
	}
}

const good = "version: STSv1\nmode: enforce\nmx: mail.example.org\nmx: *.example.net\nmax_age: 604800\n"

func TestParsePolicy(t *testing.T) {
	for name, body := range map[string]string{
		"LF":             good,
		"CRLF":           strings.ReplaceAll(good, "\n", "\r\n"),
		"no final LF":    strings.TrimSuffix(good, "\n"),
		"trailing space": strings.ReplaceAll(good, "\n", " \t\n"),
		"empty lines":    good + "\n\r\n \n",
		"no space":       strings.ReplaceAll(good, ": ", ":"),
		"upper case mx":  strings.ReplaceAll(good, "mail.example", "MAIL.Example"),
		"repeated":       good + "mode: none\nmax_age: 1\nversion: STSv2\n",
		"repeated wrong": good + "mode: sideways\n",
		"extension":      good + "future.field: any: thing, Ünïcode\n",
	} {
		p, err := ParsePolicy([]byte(body))
		if err != nil || p.Mode != Enforce || p.MaxAge != 604800*time.Second || !slices.Equal(p.MX, []string{"mail.example.org", "*.example.net"}) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

// hostile are policies of domains that mean harm, or have it.
var hostile = map[string]string{
	"empty":                "",
	"HTML":                 "<!DOCTYPE html><html><body>version: STSv1</body></html>",
	"no version":           "mode: enforce\nmx: a.example\nmax_age: 1\n",
	"version 2":            "version: STSv2\nmode: enforce\nmx: a.example\nmax_age: 1\n",
	"version in lower":     "version: stsv1\nmode: enforce\nmx: a.example\nmax_age: 1\n",
	"no mode":              "version: STSv1\nmx: a.example\nmax_age: 1\n",
	"mode in upper":        "version: STSv1\nmode: ENFORCE\nmx: a.example\nmax_age: 1\n",
	"unknown mode":         "version: STSv1\nmode: report\nmx: a.example\nmax_age: 1\n",
	"no max_age":           "version: STSv1\nmode: enforce\nmx: a.example\n",
	"negative max_age":     "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: -1\n",
	"max_age of 11 digits": "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 00000000001\n",
	"max_age with +":       "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: +1\n",
	"max_age in words":     "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 1d\n",
	"max_age empty":        "version: STSv1\nmode: enforce\nmx: a.example\nmax_age:\n",
	"no mx":                "version: STSv1\nmode: enforce\nmax_age: 1\n",
	"no mx, testing":       "version: STSv1\nmode: testing\nmax_age: 1\n",
	"mx for all":           "version: STSv1\nmode: enforce\nmx: *\nmax_age: 1\n",
	"mx for all of .":      "version: STSv1\nmode: enforce\nmx: *.\nmax_age: 1\n",
	"star within":          "version: STSv1\nmode: enforce\nmx: a.*.example\nmax_age: 1\n",
	"half a star":          "version: STSv1\nmode: enforce\nmx: mx*.example\nmax_age: 1\n",
	"two stars":            "version: STSv1\nmode: enforce\nmx: *.*.example\nmax_age: 1\n",
	"old leading dot":      "version: STSv1\nmode: enforce\nmx: .example.com\nmax_age: 1\n",
	"dot at the end":       "version: STSv1\nmode: enforce\nmx: a.example.\nmax_age: 1\n",
	"two in a line":        "version: STSv1\nmode: enforce\nmx: a.example, b.example\nmax_age: 1\n",
	"U-label":              "version: STSv1\nmode: enforce\nmx: müller.example\nmax_age: 1\n",
	"address":              "version: STSv1\nmode: enforce\nmx: [192.0.2.1]\nmax_age: 1\n",
	"long label":           "version: STSv1\nmode: enforce\nmx: " + strings.Repeat("a", 64) + ".example\nmax_age: 1\n",
	"long name":            "version: STSv1\nmode: enforce\nmx: " + strings.Repeat("a.", 127) + "example\nmax_age: 1\n",
	"NUL":                  "version: STSv1\nmode: enforce\nmx: a.example\x00.evil\nmax_age: 1\n",
	"CR only":              strings.ReplaceAll(good, "\n", "\r"),
	"not UTF-8":            good + "x: \xff\n",
	"line without field":   good + "hello\n",
	"space before colon":   strings.Replace(good, "mode:", "mode :", 1),
	"indented":             strings.Replace(good, "mode:", " mode:", 1),
	"UTF-8 BOM":            "\ufeff" + good,
	"UTF-16":               "v\x00e\x00r\x00s\x00i\x00o\x00n\x00:\x00",
	"too long":             good + strings.Repeat("x: y\n", maxPolicy/5),
}

func TestHostilePolicies(t *testing.T) {
	for name, body := range hostile {
		if p, err := ParsePolicy([]byte(body)); !errors.Is(err, ErrPolicy) || p != nil {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

func TestPolicyLimits(t *testing.T) {
	p, err := ParsePolicy([]byte("version: STSv1\nmode: none\nmax_age: 9999999999\n"))
	if err != nil || p.Mode != None || p.MaxAge != MaxAge {
		t.Errorf("%+v, %v", p, err)
	}
	p, err = ParsePolicy([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParsePolicy([]byte(strings.Join(p.Lines(), "\n")))
	if err != nil || !slices.Equal(again.Lines(), p.Lines()) || len(p.Lines()) != 5 {
		t.Errorf("%q: %+v, %v", p.Lines(), again, err)
	}
}

func TestMatches(t *testing.T) {
	p := &Policy{MX: []string{"mail.example.org", "*.example.net"}}
	for host, want := range map[string]bool{
		"mail.example.org": true, "MAIL.example.ORG.": true, "a.example.net": true, "A.EXAMPLE.NET": true,
		"example.org": false, "x.mail.example.org": false, "example.net": false, "a.b.example.net": false,
		".example.net": false, "*.example.net": false, "": false, ".": false, "mail.example.org..": false,
		"aexample.net": false, "a.example.net.evil": false, "a\x00.example.net": false,
	} {
		if p.Matches(host) != want {
			t.Errorf("%q: %v", host, !want)
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add("v=STSv1; id=20160831085700Z; x=y;")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseRecord(text)
		if err != nil {
			return
		}
		if again, err := ParseRecord("v=STSv1; id=" + r.ID); err != nil || again != r {
			t.Fatalf("%q: %q, %v", text, r.ID, err)
		}
	})
}

func FuzzPolicy(f *testing.F) {
	f.Add([]byte(good))
	for _, body := range hostile {
		if len(body) < 1000 {
			f.Add([]byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := ParsePolicy(body)
		if err != nil {
			if !errors.Is(err, ErrPolicy) || p != nil {
				t.Fatal(p, err)
			}
			return
		}
		again, err := ParsePolicy([]byte(strings.Join(p.Lines(), "\r\n")))
		if err != nil || !slices.Equal(again.Lines(), p.Lines()) || p.MaxAge > MaxAge || p.MaxAge < 0 {
			t.Fatalf("%q: %v", p.Lines(), err)
		}
		for _, mx := range p.MX {
			if !p.Matches(strings.Replace(mx, "*", "a", 1)) || p.Matches("evil."+mx) && !slices.Contains(p.MX, "*."+mx) {
				t.Fatalf("%q", mx)
			}
		}
	})
}
