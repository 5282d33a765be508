package smtp

import (
	"errors"
	"io"
	"strings"
	"testing"
)

var pathTests = []struct {
	in   string
	want Path
	utf8 bool
	err  error
}{
	{in: "<a@b>", want: Path{"a", "b"}},
	{in: "<A.b+c=d@Example.ORG>", want: Path{"A.b+c=d", "Example.ORG"}},
	{in: `<"a b"@c>`, want: Path{"a b", "c"}},
	{in: `<"a>b"@c>`, want: Path{"a>b", "c"}},
	{in: `<"a\"\\b"@c>`, want: Path{`a"\b`, "c"}},
	{in: `<"a@b"@c>`, want: Path{"a@b", "c"}},
	{in: `<""@c>`, want: Path{"", "c"}},
	{in: `<"a\b"@c>`, want: Path{"ab", "c"}},
	{in: "<@x.org,@y.org:a@b>", want: Path{"a", "b"}}, // RFC 5321 appendix C
	{in: "<a@[192.0.2.1]>", want: Path{"a", "[192.0.2.1]"}},
	{in: "<a@[IPv6:2001:db8::1]>", want: Path{"a", "[IPv6:2001:db8::1]"}},
	{in: "<a@[x-net:abc]>", want: Path{"a", "[x-net:abc]"}},
	{in: "<a@mail_out.example.org>", want: Path{"a", "mail_out.example.org"}},
	{in: "<é@example.org>", want: Path{"é", "example.org"}, utf8: true},
	{in: "<a@bücher.example>", want: Path{"a", "bücher.example"}, utf8: true},
	{in: `<"é x"@b>`, want: Path{"é x", "b"}, utf8: true},
	{in: "<é@example.org>", err: ErrNeedsUTF8},
	{in: "<a@bücher.example>", err: ErrNeedsUTF8},
	{in: "<\xff@b>", utf8: true, err: ErrSyntax},
	{in: "<\xc0\xaf@b>", utf8: true, err: ErrSyntax},
	{in: "<a\u0085@b>", utf8: true, err: ErrSyntax},
	{in: "<a\r\nb@c>", err: ErrSyntax},
	{in: "<\"a\nb\"@c>", err: ErrSyntax},
	{in: "<\"a\x00b\"@c>", err: ErrSyntax},
	{in: "<a\x7f@c>", err: ErrSyntax},
	{in: "<a b@c>", err: ErrSyntax},
	{in: "<a..b@c>", err: ErrSyntax},
	{in: "<.a@c>", err: ErrSyntax},
	{in: "<a.@c>", err: ErrSyntax},
	{in: "<@c>", err: ErrSyntax},
	{in: "<a@>", err: ErrSyntax},
	{in: "<a>", err: ErrSyntax},
	{in: "<a@b.>", err: ErrSyntax},
	{in: "<a@b..c>", err: ErrSyntax},
	{in: "<a@-b>", err: ErrSyntax},
	{in: "<a@b->", err: ErrSyntax},
	{in: "<a@b@c>", err: ErrSyntax},
	{in: "<a@[1.2.3]>", err: ErrSyntax},
	{in: "<a@[1.2.3.256]>", err: ErrSyntax},
	{in: "<a@[::1]>", err: ErrSyntax},
	{in: "<a@[IPv6:1.2.3.4]>", err: ErrSyntax},
	{in: "<a@[IPv6:fe80::1%eth0]>", err: ErrSyntax},
	{in: "<a@[]>", err: ErrSyntax},
	{in: "a@b", err: ErrSyntax},
	{in: "<a@b", err: ErrSyntax},
	{in: "<a@b>x", err: ErrSyntax},
	{in: "<a@b>>", err: ErrSyntax},
	{in: "<<a@b>>", err: ErrSyntax},
	{in: "<@x.org:>", err: ErrSyntax},
	{in: "<@x.org,a@b>", err: ErrSyntax},
	{in: "", err: ErrSyntax},
	{in: "<" + strings.Repeat("a", 64) + "@b>", want: Path{strings.Repeat("a", 64), "b"}},
	{in: "<" + strings.Repeat("a", 65) + "@b>", err: ErrTooLong},
	{in: "<a@" + strings.Repeat("b", 63) + ".c>", want: Path{"a", strings.Repeat("b", 63) + ".c"}},
	{in: "<a@" + strings.Repeat("b", 64) + ".c>", err: ErrSyntax},
	{in: "<a@" + strings.Repeat("b.", 130) + "c>", err: ErrTooLong},
	{in: "<" + strings.Repeat("a", 60) + "@" + strings.Repeat("b.", 100) + "c>", err: ErrTooLong},
}

func TestParsePath(t *testing.T) {
	for _, tt := range pathTests {
		got, err := ParseReversePath(tt.in, tt.utf8)
		if !errors.Is(err, tt.err) || err == nil && got.Path != tt.want {
			t.Errorf("ParseReversePath(%q, %v) = %+v, %v; want %+v, %v", tt.in, tt.utf8, got, err, tt.want, tt.err)
		}
		fwd, err := ParseForwardPath(tt.in, tt.utf8)
		if !errors.Is(err, tt.err) || err == nil && fwd.Path != tt.want {
			t.Errorf("ParseForwardPath(%q, %v) = %+v, %v; want %+v, %v", tt.in, tt.utf8, fwd, err, tt.want, tt.err)
		}
	}
}

// A path cut anywhere asks for more, whatever comes next (RFC 5321 §4.1.2).
func TestPathCut(t *testing.T) {
	for _, tt := range pathTests {
		if tt.err != nil {
			continue
		}
		for i := range tt.in {
			_, _, err := ConsumeForwardPath([]byte(tt.in[:i]), true)
			if err == nil {
				t.Errorf("%q cut to %q was accepted", tt.in, tt.in[:i])
			}
			if i == 1 && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%q: %v, want need-more", tt.in[:i], err)
			}
		}
	}
}

func TestNullAndPostmaster(t *testing.T) {
	if p, err := ParseReversePath("<>", false); err != nil || !p.IsNull() {
		t.Errorf("null sender: %v, %v", p, err)
	}
	if _, err := ParseForwardPath("<>", false); !errors.Is(err, ErrSyntax) {
		t.Errorf("<> as forward-path: %v", err)
	}
	if p, err := ParseForwardPath("<PostMaster>", false); err != nil || !p.IsPostmaster() || p.String() != "PostMaster" {
		t.Errorf("postmaster: %v, %v", p, err)
	}
	if _, err := ParseReversePath("<postmaster>", false); !errors.Is(err, ErrSyntax) {
		t.Errorf("<postmaster> as reverse-path: %v", err)
	}
}

// What was parsed is written so that it parses to the same.
func FuzzPath(f *testing.F) {
	for _, tt := range pathTests {
		f.Add(tt.in)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParseForwardPath(s, true)
		if err != nil {
			return
		}
		if strings.ContainsAny(p.String(), "\r\n\x00") {
			t.Fatalf("%q holds a line end: %q", s, p)
		}
		again, err := ParseForwardPath("<"+p.String()+">", true)
		if err != nil || again != p {
			t.Fatalf("%q -> %q -> %+v, %v", s, p, again, err)
		}
		_, err = ParseForwardPath(s, false)
		if (err != nil) != p.NeedsUTF8() {
			t.Fatalf("%q without SMTPUTF8: %v", s, err)
		}
	})
}
