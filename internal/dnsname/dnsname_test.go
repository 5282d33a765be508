package dnsname

import (
	"errors"
	"strings"
	"testing"
)

func TestToASCII(t *testing.T) {
	for in, want := range map[string]string{
		"Example.ORG": "example.org", "_DMARC.example.org": "_dmarc.example.org", "": "", "XN--BCHER-kva.example": "xn--bcher-kva.example",
		"BÜCHER.example": "xn--bcher-kva.example", "bücher。example": "xn--bcher-kva.example", strings.Repeat("a", 9999): strings.Repeat("a", 9999),
	} {
		if got, err := ToASCII(in); got != want || err != nil {
			t.Errorf("%.40q: %.40q, %v", in, got, err)
		}
	}
	// 240 code points of 720 octets are a name of less than 253.
	long := strings.Repeat(strings.Repeat("例", 40)+".", 5) + "jp"
	if got, err := ToASCII(long); err != nil || !Valid(got) {
		t.Errorf("%q, %v", got, err)
	}
	for _, in := range []string{"ü\xff.example", "_ü.example", "ü ü.example", strings.Repeat("ü.", 1000)} {
		if got, err := ToASCII(in); !errors.Is(err, ErrDomain) || got != "" {
			t.Errorf("%.40q: %.40q, %v", in, got, err)
		}
	}
}

func TestValid(t *testing.T) {
	label := strings.Repeat("a", 63)
	for in, want := range map[string]bool{
		"a": true, "a.B-c_d.9": true, label: true, strings.Repeat(label[:62]+".", 4) + "a": true, label + "." + label + "." + label + "." + label[:61]: true,
		"": false, ".": false, "a.": false, ".a": false, "a..b": false, "a b": false, "ü": false, label + "a": false, label + "." + label + "." + label + "." + label[:62]: false,
	} {
		if Valid(in) != want {
			t.Errorf("%q is not %v", in, want)
		}
	}
}

func TestWithin(t *testing.T) {
	for _, test := range []struct {
		name, top string
		want      bool
	}{
		{"example.org", "example.org", true},
		{"A.Example.org", "example.ORG", true},
		{"a.b.example.org", "example.org", true},
		{"badexample.org", "example.org", false},
		{".example.org", "example.org", false},
		{"org", "example.org", false},
		{"example.com", "example.org", false},
	} {
		if Within(test.name, test.top) != test.want {
			t.Errorf("%+v", test)
		}
	}
}
