package auth

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// strip sends a message through a stripper in pieces of n octets.
func strip(message string, n int) (string, int) {
	s := stripper{id: "mx.example.org", below: true}
	var out []byte
	for rest := []byte(message); len(rest) > 0; {
		k := min(n, len(rest))
		out = s.feed(out, bytes.Clone(rest[:k]))
		rest = rest[k:]
	}
	return string(s.finish(out)), s.removed
}

const (
	ours   = "Authentication-Results: mx.example.org; spf=pass smtp.mailfrom=x.example\r\n"
	theirs = "Authentication-Results: mx.example.com; spf=pass smtp.mailfrom=x.example\r\n"
)

// TestStrip: RFC 8601 §5, however it is written.
func TestStrip(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"ours", "A: 1\r\n" + ours + "B: 2\r\n\r\nbody", "A: 1\r\nB: 2\r\n\r\nbody"},
		{"first", ours + "\r\nbody", "\r\nbody"},
		{"several", ours + theirs + ours + ours + "\r\nbody", theirs + "\r\nbody"},
		{"theirs", theirs + "\r\nbody", theirs + "\r\nbody"},
		{"in any case", "AUTHENTICATION-results: MX.Example.ORG; none\r\n\r\n", "\r\n"},
		{"space in front of the colon", "Authentication-Results \t : mx.example.org; none\r\n\r\n", "\r\n"},
		{"far from its colon", "Authentication-Results" + strings.Repeat(" ", 5000) + ": mx.example.org; none\r\n\r\n", "\r\n"},
		{"a fold in front of the colon", "Authentication-Results\r\n : mx.example.org; none\r\n\r\n", "\r\n"},
		{"folded", "Authentication-Results:\r\n\t(a\r\n c)\r\n\tmx.example.org;\r\n none\r\nB: 2\r\n\r\n", "B: 2\r\n\r\n"},
		{"comments", "Authentication-Results: (c\\)) mx.(x)example.org/1; none\r\n\r\n", "\r\n"},
		{"quoted", "Authentication-Results: \"mx.exam\\ple.org\" 1; none\r\n\r\n", "\r\n"},
		{"longer than is held", "Authentication-Results: other.example; (" + strings.Repeat("x", maxHeld) + ")\r\nB: 2\r\n\r\n", "B: 2\r\n\r\n"},
		{"LF alone", "A: 1\nAuthentication-Results: mx.example.org; none\nB: 2\n\nbody", "A: 1\nB: 2\n\nbody"},
		{"no line end", "A: 1\r\nAuthentication-Results: mx.example.org; none", "A: 1\r\n"},
		{"only a name", "A: 1\r\nAuthentication-Results", "A: 1\r\nAuthentication-Results"},
		{"part of a name", "Authentication-Res", "Authentication-Res"},
		{"a longer name", "Authentication-Results-Old: mx.example.org; none\r\n\r\n", "Authentication-Results-Old: mx.example.org; none\r\n\r\n"},
		{"of ARC", "ARC-" + ours + "\r\n", "ARC-" + ours + "\r\n"},
		{"in the value of another", "A: 1\r\n " + ours + "\r\n", "A: 1\r\n " + ours + "\r\n"},
		{"in the body", "A: 1\r\n\r\n" + ours, "A: 1\r\n\r\n" + ours},
		{"behind what is no field", "hello\r\n" + ours + "\r\nb", "hello\r\n\r\nb"},
		{"behind white space", " \r\n" + ours + "\r\nb", "\r\nb"},
		{"a line that goes on with what is put in front", " ;\r\n\tdmarc=pass\r\nA: 1\r\n\r\nb", "A: 1\r\n\r\nb"},
		{"the same behind a bare CR", "\r\t; dmarc=pass\r\nA: 1\r\n\r\nb", "A: 1\r\n\r\nb"},
		{"nothing else", "\t; dmarc=pass", ""},
		{"behind a bare CR", "A: 1\r" + ours + "B: 2\r\n\r\nb", "A: 1\r\nB: 2\r\n\r\nb"},
		{"behind two", "A: 1\r\r" + ours + "B: 2\r\n\r\nb", "A: 1\r\r\nB: 2\r\n\r\nb"},
		{"behind a bare CR in front", "\r" + ours + "B: 2\r\n\r\nb", "\r\nB: 2\r\n\r\nb"},
		{"behind CR CR LF", "A: 1\r\r\n" + ours + "\r\nb", "A: 1\r\r\n\r\nb"},
		{"theirs, then ours behind a bare CR", strings.TrimSuffix(theirs, "\r\n") + "\r" + ours + "\r\nb", "\r\nb"},
		{"a bare CR within", "Authentication-Results: \rmx.example.org; none\r\n\r\nb", "\r\nb"},
		{"other bare CRs", "A: \r1\rB\r\n\r\nb\rc", "A: \r1\rB\r\n\r\nb\rc"},
		{"empty", "", ""},
		{"CR", "\r", "\r"},
		{"an empty header", "\r\n" + ours, "\r\n" + ours},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, n := range []int{1, 2, 3, 7, 1 << 20} {
				if got, _ := strip(test.in, n); got != test.want {
					t.Errorf("in pieces of %d: %.200q\nwant %.200q", n, got, test.want)
				}
			}
		})
	}
}

// TestStripTime: what is made to be judged again and again costs no more than in
// proportion.
func TestStripTime(t *testing.T) {
	field := "Authentication-Results: (((other.example; "
	for name, message := range map[string]string{
		"bare CRs":                 "A: 1" + strings.Repeat("\r"+field, 60_000),
		"bare CRs in one field":    field + strings.Repeat("\r"+field, 60_000),
		"bare CRs without a name":  field + strings.Repeat("\r", 3<<20),
		"many fields":              strings.Repeat(field+"\r\n", 60_000),
		"many lines of one field":  field + strings.Repeat("\r\n (", 600_000),
		"names without a colon":    strings.Repeat("Authentication-Results\r\n", 100_000),
		"a name that has no colon": "Authentication-Results" + strings.Repeat(" ", 3<<20),
	} {
		start := time.Now()
		strip(message, 4096)
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("%s: %v for %d octets", name, d, len(message))
		} else {
			t.Logf("%s: %v", name, d)
		}
	}
}

func FuzzStrip(f *testing.F) {
	for _, s := range []string{"A: 1\r\n" + ours + "\r\nb", "A: 1\r" + ours, theirs, "\r" + ours, " " + ours, "Authentication-Results\r\n : mx.example.org;"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, removed := strip(in, 1)
		if whole, n := strip(in, len(in)+1); whole != got || n != removed {
			t.Fatalf("octet by octet %q (%d), whole %q (%d)", got, removed, whole, n)
		}
		if removed == 0 && got != in {
			t.Fatalf("nothing removed, and %q became %q", in, got)
		}
		if strings.HasPrefix(got, " ") || strings.HasPrefix(got, "\t") {
			t.Fatalf("%q goes on with what is put in front", got)
		}
		if again, n := strip(got, 1); n > 0 {
			t.Fatalf("%q, then %q", got, again)
		}
		// What a reader sees who takes lines as they are, and CR for a line end.
		for _, ends := range []string{"\n", "\r\n"} {
			for _, line := range strings.FieldsFunc(header(got), func(r rune) bool { return strings.ContainsRune(ends, r) }) {
				if name, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(strings.TrimRight(name, " \t\r"), "Authentication-Results") &&
					strings.HasPrefix(strings.TrimSpace(value), "mx.example.org;") {
					t.Fatalf("%q is left in %q, of %q", line, got, in)
				}
			}
		}
	})
}

// header is a header block up to the first empty line.
func header(s string) string {
	out := ""
	for line := range strings.Lines(s) {
		if line == "\n" || line == "\r\n" {
			break
		}
		out += line
	}
	return out
}
