package dnsbl

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/internal/fanout"
)

// Why a list says nothing; tested with errors.Is.
var (
	// ErrRefused: the list refuses to answer this resolver (127.255.255.0/24).
	ErrRefused = errors.New("dnsbl: the list refuses to answer")
	// ErrEverything: the list has what no list may have, so that it has
	// everything.
	ErrEverything = errors.New("dnsbl: the list answers everything")
	// ErrCode: the answer is outside of 127.0.0.0/8, or 127.0.0.1, which is no
	// listing (RFC 5782 §2.1, §5).
	ErrCode = errors.New("dnsbl: the answer is no listing")
	// ErrNoTestEntry: the list does not have what every list has (RFC 5782 §5).
	ErrNoTestEntry = errors.New("dnsbl: the list lacks its test entry")
	// ErrResolver: there is no Resolver.
	ErrResolver = errors.New("dnsbl: Checker without a Resolver")
)

// Family is which addresses a list has.
type Family uint8

// The families.
const (
	Both Family = iota
	IPv4
	IPv6
)

// has reports whether a list has addresses like this one.
func (f Family) has(ip netip.Addr) bool { return f == Both || (f == IPv4) == ip.Is4() }

// List is a DNS list of addresses (RFC 5782).
type List struct {
	// Zone is the domain of the list.
	Zone string

	// Weight is what a listing adds to the score where Codes does not say it. 0
	// = 1; negative for good hosts.
	Weight int

	// Codes are weights by what the answer is; the first that has it counts. An
	// answer in none of them is no listing. nil = every answer is one.
	Codes []Code

	// Allow: a listing means a host so good that no score counts. Its weight is
	// not used; its Codes say which answers are enough.
	Allow bool

	// Family is which addresses it is asked for.
	Family Family
}

// Code is what answers in a prefix mean, such as 127.0.0.4/30.
type Code struct {
	Answers netip.Prefix
	Weight  int
}

// Checker asks lists. Its fields are set before the first use, and its methods may
// be called from any number of goroutines.
type Checker struct {
	// Resolver is asked. Required.
	Resolver dnsx.Resolver

	// Lists are asked at the same time.
	Lists []List

	// Reasons asks a list that has the address for its text, too.
	Reasons bool

	// Timeout bounds one check. 0 = 5 s, negative = none.
	Timeout time.Duration

	// MaxQuestions is how many questions one check may ask: at most two for
	// each list, and one more for Reasons. 0 = 64, negative = no limit.
	MaxQuestions int
}

// Hit is a listing.
type Hit struct {
	Zone  string
	Allow bool
	// Weight is what it adds to the score; 0 on an allow list.
	Weight int
	// Answer is the code that weighs most.
	Answer netip.Addr
	// Text is the reason in the words of the list, where Reasons asks for it: at
	// most 255 octets of printable ASCII, which are not to be trusted.
	Text string
}

// Failure is a list that says nothing.
type Failure struct {
	Zone string
	Err  error
}

// Verdict is what the lists say of an address.
type Verdict struct {
	IP netip.Addr
	// Score is the sum of the weights.
	Score int
	// Allowed: an allow list has the address.
	Allowed bool
	// Hits are the listings, in the order of the lists.
	Hits []Hit
	// Failed are the lists of which nobody knows what they say.
	Failed []Failure
	// Queries is how many questions were asked.
	Queries int
}

// Listed reports whether the score reaches a threshold and no allow list is
// against it.
func (v *Verdict) Listed(threshold int) bool { return !v.Allowed && v.Score >= threshold }

// Statements are the listings on allow lists, as they stand in
// Authentication-Results (RFC 8904). Lists of bad hosts have no method there.
func (v *Verdict) Statements() []authres.Statement {
	var out []authres.Statement
	for _, h := range v.Hits {
		if !h.Allow {
			continue
		}
		s := authres.Statement{Method: authres.DNSWL, Result: authres.Pass, Properties: []authres.Property{
			{Type: "dns", Name: "zone", Value: h.Zone}, {Type: "policy", Name: "ip", Value: h.Answer.String()},
		}}
		if h.Text != "" {
			s.Properties = append(s.Properties, authres.Property{Type: "policy", Name: "txt", Value: h.Text})
		}
		out = append(out, s)
	}
	return out
}

// Check asks the lists for an address. One that no list can know, such as of a
// private network, is not asked for.
func (c *Checker) Check(ctx context.Context, ip netip.Addr) Verdict {
	v := Verdict{IP: ip.Unmap().WithZone("")}
	if !v.IP.IsGlobalUnicast() || v.IP.IsPrivate() {
		return v
	}
	hits, errs := make([]Hit, len(c.Lists)), make([]error, len(c.Lists))
	v.Queries = c.run(ctx, func(ctx context.Context, r dnsx.Resolver, i int) {
		if c.Lists[i].Family.has(v.IP) {
			hits[i], errs[i] = c.ask(ctx, r, v.IP, &c.Lists[i])
		}
	})
	for i := range c.Lists {
		switch h := hits[i]; {
		case errs[i] != nil:
			v.Failed = append(v.Failed, Failure{c.Lists[i].Zone, errs[i]})
		case h.Zone != "":
			v.Hits = append(v.Hits, h)
			v.Score += h.Weight
			v.Allowed = v.Allowed || h.Allow
		}
	}
	return v
}

// run calls f for each list, at the same time, within the limits, and returns how
// many questions were asked.
func (c *Checker) run(ctx context.Context, f func(ctx context.Context, r dnsx.Resolver, i int)) int {
	if c.Timeout >= 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, cmp.Or(c.Timeout, 5*time.Second))
		defer cancel()
	}
	most := cmp.Or(c.MaxQuestions, 64)
	if most < 0 {
		most = 4 * (len(c.Lists) + 1) // Test asks the most: four of each
	}
	budget := dnsx.NewBudget(resolver(c.Resolver), most)
	fanout.Each(len(c.Lists), func(i int) { f(ctx, budget, i) })
	return most - budget.Left()
}

// resolver is a Resolver in any case.
func resolver(r dnsx.Resolver) dnsx.Resolver {
	if r == nil {
		return nobody{}
	}
	return r
}

type nobody struct{}

func (nobody) Lookup(_ context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	return nil, &dnsx.Error{Name: name, Type: t, Kind: dnsx.ErrServFail, Err: ErrResolver}
}

// ask asks one list. The zero Hit is none.
func (c *Checker) ask(ctx context.Context, r dnsx.Resolver, ip netip.Addr, l *List) (Hit, error) {
	name := queryName(ip, l.Zone)
	answer, err := r.Lookup(ctx, name, dnsx.A)
	if err != nil {
		return Hit{}, known(err)
	}
	h, err := l.judge(answer.Addrs)
	if err != nil || h.Zone == "" {
		return Hit{}, err
	}
	if err := never(ctx, r, l, ip.Is4()); err != nil {
		return Hit{}, err
	}
	if !c.Reasons {
		return h, nil
	}
	if text, err := r.Lookup(ctx, name, dnsx.TXT); err == nil && len(text.Texts) > 0 {
		h.Text = printable(text.Texts[0])
	}
	return h, nil
}

// known is nil where it is known that there is no record.
func known(err error) error {
	if dnsx.NotFound(err) {
		return nil
	}
	return err
}

// never asks for what no list may have (RFC 5782 §5); nil = the list does not.
func never(ctx context.Context, r dnsx.Resolver, l *List, v4 bool) error {
	answer, err := r.Lookup(ctx, queryName(testPoint(v4, 1), l.Zone), dnsx.A)
	switch {
	case err != nil:
		return known(err)
	case slices.ContainsFunc(answer.Addrs, func(a netip.Addr) bool { return refusing.Contains(a.Unmap()) }):
		return ErrRefused
	}
	return ErrEverything
}

var (
	loopback = netip.PrefixFrom(netip.AddrFrom4([4]byte{127}), 8)
	refusing = netip.PrefixFrom(netip.AddrFrom4([4]byte{127, 255, 255}), 24)
	unused   = netip.AddrFrom4([4]byte{127, 0, 0, 1})
)

// judge finds what weighs most among the answers. An answer that is no code makes
// all of them worthless.
func (l *List) judge(answers []netip.Addr) (h Hit, err error) {
	for _, a := range answers {
		a = a.Unmap()
		switch {
		case refusing.Contains(a):
			return Hit{}, ErrRefused
		case !loopback.Contains(a), a == unused:
			return Hit{}, ErrCode
		}
		weight, listed := l.weight(a)
		if listed && (h.Zone == "" || magnitude(weight) > magnitude(h.Weight)) {
			h = Hit{Zone: l.Zone, Allow: l.Allow, Weight: weight, Answer: a}
		}
	}
	if l.Allow {
		h.Weight = 0
	}
	return h, nil
}

// weight is what one answer means.
func (l *List) weight(a netip.Addr) (weight int, listed bool) {
	for _, c := range l.Codes {
		if c.Answers.Contains(a) {
			return c.Weight, true
		}
	}
	return cmp.Or(l.Weight, 1), l.Codes == nil
}

func magnitude(n int) int { return max(n, -n) }

// queryName is where a list has an address (RFC 5782 §2.1, §2.4).
func queryName(ip netip.Addr, zone string) string {
	const digits = "0123456789abcdef"
	var b strings.Builder
	for _, c := range slices.Backward(ip.AsSlice()) {
		if ip.Is4() {
			b.WriteString(strconv.Itoa(int(c)) + ".")
		} else {
			b.Write([]byte{digits[c&15], '.', digits[c>>4], '.'})
		}
	}
	return b.String() + strings.Trim(zone, ".")
}

// testPoint is 127.0.0.n, or ::ffff:7f00:n for lists of IPv6 addresses.
func testPoint(v4 bool, n byte) netip.Addr {
	a := netip.AddrFrom4([4]byte{127, 0, 0, n})
	if v4 {
		return a
	}
	return netip.AddrFrom16(a.As16())
}

// printable is text of a list that can be shown.
func printable(s string) string {
	b := []byte(s[:min(len(s), 255)])
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b)
}
