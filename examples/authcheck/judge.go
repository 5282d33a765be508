package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dkim"
	"github.com/mailstead/mailstead/auth/dmarc"
	"github.com/mailstead/mailstead/auth/spf"
)

// errNoMessage: there is nothing to judge.
var errNoMessage = errors.New("no message on standard input (-spf-only needs none)")

// judge reads the message and asks the DNS.
func (o *options) judge(ctx context.Context, in io.Reader) (*verdicts, error) {
	v := &verdicts{field: authres.Field{ID: o.authservID}}
	var message *bufio.Reader
	if !o.spfOnly {
		message = bufio.NewReader(in)
		if _, err := message.Peek(1); err != nil {
			return nil, noMessage(err)
		}
	}
	var ids []dmarc.Identifier
	if o.ip.IsValid() {
		ids = append(ids, v.spf((&spf.Checker{Resolver: o.resolver, Hostname: o.authservID}).Check(ctx, o.query())))
	} else {
		v.lines = append(v.lines, line{method: authres.SPF, result: authres.None})
	}
	if o.spfOnly {
		return v, nil
	}
	header := &headerCopy{}
	report, err := (&dkim.Verifier{Resolver: o.resolver, Now: o.now}).Verify(ctx, io.TeeReader(message, header))
	if err != nil {
		return nil, noMessage(err)
	}
	for _, r := range report.Results {
		ids = append(ids, dmarc.Identifier{Method: dmarc.DKIM, Domain: r.Domain, Result: r.Result})
	}
	v.dkim(report)
	v.dmarc(ctx, o.checkDMARC(ctx, header.b, ids), o)
	return v, nil
}

func noMessage(err error) error {
	if errors.Is(err, io.EOF) {
		return errNoMessage
	}
	return fmt.Errorf("reading the message: %w", err)
}

func (o *options) query() spf.Query {
	return spf.Query{IP: o.ip, Sender: string(o.from), Helo: string(o.helo)}
}

func (o *options) checker() *dmarc.Checker {
	return &dmarc.Checker{Resolver: o.resolver, Mode: o.dmarc}
}

func (o *options) checkDMARC(ctx context.Context, header []byte, ids []dmarc.Identifier) dmarc.Verdict {
	domain, err := dmarc.AuthorDomain(header)
	if err != nil {
		return dmarc.Verdict{Result: dmarc.PermError, Err: err}
	}
	return o.checker().Check(ctx, domain, ids)
}

// spf notes the verdict, and returns it for DMARC.
func (v *verdicts) spf(r spf.Verdict) dmarc.Identifier {
	l := line{method: authres.SPF, result: r.Result}
	l.add("identity", string(r.Identity))
	l.add("domain", r.Domain)
	l.text("exp", r.Explanation)
	v.lines = append(v.lines, l)
	v.field.Statements = append(v.field.Statements, r.Statement())
	return dmarc.Identifier{Method: dmarc.SPF, Domain: r.Domain, Result: r.Result}
}

func (v *verdicts) dkim(report *dkim.Report) {
	for i := range report.Results {
		r := &report.Results[i]
		l := line{method: authres.DKIM, result: r.Result}
		l.add("d", r.Domain)
		l.add("s", r.Selector)
		l.add("a", r.Algorithm)
		l.text("reason", string(r.Reason))
		v.lines = append(v.lines, l)
	}
	if len(report.Results) == 0 {
		v.lines = append(v.lines, line{method: authres.DKIM, result: authres.None})
	}
	v.field.Statements = append(v.field.Statements, report.Statements()...)
}

func (v *verdicts) dmarc(ctx context.Context, r dmarc.Verdict, o *options) {
	l := line{method: authres.DMARC, result: r.Result}
	l.add("from", r.Domain)
	if r.Domain != "" {
		org, _ := o.checker().Organization(ctx, r.Domain) // "" where nobody knows
		l.add("org", org)
	}
	l.add("record", r.PolicyDomain)
	if r.Record != nil {
		l.add("policy", r.Policy.String())
		l.add("disposition", r.Disposition.String())
	}
	l.add("discovery", map[dmarc.Mode]string{dmarc.RFC9989: "treewalk", dmarc.RFC7489: "psl"}[o.dmarc])
	v.lines = append(v.lines, l)
	v.field.Statements = append(v.field.Statements, r.Statement())
}

// headerCopy keeps the header block of what is written to it.
type headerCopy struct{ b []byte }

// Write implements io.Writer.
func (h *headerCopy) Write(p []byte) (int, error) {
	if len(h.b) < 4<<20 {
		h.b = append(h.b, p...)
	}
	return len(p), nil
}
