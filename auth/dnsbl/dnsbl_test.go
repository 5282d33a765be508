package dnsbl_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dnsbl"
	"github.com/mailstead/mailstead/auth/dnsx"
)

// zone is a Resolver: "TYPE name" → values. "fail" is a failure; "*.zone" has
// every name in it.
type zone map[string]string

func (z zone) Lookup(_ context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	text, ok := z[t.String()+" "+name]
	for suffix := name; !ok && suffix != ""; {
		_, suffix, _ = strings.Cut(suffix, ".")
		text, ok = z[t.String()+" *."+suffix]
	}
	switch {
	case !ok:
		return nil, &dnsx.Error{Name: name, Type: t, Kind: dnsx.ErrNXDomain}
	case text == "fail":
		return nil, &dnsx.Error{Name: name, Type: t, Kind: dnsx.ErrServFail}
	case t == dnsx.TXT:
		return &dnsx.Answer{Texts: []string{text}}, nil
	}
	a := &dnsx.Answer{}
	for v := range strings.FieldsSeq(text) {
		a.Addrs = append(a.Addrs, netip.MustParseAddr(v))
	}
	return a, nil
}

const v6 = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2"

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func describe(v dnsbl.Verdict) string {
	s := fmt.Sprint(v.Score)
	if v.Allowed {
		s += " allowed"
	}
	for _, h := range v.Hits {
		s += fmt.Sprintf(" %s=%d/%v", h.Zone, h.Weight, h.Answer)
	}
	for _, f := range v.Failed {
		s += " !" + f.Zone
	}
	return fmt.Sprintf("%s (%d)", s, v.Queries)
}

func TestCheck(t *testing.T) {
	coded := dnsbl.List{Zone: "c.example", Codes: []dnsbl.Code{{prefix("127.0.0.2/32"), 3}, {prefix("127.0.0.4/30"), 7}, {prefix("127.0.1.0/24"), 0}}}
	for name, test := range map[string]struct {
		ip    string
		lists []dnsbl.List
		z     zone
		want  string
	}{
		"one":                 {"192.0.2.3", []dnsbl.List{{Zone: "a.example"}}, zone{"A 3.2.0.192.a.example": "127.0.0.2"}, "1 a.example=1/127.0.0.2 (2)"},
		"mapped":              {"::ffff:192.0.2.3", []dnsbl.List{{Zone: ".a.example."}}, zone{"A 3.2.0.192.a.example": "127.0.0.2"}, "1 .a.example.=1/127.0.0.2 (2)"},
		"IPv6":                {"2001:db8::1%x", []dnsbl.List{{Zone: "a.example", Weight: 4}}, zone{"A " + v6 + ".a.example": "127.0.0.9"}, "4 a.example=4/127.0.0.9 (2)"},
		"not":                 {"192.0.2.4", []dnsbl.List{{Zone: "a.example"}}, zone{"A 3.2.0.192.a.example": "127.0.0.2"}, "0 (1)"},
		"several":             {"192.0.2.3", []dnsbl.List{{Zone: "a.example", Weight: 2}, {Zone: "b.example"}, {Zone: "g.example", Weight: -5}, {Zone: "d.example"}}, zone{"A 3.2.0.192.a.example": "127.0.0.2", "A 3.2.0.192.g.example": "127.0.0.3", "A 3.2.0.192.d.example": "fail"}, "-3 a.example=2/127.0.0.2 g.example=-5/127.0.0.3 !d.example (6)"},
		"codes":               {"192.0.2.3", []dnsbl.List{coded}, zone{"A 3.2.0.192.c.example": "127.0.0.2 127.0.0.6 127.0.9.9"}, "7 c.example=7/127.0.0.6 (2)"},
		"no code":             {"192.0.2.3", []dnsbl.List{coded}, zone{"A 3.2.0.192.c.example": "127.0.9.9"}, "0 (1)"},
		"code without weight": {"192.0.2.3", []dnsbl.List{coded}, zone{"A 3.2.0.192.c.example": "127.0.1.9"}, "0 c.example=0/127.0.1.9 (2)"},
		"allowed":             {"192.0.2.3", []dnsbl.List{{Zone: "a.example", Weight: 9}, {Zone: "w.example", Allow: true}}, zone{"A 3.2.0.192.a.example": "127.0.0.2", "A 3.2.0.192.w.example": "127.0.10.1"}, "9 allowed a.example=9/127.0.0.2 w.example=0/127.0.10.1 (4)"},
		"refuses":             {"192.0.2.3", []dnsbl.List{{Zone: "a.example"}}, zone{"A *.a.example": "127.255.255.254"}, "0 !a.example (1)"},
		"given up":            {"192.0.2.3", []dnsbl.List{{Zone: "a.example"}}, zone{"A *.a.example": "198.51.100.1"}, "0 !a.example (1)"},
		"one answer given up": {"192.0.2.3", []dnsbl.List{{Zone: "a.example"}}, zone{"A 3.2.0.192.a.example": "127.0.0.2 198.51.100.1"}, "0 !a.example (1)"},
		"127.0.0.1":           {"192.0.2.3", []dnsbl.List{{Zone: "a.example"}}, zone{"A *.a.example": "127.0.0.1"}, "0 !a.example (1)"},
		"everything":          {"192.0.2.3", []dnsbl.List{{Zone: "a.example"}}, zone{"A *.a.example": "127.0.0.2"}, "0 !a.example (2)"},
		"everything, allowed": {"192.0.2.3", []dnsbl.List{{Zone: "a.example", Allow: true}}, zone{"A *.a.example": "127.0.0.2"}, "0 !a.example (2)"},
		"everything of IPv6":  {"2001:db8::1", []dnsbl.List{{Zone: "a.example"}}, zone{"A *.a.example": "127.0.0.2"}, "0 !a.example (2)"},
		"unknown whether all": {"192.0.2.3", []dnsbl.List{{Zone: "a.example"}}, zone{"A 3.2.0.192.a.example": "127.0.0.2", "A 1.0.0.127.a.example": "fail"}, "0 !a.example (2)"},
		"IPv4 only":           {"2001:db8::1", []dnsbl.List{{Zone: "a.example", Family: dnsbl.IPv4}}, zone{"A *.a.example": "127.0.0.2"}, "0 (0)"},
		"IPv6 only":           {"192.0.2.3", []dnsbl.List{{Zone: "a.example", Family: dnsbl.IPv6}}, zone{"A *.a.example": "127.0.0.2"}, "0 (0)"},
		"private":             {"192.168.0.1", []dnsbl.List{{Zone: "a.example"}}, zone{}, "0 (0)"},
		"loopback":            {"::1", []dnsbl.List{{Zone: "a.example"}}, zone{}, "0 (0)"},
		"invalid":             {"", []dnsbl.List{{Zone: "a.example"}}, zone{}, "0 (0)"},
		"no zone":             {"192.0.2.3", []dnsbl.List{{}}, zone{}, "0 (1)"},
	} {
		ip, _ := netip.ParseAddr(test.ip)
		v := (&dnsbl.Checker{Resolver: test.z, Lists: test.lists}).Check(t.Context(), ip)
		if got := describe(v); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
		if v.Listed(1) != (!v.Allowed && v.Score > 0) {
			t.Errorf("%s: listed %v", name, v.Listed(1))
		}
	}
	if v := (&dnsbl.Checker{Lists: []dnsbl.List{{Zone: "a.example"}}}).Check(t.Context(), netip.MustParseAddr("192.0.2.3")); len(v.Failed) != 1 || !errors.Is(v.Failed[0].Err, dnsbl.ErrResolver) {
		t.Errorf("no resolver: %+v", v)
	}
}

func TestReasons(t *testing.T) {
	z := zone{"A 3.2.0.192.w.example": "127.0.10.1", "TXT 3.2.0.192.w.example": "good\r\nX: \u00fc " + strings.Repeat("x", 300), "A 3.2.0.192.a.example": "127.0.0.2", "TXT 3.2.0.192.a.example": "fail"}
	c := &dnsbl.Checker{Resolver: z, Reasons: true, Lists: []dnsbl.List{{Zone: "w.example", Allow: true}, {Zone: "a.example"}}}
	v := c.Check(t.Context(), netip.MustParseAddr("192.0.2.3"))
	if len(v.Hits) != 2 || len(v.Hits[0].Text) != 255 || !strings.HasPrefix(v.Hits[0].Text, "good??X: ?? x") || v.Hits[1].Text != "" || v.Queries != 6 {
		t.Fatalf("%+v", v)
	}
	v.Hits[0].Text = "good"
	f := authres.Field{ID: "x", Statements: v.Statements()}
	if got := strings.Join(strings.Fields(f.String()), " "); got != "Authentication-Results: x; dnswl=pass dns.zone=w.example policy.ip=127.0.10.1 policy.txt=good" {
		t.Errorf("%q", got)
	}
}

const (
	never6  = "1.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0"
	always6 = "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0"
)

func TestTest(t *testing.T) {
	good := zone{"A 2.0.0.127.a.example": "127.0.0.2"}
	for name, test := range map[string]struct {
		z      zone
		family dnsbl.Family
		want   error
	}{
		"good": {good, dnsbl.IPv4, nil}, "good for both": {good, dnsbl.Both, nil}, "not of IPv6": {good, dnsbl.IPv6, dnsbl.ErrNoTestEntry},
		"of IPv6": {zone{"A " + always6 + ".a.example": "127.0.0.2"}, dnsbl.IPv6, nil}, "not of IPv4": {zone{"A " + always6 + ".a.example": "127.0.0.2"}, dnsbl.Both, dnsbl.ErrNoTestEntry},
		"nothing": {zone{}, dnsbl.Both, dnsbl.ErrNoTestEntry}, "everything": {zone{"A *.a.example": "127.0.0.2"}, dnsbl.IPv4, dnsbl.ErrEverything},
		"everything of IPv6": {zone{"A 2.0.0.127.a.example": "127.0.0.2", "A " + never6 + ".a.example": "127.0.0.2"}, dnsbl.Both, dnsbl.ErrEverything},
		"refuses":            {zone{"A *.a.example": "127.255.255.254"}, dnsbl.IPv4, dnsbl.ErrRefused}, "fails": {zone{"A *.a.example": "fail"}, dnsbl.Both, dnsx.ErrServFail},
		"no code": {zone{"A 2.0.0.127.a.example": "198.51.100.1"}, dnsbl.IPv4, dnsbl.ErrCode}, "test entry fails": {zone{"A 2.0.0.127.a.example": "fail"}, dnsbl.IPv4, dnsx.ErrServFail},
	} {
		c := &dnsbl.Checker{Resolver: test.z, Lists: []dnsbl.List{{Zone: "a.example", Family: test.family, Codes: []dnsbl.Code{{prefix("127.0.0.9/32"), 1}}}}}
		if err := c.Test(t.Context()); !errors.Is(err, test.want) || (err != nil) != (test.want != nil) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	err := (&dnsbl.Checker{Resolver: good, Lists: []dnsbl.List{{Zone: "a.example"}, {Zone: "b.example"}}, MaxQuestions: -1}).Test(t.Context())
	if err == nil || strings.Contains(err.Error(), "a.example:") || !strings.Contains(err.Error(), "b.example: dnsbl: the list lacks its test entry") {
		t.Errorf("%v", err)
	}
}

// failing fails the k-th question.
type failing struct {
	z    zone
	kind error
	k    int32
	n    atomic.Int32
}

func (f *failing) Lookup(ctx context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	if f.n.Add(1) == f.k {
		return nil, &dnsx.Error{Name: name, Type: t, Kind: f.kind}
	}
	return f.z.Lookup(ctx, name, t)
}

// TestNoFailureLists fails each question in each way: no list has more than before
// (L1).
func TestNoFailureLists(t *testing.T) {
	ip := netip.MustParseAddr("192.0.2.3")
	z := zone{"A 3.2.0.192.a.example": "127.0.0.2", "TXT 3.2.0.192.a.example": "x", "A 3.2.0.192.w.example": "127.0.10.1", "A *.e.example": "127.0.0.2"}
	lists := []dnsbl.List{{Zone: "a.example"}, {Zone: "b.example"}, {Zone: "w.example", Allow: true}, {Zone: "e.example", Weight: 9}}
	before := (&dnsbl.Checker{Resolver: z, Lists: lists, Reasons: true}).Check(t.Context(), ip)
	had := map[string]bool{}
	for _, h := range before.Hits {
		had[h.Zone] = true
	}
	for _, kind := range []error{dnsx.ErrServFail, dnsx.ErrTimeout, dnsx.ErrBogus, dnsx.ErrBudget} {
		for k := range int32(before.Queries) {
			v := (&dnsbl.Checker{Resolver: &failing{z: z, kind: kind, k: k + 1}, Lists: lists, Reasons: true}).Check(t.Context(), ip)
			for _, h := range v.Hits {
				if !had[h.Zone] {
					t.Errorf("question %d, %v: %s", k, kind, describe(v))
				}
			}
		}
	}
	if got := describe(before); got != "1 allowed a.example=1/127.0.0.2 w.example=0/127.0.10.1 !e.example (9)" {
		t.Error(got)
	}
}

func TestLimits(t *testing.T) {
	lists := make([]dnsbl.List, 100)
	for i := range lists {
		lists[i].Zone = fmt.Sprintf("l%d.example", i)
	}
	ip := netip.MustParseAddr("192.0.2.3")
	for most, want := range map[int]int{0: 64, 5: 5, -1: 100} {
		v := (&dnsbl.Checker{Resolver: zone{}, Lists: lists, MaxQuestions: most}).Check(t.Context(), ip)
		if v.Queries != want || len(v.Failed) != 100-want || len(v.Hits) != 0 {
			t.Errorf("at most %d: %d asked, %d failed", most, v.Queries, len(v.Failed))
		}
	}
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		v := (&dnsbl.Checker{Resolver: silent{}, Lists: lists}).Check(t.Context(), ip)
		if len(v.Failed) != 100 || time.Since(begun) != 5*time.Second {
			t.Errorf("%d failed after %v", len(v.Failed), time.Since(begun))
		}
	})
}

type silent struct{}

func (silent) Lookup(ctx context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	<-ctx.Done()
	return nil, &dnsx.Error{Name: name, Type: t, Kind: dnsx.ErrTimeout, Err: ctx.Err()}
}

// FuzzAnswers: whatever a list answers, only codes are listings, and text can be
// shown (L3, L4).
func FuzzAnswers(f *testing.F) {
	f.Add([]byte{127, 0, 0, 2, 127, 0, 0, 1}, "text\r\n", []byte{192, 0, 2, 3})
	f.Add([]byte{127, 255, 255, 254}, "", []byte{0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, answers []byte, text string, addr []byte) {
		ip, _ := netip.AddrFromSlice(addr)
		r := answering{text: text}
		for len(answers) >= 4 {
			r.addrs = append(r.addrs, netip.AddrFrom4([4]byte(answers)))
			answers = answers[4:]
		}
		v := (&dnsbl.Checker{Resolver: r, Reasons: true, Lists: []dnsbl.List{{Zone: "a.example"}, {Zone: "w.example", Allow: true}}}).Check(t.Context(), ip)
		for _, h := range v.Hits {
			if !prefix("127.0.0.0/8").Contains(h.Answer) || prefix("127.255.255.0/24").Contains(h.Answer) || h.Answer.String() == "127.0.0.1" || len(h.Text) > 255 {
				t.Fatalf("%+v", h)
			}
			for _, c := range []byte(h.Text) {
				if c < ' ' || c > '~' {
					t.Fatalf("%q", h.Text)
				}
			}
		}
	})
}

// answering has every name but that which none may have.
type answering struct {
	addrs []netip.Addr
	text  string
}

func (a answering) Lookup(_ context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	if strings.HasPrefix(name, "1.0.0.127.") || strings.HasPrefix(name, never6) || len(a.addrs) == 0 {
		return nil, &dnsx.Error{Name: name, Type: t, Kind: dnsx.ErrNXDomain}
	}
	return &dnsx.Answer{Addrs: a.addrs, Texts: []string{a.text}}, nil
}
