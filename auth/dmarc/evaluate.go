package dmarc

import (
	"context"

	"github.com/mailstead/mailstead/internal/dnsname"
)

// maxIdentifiers is for how many domains of identifiers the DNS is walked.
const maxIdentifiers = 16

// Evaluate judges a message by its identifiers (RFC 9989 §4.10.2, §5.3; RFC
// 7489 §6.6.2). A message fails only when it is known that no identifier is
// both aligned and authenticated: where an aligned one has the result
// temperror, or the DNS does not say whether one is aligned or which policy
// holds, the verdict is temperror, unless another one passes.
func (d *Discovery) Evaluate(ctx context.Context, ids []Identifier) Verdict {
	v := d.verdict
	if v.Result != "" {
		return v
	}
	ctx, cancel := d.c.deadline(ctx)
	defer cancel()
	a := alignment{d: d, known: map[string]answer{}}
	v.Result = Fail
	for _, result := range [...]Result{Pass, TempError} {
		for _, id := range ids {
			if id.Result != result {
				continue
			}
			switch aligned := a.judge(ctx, id); {
			case aligned.err != nil:
				v.doubt(aligned.err)
			case !aligned.yes:
			case result == TempError:
				v.doubt(errTemporary)
			default:
				v.Aligned = append(v.Aligned, id)
			}
		}
		if len(v.Aligned) > 0 {
			v.Result, v.Err = Pass, nil
			break
		}
	}
	v.Queries = d.records.queries
	switch {
	case v.Result == Fail && d.doubt != nil:
		v.doubt(d.doubt)
	case v.Result == Fail:
		v.dispose(d.c)
	}
	return v
}

// Prepare asks what Evaluate has to ask where these identifiers pass, so that it
// need not wait for it then. Their results do not count.
func (d *Discovery) Prepare(ctx context.Context, ids ...Identifier) {
	if d.verdict.Result != "" {
		return
	}
	ctx, cancel := d.c.deadline(ctx)
	defer cancel()
	a := alignment{d: d, known: map[string]answer{}}
	for _, id := range ids {
		a.judge(ctx, id)
	}
}

// doubt makes a temperror of a failure.
func (v *Verdict) doubt(err error) {
	if v.Result = TempError; v.Err == nil {
		v.Err = err
	}
}

// dispose applies the policy (RFC 9989 §4.7 "t", RFC 7489 §6.6.4).
func (v *Verdict) dispose(c *Checker) {
	v.Disposition = v.Policy
	if v.Policy == PolicyNone {
		return
	}
	switch {
	case c.Mode == RFC9989 && v.Record.Test:
		v.Disposition, v.Override = v.Policy.lower(), TestMode
	case c.Mode == RFC7489 && !c.sampled(v.Record.Percent):
		v.Disposition, v.Override = v.Policy.lower(), SampledOut
	}
}

// answer says whether a domain is aligned, or why nobody knows.
type answer struct {
	yes bool
	err error
}

// alignment compares the domains of identifiers with the Author Domain.
type alignment struct {
	d     *Discovery
	known map[string]answer // by domain: relaxed
	own   answer            // of the Author Domain's own walk
	began bool
}

// judge reports whether an identifier is aligned.
func (a *alignment) judge(ctx context.Context, id Identifier) answer {
	domain, err := canonical(id.Domain)
	if err != nil {
		return answer{}
	}
	v := &a.d.verdict
	strict := v.Record.StrictDKIM
	switch id.Method {
	case DKIM:
	case SPF:
		strict = v.Record.StrictSPF
	default:
		return answer{}
	}
	if domain == v.Domain {
		return answer{yes: true}
	}
	if strict {
		return answer{}
	}
	if a.d.c.Mode == RFC7489 {
		list := a.d.c.Suffixes
		return answer{yes: OrganizationalDomain(list, domain) == OrganizationalDomain(list, v.Domain)}
	}
	return a.relaxed(ctx, domain)
}

// relaxed compares Organizational Domains. The DNS is asked for the one of the
// identifier only where it can be the author's.
func (a *alignment) relaxed(ctx context.Context, domain string) answer {
	if got, ok := a.known[domain]; ok {
		return got
	}
	if !dnsname.Within(domain, lastLabel(a.d.verdict.Domain)) {
		return answer{}
	}
	if own := a.author(ctx); own.err != nil {
		return own
	}
	if !dnsname.Within(domain, a.d.org) || len(a.known) == maxIdentifiers {
		return answer{}
	}
	org, _ := organizational(domain, a.d.records.walk(ctx, targets(domain)))
	got := answer{yes: org.domain == a.d.org}
	if org.temp {
		got = answer{err: org.err}
	}
	a.known[domain] = got
	return got
}

// author finds the Author Domain's Organizational Domain, once.
func (a *alignment) author(ctx context.Context) answer {
	if a.began || a.d.org != "" {
		return a.own
	}
	a.began = true
	name := a.d.verdict.Domain
	org, _ := organizational(name, a.d.records.walk(ctx, targets(name)))
	if org.temp {
		a.own.err = org.err
		return a.own
	}
	a.d.org = org.domain
	return a.own
}

func lastLabel(domain string) string {
	for parent(domain) != "" {
		domain = parent(domain)
	}
	return domain
}
