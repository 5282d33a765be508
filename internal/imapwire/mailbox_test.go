package imapwire

import (
	"strings"
	"testing"
)

func TestUTF7(t *testing.T) {
	for _, tt := range []struct{ name, wire string }{
		{"", ""},
		{"INBOX", "INBOX"},
		{"a&b", "a&-b"},
		{"&&", "&-&-"},
		{"~peter/mail/\u53f0\u5317/\u65e5\u672c\u8a9e", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"}, // RFC 3501 §5.1.3
		{"\U0001f600", "&2D3eAA-"},
		{"a\tb", "a&AAk-b"},
	} {
		if got := string(AppendUTF7(nil, tt.name)); got != tt.wire {
			t.Errorf("encode %q = %q, want %q", tt.name, got, tt.wire)
		}
		if got, err := DecodeUTF7([]byte(tt.wire)); err != nil || got != tt.name {
			t.Errorf("decode %q = %q, %v", tt.wire, got, err)
		}
	}
	for _, bad := range []string{
		"&", "&U,BTFw", "\u00e4", "a\tb", "&Jjo!", "&U,BTFw-&ZeVnLIqe-",
		"&AGE-", "&2D0-", "&3gA-", "&2D0AYQ-", "&AA-", "&AAl-", "&A\r-", "&AAk=-", "&//8-",
	} {
		if got, err := DecodeUTF7([]byte(bad)); err == nil {
			t.Errorf("decode %q = %q, want an error", bad, got)
		}
	}
}

func TestDecodeMailbox(t *testing.T) {
	for wire, want := range map[string]string{"B&AOQ-r": "B\u00e4r", "B\u00e4r & co": "B\u00e4r & co", "": ""} {
		if got, err := DecodeMailbox(wire); err != nil || got != want {
			t.Errorf("%q is %q, %v, want %q", wire, got, err, want)
		}
	}
	if got, err := DecodeMailbox("a & b"); err == nil {
		t.Errorf("a shift that is not closed gave %q", got)
	}
}

func FuzzUTF7(f *testing.F) {
	f.Add("a&-b&U,BTFw-")
	f.Add("\u00e4\U0001f600")
	f.Fuzz(func(t *testing.T, s string) {
		if name, err := DecodeUTF7([]byte(s)); err == nil {
			if again := string(AppendUTF7(nil, name)); again != s {
				t.Fatalf("%q decodes to %q, which encodes to %q", s, name, again)
			}
		}
		clean := strings.ToValidUTF8(s, "\ufffd")
		if got, err := DecodeUTF7(AppendUTF7(nil, clean)); err != nil || got != clean {
			t.Fatalf("%q comes back as %q, %v", clean, got, err)
		}
	})
}

// naiveMatch is the definition of RFC 9051 §6.3.9, by dynamic programming.
func naiveMatch(pattern, name string, delim byte) bool {
	m := make([]bool, len(name)+1) // m[j]: pattern[:i] matches name[:j]
	m[0] = true
	for _, c := range []byte(pattern) {
		next := make([]bool, len(name)+1)
		for j := range next {
			switch {
			case c == '*' || c == '%':
				next[j] = m[j] || j > 0 && next[j-1] && (c == '*' || delim == 0 || name[j-1] != delim)
			default:
				next[j] = j > 0 && m[j-1] && name[j-1] == c
			}
		}
		m = next
	}
	return m[len(name)]
}

func TestPattern(t *testing.T) {
	long := strings.Repeat("ab/", 50)
	for _, tt := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "", true},
		{"%", "", true},
		{"", "", true},
		{"", "a", false},
		{"*", "a/b", true},
		{"%", "a/b", false},
		{"%/%", "a/b", true},
		{"a*c", "abc", true},
		{"a*c", "ab/c", true},
		{"a%c", "ab/c", false},
		{"%*", "a/b", true},
		{"*%", "a/b", true},
		{"%%", "a/b", false},
		{"*a%b", "xaxa/axb", true},
		{"inbox", "INBOX", false},
		{long, long, true},
		{long + "%", long + "x", true},
		{long + "x", long, false},
		{"*" + long + "*", "1" + long + "2", true},
	} {
		if got := CompilePattern(tt.pattern, '/').Match(tt.name); got != tt.want {
			t.Errorf("%q matches %q: %v", tt.pattern, tt.name, got)
		}
	}
	if new(Pattern).Match("") {
		t.Error("zero Pattern matches")
	}
	if !CompilePattern("%", 0).Match("a/b") {
		t.Error("a flat name space has no delimiter")
	}
	// Exponential or cubic for a matcher that backtracks.
	hostile := strings.Repeat("*a%a", 1000) + "b"
	if CompilePattern(hostile, '/').Match(strings.Repeat("a", 10_000)) {
		t.Error("hostile pattern matches")
	}
}

func FuzzPattern(f *testing.F) {
	f.Add("*a%b", "xaxa/axb")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if len(pattern)*len(name) > 1<<16 {
			return
		}
		for _, delim := range []byte{'/', 0} {
			if got, want := CompilePattern(pattern, delim).Match(name), naiveMatch(pattern, name, delim); got != want {
				t.Fatalf("%q, %q: %v, want %v", pattern, name, got, want)
			}
		}
	})
}
