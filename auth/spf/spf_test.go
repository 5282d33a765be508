package spf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dnsx"
)

// zone is a Resolver: "TYPE name" → values. "fail" is a failure.
type zone map[string][]string

func (z zone) Lookup(_ context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	values, ok := z[t.String()+" "+strings.ToLower(name)]
	if !ok {
		return nil, &dnsx.Error{Name: name, Type: t, Kind: dnsx.ErrNXDomain}
	}
	a := &dnsx.Answer{}
	for _, v := range values {
		switch {
		case v == "fail":
			return nil, &dnsx.Error{Name: name, Type: t, Kind: dnsx.ErrServFail}
		case t == dnsx.TXT:
			a.Texts = append(a.Texts, v)
		case t == dnsx.MX:
			a.MX = append(a.MX, dnsx.Exchange{Host: v})
		case t == dnsx.PTR:
			a.Names = append(a.Names, v)
		default:
			a.Addrs = append(a.Addrs, netip.MustParseAddr(v))
		}
	}
	return a, nil
}

// query is a client of the examples of RFC 7208 §7.4.
func query(sender string) Query {
	return Query{IP: netip.MustParseAddr("192.0.2.3"), Sender: sender, Helo: "mx.example.org"}
}

func judge(t testing.TB, z dnsx.Resolver, sender string) Verdict {
	t.Helper()
	return (&Checker{Resolver: z}).Check(t.Context(), query(sender))
}

// The expansions of RFC 7208 §7.4.
func TestMacros(t *testing.T) {
	z := zone{}
	for macro, want := range map[string]string{
		"%{s}": "strong-bad@email.example.com", "%{o}": "email.example.com", "%{d}": "email.example.com", "%{d4}": "email.example.com",
		"%{d3}": "email.example.com", "%{d2}": "example.com", "%{d1}": "com", "%{dr}": "com.example.email", "%{d2r}": "example.email",
		"%{l}": "strong-bad", "%{l-}": "strong.bad", "%{lr}": "strong-bad", "%{lr-}": "bad.strong", "%{l1r-}": "strong",
		"%{ir}.%{v}._spf.%{d2}": "3.2.0.192.in-addr._spf.example.com", "%{lr-}.lp._spf.%{d2}": "bad.strong.lp._spf.example.com",
		"%{lr-}.lp.%{ir}.%{v}._spf.%{d2}": "bad.strong.lp.3.2.0.192.in-addr._spf.example.com", "%{d2}.trusted-domains.example.net": "example.com.trusted-domains.example.net",
		"%{S}": "strong-bad%40email.example.com", "%{h}": "mx.example.org", "a%%b%_c%-d": "a%b c%20d", "%{d99999999999999999999}": "email.example.com",
		"%{r}|%{c}": "unknown|192.0.2.3", "%{p}": "unknown",
	} {
		z["TXT email.example.com"] = []string{"v=spf1 -all exp=e.example.com"}
		z["TXT e.example.com"] = []string{macro}
		if v := judge(t, z, "strong-bad@email.example.com"); v.Result != Fail || v.Explanation != want {
			t.Errorf("%s: %s %q, want %q", macro, v.Result, v.Explanation, want)
		}
	}
}

func TestVerdicts(t *testing.T) {
	for record, want := range map[string]Result{
		"v=spf1 ip4:192.0.2.0/24 -all": Pass, "v=spf1 ~all": SoftFail, "v=spf1": Neutral, "v=spf1 ?all": Neutral, "V=SPF1 A:ok.example MX -ALL": Pass,
		"v=spf1 ip4:192.0.2.3/33": PermError, "v=spf1 ip4:192.0.2.03": PermError, "v=spf1 ip6:fe80::1%eth0": PermError, "v=spf1 ip6:1.2.3.4": PermError,
		"v=spf1 a:fails.example -all": TempError, "v=spf1 mx:mxfails.example -all": TempError, "v=spf1 include:fails.example -all": TempError,
		"v=spf1 redirect=fails.example": TempError, "v=spf1 redirect=nosuch.example": PermError, "v=spf1 include:nosuch.example ip4:192.0.2.3": PermError,
		"v=spf1 ptr -all": Fail, "v=spf1 +all +": PermError, "v=spf1 +all a:%{x}.example": PermError, "v=spf1 +all a:%{d0}.example": PermError,
		"v=spf1 +all a:%{c}.example": PermError, "v=spf1 +all x=%{c}": Pass, "v=spf1 +all x=%{": PermError, "v=spf1 +all x=%": PermError,
		"v=spf1 +all exp=": PermError, "v=spf1 +all redirect=": PermError, "v=spf1 a:ok.example/0 -all": Pass, "v=spf1 a:ok.example//0": Pass, "v=spf1 a:ok.example/": PermError,
		"v=spf1 a:ok.example//": PermError, "v=spf1\tall": None, "v=spf10 all": None, "v=spf1 +all \u00fc": PermError,
		"v=spf1 exists:%{l}.nosuch.example exists:a.nosuch.example exists:b.nosuch.example": PermError,
	} {
		z := zone{
			"TXT example.com": {record}, "A ok.example": {"192.0.2.3"}, "A fails.example": {"fail"}, "TXT fails.example": {"fail"},
			"MX mxfails.example": {"fails.example"}, "PTR 3.2.0.192.in-addr.arpa": {"fail"}, "MX example.com": {"ok.example"},
		}
		if v := judge(t, z, "joe@example.com"); v.Result != want || (v.Err != nil) != (want == TempError || want == PermError) {
			t.Errorf("%s: %s by %q, %v; want %s", record, v.Result, v.Mechanism, v.Err, want)
		}
	}
}

func TestStatement(t *testing.T) {
	z := zone{"TXT example.com": {"v=spf1 -all"}, "TXT mx.example.org": {"v=spf1 +all"}}
	for sender, want := range map[string]string{
		"joe@example.com": "spf=fail smtp.mailfrom=example.com", "": "spf=pass smtp.helo=mx.example.org", "joe@": "spf=none",
		"joe@a; dkim=pass\r\n b": `spf=none smtp.mailfrom="a; dkim=pass?? b"`,
	} {
		v := judge(t, z, sender)
		f := authres.Field{ID: "mx.example.net", Statements: []authres.Statement{v.Statement()}}
		if got := strings.Join(strings.Fields(f.String()), " "); got != "Authentication-Results: mx.example.net; "+want {
			t.Errorf("%q: %q, want %q", sender, got, want)
		}
	}
}

func TestSenders(t *testing.T) {
	z := zone{
		"TXT example.com": {"v=spf1 -all exp=e.example.com"}, "TXT e.example.com": {"%{l} of %{o}"}, "TXT mx.example.org": {"v=spf1 +all"},
		"TXT xn--bcher-kva.example": {"v=spf1 -all exp=e.example.com"},
	}
	for sender, want := range map[string]string{
		"": "pass helo mx.example.org ", "joe@example.com": "fail mailfrom example.com joe of example.com", "@example.com": "fail mailfrom example.com postmaster of example.com",
		"example.com": "fail mailfrom example.com postmaster of example.com", "a@b@example.com": "fail mailfrom example.com a@b of example.com",
		"joe@example.com.": "fail mailfrom example.com joe of example.com", "joe@b\u00fccher.example": "fail mailfrom xn--bcher-kva.example joe of xn--bcher-kva.example",
		"joe@[192.0.2.3]": "none mailfrom [192.0.2.3] ", "joe@localhost": "none mailfrom localhost ", "joe@": "none mailfrom  ",
		"a\r\nX: y\x00\u00fc@example.com": "fail mailfrom example.com a??X: y??? of example.com",
	} {
		v := judge(t, z, sender)
		if got := fmt.Sprintf("%s %s %s %s", v.Result, v.Identity, v.Domain, v.Explanation); got != want {
			t.Errorf("%q: %q, want %q", sender, got, want)
		}
	}
	if v := (&Checker{Resolver: z}).CheckHelo(t.Context(), query("joe@example.com")); v.Result != Pass || v.Identity != Helo {
		t.Errorf("%+v", v)
	}
}

// No answer of the DNS that is replaced by a failure gives a better result
// (S2), for each question in turn.
func TestFailuresNeverHelp(t *testing.T) {
	rank := map[Result]int{Pass: 0, Neutral: 1, None: 1, SoftFail: 2, Fail: 3, PermError: 4, TempError: 4}
	z := zone{
		"TXT example.com":            {"v=spf1 -exists:bad.%{d} -a:bad2.%{d} -ptr:evil.example -mx:badmx.%{d} include:inc.%{d} redirect=red.%{d}"},
		"TXT inc.example.com":        {"v=spf1 -a:none.%{d} mx -all"},
		"MX inc.example.com":         {"m1.example.com", "m2.example.com"},
		"A m1.example.com":           {"192.0.2.77"},
		"A bad2.example.com":         {"192.0.2.88"},
		"A none.inc.example.com":     {"192.0.2.89"},
		"TXT red.example.com":        {"v=spf1 ip4:192.0.2.3 -all"},
		"MX badmx.example.com":       {"m1.example.com"},
		"A m2.example.com":           {"192.0.2.78"},
		"PTR 3.2.0.192.in-addr.arpa": {"a.example.net"},
	}
	whole := judge(t, z, "joe@example.com")
	if whole.Result != Pass {
		t.Fatalf("%+v", whole)
	}
	for k := range whole.Queries {
		n := 0
		v := judge(t, resolverFunc(func(ctx context.Context, name string, typ dnsx.Type) (*dnsx.Answer, error) {
			if n++; n == k+1 {
				return nil, &dnsx.Error{Name: name, Type: typ, Kind: dnsx.ErrTimeout}
			}
			return z.Lookup(ctx, name, typ)
		}), "joe@example.com")
		if rank[v.Result] < rank[whole.Result] || v.Result == Pass && k != 3 && k != 4 {
			t.Errorf("question %d fails: %+v", k, v)
		}
	}
}

type resolverFunc func(context.Context, string, dnsx.Type) (*dnsx.Answer, error)

func (f resolverFunc) Lookup(ctx context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	return f(ctx, name, t)
}

// A check ends in time, whatever the DNS does.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		v := judge(t, resolverFunc(func(ctx context.Context, name string, typ dnsx.Type) (*dnsx.Answer, error) {
			<-ctx.Done()
			return nil, &dnsx.Error{Name: name, Type: typ, Kind: dnsx.ErrTimeout, Err: ctx.Err()}
		}), "joe@example.com")
		if v.Result != TempError || !errors.Is(v.Err, dnsx.ErrTimeout) || time.Since(begun) != 20*time.Second {
			t.Errorf("%+v after %v", v, time.Since(begun))
		}
	})
}

// bombs are policies that are made to cost.
func bombs() zone {
	long := strings.Repeat("ip4:198.51.100.1 ", 3500)
	ten := make([]string, 10)
	for i := range ten {
		ten[i] = fmt.Sprintf("m%d.example.com", i)
	}
	z := zone{
		"TXT loop.example.com":       {"v=spf1 redirect=loop.example.com"},
		"TXT tree.example.com":       {"v=spf1 include:tree.example.com include:tree.example.com"},
		"TXT macros.example.com":     {"v=spf1 redirect=%{l}%{l}.macros.example.com"},
		"TXT mx.example.com":         {"v=spf1" + strings.Repeat(" mx:many.example.com", 20)},
		"MX many.example.com":        ten,
		"TXT long.example.com":       {"v=spf1 " + long + "ip4:192.0.2.3 -all"},
		"TXT spaces.example.com":     {"v=spf1 " + strings.Repeat(" ", 60_000) + "+all"},
		"TXT big.example.com":        {"v=spf1 exists:" + strings.Repeat("%{s}", 10_000) + ".example.com -all exp=" + strings.Repeat("%{s}", 4000) + ".e.example.com"},
		"TXT p.example.com":          {"v=spf1" + strings.Repeat(" exists:%{p}.%{p}.%{p}.example.com", 2) + " -all"},
		"PTR 3.2.0.192.in-addr.arpa": append(ten, ten...),
		"TXT exp.example.com":        {"v=spf1 -all exp=e.example.com"},
		"TXT e.example.com":          {strings.Repeat("%{s}", 16_000)},
	}
	for _, name := range ten {
		z["A "+name] = []string{"198.51.100.7"}
	}
	return z
}

// BenchmarkBombs is how long they take.
func BenchmarkBombs(b *testing.B) {
	z := bombs()
	for _, name := range []string{"loop", "tree", "macros", "mx", "long", "spaces", "big", "p", "exp"} {
		b.Run(name, func(b *testing.B) {
			sender := strings.Repeat("x.y-z", 12) + "@" + name + ".example.com"
			b.ReportAllocs()
			for b.Loop() {
				judge(b, z, sender)
			}
		})
	}
}

// Bombs take a bounded number of questions, and bounded memory.
func TestBombs(t *testing.T) {
	z := bombs()
	for name, want := range map[string]struct {
		result  Result
		queries int
	}{
		"loop": {PermError, 11}, "tree": {PermError, 11}, "macros": {PermError, 2}, "mx": {PermError, 111}, "long": {Pass, 1}, "spaces": {Pass, 1},
		"big": {Fail, 3}, "p": {Fail, 14}, "exp": {Fail, 2},
	} {
		sender := strings.Repeat("x.y-z", 12) + "@" + name + ".example.com"
		var v Verdict
		n := allocated(func() { v = judge(t, z, sender) })
		if v.Result != want.result || v.Queries > want.queries {
			t.Errorf("%s: %s with %d questions, %v", name, v.Result, v.Queries, v.Err)
		}
		if n > 1<<20 {
			t.Errorf("%s: %d octets allocated", name, n)
		}
		if len(v.Explanation) > maxExplanation {
			t.Errorf("%s: explanation of %d octets", name, len(v.Explanation))
		}
	}
}

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestReceived(t *testing.T) {
	q := Query{IP: netip.MustParseAddr("::ffff:192.0.2.3"), Sender: "a\"b\r\nEvil: 1 \u00fc@example.com", Helo: "mx.example.org"}
	v := Verdict{Result: Pass, Identity: MailFrom, Domain: "example.com(\\\n", Mechanism: "ip4:192.0.2.0/24"}
	want := "Received-SPF: pass\r\n\t(example.com\\(\\\\? designates 192.0.2.3 as permitted sender)\r\n\treceiver=mail.example;\r\n\tidentity=mailfrom;\r\n" +
		"\tclient-ip=192.0.2.3;\r\n\tenvelope-from=\"a\\\"b??Evil: 1 ??@example.com\";\r\n\thelo=mx.example.org;\r\n\tmechanism=\"ip4:192.0.2.0/24\"\r\n"
	if got := string(v.Received(q, "mail.example")); got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// FuzzReceived: a field has lines of its own alone, and none is too long.
func FuzzReceived(f *testing.F) {
	f.Add("joe@example.com", "mx.example.org", "example.com", "all")
	f.Fuzz(func(t *testing.T, sender, helo, domain, mechanism string) {
		for _, r := range []Result{None, Neutral, Pass, Fail, SoftFail, TempError, PermError} {
			v := Verdict{Result: r, Domain: domain, Mechanism: mechanism}
			b := v.Received(Query{IP: netip.MustParseAddr("192.0.2.3"), Sender: sender, Helo: helo}, "mail.example")
			for line := range bytes.Lines(b) {
				if len(line) > 1000 || !bytes.HasSuffix(line, []byte("\r\n")) || !bytes.HasPrefix(line, []byte("Received-SPF: ")) && line[0] != '\t' {
					t.Errorf("line %q", line)
				}
				for _, c := range bytes.TrimSpace(line) {
					if c < ' ' || c > '~' {
						t.Errorf("line %q", line)
					}
				}
			}
		}
	})
}

// FuzzCheck: any policy gives a verdict within the limits.
func FuzzCheck(f *testing.F) {
	f.Add("v=spf1 a mx ptr include:%{d} exists:%{ir}.%{v}.x.%{d2r} redirect=%{h} exp=%{s}.x", "joe@example.com", "%{p} %{t}")
	f.Add("v=spf1 ip4:1.2.3.4/8 ip6:::1/1 -all", "", "")
	f.Fuzz(func(t *testing.T, record, sender, text string) {
		n := 0
		r := resolverFunc(func(_ context.Context, name string, typ dnsx.Type) (*dnsx.Answer, error) {
			n++
			switch typ {
			case dnsx.TXT:
				if n%3 == 2 {
					return &dnsx.Answer{Texts: []string{text}}, nil
				}
				return &dnsx.Answer{Texts: []string{record}}, nil
			case dnsx.MX:
				return &dnsx.Answer{MX: []dnsx.Exchange{{Host: "a.example"}, {Host: ""}}}, nil
			case dnsx.PTR:
				return &dnsx.Answer{Names: []string{"a.example"}}, nil
			case dnsx.A:
				return &dnsx.Answer{Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.3")}}, nil
			}
			return nil, &dnsx.Error{Name: name, Type: typ, Kind: dnsx.ErrNoData}
		})
		v := judge(t, r, sender)
		if n > 123 || n != v.Queries {
			t.Errorf("%d questions", n)
		}
		for i := range len(v.Explanation) {
			if c := v.Explanation[i]; c < ' ' || c > '~' {
				t.Errorf("explanation %q", v.Explanation)
			}
		}
		switch v.Result {
		case None, Neutral, Pass, Fail, SoftFail, TempError, PermError:
		default:
			t.Errorf("result %q", v.Result)
		}
	})
}

// BenchmarkCheck judges a client by a policy of three terms.
func BenchmarkCheck(b *testing.B) {
	z := zone{
		"TXT example.com":      {"v=spf1 a:x.example.com include:_spf.example.com -all"},
		"TXT _spf.example.com": {"v=spf1 ip4:198.51.100.0/24 ip4:192.0.2.0/24 ~all"},
		"A x.example.com":      {"198.51.100.1"},
	}
	b.ReportAllocs()
	for b.Loop() {
		if v := judge(b, z, "joe@example.com"); v.Result != Pass {
			b.Fatal(v)
		}
	}
}
