package iprev_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/auth/iprev"
)

// zone is a Resolver: "TYPE name" → values; "fail" is a failure.
type zone map[string]string

func (z zone) Lookup(_ context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	text, ok := z[t.String()+" "+name]
	switch {
	case !ok:
		return nil, &dnsx.Error{Name: name, Type: t, Kind: dnsx.ErrNXDomain}
	case text == "fail":
		return nil, &dnsx.Error{Name: name, Type: t, Kind: dnsx.ErrServFail}
	}
	a := &dnsx.Answer{Secure: strings.HasPrefix(text, "secure")}
	for v := range strings.FieldsSeq(strings.TrimPrefix(text, "secure")) {
		if t == dnsx.PTR {
			a.Names = append(a.Names, v)
		} else {
			a.Addrs = append(a.Addrs, netip.MustParseAddr(v))
		}
	}
	return a, nil
}

const (
	ptr4 = "PTR 3.2.0.192.in-addr.arpa"
	ptr6 = "PTR 1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
)

func TestCheck(t *testing.T) {
	many := strings.Repeat("x.example ", 10)
	for name, test := range map[string]struct {
		ip   string
		z    zone
		want string
	}{
		"pass":                     {"192.0.2.3", zone{ptr4: "MX.example", "A mx.example": "192.0.2.9 192.0.2.3"}, "pass mx.example 2"},
		"mapped":                   {"::ffff:192.0.2.3", zone{ptr4: "mx.example", "A mx.example": "192.0.2.3"}, "pass mx.example 2"},
		"IPv6":                     {"2001:db8::1%eth0", zone{ptr6: "mx.example", "AAAA mx.example": "2001:db8::1"}, "pass mx.example 2"},
		"second":                   {"192.0.2.3", zone{ptr4: "a.example b.example", "A a.example": "192.0.2.9", "A b.example": "192.0.2.3"}, "pass b.example 3"},
		"the first of two":         {"192.0.2.3", zone{ptr4: "a.example b.example", "A a.example": "192.0.2.3", "A b.example": "192.0.2.3"}, "pass a.example 3"},
		"another fails":            {"192.0.2.3", zone{ptr4: "a.example b.example", "A a.example": "fail", "A b.example": "192.0.2.3"}, "pass b.example 3"},
		"other address":            {"192.0.2.3", zone{ptr4: "mx.example", "A mx.example": "192.0.2.9"}, "fail  2"},
		"no address":               {"192.0.2.3", zone{ptr4: "mx.example"}, "fail  2"},
		"no name":                  {"192.0.2.3", zone{}, "permerror  1"},
		"no names":                 {"192.0.2.3", zone{ptr4: ""}, "permerror  1"},
		"reverse fails":            {"192.0.2.3", zone{ptr4: "fail"}, "temperror  1"},
		"forward fails":            {"192.0.2.3", zone{ptr4: "a.example b.example", "A a.example": "fail", "A b.example": "192.0.2.9"}, "temperror  3"},
		"ten names":                {"192.0.2.3", zone{ptr4: many + "mx.example", "A mx.example": "192.0.2.3"}, "fail  11"},
		"names that are none":      {"192.0.2.3", zone{ptr4: "\x01b.example \x00 ; a..b .. [192.0.2.3]"}, "fail  1"},
		"invalid":                  {"", zone{}, "permerror  0"},
		"the other family is none": {"192.0.2.3", zone{ptr4: "mx.example", "AAAA mx.example": "::ffff:192.0.2.3"}, "fail  2"},
	} {
		ip, _ := netip.ParseAddr(test.ip)
		v := (&iprev.Checker{Resolver: test.z}).Check(t.Context(), ip)
		if got := string(v.Result) + " " + v.Name + " " + string(rune('0'+v.Queries/10)) + string(rune('0'+v.Queries%10)); strings.Replace(got, " 0", " ", 1) != test.want {
			t.Errorf("%s: %q, want %q (%v)", name, got, test.want, v.Err)
		}
		if (v.Err != nil) != (v.Result == authres.TempError) {
			t.Errorf("%s: %v", name, v.Err)
		}
	}
	z := zone{ptr4: "secure mx.example", "A mx.example": "secure 192.0.2.3"}
	v := (&iprev.Checker{Resolver: z}).Check(t.Context(), netip.MustParseAddr("192.0.2.3"))
	f := authres.Field{ID: "x", Statements: []authres.Statement{v.Statement()}}
	if got := strings.Join(strings.Fields(f.String()), " "); got != "Authentication-Results: x; iprev=pass policy.iprev=192.0.2.3" || !v.Secure {
		t.Errorf("%q, %v", got, v.Secure)
	}
	if v := (&iprev.Checker{}).Check(t.Context(), v.IP); v.Result != authres.TempError {
		t.Errorf("no resolver: %+v", v)
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

// TestNoFailureHelps fails each question in each way (P1).
func TestNoFailureHelps(t *testing.T) {
	ip := netip.MustParseAddr("192.0.2.3")
	for _, z := range []zone{
		{ptr4: "a.example b.example", "A a.example": "192.0.2.9", "A b.example": "192.0.2.3"}, {ptr4: "a.example b.example", "A a.example": "192.0.2.9"}, {ptr4: "a.example"}, {},
	} {
		before := (&iprev.Checker{Resolver: z}).Check(t.Context(), ip)
		for _, kind := range []error{dnsx.ErrNXDomain, dnsx.ErrNoData, dnsx.ErrServFail, dnsx.ErrTimeout, dnsx.ErrBogus, dnsx.ErrBudget} {
			for k := range int32(before.Queries) {
				v := (&iprev.Checker{Resolver: &failing{z: z, kind: kind, k: k + 1}}).Check(t.Context(), ip)
				temporary := !dnsx.NotFound(kind)
				if v.Result == authres.Pass && before.Result != authres.Pass || temporary && v.Result != authres.TempError && v.Result != authres.Pass || !temporary && v.Result == authres.TempError {
					t.Errorf("question %d, %v: %s became %s", k, kind, before.Result, v.Result)
				}
			}
		}
	}
}

// A check ends in time, whatever the DNS does.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		v := (&iprev.Checker{Resolver: silent{}}).Check(t.Context(), netip.MustParseAddr("192.0.2.3"))
		if v.Result != authres.TempError || !errors.Is(v.Err, dnsx.ErrTimeout) || time.Since(begun) != 5*time.Second {
			t.Errorf("%+v after %v", v, time.Since(begun))
		}
	})
}

type silent struct{}

func (silent) Lookup(ctx context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	<-ctx.Done()
	return nil, &dnsx.Error{Name: name, Type: t, Kind: dnsx.ErrTimeout, Err: ctx.Err()}
}

// FuzzNames: whatever the names are, the verdict has none that is not one (P3).
func FuzzNames(f *testing.F) {
	f.Add("mx.example")
	f.Add("a b.example\r\n\x00..")
	f.Fuzz(func(t *testing.T, name string) {
		r := answering{name}
		v := (&iprev.Checker{Resolver: r}).Check(t.Context(), netip.MustParseAddr("192.0.2.3"))
		for _, name := range append(v.Claimed, v.Name) {
			for _, c := range []byte(name) {
				if c <= ' ' || c > '~' || c >= 'A' && c <= 'Z' {
					t.Fatalf("%q", name)
				}
			}
		}
		if (v.Result == authres.Pass) != (v.Name != "") {
			t.Fatalf("%+v", v)
		}
	})
}

type answering struct{ name string }

func (a answering) Lookup(_ context.Context, _ string, t dnsx.Type) (*dnsx.Answer, error) {
	if t == dnsx.PTR {
		return &dnsx.Answer{Names: []string{a.name, a.name + "."}}, nil
	}
	return &dnsx.Answer{Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.3")}}, nil
}
