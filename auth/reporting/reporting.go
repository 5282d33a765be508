package reporting

import (
	"github.com/mailstead/mailstead/auth"
	"github.com/mailstead/mailstead/auth/dmarc"
	"github.com/mailstead/mailstead/auth/dmarc/report"
	"github.com/mailstead/mailstead/auth/spf"
	"github.com/mailstead/mailstead/smtp"
)

// Observe is for auth.Inspector.Observe: it counts each message in c. mode is
// that of the Verifier.
func Observe(c *report.Collector, mode dmarc.Mode) func(*smtp.Mail, *auth.Result, auth.Decision) {
	return func(m *smtp.Mail, r *auth.Result, d auth.Decision) {
		if d.Action == auth.Defer {
			return
		}
		message := Message(r, &d, mode)
		message.Time = m.Received
		c.Count(message)
	}
}

// Message is a message as it is counted. Time is for the caller.
func Message(r *auth.Result, d *auth.Decision, mode dmarc.Mode) *report.Message {
	m := &report.Message{
		SourceIP: r.Session.IP, Verdict: &r.DMARC, Mode: mode, EnvelopeFrom: sender(r), IsReport: report.IsReport(r.Header),
		Disposition: min(r.DMARC.Disposition, disposition(d.Action)),
	}
	if d.Override != dmarc.NoOverride && d.Override != r.DMARC.Override && m.Disposition != r.DMARC.Disposition {
		m.Reasons = []report.Reason{{Type: string(d.Override), Comment: d.Comment}}
	}
	for i := range r.DKIM.Results {
		s := &r.DKIM.Results[i]
		m.DKIM = append(m.DKIM, report.Result{Domain: s.Domain, Result: string(s.Result), Selector: s.Selector, Text: string(s.Reason)})
	}
	for i, v := range [...]*spf.Verdict{&r.SPF, &r.Helo} {
		if v.Result == "" {
			continue
		}
		scope := "mfrom" // also of the null reverse-path, which RFC 7208 §2.4 gives an identity
		if v.Identity == spf.Helo && (i > 0 || mode == dmarc.RFC7489) {
			scope = "helo"
		}
		m.SPF = append(m.SPF, report.Result{Domain: v.Domain, Result: string(v.Result), Scope: scope})
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

// sender is the domain of the reverse-path; "" of the null one.
func sender(r *auth.Result) string {
	if r.Session.MailFrom == "" {
		return ""
	}
	return r.SPF.Domain
}
