// Package authreport counts what an auth.Inspector judges, for the reports that
// domains ask for (RFC 9990).
//
//	counter := &authreport.Counter{Collector: collector}
//	inspector := &auth.Inspector{
//		Verifier: &auth.Verifier{Resolver: resolver, Methods: []auth.Method{counter}},
//		Observe:  counter.Observe,
//	}
//
// As a Method it recognises messages that are reports themselves, which are not
// counted where they pass; without it they are, unless their reverse-path is the
// null one. It makes no statement about any message.
package authreport

import (
	"bytes"
	"context"
	"strings"

	"github.com/mailstead/mailstead/auth"
	"github.com/mailstead/mailstead/auth/dmarc"
	"github.com/mailstead/mailstead/auth/dmarc/report"
	"github.com/mailstead/mailstead/auth/spf"
	"github.com/mailstead/mailstead/smtp"
)

// Counter hands what was judged to a Collector. Its fields are set before the
// first use. Any number of goroutines may call the methods.
type Counter struct {
	// Collector counts. Required.
	Collector *report.Collector

	// Mode is that of the Verifier's DMARC.
	Mode dmarc.Mode
}

var _ auth.Method = (*Counter)(nil)

// Observe is for Inspector.Observe. What is deferred is not counted: it comes
// again.
func (c *Counter) Observe(_ *smtp.Mail, r *auth.Result, d auth.Decision) {
	if d.Action != auth.Defer {
		c.Collector.Count(c.message(r, d))
	}
}

// message is what a report says of a message.
func (c *Counter) message(r *auth.Result, d auth.Decision) *report.Message {
	m := &report.Message{SourceIP: r.Session.IP, Verdict: &r.DMARC, Mode: c.Mode}
	m.EnvelopeFrom = r.Session.MailFrom[strings.LastIndexByte(r.Session.MailFrom, '@')+1:]
	m.Disposition = min(r.DMARC.Disposition, disposition(d.Action))
	if d.Override != dmarc.NoOverride && d.Override != r.DMARC.Override && m.Disposition != r.DMARC.Disposition {
		m.Reasons = []report.Reason{{Type: string(d.Override)}}
	}
	for i := range r.DKIM.Results {
		s := &r.DKIM.Results[i]
		m.DKIM = append(m.DKIM, report.Result{Domain: s.Domain, Selector: s.Selector, Result: string(s.Result)})
	}
	if v := &r.SPF; v.Result != "" {
		scope := "mfrom" // also of the null reverse-path, which RFC 7208 §2.4 gives an identity
		if c.Mode == dmarc.RFC7489 && v.Identity == spf.Helo {
			scope = "helo"
		}
		m.SPF = []report.Result{{Domain: v.Domain, Result: string(v.Result), Scope: scope}}
	}
	for _, f := range r.Methods {
		if _, ok := f.Value.(isReport); ok {
			m.IsReport = true
		}
	}
	return m
}

// disposition is an action in the words of DMARC.
func disposition(a auth.Action) dmarc.Policy {
	switch a {
	case auth.Quarantine:
		return dmarc.Quarantine
	case auth.Reject:
		return dmarc.Reject
	}
	return dmarc.PolicyNone
}

// isReport is what the method finds.
type isReport struct{}

// maxHeader is how many octets of a header are looked at.
const maxHeader = 32 << 10

// Start implements auth.Method.
func (c *Counter) Start(auth.Input) auth.Evaluation { return &header{} }

// header is the beginning of a message.
type header struct {
	text  []byte
	ended bool // the empty line behind the header is there
}

// Write implements auth.Evaluation.
func (h *header) Write(p []byte) (int, error) {
	if room := maxHeader - len(h.text); room > 0 && !h.ended {
		from := max(0, len(h.text)-2)
		h.text = append(h.text, p[:min(len(p), room)]...)
		last := h.text[from:]
		h.ended = bytes.Contains(last, []byte("\n\r\n")) || bytes.Contains(last, []byte("\n\n"))
	}
	return len(p), nil
}

// Finish implements auth.Evaluation.
func (h *header) Finish(context.Context) (f auth.Finding) {
	if report.IsReport(h.text) {
		f.Value = isReport{}
	}
	return f
}
