package dmarc

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dnsx"
)

// zone is a Resolver: a name → the texts of its TXT records; "fail" is a
// failure. A name that is there with nothing exists. It notes what is asked for.
type zone struct {
	texts map[string][]string
	fails string // this name fails, too

	mu    sync.Mutex
	asked []string
}

func newZone(records map[string]string) *zone {
	z := &zone{texts: map[string][]string{}}
	for name, text := range records {
		switch {
		case text == "":
			z.texts[name] = nil
		case strings.HasPrefix(text, "v="):
			z.texts["_dmarc."+name] = strings.Split(text, "|")
		default:
			z.texts[name] = []string{text}
		}
	}
	return z
}

func (z *zone) Lookup(_ context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	z.mu.Lock()
	z.asked = append(z.asked, name)
	z.mu.Unlock()
	texts, ok := z.texts[name]
	switch {
	case name == z.fails || len(texts) == 1 && texts[0] == "fail":
		return nil, &dnsx.Error{Name: name, Type: t, Kind: dnsx.ErrServFail}
	case !ok:
		return nil, &dnsx.Error{Name: name, Type: t, Kind: dnsx.ErrNXDomain}
	case len(texts) == 0 || t != dnsx.TXT:
		return nil, &dnsx.Error{Name: name, Type: t, Kind: dnsx.ErrNoData}
	}
	return &dnsx.Answer{Texts: texts}, nil
}

// names is what was asked for, in alphabetical order, and forgets it.
func (z *zone) names() string {
	slices.Sort(z.asked)
	s := strings.Join(z.asked, " ")
	z.asked = nil
	return s
}

// parseIDs reads "spf:example.com dkim:example.org:temperror".
func parseIDs(s string) (ids []Identifier) {
	for word := range strings.FieldsSeq(s) {
		part := append(strings.Split(word, ":"), "pass")
		ids = append(ids, Identifier{Method: Method(part[0]), Domain: part[1], Result: Result(part[2])})
	}
	return ids
}

// line is a verdict in one line.
func line(v Verdict) string {
	s := fmt.Sprintf("%s %s %s", v.Result, v.Disposition, v.PolicyDomain)
	if v.Override != "" {
		s += " " + string(v.Override)
	}
	for _, id := range v.Aligned {
		s += " " + string(id.Method) + ":" + id.Domain
	}
	return s
}

func TestStatement(t *testing.T) {
	for want, v := range map[string]Verdict{
		"dmarc=pass header.from=example.org policy.dmarc=none":   {Result: Pass, Domain: "example.org", Policy: Reject},
		"dmarc=fail header.from=example.org policy.dmarc=reject": {Result: Fail, Domain: "example.org", Disposition: Reject},
		"dmarc=none header.from=example.org":                     {Result: None, Domain: "example.org"},
		"dmarc=permerror":                                        {Result: PermError, Err: ErrNoAuthor},
	} {
		f := authres.Field{ID: "mx.example.net", Statements: []authres.Statement{v.Statement()}}
		if got := strings.Join(strings.Fields(f.String()), " "); got != "Authentication-Results: mx.example.net; "+want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A message is an Author Domain with identifiers, and what is to come of it.
type message struct{ domain, ids, want string }

var suites = []struct {
	name     string
	zone     map[string]string
	messages []message
}{
	{"RFC 9989 table 1, B.1, B.3", map[string]string{"example.com": "v=DMARC1; p=reject; aspf=r; rua=mailto:dmarc-feedback@example.com"}, []message{
		{"news.example.com", "spf:foo.example.com", "pass none example.com spf:foo.example.com"},
		{"news.example.com", "dkim:news.example.com", "pass none example.com dkim:news.example.com"},
		{"news.example.com", "dkim:foo.example.net", "fail reject example.com"},
		{"example.com", "spf:example.com", "pass none example.com spf:example.com"},
		{"example.com", "spf:child.example.com", "pass none example.com spf:child.example.com"},
		{"child.example.com", "spf:example.net", "fail reject example.com"},
		{"child.example.com", "dkim:example.com", "pass none example.com dkim:example.com"},
		{"example.com", "spf:mail.example.com dkim:example.com", "pass none example.com spf:mail.example.com dkim:example.com"},
		{"Example.COM", "spf:MAIL.example.com", "pass none example.com spf:MAIL.example.com"},
		{"example.com", "spf:example.com:fail dkim:example.com:none", "fail reject example.com"},
		{"example.com", "spf:example.com:softfail", "fail reject example.com"},
		{"example.com", "arc:example.com spf: dkim:com dkim:xexample.com", "fail reject example.com"},
		{"other.example", "spf:other.example", "none none "},
	}},
	{"strict", map[string]string{"example.com": "v=DMARC1; p=quarantine; adkim=s; aspf=r"}, []message{
		{"example.com", "dkim:a.example.com", "fail quarantine example.com"},
		{"example.com", "spf:a.example.com", "pass none example.com spf:a.example.com"},
		{"example.com", "dkim:example.com", "pass none example.com dkim:example.com"},
		{"a.example.com", "dkim:a.example.com", "pass none example.com dkim:a.example.com"},
	}},
	{"B.4.1, B.4.2", map[string]string{"example.com": "v=DMARC1;p=reject;sp=quarantine", "signing.example.com": "v=DMARC1;p=none"}, []message{
		{"example.com", "spf:example.com dkim:signing.example.com", "pass none example.com spf:example.com dkim:signing.example.com"},
		{"a.b.c.d.e.f.g.h.i.j.k.example.com", "spf:example.com dkim:signing.example.com", "pass none example.com spf:example.com dkim:signing.example.com"},
		{"a.b.c.d.e.f.g.h.i.j.k.example.com", "", "fail quarantine example.com"},
		{"signing.example.com", "", "fail none signing.example.com"},
		{"x.signing.example.com", "dkim:example.com", "pass none example.com dkim:example.com"},
		{"x.signing.example.com", "", "fail quarantine example.com"}, // of the Organizational Domain, not of the nearest
	}},
	{"B.4.3", map[string]string{"bank.example": "v=DMARC1;p=reject;psd=y;np=reject;sp=quarantine", "giant.bank.example": "v=DMARC1;p=quarantine", "mega.bank.example": "", "mail.mega.bank.example": ""}, []message{
		{"giant.bank.example", "spf:mail.giant.bank.example dkim:mail.mega.bank.example", "pass none giant.bank.example spf:mail.giant.bank.example"},
		{"giant.bank.example", "dkim:mail.mega.bank.example", "fail quarantine giant.bank.example"},
		{"mega.bank.example", "dkim:giant.bank.example", "fail quarantine bank.example"},
		{"mega.bank.example", "dkim:mail.mega.bank.example", "pass none bank.example dkim:mail.mega.bank.example"},
		{"mini.bank.example", "dkim:bank.example", "fail reject bank.example"}, // does not exist
		{"bank.example", "dkim:bank.example", "pass none bank.example dkim:bank.example"},
		{"bank.example", "dkim:giant.bank.example", "fail reject bank.example"},
	}},
	{"psd=n", map[string]string{"example.com": "v=DMARC1;p=reject", "b.example.com": "v=DMARC1;p=quarantine;psd=n", "com": "v=DMARC1;p=reject;psd=y"}, []message{
		{"a.b.example.com", "dkim:b.example.com", "pass none b.example.com dkim:b.example.com"},
		{"a.b.example.com", "dkim:example.com", "fail quarantine b.example.com"},
		{"example.com", "dkim:a.b.example.com", "fail reject example.com"},
		{"b.example.com", "dkim:example.com", "fail quarantine b.example.com"},
		{"c.example.com", "dkim:example.com", "pass none example.com dkim:example.com"},
		{"example.org", "", "none none "},
		{"other.com", "", "fail reject com"},
		{"com", "", "fail reject com"},
	}},
	{"§5.1.8", map[string]string{"example.com": "v=DMARC1;p=reject", "b.c.d.e.f.g.example.com": "v=DMARC1;p=none;psd=n"}, []message{
		{"mail.a.b.c.d.e.f.g.example.com", "", "fail reject example.com"}, {"a.b.c.d.e.f.g.example.com", "", "fail reject example.com"}, {"b.c.d.e.f.g.example.com", "", "fail none b.c.d.e.f.g.example.com"},
	}},
	{"np, t", map[string]string{"example.com": "v=DMARC1;p=none;sp=quarantine;np=reject;t=y", "there.example.com": "", "ent.example.com": "some text"}, []message{
		{"example.com", "", "fail none example.com"},
		{"there.example.com", "", "fail none example.com policy_test_mode"},
		{"ent.example.com", "", "fail none example.com policy_test_mode"},
		{"nowhere.example.com", "", "fail quarantine example.com policy_test_mode"},
	}},
	{"records", map[string]string{
		"two.example": "v=DMARC1;p=reject|v=DMARC1;p=reject", "x.example": "v=spf1|v=DMARC1;p=reject|v=DMARC2", "nop.example": "v=DMARC1;sp=reject",
		"rua.example": "v=DMARC1;p=x;rua=mailto:a@b.example", "bad.example": "v=DMARC1;p=reject;np=x", "pct.example": "v=DMARC1;p=reject;pct=0",
	}, []message{
		{"two.example", "dkim:two.example", "none none "},
		{"x.example", "", "fail reject x.example"},
		{"nop.example", "spf:nop.example", "permerror none nop.example"},
		{"rua.example", "", "fail none rua.example"},
		{"bad.example", "", "permerror none bad.example"},
		{"pct.example", "", "fail reject pct.example"},
		{"a.nop.example", "", "permerror none nop.example"},
		{"", "", "permerror none "},
		{"[192.0.2.1]", "", "permerror none "},
	}},
	{"failures", map[string]string{"example.com": "v=DMARC1;p=reject;sp=none;np=reject", "_dmarc.down.example": "fail", "_dmarc.sub.example.com": "fail", "gone.example.com": "fail"}, []message{
		{"down.example", "dkim:down.example", "temperror none "},
		{"a.down.example", "dkim:a.down.example", "temperror none "},
		{"example.com", "dkim:sub.example.com", "temperror none example.com"},
		{"example.com", "dkim:sub.example.com spf:example.com", "pass none example.com spf:example.com"},
		{"example.com", "dkim:example.com:temperror", "temperror none example.com"},
		{"example.com", "dkim:a.example.com:temperror spf:example.net", "temperror none example.com"},
		{"example.com", "dkim:example.net:temperror", "fail reject example.com"},
		{"example.com", "dkim:example.com:temperror spf:example.com", "pass none example.com spf:example.com"},
		{"gone.example.com", "", "temperror none example.com"},
		{"gone.example.com", "dkim:example.com", "pass none example.com dkim:example.com"},
	}},
}

func TestVerdicts(t *testing.T) {
	for _, suite := range suites {
		z := newZone(suite.zone)
		for _, m := range suite.messages {
			v := (&Checker{Resolver: z}).Check(t.Context(), m.domain, parseIDs(m.ids))
			if got := line(v); got != m.want {
				t.Errorf("%s: %s with %s: %s, want %s", suite.name, m.domain, m.ids, got, m.want)
			}
			if (v.Err != nil) != (v.Result == TempError || v.Result == PermError) || v.Disposition != PolicyNone && v.Result != Fail {
				t.Errorf("%s: %s with %s: %+v", suite.name, m.domain, m.ids, v)
			}
			if n := len(strings.Fields(z.names())); n != v.Queries {
				t.Errorf("%s: %s: %d questions, says %d", suite.name, m.domain, n, v.Queries)
			}
		}
	}
}

// No answer that is replaced by a failure gives a better verdict (A2): the one
// that it gave, a temperror, or a less good one; and never a rejection that
// was not there.
func TestFailuresNeverHelp(t *testing.T) {
	judged := 0
	for _, mode := range []Mode{RFC9989, RFC7489} {
		for _, suite := range suites {
			for _, m := range suite.messages {
				z := newZone(suite.zone)
				c := &Checker{Resolver: z, Mode: mode, Sample: func(int) bool { return true }}
				want := c.Check(t.Context(), m.domain, parseIDs(m.ids))
				names := strings.Fields(z.names())
				for _, name := range names {
					z.fails = name
					got := c.Check(t.Context(), m.domain, parseIDs(m.ids))
					judged++
					if got.Result != TempError && (got.Result != want.Result || got.Disposition != want.Disposition) {
						t.Errorf("%s: %s with %s, %s fails: %s, without: %s", suite.name, m.domain, m.ids, name, line(got), line(want))
					}
				}
			}
		}
	}
	if judged < 200 {
		t.Errorf("%d failures", judged)
	}
}

// The questions of a tree walk (RFC 9989 §4.10).
func TestQuestions(t *testing.T) {
	z := newZone(map[string]string{"example.com": "v=DMARC1;p=reject"})
	for _, m := range []message{
		{"a.b.c.d.e.f.g.h.i.j.mail.example.com", "", "_dmarc.a.b.c.d.e.f.g.h.i.j.mail.example.com _dmarc.com _dmarc.example.com _dmarc.g.h.i.j.mail.example.com _dmarc.h.i.j.mail.example.com _dmarc.i.j.mail.example.com _dmarc.j.mail.example.com _dmarc.mail.example.com"},
		{"a.b.c.d.e.f.example.com", "", "_dmarc.a.b.c.d.e.f.example.com _dmarc.b.c.d.e.f.example.com _dmarc.c.d.e.f.example.com _dmarc.com _dmarc.d.e.f.example.com _dmarc.e.f.example.com _dmarc.example.com _dmarc.f.example.com"},
		{"a.b.c.d.e.f.g.example.com", "", "_dmarc.a.b.c.d.e.f.g.example.com _dmarc.c.d.e.f.g.example.com _dmarc.com _dmarc.d.e.f.g.example.com _dmarc.e.f.g.example.com _dmarc.example.com _dmarc.f.g.example.com _dmarc.g.example.com"},
		{"example.com", "dkim:example.com spf:example.net", "_dmarc.example.com"},                                     // nothing to walk for
		{"example.com", "dkim:a.example.com spf:a.example.com", "_dmarc.a.example.com _dmarc.com _dmarc.example.com"}, // once
		{"example.com", "dkim:a.example.com:fail", "_dmarc.example.com"},
		{"example.com", "dkim:a.b.other.com", "_dmarc.com _dmarc.example.com"}, // outside the author's Organizational Domain
		{"example.com", "dkim:a.b.c.example.net dkim:example.org", "_dmarc.example.com"},
		{"com", "", "_dmarc.com"},
	} {
		(&Checker{Resolver: z}).Check(t.Context(), m.domain, parseIDs(m.ids))
		if got := z.names(); got != m.want {
			t.Errorf("%s with %s:\n got %s\nwant %s", m.domain, m.ids, got, m.want)
		}
	}
}

// A message with a thousand signatures asks no more than doc.go says.
func TestManyIdentifiers(t *testing.T) {
	z := newZone(map[string]string{"h.example.com": "", "example.com": "v=DMARC1;p=reject;np=none"})
	var ids []Identifier
	for i := range 1000 {
		ids = append(ids, Identifier{DKIM, fmt.Sprintf("a%d.b%d.c%d.d%d.e%d.f%d.g%d.example.com", i, i, i, i, i, i, i), "pass"}, Identifier{DKIM, fmt.Sprintf("x%d.example.net", i), "pass"})
		z.texts[fmt.Sprintf("_dmarc.a%d.b%d.c%d.d%d.e%d.f%d.g%d.example.com", i, i, i, i, i, i, i)] = []string{"v=DMARC1;psd=n"}
	}
	v := (&Checker{Resolver: z}).Check(t.Context(), "a.b.c.d.e.f.g.h.example.com", ids)
	if line(v) != "fail none example.com" || v.Queries > 121 {
		t.Errorf("%s after %d questions", line(v), v.Queries)
	}
	ids = append(ids, Identifier{SPF, "a.b.c.d.e.f.g.h.example.com", "pass"})
	if v := (&Checker{Resolver: z}).Check(t.Context(), "a.b.c.d.e.f.g.h.example.com", ids); v.Result != Pass {
		t.Errorf("junk hides an identifier: %s", line(v))
	}
}

func TestSuffixMode(t *testing.T) {
	z := newZone(map[string]string{
		"example.co.uk": "v=DMARC1;p=reject;sp=quarantine;np=reject;t=y;pct=30", "co.uk": "v=DMARC1;p=reject;psd=y", "b.example.co.uk": "v=DMARC1;p=none;psd=n",
		"two.example.co.uk": "v=DMARC1;p=none|v=DMARC1;p=none", "zero.example": "v=DMARC1;p=quarantine;pct=0",
		"bad.example": "v=DMARC1;p=reject;np=x;t=y",
	})
	in := true
	c := &Checker{Resolver: z, Mode: RFC7489, Sample: func(n int) bool {
		if n != 30 {
			t.Errorf("%d percent", n)
		}
		return in
	}}
	for _, m := range []message{
		{"bad.example", "", "fail reject bad.example"},
		{"example.co.uk", "", "fail reject example.co.uk"},
		{"a.b.c.d.example.co.uk", "", "fail quarantine example.co.uk"},
		{"b.example.co.uk", "dkim:x.y.example.co.uk", "pass none b.example.co.uk dkim:x.y.example.co.uk"},
		{"example.co.uk", "dkim:other.co.uk", "fail reject example.co.uk"},
		{"other.co.uk", "", "none none "},
		{"co.uk", "", "fail reject co.uk"},
		{"two.example.co.uk", "", "none none "},
		{"zero.example", "", "fail none zero.example sampled_out"},
	} {
		if got := line(c.Check(t.Context(), m.domain, parseIDs(m.ids))); got != m.want {
			t.Errorf("%s with %s: %s, want %s", m.domain, m.ids, got, m.want)
		}
	}
	in = false
	if got := line(c.Check(t.Context(), "example.co.uk", nil)); got != "fail quarantine example.co.uk sampled_out" {
		t.Error(got)
	}
	if got := line(c.Check(t.Context(), "a.example.co.uk", nil)); got != "fail none example.co.uk sampled_out" {
		t.Error(got)
	}
	hits := 0
	for c.Sample = nil; c.Sample == nil && hits < 10_000; hits++ {
		if c.Check(t.Context(), "example.co.uk", nil).Override == SampledOut {
			break
		}
	}
	if hits == 10_000 {
		t.Error("30 % is all")
	}
}

// fixed is a SuffixList.
type fixed string

func (f fixed) PublicSuffix(string) string { return string(f) }

func TestOrganizationalDomain(t *testing.T) {
	for _, c := range []struct {
		list         SuffixList
		domain, want string
	}{
		{nil, "a.b.example.com", "example.com"},
		{nil, "com", "com"},
		{nil, "A.B.Example.Co.UK", "example.co.uk"},
		{nil, "", ""},
		{nil, "a..b", ""},
		{fixed("b.example"), "x.a.b.example", "a.b.example"},
		{fixed("other"), "a.example", "a.example"},
		{fixed(""), "a.example", "a.example"},
		{nil, "b\u00fccher.example", "xn--bcher-kva.example"},
	} {
		if got := OrganizationalDomain(c.list, c.domain); got != c.want {
			t.Errorf("%s: %s, want %s", c.domain, got, c.want)
		}
	}
}

func TestWorst(t *testing.T) {
	verdicts := map[string]Verdict{
		"pass": {Result: Pass}, "none": {Result: None}, "perm": {Result: PermError}, "temp": {Result: TempError},
		"fail": {Result: Fail}, "quarantine": {Result: Fail, Disposition: Quarantine}, "reject": {Result: Fail, Disposition: Reject},
	}
	order := []string{"pass", "none", "perm", "temp", "fail", "quarantine", "reject"}
	for a := range maps.Keys(verdicts) {
		for b := range maps.Keys(verdicts) {
			want := order[max(slices.Index(order, a), slices.Index(order, b))]
			if got := Worst(verdicts[a], verdicts[b]); got.Result != verdicts[want].Result || got.Disposition != verdicts[want].Disposition {
				t.Errorf("%s, %s: %s", a, b, line(got))
			}
		}
	}
	if v := Worst(); v.Result != PermError || !errors.Is(v.Err, ErrNoAuthor) {
		t.Error(line(v))
	}
}

// slow answers nothing before the context ends, or a second later.
type slow struct{ *zone }

func (s slow) Lookup(ctx context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	select {
	case <-ctx.Done():
		return nil, &dnsx.Error{Name: name, Type: t, Kind: dnsx.ErrTimeout, Err: ctx.Err()}
	case <-time.After(time.Second):
		return s.zone.Lookup(ctx, name, t)
	}
}

// A walk takes one round trip behind that to the Author Domain, and time ends.
func TestTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := slow{newZone(map[string]string{"example.com": "v=DMARC1;p=reject"})}
		start := time.Now()
		v := (&Checker{Resolver: z}).Check(t.Context(), "a.b.c.d.e.f.example.com", parseIDs("dkim:x.y.z.example.com"))
		if took := time.Since(start); v.Result != Pass || took != 3*time.Second {
			t.Errorf("%s after %v", line(v), took)
		}
		start = time.Now()
		v = (&Checker{Resolver: z, Timeout: time.Millisecond}).Check(t.Context(), "example.com", nil)
		if took := time.Since(start); v.Result != TempError || !errors.Is(v.Err, dnsx.ErrTimeout) || took != time.Millisecond {
			t.Errorf("%s after %v", line(v), took)
		}
	})
}
