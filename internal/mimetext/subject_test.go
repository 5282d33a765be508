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

// TestSubject holds what RFC 5256 §2.1 says against cases where the order of its
// steps matters.
func TestSubject(t *testing.T) {
	for _, tt := range []struct {
		in, want string
		reply    bool
	}{
		{"plan", "plan", false},
		{"[list] plan", "plan", false},
		{"RE:plan", "plan", true},
		{"re [2] : plan", "plan", true},
		{"Re[a]b: plan", "Re[a]b: plan", false},
		{"re[[2]]: plan", "re[[2]]: plan", false},
		{"plan (fwd)", "plan", true},
		{"plan(FWD)(fwd)", "plan", true},
		{"(fwd)", "", true},
		{"(fwd) plan", "(fwd) plan", false},
		{"plan (fwd) x", "plan (fwd) x", false},
		{"[Fwd: plan]", "plan", true},
		{"[fwd:plan", "[fwd:plan", false},
		{"[fwd:]", "", true},
		{"[fwd: [list] re: plan (fwd)]", "plan", true},
		{"[fwd: plan] tail", "tail", false}, // a blob in front of a base
		{"[a] [fwd: plan]", "plan", true},
		{"fwd: [fwd: fw: plan]", "plan", true},
		{"fwd : fw: re: re: plan", "plan", true},
		{"forward: plan", "forward: plan", false},
		{"Re: [a] Re: [b] plan", "plan", true},
		{"Re: [a] [b]", "[b]", true},
		{"[] []", "[]", false},
		{"[]", "[]", false},
		{"Re: Re: Re:", "", true},
		{"  plan \t of  the\r\n day ", "plan of the day", false},
		{"=?utf-8?q?Re=3A?= =?utf-8?q?_plan?=", "plan", true},
		{"=?utf-8?b?W2xpc3Rd?= Re: plan", "plan", true},
		{"AW: plan", "AW: plan", false}, // no translations (RFC 5256 §6)
		{"re", "re", false},
		{"re:", "", true},
		{": plan", ": plan", false},
	} {
		if got, reply := Subject([]byte(tt.in)); got != tt.want || reply != tt.reply {
			t.Errorf("%q = %q, %v; want %q, %v", tt.in, got, reply, tt.want, tt.reply)
		}
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
