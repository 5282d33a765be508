package mailsig

import (
	"bytes"
	"crypto/sha256"
	"regexp"
	"strings"
	"testing"
)

// naiveBody is RFC 6376 §3.4.3 and §3.4.4 by regular expressions.
func naiveBody(body string, c Canon) string {
	body = regexp.MustCompile(`\r?\n`).ReplaceAllString(body, "\r\n")
	if body != "" && !strings.HasSuffix(body, "\r\n") {
		body += "\r\n"
	}
	if c == Relaxed {
		lines := strings.Split(body, "\r\n")
		for i, line := range lines {
			line = regexp.MustCompile(`[ \t]+`).ReplaceAllString(line, " ")
			lines[i] = strings.TrimSuffix(line, " ")
		}
		body = strings.Join(lines, "\r\n")
	}
	body = regexp.MustCompile(`(\r\n)+$`).ReplaceAllString(body, "\r\n")
	switch {
	case c == Simple && body == "":
		return "\r\n"
	case c == Relaxed && body == "\r\n":
		return ""
	}
	return body
}

func FuzzBody(f *testing.F) {
	for _, s := range []string{"", "a", "a\r\n", "\r\n\r\n", " a  b\t\r\n \r\n", "a\rb\r\r\n", "a\nb", "\r", " \r", "a \r b", "12345678 12345678  1\r\n", "1234567\t8\r\n x\r\n\r\n\r\ny z\r\n"} {
		f.Add(s, 3, 2)
		f.Add(s, 1000, 2)
	}
	f.Add("a\r\n\r\nb\r\n\r\nc  d\r\n\r\ne", 1000, 5)
	f.Add("a\r\n\r\nb\r\nc\r\n", 9, 5)
	f.Add("1234567  8\r\n", 1000, 5)
	f.Add("1234567 12345678 \r\n12345678 1234567  \r\n", 1000, 5)
	f.Fuzz(func(t *testing.T, body string, step, limit int) {
		for _, c := range []Canon{Relaxed, Simple} {
			want := naiveBody(body, c)
			for _, l := range []int64{-1, int64(max(limit, 0))} {
				b := BodyHash{Sink: Sink{h: sha256.New()}, canon: c, limit: l}
				for rest := []byte(body); len(rest) > 0; {
					n := min(max(step, 1), len(rest))
					b.feed(rest[:n])
					rest = rest[n:]
				}
				b.finish()
				text := want
				if l >= 0 {
					text = text[:min(l, int64(len(text)))]
				}
				sum := sha256.Sum256([]byte(text))
				if !bytes.Equal(sum[:], b.digest) || b.total != int64(len(want)) {
					t.Fatalf("%v of %q in steps of %d, l=%d: not %q (%d octets, %d)", c, body, step, l, text, b.total, len(want))
				}
			}
		}
	})
}

// memory is a hash that keeps everything.
type memory struct{ bytes.Buffer }

func (m *memory) Sum([]byte) []byte { return m.Bytes() }
func (m *memory) Size() int         { return 0 }
func (m *memory) BlockSize() int    { return 1 }

// naiveField is RFC 6376 §3.4.1 and §3.4.2.
func naiveField(field string, c Canon) string {
	field = regexp.MustCompile(`\r?\n`).ReplaceAllString(field, "\r\n")
	if c == Simple {
		return strings.TrimSuffix(field, "\r\n")
	}
	name, value, _ := strings.Cut(strings.ReplaceAll(field, "\r\n", ""), ":")
	value = regexp.MustCompile(`[ \t]+`).ReplaceAllString(value, " ")
	name = strings.TrimRight(name, " \t")
	lower := []byte(name)
	for i, c := range lower {
		if c >= 'A' && c <= 'Z' {
			lower[i] = c + 0x20
		}
	}
	return string(lower) + ":" + strings.Trim(value, " ")
}

func FuzzHeader(f *testing.F) {
	f.Add("Subject: x\r\nFrom : a\r\n\tb  c \r\n\r\nbody", 1)
	f.Add("A:\nB\n c\n: d\n\r\r\n", 5)
	f.Add(" a: b\r\nA: \xff\r\nA:1", 9)
	f.Fuzz(func(t *testing.T, message string, step int) {
		c := collector{limit: 1 << 20}
		used := 0
		for rest, done := []byte(message), false; len(rest) > 0 && !done; {
			var n int
			n, done = c.feed(rest[:min(max(step, 1), len(rest))])
			used += n
			rest = rest[n:]
		}
		want := message
		if i := regexp.MustCompile(`(?m)^\r?\n`).FindStringIndex(message); i != nil {
			want = message[:i[0]]
			if used != i[1] {
				t.Fatalf("%q ends at %d, not %d", message, used, i[1])
			}
		} else if strings.HasSuffix("\n"+message, "\n\r") {
			want = strings.TrimSuffix(message, "\r") // half an empty line
		}
		b := Cut(c.bytes())
		if string(b.Raw) != want {
			t.Fatalf("%q has the header %q, not %q", message, b.Raw, want)
		}
		at := int32(0)
		for _, f := range b.Fields {
			if f.Start != at {
				t.Fatalf("a gap in %q", want)
			}
			at = f.End
			if f.Colon < 0 {
				continue
			}
			for _, canon := range []Canon{Relaxed, Simple} {
				s := Sink{h: &memory{}}
				s.Header(canon, &b, Part{Field: f})
				if got, want := string(s.Sum()), naiveField(string(b.Raw[f.Start:f.End]), canon); got != want {
					t.Fatalf("%v of %q: %q, not %q", canon, b.Raw[f.Start:f.End], got, want)
				}
			}
		}
		if int(at) != len(want) {
			t.Fatalf("%q ends at %d", want, at)
		}
	})
}

// naiveTags is RFC 6376 §3.2; nil = no tag-list.
func naiveTags(s string) map[string]string {
	if regexp.MustCompile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]").MatchString(s) {
		return nil
	}
	out := map[string]string{}
	for spec := range strings.SplitSeq(s, ";") {
		if spec = strings.Trim(spec, " \t\r\n"); spec == "" {
			continue
		}
		name, value, ok := strings.Cut(spec, "=")
		name = strings.TrimRight(name, " \t\r\n")
		if _, twice := out[name]; twice || !ok || !regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`).MatchString(name) {
			return nil
		}
		out[name] = strings.Trim(value, " \t\r\n")
	}
	if len(out) == 0 || len(out) > maxTags {
		return nil
	}
	return out
}

func FuzzTags(f *testing.F) {
	f.Add("v=1; a = rsa-sha256;\r\n\tb=x=;")
	f.Add("a=;;b=\x00")
	f.Add("a=1;a=2")
	f.Fuzz(func(t *testing.T, s string) {
		var got Tags
		want := naiveTags(s)
		if err := got.Parse([]byte(s)); (err == nil) != (want != nil) {
			t.Fatalf("%q: %v, want %v", s, err, want)
		} else if err != nil {
			return
		}
		trimmed := regexp.MustCompile(`;[ \t\r\n]*$`).ReplaceAllString(";"+s, "")
		if gap := regexp.MustCompile(`;[ \t\r\n]*(;|$)`).MatchString(trimmed); gap != got.Gap {
			t.Fatalf("%q: gap %v", s, got.Gap)
		}
		if got.n != len(want) {
			t.Fatalf("%q: %d tags, want %v", s, got.n, want)
		}
		for _, g := range got.list[:got.n] {
			if want[string(g.Name)] != string(g.Value) || string(Trim([]byte(s)[g.From:g.To])) != string(g.Value) {
				t.Fatalf("%q: %q is %q", s, g.Name, g.Value)
			}
		}
	})
}
