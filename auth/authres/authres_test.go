package authres_test

import (
	"errors"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/mailstead/mailstead/auth/authres"
)

func TestAppend(t *testing.T) {
	tests := []struct {
		name string
		in   authres.Field
		want string
	}{
		{"nothing", authres.Field{ID: "mx.example.org"}, "Authentication-Results: mx.example.org; none\r\n"},
		{"no id", authres.Field{}, "Authentication-Results: unknown; none\r\n"},
		{"two", authres.Field{ID: "mx.example.org", Version: 1, Statements: []authres.Statement{
			{Method: authres.SPF, Result: authres.Pass, Properties: []authres.Property{{"smtp", "mailfrom", "a@b.example"}}},
			{Method: authres.DKIM, Version: 1, Result: authres.Fail, Reason: "body hash", Properties: []authres.Property{{"header", "d", "b.example"}, {"header", "b", "ab/cd+="}}},
		}}, "Authentication-Results: mx.example.org 1;\r\n\tspf=pass smtp.mailfrom=a@b.example;\r\n\tdkim/1=fail reason=\"body hash\" header.d=b.example header.b=\"ab/cd+=\"\r\n"},
		{
			"injection",
			authres.Field{ID: "a", Statements: []authres.Statement{{Method: "spf=pass; dkim", Result: "fail\r\nX: y", Properties: []authres.Property{{"smtp", "mailfrom", "x; dkim=pass\r\n\"@b"}}}}},
			"Authentication-Results: a;\r\n\txspf-pass--dkim=xfail--X--y smtp.mailfrom=\"x; dkim=pass??\\\"@b\"\r\n",
		},
		{"8-bit", authres.Field{ID: "a", Statements: []authres.Statement{{Method: "spf", Result: "pass", Reason: "bücher"}}}, "Authentication-Results: a;\r\n\tspf=pass reason=\"b?cher\"\r\n"},
	}
	for _, test := range tests {
		if got := test.in.String(); got != test.want {
			t.Errorf("%s:\n got %q\nwant %q", test.name, got, test.want)
		}
	}
}

func TestParse(t *testing.T) {
	tests := []struct {
		in, want string // as Append writes it, without name and line ends
		err      error
	}{
		{"example.org 1; none", "example.org 1; none", nil},
		{"example.org; NONE (c)", "example.org; none", nil},
		{"example.org", "example.org; none", nil},
		{"example.org;", "example.org; none", nil},
		{" (a (nested\\)) comment) example.com; spf=pass smtp.mailfrom=example.net\r\n", "example.com;\tspf=pass smtp.mailfrom=example.net", nil},
		{"foo.example.net (foobar) 1 (baz);\r\n dkim (Because I like it) / 1 (One yay) = (wait for it) fail\r\n  policy (A dot can go here) . (like that) expired\r\n  (this surprised me) = (as I wasn't expecting it) 1362471462", "foo.example.net 1;\tdkim/1=fail policy.expired=1362471462", nil},
		{"mx.google.com; dkim=pass header.i=@gmail.com header.s=20161025 header.b=\"ab/+c=\"; spf=pass (google.com: domain of a@b.example) smtp.mailfrom=a@b.example", "mx.google.com;\tdkim=pass header.i=\"@gmail.com\" header.s=20161025 header.b=\"ab/+c=\";\tspf=pass smtp.mailfrom=a@b.example", nil},
		{"a; dkim=pass header.b=ab/+c== reason=x", "a;\tdkim=pass reason=x header.b=\"ab/+c==\"", nil},
		{"a; spf=pass smtp.mailfrom=\"x; y\"@b.example", "a;\tspf=pass smtp.mailfrom=\"\\\"x; y\\\"@b.example\"", nil},
		{"a; spf=pass reason=\"two\r\n words\"", "a;\tspf=pass reason=\"two words\"", nil},
		{"", "", authres.ErrSyntax},
		{"; none", "", authres.ErrSyntax},
		{"a b; none", "", authres.ErrSyntax},
		{"a; none; none", "", authres.ErrSyntax},
		{"a; spf", "", authres.ErrSyntax},
		{"a; spf=", "", authres.ErrSyntax},
		{"a; spf=pass foo", "", authres.ErrSyntax},
		{"a; spf=pass foo.=x", "", authres.ErrSyntax},
		{"a; spf=pass (open", "", authres.ErrSyntax},
		{"a; spf=pass reason=\"open", "", authres.ErrSyntax},
		{"a; spf=pass\r\nX: y", "", authres.ErrSyntax},
		{"a; spf=pass reason=\x00", "", authres.ErrSyntax},
		{"a; spf/99999999999999999999=pass", "", authres.ErrSyntax},
		{strings.Repeat("(", 65<<10), "", authres.ErrTooLong},
		{"a" + strings.Repeat("; a=b", 201), "", authres.ErrTooLong},
		{"a; a=b" + strings.Repeat(" a.b=c", 1001), "", authres.ErrTooLong},
	}
	for _, test := range tests {
		f, err := authres.Parse(test.in)
		if !errors.Is(err, test.err) || (err == nil) != (test.err == nil) {
			t.Errorf("%.60q: %v, want %v", test.in, err, test.err)
			continue
		}
		if err != nil {
			continue
		}
		got := strings.NewReplacer("\r\n", "").Replace(strings.TrimPrefix(f.String(), "Authentication-Results: "))
		if got != test.want {
			t.Errorf("%q:\n got %q\nwant %q", test.in, got, test.want)
		}
	}
}

func TestClaims(t *testing.T) {
	const id = "mx.example.org"
	deep := strings.Repeat("(", 200_000)
	for _, v := range []string{
		"mx.example.org; none", "MX.Example.ORG; none", " mx.example.org; none", "\r\n mx.example.org; none", "mx.example.org.; none",
		"mx.example.org 1; none", "mx.example.org/1; none", "mx.example.org / 1; none", "mx.example.org", "(c) mx.example.org; none",
		`"mx.example.org"; none`, `"mx.exam\ple.org"; none`, "(c\\)) mx.example.org (d) 1; none", "(a(b)c)mx.example.org(d); none",
		"mx(c).example(d).org; none", "mx . example . org; none", "mx.\r\n example.org; none", "(open mx.example.org; none",
		`"mx.example.org; none`, deep + strings.Repeat(")", 200_000) + "mx.example.org; none", deep + "mx.example.org", `"mx"."example".org; none`,
		"mx.ex\x00ample.org; none", "mx.example.org\v; none", "\fmx.example.org; none", "mx.ex\x7fample.org; none", "\u00a0mx.example.org\u00a01; none",
		"mx.example.org\u200b; none", "mx。example。org; none",
		"=?utf-8?q?mx=2Eexample=2Eorg?=; none", "=?us-ascii?b?bXg=?=.example.org; none", "=?utf-8?q?mx.example.org; spf=pass?=",
		`"=?utf-8?q?mx=2Eexample=2Eorg?="; none`, "(open =?utf-8?q?mx=2Eexample=2Eorg?=; none", "=(c)?utf-8?q?mx=2Eexample=2Eorg?=; none",
	} {
		if !authres.Claims(v, id) {
			t.Errorf("%.60q is not taken for ours", v)
		}
	}
	for _, v := range []string{
		"mx.other; spf=pass", "mx.example.org.example; none", "mx.example.orgs; none", "amx.example.org; none", "(mx.example.org) mx.other; none", "",
		"; mx.example.org", "mx.other; spf=pass smtp.mailfrom=mx.example.org", "mx.example.org-2; none", "(open mx.other", "mx; none", "mx.example.org2; none",
		"mx.other; spf=pass reason=\"=?utf-8?q?mx=2Eexample=2Eorg?=\"", "(=?utf-8?q?mx=2Eexample=2Eorg?=) mx.other; none",
	} {
		if authres.Claims(v, id) {
			t.Errorf("%q is taken for ours", v)
		}
	}
	if !authres.Claims("xn--bcher-kva.example; none", "bücher.example") || !authres.Claims("BÜCHER.example; none", "xn--bcher-kva.example") {
		t.Error("the two forms of an internationalised domain differ")
	}
	if !authres.Claims("(open bücher.example; none", "bücher.example") || !authres.Claims("(open Bücher.example; none", "xn--bcher-kva.example") {
		t.Error("an internationalised domain is not found in what nobody can parse")
	}
	if authres.Claims("; none", "") {
		t.Error("no id claims something")
	}
	if authres.Claims("mx2; none", "mx") {
		t.Error("a digit of a name is taken for a version")
	}
}

// A field that is too long for a domain costs no conversion to A-labels, which
// would allocate for each label and take time by the square of its length.
func TestClaimsIsLinear(t *testing.T) {
	value := strings.Repeat("例.", 10_000) + "example; none"
	if n := testing.AllocsPerRun(1, func() {
		if authres.Claims(value, "mx.example.org") {
			t.Error("a foreign id is ours")
		}
	}); n > 200 {
		t.Errorf("%v allocations", n)
	}
}

// slowValues are values made to be slow, of some n octets.
func slowValues(n int) map[string]string {
	return map[string]string{
		"comments":   "mx.example.org " + strings.Repeat("(", n/2) + strings.Repeat(")", n/2) + "; dkim=pass",
		"quotes":     "mx.example.org; dkim=pass reason=\"" + strings.Repeat("\\\"", n/2) + "\"",
		"open quote": "mx.example.org; dkim=pass reason=\"" + strings.Repeat("x", n),
		"statements": "mx.example.org" + strings.Repeat("; dkim=pass", n/12),
		"properties": "mx.example.org; dkim=pass" + strings.Repeat(" a.d=e", n/7),
		"spaces":     "mx.example.org" + strings.Repeat("\r\n ", n/3) + "; dkim=pass",
		"semicolons": "mx.example.org" + strings.Repeat(";", n),
		"equals":     "mx.example.org; " + strings.Repeat("=", n),
	}
}

// What strangers write costs memory in proportion to its length, and is ours if
// it says so, however long it is.
func TestSlowValues(t *testing.T) {
	for _, size := range []int{60_000, 3_400_000} {
		for name, value := range slowValues(size) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			f, err := authres.Parse(value)
			claims := authres.Claims(value, "mx.example.org")
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			n := int(after.TotalAlloc - before.TotalAlloc)
			t.Logf("%s: %d octets, %v, %d bytes, %v", name, len(value), took, n, err)
			most := 4 * len(value)
			if err == nil || len(value) < 64<<10 {
				most = 6 * len(value) // it is parsed
			}
			if n > most || !claims || err == nil && f.ID != "mx.example.org" {
				t.Errorf("%s: %d bytes for %d, ours: %v", name, n, len(value), claims)
			}
		}
	}
}

// BenchmarkSlowValues is how long they take.
func BenchmarkSlowValues(b *testing.B) {
	for name, value := range slowValues(60_000) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = authres.Parse(value)
				authres.Claims(value, "mx.example.org")
			}
		})
	}
}

// naiveClean is what Append says that it writes of a value.
func naiveClean(s string, keep bool) string {
	out := ""
	for _, r := range s {
		if c := r; c < 0x20 || c >= 0x7f && (!keep || c < 0xa0 || c == utf8.RuneError || c == 0x2028 || c == 0x2029) {
			r = '?'
		}
		if len(out)+len(string(r)) > 400 {
			break
		}
		out += string(r)
	}
	return out
}

func FuzzFormatParse(f *testing.F) {
	f.Add("mx.example.org", "a; dkim=pass\r\n\"@b\\", "why (not)", "spf", "pass", true)
	f.Add("\"", "a@b@c", strings.Repeat("word ", 60), "dkim", "fail\n", false)
	f.Add("a/1", "@b", strings.Repeat(" ", 300), "", "none", false)
	f.Fuzz(func(t *testing.T, id, value, reason, method, result string, utf8ok bool) {
		in := authres.Field{ID: id, UTF8: utf8ok, Statements: []authres.Statement{
			{Method: authres.Method(method), Result: authres.Result(result), Reason: reason, Properties: []authres.Property{{"smtp", "mailfrom", value}, {method, result, reason}}},
			{Method: "spf", Result: "fail"},
		}}
		text := in.String()
		for line := range strings.SplitSeq(strings.TrimSuffix(text, "\r\n"), "\r\n") {
			if len(line) > 998 || strings.TrimSpace(line) == "" || strings.ContainsAny(line, "\r\n\x00") {
				t.Fatalf("line %q", line)
			}
		}
		if strings.Count(text, "\n") != strings.Count(text, "\n\t")+strings.Count(text, "\n ")+1 {
			t.Fatalf("a line of its own: %q", text)
		}
		got, err := authres.Parse(strings.TrimPrefix(text, "Authentication-Results:"))
		if err != nil {
			t.Fatalf("%v: %q", err, text)
		}
		want := in
		want.UTF8 = false
		if want.ID = naiveClean(id, utf8ok); want.ID == "" {
			want.ID = "unknown"
		}
		s := &want.Statements[0]
		if len(got.Statements) != 2 || len(got.Statements[0].Properties) != 2 {
			t.Fatalf("%q became %+v", text, got)
		}
		g := got.Statements[0]
		s.Method, s.Result, s.Properties[1].Type, s.Properties[1].Name = g.Method, g.Result, g.Properties[1].Type, g.Properties[1].Name
		s.Reason, s.Properties[0].Value, s.Properties[1].Value = naiveClean(reason, utf8ok), naiveClean(value, utf8ok), naiveClean(reason, utf8ok)
		if !reflect.DeepEqual(*got, want) {
			t.Fatalf("%q\n got %+v\nwant %+v", text, *got, want)
		}
		if id != "" && !authres.Claims(strings.TrimPrefix(text, "Authentication-Results:"), want.ID) && strings.Trim(want.ID, ". /0123456789") == want.ID {
			t.Fatalf("%q is not ours (%q)", text, want.ID)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("example.org 1; dkim/1 (c) = pass reason=\"x\" header.d=a.example; spf=none")
	f.Add("a; none")
	f.Fuzz(func(t *testing.T, in string) {
		got, err := authres.Parse(in)
		if err != nil {
			return
		}
		again, err := authres.Parse(strings.TrimPrefix(got.String(), "Authentication-Results:"))
		if err != nil {
			t.Fatalf("%v: %q, from %q", err, got.String(), in)
		}
		if len(again.Statements) != len(got.Statements) {
			t.Fatalf("%q became %q", in, again.String())
		}
	})
}

// FuzzClaims: whoever parses a foreign field and compares the authserv-id finds
// nothing that Claims has not found (invariant A3).
func FuzzClaims(f *testing.F) {
	for _, in := range []string{
		"mx.example.org; none", "(c) MX.Example.ORG. 1; spf=pass", "\"mx.ex\\ample.org\"/1; none", "mx\u3002bücher.example; none", "\"a b\"(c) 1; none",
		"a(\\; none", "\"a;b\"; none", "1 1; none", "a/1; none", "XN--BCHER-KVA.example; none", "\"a\r\n b\"; none", "\"a\\\"(\"; none", "\u034f", "mx\u3002",
	} {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, err := authres.Parse(in)
		if err != nil {
			return
		}
		if strings.Trim(got.ID, ".") == "" {
			return // names nobody
		}
		for _, id := range []string{got.ID, got.ID + ".", strings.Map(upper, got.ID)} {
			if !authres.Claims(in, id) {
				t.Fatalf("%q is not taken for one of %q", in, id)
			}
		}
	})
}

// upper is the upper case of ASCII; other scripts have more cases than two.
func upper(r rune) rune {
	if r >= 'a' && r <= 'z' {
		r -= 'a' - 'A'
	}
	return r
}
