package dmarc

import (
	"context"
	"errors"

	"github.com/mailstead/mailstead/auth/dnsx"
)

// Discovery is the policy of an Author Domain. Its method may be called from
// one goroutine at a time.
type Discovery struct {
	c       *Checker
	records *records
	org     string // "" = not known yet
	doubt   error  // why nobody knows which policy holds
	verdict Verdict
}

// Discover finds the policy of an Author Domain (RFC 9989 §4.10.1, RFC 7489
// §6.6.3). It can be called as soon as the header is there, while signatures
// are still being verified. What is no domain gives a permerror.
func (c *Checker) Discover(ctx context.Context, domain string) *Discovery {
	d := &Discovery{c: c, records: &records{resolver: c.Resolver, mode: c.Mode}, verdict: Verdict{Domain: domain}}
	name, err := canonical(domain)
	if err != nil {
		d.verdict.Result, d.verdict.Err = PermError, err
		return d
	}
	d.verdict.Domain = name
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	f := d.records.at(ctx, name)
	switch {
	case f.record != nil || f.temp:
	case c.Mode == RFC9989:
		f = d.climb(ctx, name, f)
	case !f.many:
		f = d.listed(ctx, name)
	}
	d.take(f)
	if d.verdict.Result == "" {
		d.choose(ctx, f)
	}
	d.verdict.Queries = d.records.queries
	return d
}

// listed looks at the Organizational Domain by the list.
func (d *Discovery) listed(ctx context.Context, name string) found {
	d.org = OrganizationalDomain(d.c.Suffixes, name)
	return d.records.at(ctx, d.org)
}

// climb looks at the Organizational Domain, then at the public suffix.
func (d *Discovery) climb(ctx context.Context, name string, first found) found {
	list := append([]found{first}, d.records.walk(ctx, targets(name)[1:])...)
	org, suffix := organizational(name, list)
	if org.temp {
		return org
	}
	d.org = org.domain
	if org.record == nil && suffix.record != nil {
		return suffix
	}
	return org
}

// take makes what was found that of the verdict.
func (d *Discovery) take(f found) {
	v := &d.verdict
	switch {
	case f.temp:
		v.Result, v.Err = TempError, f.err
	case f.record == nil:
		v.Result = None
	case f.err != nil:
		v.Result, v.Err, v.Record, v.PolicyDomain = PermError, f.err, f.record, f.domain
	default:
		v.Record, v.PolicyDomain = f.record, f.domain
	}
}

// choose is the policy of the record that is for the Author Domain: p for
// itself, sp for what is below, np for what does not exist (RFC 9989 §3.2.13).
// Where nobody knows whether it exists, the message cannot fail.
func (d *Discovery) choose(ctx context.Context, f found) {
	v := &d.verdict
	v.Policy = f.record.Policy
	if f.domain == v.Domain {
		return
	}
	v.Policy = f.record.Subdomain
	if d.c.Mode == RFC7489 || f.record.NonExistent == f.record.Subdomain {
		return
	}
	d.records.queries++
	_, err := d.c.Resolver.Lookup(ctx, v.Domain, dnsx.A)
	switch {
	case errors.Is(err, dnsx.ErrNXDomain):
		v.Policy = f.record.NonExistent
	case err != nil && !dnsx.NotFound(err):
		d.doubt = err
	}
}
