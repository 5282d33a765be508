package tlspolicy

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/auth/dane"
	"github.com/mailstead/mailstead/deliver"
)

// rule is a decision in the form that delivery takes.
func (a *attempt) rule(j *judged, f *facts) deliver.TLSRule {
	r := deliver.TLSRule{
		Required: j.required, PlaintextRetry: !j.required, Vouched: j.vouched, Waivable: j.waivable, Source: j.source,
		Identity: a.identity(j, f), Config: a.config(j, f),
	}
	if j.never {
		r.PlaintextRetry, r.Config = false, nil
	}
	return r
}

// identity names all that is verified.
func (a *attempt) identity(j *judged, f *facts) string {
	var parts []string
	switch j.by {
	case byDANE:
		parts = append(parts, "dane:"+digest(f.dane))
	case bySTS:
		parts = append(parts, "mta-sts:"+f.host.Name)
	case byNobody:
	}
	if j.static {
		parts = append(parts, a.static.identity(a.domain, f.host.Name))
	}
	return strings.Join(parts, "+")
}

// digest is the same for policies that judge alike. Names count where a record is
// for a trust anchor.
func digest(p *dane.Policy) string {
	lines := p.Lines()
	slices.Sort(lines)
	lines = append(lines, p.Base)
	for _, r := range p.Records {
		if r.Usage != 3 {
			lines = append(lines, p.Names...)
			break
		}
	}
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return hex.EncodeToString(sum[:16])
}

// config makes the handshake judge what the rule demands, so that a host that
// fails never sees a command. crypto/tls verifies nothing of its own here, as
// DANE and the operator's names know other certificates than it does.
func (a *attempt) config(j *judged, f *facts) *tls.Config {
	c := &tls.Config{ServerName: f.host.Name, RootCAs: a.p.Roots, MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}
	if j.by == byDANE {
		c.ServerName = f.dane.Base // RFC 7672 §8.1
	}
	var checks []func(tls.ConnectionState) error
	if j.static {
		static, names := a.static, a.static.names(a.domain, f.host.Name)
		checks = append(checks, func(cs tls.ConnectionState) error {
			return static.verify(cs.PeerCertificates, a.p.Roots, names)
		})
	}
	switch {
	case j.by == byDANE:
		checks = append(checks, func(cs tls.ConnectionState) error { return f.dane.Verify(cs.PeerCertificates) })
	case j.by == bySTS, j.testing:
		checks = append(checks, func(cs tls.ConnectionState) error {
			return verifyChain(cs.PeerCertificates, a.p.Roots, f.host.Name)
		})
	}
	if len(checks) == 0 && !a.counts() {
		return c
	}
	c.VerifyConnection = func(cs tls.ConnectionState) error {
		for i, check := range checks {
			err := check(cs)
			if j.testing && i == len(checks)-1 {
				a.shaken(j, err)
				return nil
			}
			if err != nil {
				return failed(cs.PeerCertificates, err)
			}
		}
		a.shaken(j, nil)
		return nil
	}
	return c
}

// shaken notes a handshake that came to its end, and how a policy under test went
// in it.
func (a *attempt) shaken(j *judged, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	j.shaken, j.failed = true, err
}

// Rule is what the entry asks of a host that the operator names, as a smart
// host: nobody is asked what is published, and DANEOnly is as Encrypt. nil roots =
// those of the system.
func (s *Static) Rule(host string, roots *x509.CertPool) deliver.TLSRule {
	f := &facts{static: *s, domain: host, host: deliver.MXHost{Name: host, Target: host}}
	if s.Level == DANEOnly {
		f.static.Level = Encrypt
	}
	a := &attempt{p: &Policies{Roots: roots}, domain: host, static: f.static}
	return a.rule(&judged{decision: f.floor(decision{source: sourceOpportunistic})}, f)
}
