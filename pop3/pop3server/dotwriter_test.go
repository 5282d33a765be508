package pop3server

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// naive is a multi-line response made the plain way; lines < 0 = RETR.
func naive(message string, lines int64, mask bool) string {
	var out strings.Builder
	inHeader := true
	rest := message
	for rest != "" && (inHeader || lines != 0) {
		i := strings.IndexByte(rest, '\n') + 1
		if i == 0 {
			i = len(rest)
		}
		line := rest[:i]
		rest = rest[i:]
		if mask && inHeader {
			b := []byte(line)
			for j := range b {
				if b[j] > 127 {
					b[j] = '?'
				}
			}
			line = string(b)
		}
		if line[0] == '.' {
			out.WriteByte('.')
		}
		out.WriteString(line)
		if !inHeader && lines > 0 {
			lines--
		}
		if line == "\n" || line == "\r\n" {
			inHeader = false
		}
	}
	switch s := out.String(); {
	case s == "" || strings.HasSuffix(s, "\r\n"):
	case strings.HasSuffix(s, "\r"):
		out.WriteString("\n")
	default:
		out.WriteString("\r\n")
	}
	return out.String() + ".\r\n"
}

// written is what dotWriter makes of message in pieces of n octets.
func written(message string, lines int64, mask bool, n int) string {
	d := dotWriter{lines: lines, mask: mask}
	var out []byte
	for off := 0; off < len(message) && !d.full(); {
		k := min(n, len(message)-off)
		b := append(bytes.Clone(out), message[off:off+k]...)
		b = append(b, make([]byte, k/2+1)...)
		out = d.add(b[:len(out)], k)
		off += k
	}
	return string(out) + d.end()
}

func TestDotWriter(t *testing.T) {
	for _, message := range []string{
		"", ".", "\r", "\n", "\r\n", ".\r\n", "..", "\n.", "\n.\n.\n.", "\r\n.\r\n", "a\r\n.\r\n.b\r\n\r\n..\r\n.", "A: 1\r\n\r\n1\r\n2\r\n3", "A: 1\n\n1\n2\n",
		"A: \u00fc\r\n \u00e9\r\n\r\n\u00fc\r\n", "A: 1\r\n\r\r\nx\r\n\r\n1\r\n", "\r\r\n\r\n.\r\n", strings.Repeat(".\n", 100), strings.Repeat(".", 100),
	} {
		for _, lines := range []int64{-1, 0, 1, 2, 1 << 40} {
			for n := 1; n <= len(message)+1; n++ {
				for _, mask := range []bool{false, true} {
					if got, want := written(message, lines, mask, n), naive(message, lines, mask); got != want {
						t.Fatalf("%q, %d lines, by %d, mask %v: got %q, want %q", message, lines, n, mask, got, want)
					}
				}
			}
		}
	}
}

// FuzzDotWriter compares it with the naive one; what is sent can be taken
// apart again, and its size is that of the message.
func FuzzDotWriter(f *testing.F) {
	f.Add("A: 1\r\n\r\n.a\r\n..\r\nb", int64(1), uint8(3))
	f.Add("A: \u00fc\r\n.\r\n\r\n.\n.", int64(-1), uint8(1))
	f.Fuzz(func(t *testing.T, message string, lines int64, n uint8) {
		lines = max(lines, -1)
		mask := n&1 == 1
		got := written(message, lines, mask, int(n)+1)
		if want := naive(message, lines, mask); got != want {
			t.Fatalf("%q, %d lines: got %q, want %q", message, lines, got, want)
		}
		if lines >= 0 {
			return
		}
		var back strings.Builder
		for line := range strings.Lines(strings.TrimSuffix(got, ".\r\n")) {
			back.WriteString(strings.TrimPrefix(line, "."))
		}
		undone := back.String()
		if len(undone) < len(message) || strings.Trim(undone[len(message):], "\r\n") != "" || !mask && !strings.HasPrefix(undone, message) {
			t.Errorf("%q came back as %q", message, undone)
		}
	})
}

// FuzzInput cuts what a client sends anywhere: the lines are the same.
func FuzzInput(f *testing.F) {
	f.Add("USER a\r\nPASS b\r\n\nX", uint8(2))
	f.Fuzz(func(t *testing.T, sent string, n uint8) {
		var in input
		var got []string
		rest := sent
		for {
			if line := in.line(); line != nil {
				got = append(got, string(line))
				continue
			}
			if rest == "" {
				break
			}
			space, err := in.room(1 << 20)
			if err != nil || len(space) == 0 {
				t.Fatal(len(space), err)
			}
			k := copy(space, rest[:min(len(rest), int(n)+1)])
			in.w += k
			rest = rest[k:]
		}
		want := strings.SplitAfter(sent, "\n")
		if last := want[len(want)-1]; last != string(in.buffered()) {
			t.Errorf("rest %q, want %q", in.buffered(), last)
		}
		if fmt.Sprint(got) != fmt.Sprint(want[:len(want)-1]) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// FuzzSplit: arguments come apart at spaces, and no more than a verb takes.
func FuzzSplit(f *testing.F) {
	f.Add("TOP 1 2")
	f.Add("PASS  a b ")
	f.Fuzz(func(t *testing.T, line string) {
		name, rest, given := bytes.Cut([]byte(line), []byte(" "))
		v := findVerb(name)
		if v == nil {
			return
		}
		if !strings.EqualFold(v.name, string(name)) {
			t.Errorf("%q is %s", name, v.name)
		}
		args, ok := split(v, rest, given)
		fields := strings.FieldsFunc(string(rest), func(r rune) bool { return r == ' ' || r == '\t' })
		switch {
		case v.max < 0:
			if ok != (len(rest) > 0) || ok && string(args[0]) != string(rest) {
				t.Errorf("%q: %q", line, args)
			}
		case ok != (len(fields) >= v.min && len(fields) <= v.max):
			t.Errorf("%q: %v", line, ok)
		case ok:
			for i, field := range fields {
				if string(args[i]) != field {
					t.Errorf("%q: %q", line, args)
				}
			}
		}
	})
}

// The texts fit their lines, are listed, and are ASCII: LANG alone allows more
// (RFC 6856 §3.2).
func TestTexts(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range Texts() {
		if !utf8.ValidString(s) || !ascii([]byte(s)) || len(s) > maxText || strings.HasPrefix(s, "[") || seen[s] {
			t.Errorf("%q", s)
		}
		seen[s] = true
	}
}

func TestLanguages(t *testing.T) {
	for _, bad := range []Language{
		{Tag: ""},
		{Tag: "-"},
		{Tag: "d e"},
		{Tag: "d\u00e9"},
		{Tag: "de", Name: "a\r\n"},
		{Tag: "de", Texts: map[string]string{"Bye": "\r\n+OK"}},
		{Tag: "de", Texts: map[string]string{"Bye": "[AUTH] x"}},
		{Tag: "de", Texts: map[string]string{"%d octets": "Oktette"}},
		{Tag: "de", Texts: map[string]string{"Bye": strings.Repeat("x", maxText+1)}},
		{Tag: "de", Texts: map[string]string{"Bye": "\xff"}},
	} {
		if bad.fault() == "" {
			t.Errorf("%+v is taken", bad)
		}
	}
	l := Language{Tag: "de-AT", Texts: map[string]string{string(textMaildrop): "%d in %d"}}
	if what := l.fault(); what != "" {
		t.Error(what)
	}
	if got := l.appendText([]byte("> "), textMaildrop, 3, 400); string(got) != "> 3 in 400" {
		t.Errorf("%q", got)
	}
	for lang, want := range map[string]bool{"de": true, "DE-at": true, "de-": false, "d": false, "de-AT-x": false, "en": false} {
		if l.matches(lang) != want {
			t.Errorf("%q", lang)
		}
	}
}
