package itest

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/auth/dmarc"
	"github.com/mailstead/mailstead/auth/dnsx"
)

// publicSuffix is a file of Debian's publicsuffix.
func publicSuffix(t *testing.T, name string) string {
	t.Helper()
	if path := filepath.Join("/usr/share", name); fileExists(path) {
		return path
	}
	return filepath.Join(unpacked(t, "MAILSTEAD_PUBLICSUFFIX", "the unpacked package publicsuffix"), "usr/share", name)
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// The test that comes with the list of public suffixes.
func TestDMARCPublicSuffix(t *testing.T) {
	text, err := os.ReadFile(publicSuffix(t, "doc/publicsuffix/examples/test_psl.txt"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, m := range regexp.MustCompile(`(?m)^checkPublicSuffix\((null|'(.*)'), (null|'(.*)')\);$`).FindAllStringSubmatch(string(text), -1) {
		n++
		domain, want := m[2], m[4]
		got := dmarc.OrganizationalDomain(nil, domain)
		if want == "" {
			// No domain, or a public suffix: what is below it is a domain of its own.
			if got != "" && dmarc.OrganizationalDomain(nil, "x."+domain) != "x."+got {
				t.Errorf("%s is no public suffix", domain)
			}
			continue
		}
		if regexp.MustCompile(`[^ -~]`).MatchString(want) { // the lines in A-labels say what this is
			want = dmarc.OrganizationalDomain(nil, want)
		}
		if got != want || dmarc.OrganizationalDomain(nil, "x."+domain) != want {
			t.Errorf("%s: %s, want %s", domain, got, want)
		}
	}
	if lines := strings.Count(string(text), "\ncheckPublicSuffix"); n != lines || n < 70 {
		t.Errorf("%d of %d lines", n, lines)
	}
	t.Logf("%d lines", n)
}

// A dmarcCase is a message and what the DNS has.
type dmarcCase struct {
	from, spf, dkim string
	names, texts    []string
}

// Lookup implements dnsx.Resolver.
func (c dmarcCase) Lookup(_ context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	a := &dnsx.Answer{}
	for i, n := range c.names {
		if t == dnsx.TXT && name == "_dmarc."+n {
			a.Texts = append(a.Texts, c.texts[i])
		}
	}
	if len(a.Texts) == 0 {
		return nil, &dnsx.Error{Name: name, Type: t, Kind: dnsx.ErrNoData}
	}
	return a, nil
}

// line is a case as testdata/dmarc.pl reads it.
func (c dmarcCase) line() string {
	parts := []string{c.from, c.spf, c.dkim}
	for i, name := range c.names {
		parts = append(parts, name, c.texts[i])
	}
	return strings.Join(parts, "\t")
}

// judge is what dmarc says, in the words of Mail::DMARC.
func (c dmarcCase) judge(t *testing.T, random int) string {
	var ids []dmarc.Identifier
	if c.spf != "-" {
		ids = append(ids, dmarc.Identifier{Method: dmarc.SPF, Domain: c.spf, Result: "pass"})
	}
	if c.dkim != "-" {
		ids = append(ids, dmarc.Identifier{Method: dmarc.DKIM, Domain: c.dkim, Result: "pass"})
	}
	checker := &dmarc.Checker{Resolver: c, Mode: dmarc.RFC7489, Sample: func(percent int) bool { return random < percent }}
	v := checker.Check(t.Context(), c.from, ids)
	if v.Result == dmarc.PermError {
		v.Result = dmarc.Fail
	}
	return fmt.Sprintf("%s %s", v.Result, v.Disposition)
}

// explained says why Mail::DMARC is of another opinion; "" = it ought not be.
func (c dmarcCase) explained(ours, theirs string) string {
	records := map[string]int{}
	for i, name := range c.names {
		if strings.HasPrefix(c.texts[i], "v=DMARC1") {
			records[name]++
		}
	}
	at := c.from
	if records[at] == 0 {
		at = dmarc.OrganizationalDomain(nil, at)
	}
	switch {
	case strings.HasPrefix(theirs, "refused: invalid header_from") && strings.HasSuffix(c.from, ".unlisted"):
		return "a top-level domain that is not in the list: no author; ours knows the default rule of the list"
	case strings.HasSuffix(c.from, "city.kobe.jp"):
		return "an exception (!) in the list: it knows none, and takes kobe.jp for a suffix of it"
	case strings.HasPrefix(theirs, "refused: invalid disposition (bad") && ours == "fail none":
		return "a bad sp with rua: it dies, ours is p=none (§6.6.3 step 6)"
	case records[at] > 1 && ours == "none none" && theirs == "fail none":
		return "several records: fail without a policy, ours is none (§6.6.3 step 5)"
	}
	for i, text := range c.texts {
		if c.names[i] != at || !strings.Contains(text, "rua=mailto") {
			continue
		}
		switch p := regexp.MustCompile(`[; ]p=\w+`).FindString(text); {
		case strings.HasSuffix(p, "bad") && theirs == "fail none":
			return "a bad p with rua: no policy, ours is p=none (§6.6.3 step 6)"
		case p == "" && ours == "fail none":
			return "no p with rua: p=none, but sp as it stands there, ours is p=none alone (§6.6.3 step 6)"
		}
	}
	return ""
}

// dmarcCases are random, and the same every time.
func dmarcCases(n int) (list []dmarcCase) {
	r := rand.New(rand.NewPCG(7489, 2015))
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	domains := []string{
		"example.com", "a.example.com", "b.a.example.com", "example.co.uk", "a.example.co.uk", "x.y.example.co.uk", "other.co.uk", "co.uk", "com",
		"user.github.io", "a.user.github.io", "other.github.io", "b.c.mm", "a.b.c.mm", "c.mm", "city.kobe.jp", "a.city.kobe.jp", "b.c.kobe.jp", "example.unlisted", "a.example.unlisted",
	}
	for range n {
		c := dmarcCase{from: pick(domains...), spf: "-", dkim: "-"}
		related := []string{c.from, dmarc.OrganizationalDomain(nil, c.from), "z." + c.from, pick(domains...)}
		if r.IntN(3) == 0 {
			c.spf = pick(related...)
		}
		if r.IntN(3) == 0 {
			c.dkim = pick(related...)
		}
		for range 1 + r.IntN(2) {
			name := pick(related[0], related[1], related[1], related[3])
			c.names, c.texts = append(c.names, name), append(c.texts, dmarcRecord(r, pick, name))
		}
		list = append(list, c)
	}
	return list
}

// dmarcRecord is the text of a record.
func dmarcRecord(r *rand.Rand, pick func(...string) string, name string) string {
	tags := []string{}
	for _, tag := range []struct {
		percent int
		text    string
	}{
		{92, "p=" + pick("none", "quarantine", "reject", "reject", "bad")},
		{40, "sp=" + pick("none", "quarantine", "reject", "reject", "bad")},
		{30, "adkim=" + pick("r", "s", "S", "x")},
		{30, "aspf=" + pick("r", "s", "s", "x")},
		{30, "pct=" + pick("0", "30", "50", "70", "100")},
		{40, "rua=" + pick("mailto:a@"+name, "mailto:a@"+name+"!10m", "mailto:a@"+name+",mailto:b@"+name, "nothing")},
		{20, "ruf=mailto:f@" + name},
		{20, "fo=" + pick("0", "1", "d:s", "x")},
		{10, "ri=" + pick("3600", "x")},
		{10, "rf=afrf"},
		{15, pick("np=reject", "np=bad", "t=y", "psd=y", "psd=n", "unknown=1")},
	} {
		if r.IntN(100) < tag.percent {
			tags = append(tags, tag.text)
		}
	}
	if r.IntN(3) == 0 {
		r.Shuffle(len(tags), func(i, j int) { tags[i], tags[j] = tags[j], tags[i] })
	}
	version := pick("v=DMARC1", "v=DMARC1", "v=DMARC1", "v=DMARC1", "v=DMARC1", "v=DMARC1", "v=DMARC1", "v=spf1")
	return version + pick(";", "; ", " ; ") + strings.Join(tags, pick(";", "; ", " ;  ")) + pick("", ";", " ; ")
}

// mailDMARCEnv is the environment for Mail::DMARC, installed or unpacked.
func mailDMARCEnv(t *testing.T) []string {
	t.Helper()
	env := os.Environ()
	if fileExists("/usr/share/perl5/Mail/DMARC.pm") {
		return env
	}
	root := unpacked(t, "MAILSTEAD_MAILDMARC", "the unpacked package libmail-dmarc-perl")
	paths, err := filepath.Glob(filepath.Join(root, "usr/lib/*/perl5/*"))
	if err != nil {
		t.Fatal(err)
	}
	return append(env, "PERL5LIB="+strings.Join(append(paths, filepath.Join(root, "usr/share/perl5")), ":"))
}

// Random records and messages are judged as by Mail::DMARC, which knows RFC 7489.
func TestDMARCMailDMARC(t *testing.T) {
	t.Parallel()
	suffixes := publicSuffix(t, "publicsuffix/public_suffix_list.dat")
	const random = 50
	cases := dmarcCases(3000)
	var input strings.Builder
	for _, c := range cases {
		input.WriteString(c.line() + "\n")
	}
	cmd := exec.CommandContext(t.Context(), "perl", "testdata/dmarc.pl", suffixes, fmt.Sprint(random))
	cmd.Stdin, cmd.Stderr, cmd.Env = strings.NewReader(input.String()), os.Stderr, mailDMARCEnv(t)
	output, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	seen, differ, i := map[string]int{}, map[string]int{}, 0
	for s := bufio.NewScanner(strings.NewReader(string(output))); s.Scan() && i < len(cases); i++ {
		c := cases[i]
		got, theirs := c.judge(t, random), s.Text()
		seen[got]++
		if got == theirs {
			continue
		}
		why := c.explained(got, theirs)
		if differ[why]++; why == "" {
			t.Errorf("%q: %s, Mail::DMARC says %s", c.line(), got, theirs)
		}
	}
	if i != len(cases) || len(seen) < 5 {
		t.Errorf("%d of %d answers, of the kinds %v", i, len(cases), seen)
	}
	t.Logf("%d cases: %v", i, seen)
	for why, n := range differ {
		t.Logf("%d of another opinion: %s", n, why)
	}
}
