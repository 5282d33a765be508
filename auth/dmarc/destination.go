package dmarc

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mailstead/mailstead/auth/dnsx"
)

// ReportKind says which reports.
type ReportKind uint8

// The kinds.
const (
	AggregateReports ReportKind = iota // rua
	FailureReports                     // ruf
)

const (
	// maxDestinations is to how many addresses a report goes.
	maxDestinations = 10
	// maxNameLen is the longest name that can be asked for.
	maxNameLen = 253
)

// OrganizationalDomain is the Organizational Domain of a domain by the rules of
// the Mode: by a tree walk of at most 8 questions (RFC 9989 §4.10.2), or by the
// list. The error is that of the resolver, or says that domain is none.
func (c *Checker) OrganizationalDomain(ctx context.Context, domain string) (string, error) {
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	return c.organizational(ctx, &records{resolver: c.Resolver, mode: c.Mode}, domain)
}

func (c *Checker) organizational(ctx context.Context, r *records, domain string) (string, error) {
	name, err := canonical(domain)
	if err != nil {
		return "", err
	}
	if c.Mode == RFC7489 {
		return OrganizationalDomain(c.Suffixes, name), nil
	}
	org, _ := organizational(name, r.walk(ctx, targets(name)))
	if org.temp {
		return "", org.err
	}
	return org.domain, nil
}

// Destinations are the mailto URIs that reports on a Policy Domain go to: those
// of the record that it has now, each address once, at most 10. One at another
// Organizational Domain counts only where that domain consents, with a record
// at DOMAIN._report._dmarc.HOST, which may name other addresses at the same host
// (RFC 9990 §4, RFC 7489 §7.1). Those of failure reports of a public suffix are
// none (RFC 9991). Without a record, or without such URIs, there is none.
//
// An error says that nobody knows now of some, or of all; those that are
// returned beside it are known.
func (c *Checker) Destinations(ctx context.Context, domain string, kind ReportKind) ([]URI, error) {
	name, err := canonical(domain)
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	d := destinations{c: c, records: &records{resolver: c.Resolver, mode: c.Mode}, kind: kind, domain: name, consents: map[string]consent{}}
	f := d.records.at(ctx, name)
	switch {
	case f.temp:
		return nil, f.err
	case f.record == nil, kind == FailureReports && f.record.PSD == PSDYes:
		return nil, nil
	}
	for _, u := range d.uris(f.record) {
		d.add(ctx, u)
	}
	return d.list, errors.Join(d.errs...)
}

// destinations are being gathered.
type destinations struct {
	c        *Checker
	records  *records
	kind     ReportKind
	domain   string             // that reports are about
	org      string             // of domain; "" = not known yet
	consents map[string]consent // by host
	list     []URI
	errs     []error
}

// consent is what a host says to reports on the domain.
type consent struct {
	given bool
	other []URI // instead of what the domain asks for; nil = nothing else
	err   error // nobody knows
}

// uris are those of a record, not more than are used.
func (d *destinations) uris(r *Record) []URI {
	list := r.Aggregate
	if d.kind == FailureReports {
		list = r.Failure
	}
	return list[:min(len(list), maxDestinations)]
}

// add takes a URI if it is one to report to.
func (d *destinations) add(ctx context.Context, u URI) {
	_, host, ok := u.mailbox()
	if !ok {
		return
	}
	got, known := d.consents[host]
	if !known {
		if got = d.ask(ctx, host); got.err != nil {
			d.errs = append(d.errs, fmt.Errorf("dmarc: reports on %s to %s: %w", d.domain, host, got.err))
		}
		d.consents[host] = got
	}
	switch {
	case !got.given:
	case got.other == nil:
		d.once(u)
	default:
		for _, other := range got.other {
			d.once(other)
		}
	}
}

// once takes a URI whose address is not there yet.
func (d *destinations) once(u URI) {
	local, host, _ := u.mailbox()
	for _, have := range d.list {
		if l, h, _ := have.mailbox(); l == local && h == host {
			return
		}
	}
	if len(d.list) < maxDestinations {
		d.list = append(d.list, u)
	}
}

// ask finds out whether a host may get reports on the domain: it is of the same
// organization, or it consents.
func (d *destinations) ask(ctx context.Context, host string) consent {
	if host == d.domain {
		return consent{given: true}
	}
	if d.org == "" {
		org, err := d.c.organizational(ctx, d.records, d.domain)
		if err != nil {
			return consent{err: err}
		}
		d.org = org
	}
	org, err := d.c.organizational(ctx, d.records, host)
	switch {
	case err != nil:
		return consent{err: err}
	case org == d.org:
		return consent{given: true}
	}
	return d.external(ctx, host)
}

// external looks for the consent of a host of somebody else.
func (d *destinations) external(ctx context.Context, host string) consent {
	name := d.domain + "._report._dmarc." + host
	if len(name) > maxNameLen {
		return consent{}
	}
	answer, err := d.c.Resolver.Lookup(ctx, name, dnsx.TXT)
	switch {
	case dnsx.NotFound(err):
		return consent{}
	case err != nil:
		return consent{err: err}
	}
	var got consent
	for _, text := range answer.Texts {
		record, err := parse(text, d.c.Mode)
		if errors.Is(err, ErrNotDMARC) {
			continue
		}
		got.given = true
		if got.other == nil {
			got.other = d.uris(record)
		}
	}
	for _, u := range got.other {
		if _, h, ok := u.mailbox(); !ok || h != host {
			return consent{} // it passes reports on to somebody who did not ask for them
		}
	}
	if len(got.other) == 0 {
		got.other = nil
	}
	return got
}

// mailbox is the address of a mailto URI, its domain in A-labels and lower case.
func (u URI) mailbox() (local, host string, ok bool) {
	address, ok := u.Mailbox()
	if !ok {
		return "", "", false
	}
	local, host, _ = strings.Cut(address, "@")
	host, err := canonical(host)
	return local, host, err == nil
}
