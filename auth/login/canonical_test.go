package login

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCanonical(t *testing.T) {
	tests := []struct{ in, want string }{ // "" means ErrUsername
		{"alice", "alice"},
		{"Alice", "alice"},
		{"ALICE@EXAMPLE.ORG", "alice@example.org"},
		{"alice+tag@example.org.", "alice+tag@example.org"},
		{"o'brien@example.org", "o'brien@example.org"},
		{"ａｌｉｃｅ@example.org", "alice@example.org"},              // fullwidth forms
		{"Ame\u0301lie@example.org", "am\u00e9lie@example.org"}, // NFC
		{"alice@xn--bcher-kva.example", "alice@bücher.example"},
		{"alice@BÜCHER.example", "alice@bücher.example"},
		{"alice@bu\u0308cher.example", "alice@bücher.example"},
		{"alice@Some_Host", "alice@some_host"}, // IDNA refuses it
		{"alice@[192.0.2.1]", "alice@[192.0.2.1]"},
		{"a@b@example.org", "a@b@example.org"},
		{"", ""},
		{"@example.org", ""},
		{"alice@", ""},
		{"alice@.", ""},
		{"alice@..", ""},
		{"alice@.example.org", ""},
		{"alice@example.org\u3002", "alice@example.org"}, // ideographic full stop
		{"alice smith", ""},
		{"alice\x00", ""},
		{"alice\n@example.org", ""},
		{"alice@exam ple.org", ""},
		{"alice@bücher_x.example", ""},
		{"alice\xff", ""},
		{"alice@" + strings.Repeat("a.", 128) + "org", ""},
		{strings.Repeat("a", MaxUsername), strings.Repeat("a", MaxUsername)},
		{strings.Repeat("a", MaxUsername+1), ""},
	}
	for _, tt := range tests {
		got, err := Canonical(tt.in)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("Canonical(%q) = %q, %v; want %q", tt.in, got, err, tt.want)
		}
	}
}

func FuzzCanonical(f *testing.F) {
	for _, s := range []string{"Alice@Example.ORG", "alice@xn--bcher-kva.example", "ß@ß.example", "a@[IPv6:::1]", "\u03a3@x", "İ", "a@b@c."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := Canonical(s)
		if err != nil {
			if got != "" {
				t.Fatalf("%q beside an error", got)
			}
			return
		}
		if again, err := Canonical(got); again != got || err != nil {
			t.Fatalf("Canonical(%q) = %q, and of that %q, %v", s, got, again, err)
		}
		if !utf8.ValidString(got) || strings.ContainsAny(got, "\x00\r\n\t ") {
			t.Fatalf("Canonical(%q) = %q", s, got)
		}
	})
}

func TestPreparePassword(t *testing.T) {
	tests := []struct{ in, want string }{
		{"secret", "secret"},
		{"Two Words", "Two Words"},
		{"no\u00a0break", "no break"},
		{"e\u0301", "\u00e9"},
		{"tab\t", ""},
		{"", ""},
		{"a\x00b", ""},
	}
	for _, tt := range tests {
		got, err := preparePassword(NewPassword(tt.in))
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%q: %q, %v; want %q", tt.in, got, err, tt.want)
		}
	}
}
