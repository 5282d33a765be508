package dmarc

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestAuthorDomain(t *testing.T) {
	for header, want := range map[string]any{
		"From: a@example.com\r\n":                                         "example.com",
		"Subject: x\nfRoM : a@EXAMPLE.com\n\nFrom: b@example.org\n":       "example.com",
		"From: a@example.com":                                             "example.com",
		"From:\r\n \"x, y\"\r\n <a@example.com>\r\n":                      "example.com",
		"From: Joe Q. Public <a.b@example.com> (c (d) \\) <e@f.example>)": "example.com",
		"From: (c)a(d)@(e)example.com(f)":                                 "example.com",
		"From: \"a@b.example\" <c@example.com>":                           "example.com",
		"From: \"a\\\"@b\"@example.com":                                   "example.com",
		"From: ,,a@example.com,,":                                         "example.com",
		// groups (RFC 6854)
		"From: Team: a@example.com;":             "example.com",
		"From: \"T\": X <a@example.com>;":        "example.com",
		"From: Nobody:;":                         ErrNoAuthor,
		"From: T: a@example.com, b@example.com;": ErrManyAuthors,
		"From: T: a@example.com; b":              ErrAuthor,
		"From: T: a@example.com":                 ErrAuthor,
		"From: T: U: a@example.com;;":            ErrAuthor,
		"From: T:;, a@example.com":               "example.com",
		// several
		"From: a@example.com\r\nFrom: a@example.com\r\n":       ErrManyFrom,
		"From: a@example.com\r\nfrom :\r\n":                    ErrManyFrom,
		"From: a@example.com\r\nX: y\rFrom: b@example.org\r\n": ErrManyFrom,
		"From: a@example.com\r\n\r\r\nFrom: b@example.org\r\n": ErrManyFrom,
		"From: a@example.com, b@example.com":                   ErrManyAuthors,
		"From: a@example.com,<b@example.org>":                  ErrManyAuthors,
		"From: a@example.com\rX: y":                            ErrAuthor,
		"X: y\rFrom: a@example.com":                            ErrAuthor,
		"X: From: a@example.com\r\n From: b@example.com":       ErrNoAuthor,
		"":                        ErrNoAuthor,
		"\r\nFrom: a@example.com": ErrNoAuthor,
		"From:\r\n":               ErrNoAuthor,
		"From a@example.com":      ErrNoAuthor,
		"Fromm: a@example.com":    ErrNoAuthor,
		"From: <>":                ErrAuthor,
		// encoded-words are text
		"From: =?utf-8?q?a=40bank.example?= <b@example.com>":         "example.com",
		"From: =?utf-8?b?PGFAYmFuay5leGFtcGxlPg==?= <b@example.com>": "example.com",
		"From: =?utf-8?q?a=40bank.example?=":                         ErrAuthor,
		"From: =?utf-8?q?=22a=22=40bank.example=2C?= b@example.com":  ErrAuthor,
		"From: =?utf-8?q?a@bank.example?= <b@example.com>":           ErrAuthor,
		"From: a@=?utf-8?q?bank.example?=":                           ErrAuthor,
		"From: =?utf-8?q?a?=@example.com":                            "example.com",
		// internationalised
		"From: a@b\u00fccher.example":                "xn--bcher-kva.example",
		"From: a@B\u00dcCHER.example":                "xn--bcher-kva.example",
		"From: a@XN--bcher-KVA.example":              "xn--bcher-kva.example",
		"From: \u00fc <\u00e4@bu\u0308cher.example>": "xn--bcher-kva.example",
		"From: a@example\u3002com":                   "example.com",
		"From: a@\uff45xample.com":                   "example.com",
		"From: a@b\xfccher.example":                  ErrAuthor,
		"From: a@b\u00fccher\u2028.example":          ErrAuthor,
		// malformed
		"From: a\x00@example.com":                          ErrAuthor,
		"From: a@example.com\x00.example.org":              ErrAuthor,
		"From: \"\x00\" <a@example.com>":                   ErrAuthor,
		"From: \"\\\x00\" <a@example.com>":                 ErrAuthor,
		"From: (\x00) a@example.com":                       ErrAuthor,
		"From: a@example.com <b@example.org>":              ErrAuthor,
		"From: <a@example.com> b@example.org":              ErrAuthor,
		"From: <a@example.com> <b@example.org>":            ErrAuthor,
		"From: <a@example.com":                             ErrAuthor,
		"From: a@example.com>":                             ErrAuthor,
		"From: a@@example.com":                             ErrAuthor,
		"From: a@b@example.com":                            ErrAuthor,
		"From: <@b.example:a@example.com>":                 ErrAuthor,
		"From: a b@example.com":                            ErrAuthor,
		"From: a@example.com .example.org":                 ErrAuthor,
		"From: a@exam ple.com":                             ErrAuthor,
		"From: a@example.com(x).org":                       ErrAuthor,
		"From: a@\"example.com\"":                          ErrAuthor,
		"From: a@[192.0.2.1]":                              ErrAuthor,
		"From: a@example.com.":                             ErrAuthor,
		"From: a@.example.com":                             ErrAuthor,
		"From: a@":                                         ErrAuthor,
		"From: @example.com":                               ErrAuthor,
		"From: a":                                          ErrAuthor,
		"From: a@example.com (":                            ErrAuthor,
		"From: \"a@example.com":                            ErrAuthor,
		"From: a@exa$mple.com":                             ErrAuthor,
		"From: a@" + strings.Repeat("x", 64) + ".example":  ErrAuthor,
		"From: a@" + strings.Repeat("x.", 126) + "example": ErrAuthor,
	} {
		got, err := AuthorDomain([]byte(header))
		if w, ok := want.(error); ok {
			if !errors.Is(err, w) || got != "" {
				t.Errorf("%q: %q, %v; want %v", header, got, err, w)
			}
		} else if err != nil || got != want {
			t.Errorf("%q: %q, %v; want %v", header, got, err, want)
		}
	}
}

func TestAuthorDomains(t *testing.T) {
	for header, want := range map[string][]string{
		"From: a@example.com, b@EXAMPLE.com\nFrom: c@example.org, T: d@example.net;": {"example.com", "example.org", "example.net"},
		"From: a@[192.0.2.1], b@example.com":                                         {"example.com"},
		"Subject: x":                                                                 nil,
	} {
		if got, err := AuthorDomains([]byte(header)); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v", header, got, err)
		}
	}
	many := "From: "
	for c := 'a'; c < 'a'+17; c++ {
		many += "x@" + string(c) + ".example,"
	}
	if got, err := AuthorDomains([]byte(many)); !errors.Is(err, ErrManyAuthors) {
		t.Errorf("%q, %v", got, err)
	}
}

// slowHeaders are header blocks made to be slow, of 3.4 MB or so.
func slowHeaders() map[string]string {
	return map[string]string{
		"folded":   "From: a@example.com" + strings.Repeat("\r\n ", 1_100_000),
		"lines":    strings.Repeat("X: y\r\n", 100_000) + "From: a@example.com",
		"comments": "From: " + strings.Repeat("(", 1_500_000) + strings.Repeat(")", 1_500_000) + "a@example.com",
		"quotes":   "From: " + strings.Repeat("\"a\" ", 800_000) + "<a@example.com>",
		"returns":  "From: a@example.com\n" + strings.Repeat("\r", 3_400_000),
		"fields":   strings.Repeat("From: a@example.com\n", 160_000),
		"many":     "From: " + strings.Repeat("a@example.com,", 240_000),
		"groups":   "From: " + strings.Repeat("x:;,", 800_000) + "a@example.com",
	}
}

// BenchmarkSlowHeaders is how long they take.
func BenchmarkSlowHeaders(b *testing.B) {
	for name, header := range slowHeaders() {
		b.Run(name, func(b *testing.B) {
			in := []byte(header)
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				_, _ = AuthorDomain(in)
			}
		})
	}
}

// They take memory in proportion to their size, and each octet is looked at a few
// times (A5).
func TestAuthorBounds(t *testing.T) {
	for name, header := range slowHeaders() {
		in := []byte(header)
		got, err := AuthorDomain(in)
		if name == "fields" || name == "many" {
			if err == nil {
				t.Errorf("%s: no error", name)
			}
		} else if got != "example.com" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		start := time.Now()
		n := allocated(func() { _, _ = AuthorDomain(in) })
		t.Logf("%s: %d octets, %v, %d bytes", name, len(in), time.Since(start), n)
		if n > uint64(4*len(in)) {
			t.Errorf("%s: %d bytes for %d", name, n, len(in))
		}
	}
}

func FuzzAuthorDomain(f *testing.F) {
	f.Add([]byte("From: =?utf-8?q?x?= <a@example.com> (c)\r\nTo: T: b@example.org;\r\n\r\n"))
	f.Add([]byte("From: \"a\\\"b\"@b\u00fccher.example,\r\n x: y;"))
	f.Fuzz(func(t *testing.T, header []byte) {
		d, err := AuthorDomain(header)
		if (d == "") != (err != nil) {
			t.Fatalf("%q, %v", d, err)
		}
		if err != nil {
			return
		}
		if again, err := canonical(d); err != nil || again != d || !utf8.ValidString(d) {
			t.Fatalf("%q is not canonical", d)
		}
		if list, err := AuthorDomains(header); err != nil || !slices.Equal(list, []string{d}) {
			t.Fatalf("%q, %q, %v", d, list, err)
		}
	})
}
