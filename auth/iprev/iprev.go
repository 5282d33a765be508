package iprev

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"

	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/internal/dnsname"
	"github.com/mailstead/mailstead/internal/fanout"
)

// Checker looks for names of addresses. Its method may be called from any number
// of goroutines.
type Checker struct {
	// Resolver is asked. Required.
	Resolver dnsx.Resolver

	// MaxNames is how many names of one address are looked up. 0 = 10.
	MaxNames int

	// Timeout bounds one check. 0 = 5 s, negative = none.
	Timeout time.Duration
}

// Verdict is what came of a check.
type Verdict struct {
	// Result is pass; fail: no name leads back; permerror: there is no name; or
	// temperror: nobody knows now (RFC 8601 §2.7.3).
	Result authres.Result
	// IP is the address that was judged.
	IP netip.Addr
	// Name is the first name that leads back, in lower case; "" = none.
	Name string
	// Claimed are the names that the address has, whether they are true or not,
	// at most MaxNames. They are what anybody wrote: not for trust.
	Claimed []string
	// Secure: both directions were validated by DNSSEC.
	Secure bool
	// Err is why nobody knows, for the log.
	Err error
	// Queries is how many questions were asked.
	Queries int
}

var errNoResolver = errors.New("iprev: Checker without a Resolver")

// Check judges an address. An invalid one has no name.
func (c *Checker) Check(ctx context.Context, ip netip.Addr) Verdict {
	v := Verdict{Result: authres.PermError, IP: ip.Unmap().WithZone("")}
	switch {
	case !ip.IsValid():
		return v
	case c.Resolver == nil:
		v.Result, v.Err = authres.TempError, errNoResolver
		return v
	}
	if c.Timeout >= 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, cmp.Or(c.Timeout, 5*time.Second))
		defer cancel()
	}
	v.Queries = 1
	answer, err := c.Resolver.Lookup(ctx, dnsx.ReverseName(v.IP), dnsx.PTR)
	switch {
	case err != nil && !dnsx.NotFound(err):
		v.Result, v.Err = authres.TempError, err
	case err == nil && len(answer.Names) > 0:
		c.confirm(ctx, &v, answer)
	}
	return v
}

// confirm looks all names up, at the same time. The first one in the order of
// the answer that leads back counts, so that the verdict is no race.
func (c *Checker) confirm(ctx context.Context, v *Verdict, reverse *dnsx.Answer) {
	for _, name := range reverse.Names[:min(len(reverse.Names), cmp.Or(max(c.MaxNames, 0), 10))] {
		if name = strings.ToLower(strings.TrimSuffix(name, ".")); dnsname.Valid(name) {
			v.Claimed = append(v.Claimed, name)
		}
	}
	typ := dnsx.AAAA
	if v.IP.Is4() {
		typ = dnsx.A
	}
	answers, errs := make([]*dnsx.Answer, len(v.Claimed)), make([]error, len(v.Claimed))
	fanout.Each(len(v.Claimed), func(i int) { answers[i], errs[i] = c.Resolver.Lookup(ctx, v.Claimed[i], typ) })
	v.Queries += len(v.Claimed)
	v.Result = authres.Fail
	for i, err := range errs {
		switch {
		case err == nil && leadsBack(answers[i], v.IP):
			v.Result, v.Name, v.Err = authres.Pass, v.Claimed[i], nil
			v.Secure = reverse.Secure && answers[i].Secure
			return
		case err != nil && !dnsx.NotFound(err):
			v.Result, v.Err = authres.TempError, err
		}
	}
}

func leadsBack(a *dnsx.Answer, ip netip.Addr) bool {
	for _, addr := range a.Addrs {
		if addr.Unmap() == ip {
			return true
		}
	}
	return false
}

// Statement is the verdict as it stands in Authentication-Results (RFC 8601
// §2.7.3).
func (v *Verdict) Statement() authres.Statement {
	s := authres.Statement{Method: authres.IPRev, Result: v.Result}
	if v.IP.IsValid() {
		s.Properties = []authres.Property{{Type: "policy", Name: "iprev", Value: v.IP.String()}}
	}
	return s
}
