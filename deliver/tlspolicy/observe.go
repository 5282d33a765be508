package tlspolicy

import (
	"context"
	"errors"
	"net/netip"
	"strconv"

	"github.com/mailstead/mailstead/auth/dane"
	"github.com/mailstead/mailstead/auth/mtasts"
	"github.com/mailstead/mailstead/auth/tlsrpt"
	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
)

// counts reports whether anybody wants to know.
func (a *attempt) counts() bool { return a.p.Collector != nil && !a.quiet }

func (a *attempt) count(p tlsrpt.Policy, failure *tlsrpt.Failure) {
	if a.counts() {
		a.p.Collector.Add(tlsrpt.Session{Domain: a.domain, Policy: p, Failure: failure})
	}
}

// countProblem counts a policy that the domain announces and nobody can have, as
// an attempt of its own (RFC 8460 §4.3.2.2).
func (a *attempt) countProblem(found mtasts.Found) {
	var result tlsrpt.Result
	switch err := found.Problem; {
	case errors.Is(err, mtasts.ErrCertificate):
		result = tlsrpt.STSWebPKIInvalid
	case errors.Is(err, mtasts.ErrFetch):
		result = tlsrpt.STSPolicyFetchError
	case errors.Is(err, mtasts.ErrPolicy), errors.Is(err, mtasts.ErrRecord):
		result = tlsrpt.STSPolicyInvalid
	default:
		return
	}
	a.count(stsReport(found.Policy), &tlsrpt.Failure{Result: result, Reason: reason(found.Problem)})
}

// describe is what a host was judged by, as reports quote it (RFC 8460 §4.4).
func describe(t tlsrpt.PolicyType, f *facts) tlsrpt.Policy {
	switch {
	case t == tlsrpt.TLSA && f.dane != nil:
		return tlsrpt.Policy{Type: t, Lines: f.dane.Lines()}
	case t == tlsrpt.STS:
		return stsReport(f.sts)
	}
	return tlsrpt.Policy{Type: t}
}

func stsReport(p *mtasts.Policy) tlsrpt.Policy {
	if p == nil {
		return tlsrpt.Policy{Type: tlsrpt.STS}
	}
	return tlsrpt.Policy{Type: tlsrpt.STS, Lines: p.Lines(), MX: p.MX}
}

// Observe implements deliver.TLSPolicy.
func (a *attempt) Observe(h deliver.MXHost, addr netip.Addr, _ deliver.TLSRule, err error) {
	if !a.counts() || errors.Is(err, context.Canceled) {
		return
	}
	a.mu.Lock()
	j := a.hosts[h.Name]
	if j == nil || j.never {
		a.mu.Unlock()
		return
	}
	shaken, tested := j.shaken, j.failed
	j.shaken, j.failed = false, nil
	a.mu.Unlock()
	if isStatic(err) {
		return // what the operator asks for is no policy of the domain
	}
	failure := j.failure(h, shaken, cmpErr(err, tested))
	if failure != nil {
		failure.MXHost = h.Name
		if addr.IsValid() {
			failure.ReceivingIP = addr.Unmap().String()
		}
	}
	a.count(j.report, failure)
}

// failure is how a connection failed; nil = it did not. What succeeds without a
// handshake where TLS is not required went on in plain text.
func (j *judged) failure(h deliver.MXHost, shaken bool, err error) *tlsrpt.Failure {
	switch {
	case j.testing && err == nil && !j.named(h):
		return &tlsrpt.Failure{Result: tlsrpt.ValidationFailure, Reason: reason(ErrNotNamed)}
	case err == nil && !j.required && !shaken:
		return &tlsrpt.Failure{Result: tlsrpt.StartTLSNotSupported}
	case err == nil && j.source == sourceDANEEncrypt:
		return &tlsrpt.Failure{Result: tlsrpt.TLSAInvalid}
	case err == nil:
		return nil
	}
	return &tlsrpt.Failure{Result: classify(err), Reason: reason(err)}
}

// named reports whether a policy under test names the host.
func (j *judged) named(h deliver.MXHost) bool {
	p := mtasts.Policy{MX: j.report.MX}
	return p.Matches(h.Name)
}

// classify is the result of a connection that failed.
func classify(err error) tlsrpt.Result {
	if _, refused := errors.AsType[*smtp.Error](err); refused || errors.Is(err, smtpclient.ErrTLSRequired) {
		return tlsrpt.StartTLSNotSupported
	}
	return tlsrpt.Classify(err)
}

// reason is a code for people; nothing of what the peer wrote, nor of whom it
// was about.
func reason(err error) string {
	if refused, ok := errors.AsType[*smtp.Error](err); ok {
		return "reply-" + strconv.Itoa(refused.Reply.Code)
	}
	for _, r := range [...]struct {
		err  error
		code string
	}{
		{ErrNotNamed, "mx-not-in-policy"},
		{ErrDANERequired, "dane-required"},
		{ErrDANE, "tlsa-lookup-failed"},
		{dane.ErrMismatch, "tlsa-no-match"},
		{dane.ErrName, "tlsa-name-mismatch"},
		{dane.ErrChain, "tlsa-chain-invalid"},
		{mtasts.ErrRecord, "record-invalid"},
		{mtasts.ErrPolicy, "policy-invalid"},
		{mtasts.ErrCertificate, "policy-host-certificate"},
		{mtasts.ErrFetch, "policy-fetch-failed"},
		{context.DeadlineExceeded, "timeout"},
	} {
		if errors.Is(err, r.err) {
			return r.code
		}
	}
	return ""
}

func isStatic(err error) bool {
	return errors.Is(err, ErrFingerprint) || errors.Is(err, ErrName) || errors.Is(err, ErrChain)
}

func cmpErr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
