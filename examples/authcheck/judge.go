package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/mailstead/mailstead/auth"
	"github.com/mailstead/mailstead/auth/arc"
	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dkim"
	"github.com/mailstead/mailstead/auth/dmarc"
	"github.com/mailstead/mailstead/auth/spf"
)

// patience is how long the DNS may take: nobody waits with a connection open.
const patience = 20 * time.Second

// errNoMessage: there is nothing to judge.
var errNoMessage = errors.New("no message on standard input (-spf-only needs none)")

// judgeSPF needs no message.
func (o *options) judgeSPF(ctx context.Context) *verdicts {
	r := (&spf.Checker{Resolver: o.resolver, Hostname: o.authservID, Timeout: patience, Now: o.now}).Check(ctx, spf.Query{
		IP: o.ip, Sender: string(o.from), Helo: string(o.helo),
	})
	v := &verdicts{field: authres.Field{ID: o.authservID, Statements: []authres.Statement{r.Statement()}}}
	v.spf(&r)
	return v
}

// judge reads the message once, and asks the DNS.
func (o *options) judge(ctx context.Context, in io.Reader) (*auth.Result, error) {
	message := bufio.NewReader(in)
	if _, err := message.Peek(1); err != nil {
		return nil, noMessage(err)
	}
	verifier := &auth.Verifier{Resolver: o.resolver, Timeout: patience, Hostname: o.authservID, DMARC: o.dmarc, Now: o.now}
	r, err := verifier.Verify(ctx, auth.Session{IP: o.ip, Helo: string(o.helo), MailFrom: string(o.from)}, message)
	if err != nil {
		return nil, noMessage(err)
	}
	return r, nil
}

// verdicts are what came of a message.
func (o *options) verdicts(ctx context.Context, r *auth.Result) *verdicts {
	v := &verdicts{field: *r.Field(o.authservID)}
	v.spf(&r.SPF)
	v.dkim(&r.DKIM)
	v.arc(r.ARC)
	v.dmarc(&r.DMARC, o, o.organization(ctx, &r.DMARC))
	return v
}

func noMessage(err error) error {
	if errors.Is(err, io.EOF) {
		return errNoMessage
	}
	return fmt.Errorf("reading the message: %w", err)
}

// organization is the Organizational Domain of the author; "" where nobody
// knows.
func (o *options) organization(ctx context.Context, v *dmarc.Verdict) string {
	if v.Organization != "" || v.Domain == "" {
		return v.Organization
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	org, _ := (&dmarc.Checker{Resolver: o.resolver, Mode: o.dmarc}).Organization(ctx, v.Domain)
	return org
}

// spf is one line; none where there is no client to judge.
func (v *verdicts) spf(r *spf.Verdict) {
	l := line{method: authres.SPF, result: authres.None}
	if r.Result != "" {
		l.result = r.Result
		l.add("identity", string(r.Identity))
		l.add("domain", r.Domain)
		l.text("exp", r.Explanation)
	}
	v.lines = append(v.lines, l)
}

// dkim is a line for each signature.
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
}

// arc is one line: the newest set, and what its seal says of the chain before.
func (v *verdicts) arc(r *arc.Result) {
	l := line{method: authres.ARC, result: r.Result}
	if n := len(r.Sets); n > 0 {
		l.add("i", strconv.Itoa(n))
		l.add("cv", string(r.Sets[n-1].Status))
	}
	l.text("reason", r.Statement().Reason)
	v.lines = append(v.lines, l)
}

func (v *verdicts) dmarc(r *dmarc.Verdict, o *options, org string) {
	l := line{method: authres.DMARC, result: r.Result}
	l.add("from", r.Domain)
	l.add("org", org)
	l.add("record", r.PolicyDomain)
	if r.Record != nil {
		l.add("policy", r.Policy.String())
		l.add("disposition", r.Disposition.String())
	}
	l.add("discovery", map[dmarc.Mode]string{dmarc.RFC9989: "treewalk", dmarc.RFC7489: "psl"}[o.dmarc])
	v.lines = append(v.lines, l)
}
