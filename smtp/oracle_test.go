package smtp

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The grammar of RFC 5321 §4.1.2 as expressions, for ASCII.
const (
	reAtom    = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
	reDot     = reAtom + `(?:\.` + reAtom + `)*`
	reQuoted  = `"(?:[ !\x23-\x5b\x5d-\x7e]|\\[ -~])*"`
	reLabel   = `[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?`
	reDomain  = reLabel + `(?:\.` + reLabel + `)*`
	reLiteral = `\[[!-Z^-~]+\]`
	reHost    = `(?:` + reDomain + `|` + reLiteral + `)`
	reRoute   = `(?:@` + reHost + `(?:,@` + reHost + `)*:)?`
)

var (
	pathGrammar    = regexp.MustCompile(`^<` + reRoute + `(` + reDot + `|` + reQuoted + `)@(` + reHost + `)>$`)
	anyLiteral     = regexp.MustCompile(reLiteral)
	taggedLiteral  = regexp.MustCompile(`^\[([A-Za-z0-9-]*[A-Za-z0-9]):.+\]$`)
	quotedPair     = regexp.MustCompile(`\\(.)`)
	xtextGrammar   = regexp.MustCompile(`^(?:[!-*,-<>-~]|\+[0-9A-F]{2})*$`)
	xtextHexchar   = regexp.MustCompile(`\+[0-9A-F]{2}`)
	postmasterPath = regexp.MustCompile(`^<[pP][oO][sS][tT][mM][aA][sS][tT][eE][rR]>$`)
)

// naivePath is the forward-path that the expressions find in ASCII text.
func naivePath(s string) (Path, bool) {
	if postmasterPath.MatchString(s) {
		return Path{Local: s[1 : len(s)-1]}, true
	}
	m := pathGrammar.FindStringSubmatch(s)
	if m == nil || len(s) > MaxPath || len(m[1]) > MaxLocalPart || len(m[2]) > MaxDomain {
		return Path{}, false
	}
	hosts := s[:len(s)-len(m[1])-len(m[2])-2] + m[2] // the route, and the domain
	for _, l := range anyLiteral.FindAllString(hosts, -1) {
		if !naiveLiteral(l) {
			return Path{}, false
		}
	}
	local := m[1]
	if local[0] == '"' {
		local = quotedPair.ReplaceAllString(local[1:len(local)-1], "$1")
	}
	return Path{Local: local, Domain: m[2]}, true
}

func naiveLiteral(l string) bool {
	in := l[1 : len(l)-1]
	if !strings.Contains(in, ":") {
		a, err := netip.ParseAddr(in)
		return err == nil && a.Is4()
	}
	if len(in) > 5 && strings.EqualFold(in[:5], "ipv6:") {
		a, err := netip.ParseAddr(in[5:])
		return err == nil && a.Is6() && a.Zone() == ""
	}
	m := taggedLiteral.FindStringSubmatch(l)
	return m != nil && !strings.EqualFold(m[1], "ipv6")
}

// FuzzPathGrammar holds the parser against the expressions.
func FuzzPathGrammar(f *testing.F) {
	for _, tt := range pathTests {
		f.Add(tt.in)
	}
	for _, s := range []string{
		`<@a.example,@[192.0.2.1]:"b > c"@d.example>`, `<"a\"b\\"@c>`, "<postMaster>", "<a..b@c>", "<a@-b>", "<a@b->",
		"<a@[IPv6:::1]>", "<a@[x:y]>", "<a@[IPv6:1.2.3.4]>", "<a@b..c>", "<a@b.>", "<@a:b>", "<a@_dmarc.b>",
		"<" + strings.Repeat("a", 64) + "@b>", "<" + strings.Repeat("a", 65) + "@b>", "<a@" + strings.Repeat("b", 64) + ">",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !isASCII(s) {
			return
		}
		want, ok := naivePath(s)
		got, err := ParseForwardPath(s, false)
		if ok != (err == nil) || ok && got.Path != want {
			t.Fatalf("%q: %+v, %v; the grammar says %+v, %v", s, got, err, want, ok)
		}
	})
}

// FuzzXtextGrammar holds the decoder against the expressions.
func FuzzXtextGrammar(f *testing.F) {
	for _, s := range []string{"", "a+2Bb", "+", "+2", "+2b", "a=b", "a b", "+00", "a\x7f", "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseXtext(s)
		if ok := xtextGrammar.MatchString(s); ok != (err == nil) {
			t.Fatalf("%q: %v; the grammar says %v", s, err, ok)
		} else if !ok {
			return
		}
		want := xtextHexchar.ReplaceAllStringFunc(s, func(h string) string {
			n, _ := strconv.ParseUint(h[1:], 16, 8)
			return string([]byte{byte(n)})
		})
		if got != want {
			t.Fatalf("%q: %q, want %q", s, got, want)
		}
	})
}
