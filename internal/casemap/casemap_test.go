package casemap

import (
	"slices"
	"testing"
)

func TestKey(t *testing.T) {
	for text, want := range map[string]string{
		"":              "",
		"Hello, World":  "HELLO, WORLD",
		"\u01c4":        "Dz\u030c", // the example of RFC 5051 §2
		"\u01c6":        "Dz\u030c",
		"é":             "E\u0301",
		"ﬁ":             "fi", // decomposed behind titlecase: small letters
		"ß":             "ß",
		"ς":             "Σ",
		"ა":             "ა",                  // has a capital, but itself for titlecase
		"①²":            "12",                 // compatibility forms
		"각":             "\u1100\u1161\u11a8", // Hangul
		"a\u0301\u0323": "A\u0323\u0301",      // marks in their order
		"a\xff":         "a\xff",              // no UTF-8: as it is
		"\xc0\xafabc":   "\xc0\xafabc",        // overlong
		"\U00010428":    "\U00010400",         // outside of the BMP
	} {
		if got := string(AppendKey([]byte("x"), []byte(text))); got != "x"+want {
			t.Errorf("%q: %q, want %q", text, got[1:], want)
		}
	}
}

// TestOrder: the order that people expect where RFC 5051 gives it.
func TestOrder(t *testing.T) {
	want := []string{"", "10", "Äpfel", "apfelmus", "BANANE", "Über", "uhu", "Ω", "ω2", "я"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, func(a, b string) int {
		return slices.Compare(AppendKey(nil, []byte(a)), AppendKey(nil, []byte(b)))
	})
	// U+0308 stands behind all letters of US-ASCII.
	want = []string{"", "10", "apfelmus", "Äpfel", "BANANE", "uhu", "Über", "Ω", "ω2", "я"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func FuzzKey(f *testing.F) {
	for _, s := range []string{"abc", "É\u01c4", "a\xff", "각\u0301\u0323"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		key := AppendKey(nil, []byte(s))
		if len(key) > 18*len(s) { // U+FDFA: 3 octets become 33
			t.Fatalf("%q: %d octets", s, len(key))
		}
		if again := AppendKey(nil, []byte(s)); !slices.Equal(key, again) {
			t.Fatal("not the same again")
		}
	})
}
