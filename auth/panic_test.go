package auth

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/auth/arc"
	"github.com/mailstead/mailstead/auth/dkim"
	"github.com/mailstead/mailstead/auth/dmarc"
	"github.com/mailstead/mailstead/auth/dnsbl"
	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/auth/iprev"
)

// panicking is a Resolver that has answers, and panics over some questions.
type panicking struct {
	dnsx.Resolver
	over func(name string, t dnsx.Type) bool
}

func (p panicking) Lookup(ctx context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	if p.over(name, t) {
		panic("resolver: " + name)
	}
	return p.Resolver.Lookup(ctx, name, t)
}

// TestPanicArrives: a Resolver that panics in a goroutine of a method does so where
// the method was called, so that the caller can contain it.
func TestPanicArrives(t *testing.T) {
	w := newWorld(t)
	w.records["1.2.0.192.in-addr.arpa PTR"] = []string{"a.example.org", "mx.example.org"}
	signed := sign(t, w.relisted(t, plain, session), w.keys...)
	any := func(string, dnsx.Type) bool { return true }
	of := func(key int) func(string, dnsx.Type) bool {
		return func(name string, _ dnsx.Type) bool { return strings.HasPrefix(name, w.keys[key].Selector+".") }
	}
	verify := func(r dnsx.Resolver) { (&dkim.Verifier{Resolver: r}).Verify(t.Context(), strings.NewReader(signed)) }
	for name, test := range map[string]struct {
		over func(string, dnsx.Type) bool
		run  func(r dnsx.Resolver)
	}{
		"dkim, one key": {of(0), verify}, "dkim, other key": {of(1), verify},
		"arc": {any, func(r dnsx.Resolver) {
			(&arc.Verifier{Resolver: r}).Verify(t.Context(), strings.NewReader(signed))
		}},
		"dmarc": {
			func(name string, _ dnsx.Type) bool { return name == "_dmarc.b.example.org" },
			func(r dnsx.Resolver) { (&dmarc.Checker{Resolver: r}).Organization(t.Context(), "a.b.example.org") },
		},
		"iprev": {
			func(_ string, typ dnsx.Type) bool { return typ == dnsx.A },
			func(r dnsx.Resolver) {
				(&iprev.Checker{Resolver: r}).Check(t.Context(), netip.MustParseAddr("192.0.2.1"))
			},
		},
		"dnsbl": {any, func(r dnsx.Resolver) {
			c := &dnsbl.Checker{Resolver: r, Lists: []dnsbl.List{{Zone: "a.example"}, {Zone: "b.example"}}}
			c.Check(t.Context(), netip.MustParseAddr("203.0.113.1"))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if v := recover(); v == nil {
					t.Error("no panic arrived")
				}
			}()
			test.run(panicking{w, test.over})
		})
	}
}
