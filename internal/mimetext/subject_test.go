package mimetext

import (
	"strings"
	"testing"
)

func TestBaseSubject(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"hello", "hello"},
		{"", ""},
		{"Re: hello", "hello"},
		{"RE : FW: fwd: re[2]: hello (fwd) (FWD) ", "hello"},
		{"[list] Re: [list] hello", "hello"},
		{"[list]", "[list]"},
		{"[a] [b]", "[b]"},
		{"[a] [b] c", "c"},
		{"Re: [a]", "[a]"},
		{"[Fwd: Re: hello]", "hello"},
		{"[fwd: [fwd: hello (fwd)] ]", "hello"},
		{"[fwd: hello", "[fwd: hello"},
		{"[a[b] c", "[a[b] c"},
		{"Reply: x", "Reply: x"},
		{"Re", "Re"},
		{"Re:", ""},
		{"a\t\r\n  b", "a b"},
		{"=?utf-8?q?Re:_=C3=A4?= x", "\u00e4 x"},
		{"=?iso-8859-15?q?=A4?=", "\u20ac"},
		{"=?unknown-1?q?abc=E4?=", "abc\ufffd"},
		{"=?utf-8?q?a?= =?utf-8?q?b?=", "ab"},
		{"=?utf-8?q?a", "=?utf-8?q?a"},
		{"\xe4", "\ufffd"},
	} {
		if got := BaseSubject([]byte(tt.in)); got != tt.want {
			t.Errorf("%q = %q, want %q", tt.in, got, tt.want)
		}
	}
	for _, unit := range []string{"re: ", "[a]", "[fwd:", "re[a]:", "(fwd)", "[a] re ", "re[", "=?", "=?a?q?b?="} {
		BaseSubject([]byte(strings.Repeat(unit, 1<<20/len(unit)))) // must not be quadratic
	}
}

// FuzzBaseSubject: the base subject of a base subject is itself.
func FuzzBaseSubject(f *testing.F) {
	f.Add("[fwd: re: [a] b (fwd)]")
	f.Fuzz(func(t *testing.T, s string) {
		base := BaseSubject([]byte(s))
		if strings.Contains(base, "=?") {
			return // decodes again
		}
		if again := BaseSubject([]byte(base)); again != base {
			t.Fatalf("%q: %q, then %q", s, base, again)
		}
	})
}
