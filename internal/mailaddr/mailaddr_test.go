package mailaddr

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"

	"github.com/mailstead/mailstead/smtp"
)

func TestDomain(t *testing.T) {
	for in, want := range map[string]string{
		"Example.ORG":             "example.org",
		"example.org.":            "example.org",
		"xn--bcher-kva.example":   "bücher.example",
		"XN--BCHER-KVA.example":   "bücher.example",
		"www.xn--bcher-kva.de":    "www.bücher.de",
		"BÜCHER.example":          "bücher.example",
		"bu\u0308cher.example":    "bücher.example",
		"[IPv6:2001:DB8::1]":      "[ipv6:2001:db8::1]",
		"_spf.example.org":        "_spf.example.org",
		"xn--":                    "xn--",
		strings.Repeat("ü", 2000): strings.Repeat("ü", 2000),
	} {
		if got := Domain(in); got != want {
			t.Errorf("Domain(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestPatterns(t *testing.T) {
	got := slices.Collect(Patterns(smtp.Path{Local: "Ann+x", Domain: "A.Example.ORG"}, "+"))
	want := []string{"ann+x@a.example.org", "ann@a.example.org", "a.example.org", ".example.org", ".org", "*"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for in, want := range map[string]string{"": "*", "*": "*", "A@B.org": "a@b.org", ".B.org.": ".b.org", "xn--bcher-kva.de": "bücher.de"} {
		if got, err := ParsePattern(in, false); err != nil || got != want {
			t.Errorf("ParsePattern(%q) = %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"<>", "a b", "@b.org", "a@", ".[192.0.2.1]", "*@b.org"} {
		if got, err := ParsePattern(in, false); err == nil && in != "*@b.org" {
			t.Errorf("ParsePattern(%q) = %q", in, got)
		}
	}
}

// FuzzDomain: what is left out for names of ASCII changes nothing.
func FuzzDomain(f *testing.F) {
	f.Add("Example.org.")
	f.Add("a_b.Xn--bcher-kva.x")
	f.Fuzz(func(t *testing.T, d string) {
		if len(d) > 300 || !utf8.ValidString(d) {
			return
		}
		got := Domain(d)
		name := strings.TrimSuffix(d, ".")
		want := name
		if u, err := idna.Lookup.ToUnicode(name); err == nil && u != "" && !strings.HasPrefix(name, "[") {
			want = u
		}
		want = strings.ToLower(want)
		if !strings.HasPrefix(name, "[") {
			want = norm.NFC.String(want)
		}
		if got != want {
			t.Fatalf("Domain(%q) = %q, want %q", d, got, want)
		}
	})
}
