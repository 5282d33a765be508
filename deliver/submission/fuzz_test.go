package submission_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/deliver/submission"
	"github.com/mailstead/mailstead/internal/mime"
	"github.com/mailstead/mailstead/smtp"
)

// split cuts a text behind its header block.
func split(text string) (fields []string, rest string) {
	for text != "" && text[0] != '\n' && !strings.HasPrefix(text, "\r\n") {
		end := 0
		for {
			i := strings.IndexByte(text[end:], '\n')
			if i < 0 {
				end = len(text)
				break
			}
			if end += i + 1; end == len(text) || text[end] != ' ' && text[end] != '\t' {
				break
			}
		}
		fields = append(fields, text[:end])
		text = text[end:]
	}
	return fields, text
}

func nameOf(field string) string {
	name, _, ok := strings.Cut(field, ":")
	if !ok {
		return ""
	}
	return strings.ToLower(strings.TrimRight(name, " \t"))
}

// unfold removes the line ends that are followed by white space.
func unfold(s string) string {
	return strings.NewReplacer("\r\n ", " ", "\r\n\t", "\t", "\n ", " ", "\n\t", "\t").Replace(s)
}

// FuzzFixes: the body and the fields that no rule names come out as they went
// in, in their order; what is added is added once; what was fixed needs no fix.
func FuzzFixes(f *testing.F) {
	for _, s := range []string{
		"", "\r\n", "x", "From: a@b.example\r\n\r\nbody", "from:\r\n\r\n", "From: <a@b.example>\r\nFrom: x\r\n\r\n",
		"Bcc: x\r\n y\r\nX: 1\r\nReturn-Path: <>\r\n\r\nBcc: y", "no header\r\n\r\nBcc: x\r\n", "X: 1\nFrom: \"q\\\"@\" <\"l l\"@x.y.example> (c(d)), g: a@b.example;\n\n\xff",
		"X: " + strings.Repeat("a ", 700) + "\r\nSender: x@host.old.example\r\n\r\n", "From : @a,@b:c@d.old.example\r\n",
		"Date: x\r\nSender: alice@example.org\r\nMessage-ID: <1@x>\r\n: x\r\n\r\n", " folded first\r\nFrom: alice@example.org",
	} {
		f.Add(s, false)
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, text string, mapped bool) {
		fixes := submission.Fixes{Hostname: "mail.example.org", Owns: owns}
		if mapped {
			fixes.Map = &submission.Masquerade{Domains: []string{"old.example"}}
		}
		got, err := pass(t, fixes.Middleware(), mailOf("alice@example.org"), text)
		if err != nil {
			if smtp.ReplyOf(err).Code == 0 {
				t.Fatalf("no reply in %v", err)
			}
			return
		}
		inFields, inRest := split(text)
		outFields, outRest := split(got)
		if headless(inFields) {
			if !hasRemoved(inFields) && bare(got) != bare(text) {
				t.Fatalf("text\n%q\nbecame\n%q", text, got)
			}
			return
		}
		if outRest != inRest {
			t.Fatalf("body\n%q\nbecame\n%q", inRest, outRest)
		}
		checkFields(t, inFields, outFields, mapped)
		again, err := pass(t, fixes.Middleware(), mailOf("alice@example.org"), got)
		if err != nil || again != got {
			t.Fatalf("fixed again\n%q\nbecame\n%q, %v", got, again, err)
		}
	})
}

// headless reports a text with lines that are no fields: what stands in front
// and behind is smtppolicy's affair.
func headless(fields []string) bool {
	return slices.ContainsFunc(fields, func(f string) bool {
		name := nameOf(f)
		return name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f }) || len(name) > 900 || f[0] == ' ' || f[0] == '\t'
	})
}

// bare is a text without what the fixes add, and without line ends.
func bare(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "")
	for _, added := range []string{from, date, mid, "Sender: alice@example.org"} {
		s = strings.ReplaceAll(s, strings.TrimSuffix(added, "\r\n"), "")
	}
	return s
}

func hasRemoved(fields []string) bool {
	return slices.ContainsFunc(fields, func(f string) bool { return removed(nameOf(f)) || touched(nameOf(f), true) || len(f) > 998 })
}

func removed(name string) bool {
	return name == "return-path" || name == "bcc" || name == "resent-bcc"
}

// touched reports the fields that a rule may change.
func touched(name string, mapped bool) bool {
	return name == "from" || name == "sender" || mapped && name == "reply-to"
}

func checkFields(t *testing.T, in, out []string, mapped bool) {
	t.Helper()
	keep := func(fields []string) (kept []string) {
		for _, f := range fields {
			switch name := nameOf(f); {
			case removed(name), touched(name, mapped), name == "date", name == "message-id":
			default:
				if len(f) > 998 {
					f = unfold(f)
				}
				kept = append(kept, strings.TrimRight(f, "\r\n"))
			}
		}
		return kept
	}
	if a, b := keep(in), keep(out); !slices.Equal(a, b) {
		t.Fatalf("fields\n%q\nbecame\n%q", a, b)
	}
	count := func(fields []string, name string) (n int) {
		for _, f := range fields {
			if nameOf(f) == name {
				n++
			}
		}
		return n
	}
	for _, name := range []string{"date", "message-id"} {
		if a, b := count(in, name), count(out, name); b != max(a, 1) {
			t.Fatalf("%d %s became %d", a, name, b)
		}
	}
	if n := count(out, "from"); n != 1 {
		t.Fatalf("%d From", n)
	}
	for _, f := range out {
		if removed(nameOf(f)) {
			t.Fatalf("%q is left", f)
		}
	}
}

// FuzzMapField: only addresses change; mapped to themselves, nothing does; what
// readers take for the addresses of the field are the mapped ones.
func FuzzMapField(f *testing.F) {
	for _, s := range []string{
		"a@x.old.example", "A <a@x.old.example>", "\"b@x.old.example\" <a@x.old.example> (c@x.old.example)", "g: a@x.old.example, b@y.old.example;",
		"<@r.old.example:a@x.old.example>", "\"a b\"@x.old.example", "a@x.old.example b@y.old.example", "a @ x.old.example", "a(\\)@x.old.example", "<a@x.old.example", "U@r.old.example:a@x.old.example>", "<@r.old.:,xampleea@x.old.example>",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if strings.ContainsAny(value, "\r\n") || len(value) > 900 {
			return
		}
		fixes := submission.Fixes{Hostname: "mail.example.org", Map: &submission.Masquerade{Domains: []string{"old.example"}}}
		text := "Reply-To: " + value + "\r\n" + from + date + mid + "\r\n"
		got, err := pass(t, fixes.Middleware(), mailOf(""), text)
		if err != nil {
			return
		}
		if !strings.Contains(value, "old.example") && !strings.Contains(strings.ToLower(value), "old.example") && got != text {
			t.Fatalf("%q became %q", text, got)
		}
		var before, after []string
		list := func(s string) (out []string) {
			line, _, _ := strings.Cut(s, "\r\n")
			_, v, _ := strings.Cut(line, ":")
			for a := range mime.Addresses([]byte(v)) {
				out = append(out, string(bytes.Clone(a.Name))+"|"+string(a.Local)+"|"+strings.ToLower(string(a.Domain)))
			}
			return out
		}
		before, after = list(text), list(got)
		if len(before) != len(after) {
			t.Fatalf("%q became %q", before, after)
		}
		for i := range before {
			if before[i] == after[i] {
				continue
			}
			j := strings.LastIndexByte(before[i], '|') + 1
			if !strings.HasSuffix(before[i], ".old.example") || after[i] != before[i][:j]+"old.example" {
				t.Fatalf("%q became %q", before[i], after[i])
			}
		}
	})
}
