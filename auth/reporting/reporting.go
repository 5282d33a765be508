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
		message := Message(r, &d)
		message.Time, message.Mode = m.Received, mode
		c.Count(message)
	}
}

// Message is a message as it is counted. Mode and Time are for the caller.
func Message(r *auth.Result, d *auth.Decision) *report.Message {
	m := &report.Message{
		SourceIP: r.Session.IP, Verdict: &r.DMARC, EnvelopeFrom: sender(r), IsReport: report.IsReport(r.Header),
	}
	switch d.Action {
	case auth.Quarantine:
		m.Disposition = dmarc.Quarantine
	case auth.Reject:
		m.Disposition = dmarc.Reject
	}
	if d.Override != dmarc.NoOverride && d.Override != r.DMARC.Override {
		m.Reasons = []report.Reason{{Type: string(d.Override), Comment: d.Comment}}
	}
	for i := range r.DKIM.Results {
		s := &r.DKIM.Results[i]
		m.DKIM = append(m.DKIM, report.Result{Domain: s.Domain, Result: string(s.Result), Selector: s.Selector, Text: string(s.Reason)})
	}
	for _, v := range [...]*spf.Verdict{&r.SPF, &r.Helo} {
		if v.Result == "" {
			continue
		}
		scope := "mfrom"
		if v.Identity == spf.Helo {
			scope = "helo"
		}
		m.SPF = append(m.SPF, report.Result{Domain: v.Domain, Result: string(v.Result), Scope: scope})
	}
	return m
}

// sender is the domain of the reverse-path; "" of the null one.
func sender(r *auth.Result) string {
	if r.Session.MailFrom == "" {
		return ""
	}
	return r.SPF.Domain
}
