package tlspolicy

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/mailstead/mailstead/auth/dane"
	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/auth/mtasts"
	"github.com/mailstead/mailstead/auth/tlsrpt"
	"github.com/mailstead/mailstead/deliver"
)

// Policies is the deliver.TLSPolicies of what operators and domains ask for. The
// zero value is opportunistic TLS for all. Its fields are set before the first
// use.
type Policies struct {
	// Static is what the operator asks for; nil = nothing.
	Static *Table

	// DANE finds TLSA records: a *dnsx.Cache over a validating server, since it is
	// asked at each attempt. nil = no DANE.
	DANE dnsx.Resolver

	// STS finds MTA-STS policies; nil = no MTA-STS.
	STS *mtasts.Cache

	// Collector counts how connections went, for reports; nil = nobody does.
	Collector *tlsrpt.Collector

	// Roots are who may vouch for certificates, other than by DANE; nil = those of
	// the system.
	Roots *x509.CertPool

	// Port is where hosts are connected to, for TLSA records; 0 = 25.
	Port uint16

	// InsecureMX takes the TLSA records of hosts, too, that were found without
	// DNSSEC, unless an MTA-STS policy is enforced (RFC 7672 §2.2.1). Who can
	// change the MX records still gets the mail; who can only listen does not. A
	// host whose zone is broken then takes no mail of domains without DNSSEC.
	InsecureMX bool
}

var _ deliver.TLSPolicies = (*Policies)(nil)

// Validate lists what is wrong.
func (p *Policies) Validate() error {
	if p.Static == nil {
		return nil
	}
	err := p.Static.Validate()
	if p.DANE == nil {
		wants := p.Static.Default.Level == DANEOnly
		for _, s := range p.Static.Domains {
			wants = wants || s.Level == DANEOnly
		}
		if wants {
			err = errors.Join(err, errors.New("tlspolicy: dane-only without Policies.DANE: no mail would go out"))
		}
	}
	return err
}

// Policy implements deliver.TLSPolicies. The error is that of a context that has
// ended. Where nobody knows whether the domain has an MTA-STS policy, the rules
// say so, host by host: a message with "TLS-Required: No" need not wait for the
// answer (RFC 8689 §4.2.2).
func (p *Policies) Policy(ctx context.Context, domain string) (deliver.TLSPolicy, error) {
	domain = strings.ToLower(strings.TrimSuffix(domain, "."))
	a := &attempt{p: p, domain: domain, static: p.Static.Find(domain), quiet: carriesReport(ctx), hosts: make(map[string]*judged)}
	if a.static.Override || a.static.Level == DANEOnly || p.STS == nil {
		return a, nil
	}
	found, err := p.STS.Lookup(ctx, domain)
	if err == nil && found.Policy == nil && undecided(found.Problem) {
		err = found.Problem
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnknown, err)
		}
		a.unknown = fmt.Errorf("%w: %w", ErrUnknown, err)
		return a, nil
	}
	a.sts = found
	a.countProblem(found)
	return a, nil
}

// undecided reports that nobody knows whether a domain has an MTA-STS policy: its
// record cannot be looked up now. A policy that cannot be fetched is none (RFC
// 8461 §3.3).
func undecided(err error) bool {
	_, lookup := errors.AsType[*dnsx.Error](err)
	return lookup && !dnsx.NotFound(err) && !errors.Is(err, mtasts.ErrFetch) && !errors.Is(err, mtasts.ErrCertificate)
}

// attempt is the deliver.TLSPolicy of one domain.
type attempt struct {
	p      *Policies
	domain string
	static Static
	quiet  bool // nothing is counted

	unknown error // ErrUnknown: nobody knows what the domain asks for; nil = it is known

	mu        sync.Mutex // guards what follows; a leaf
	sts       mtasts.Found
	rechecked bool
	hosts     map[string]*judged
}

// judged is a host for which there is a rule.
type judged struct {
	decision
	report tlsrpt.Policy
	shaken bool  // there was a handshake since the last Observe
	failed error // how a policy under test went there
}

// Rule implements deliver.TLSPolicy. The error is ErrDANE, ErrDANERequired,
// ErrNotNamed, ErrUnknown, or dane.ErrNoAddress.
func (a *attempt) Rule(ctx context.Context, h deliver.MXHost) (deliver.TLSRule, error) {
	if a.unknown != nil {
		return a.refused(sourceSTS), a.unknown
	}
	f := &facts{static: a.static, domain: a.domain, host: h, sts: a.policy()}
	if a.p.DANE != nil && f.wantsDANE(a.p.InsecureMX) {
		f.dane, f.daneErr = a.lookup(ctx, h)
		if errors.Is(f.daneErr, dane.ErrNoAddress) || f.daneErr != nil && ctx.Err() != nil {
			return deliver.TLSRule{}, f.daneErr
		}
	}
	d := decide(f)
	if errors.Is(d.refusal, ErrNotNamed) && a.recheck(ctx) {
		f.sts = a.policy()
		d = decide(f)
	}
	j := &judged{decision: d, report: describe(d.policy, f)}
	if d.refusal != nil {
		a.count(j.report, &tlsrpt.Failure{Result: d.result, MXHost: h.Name, Reason: reason(d.refusal)})
		return a.refused(d.source), d.refusal
	}
	a.mu.Lock()
	a.hosts[h.Name] = j
	a.mu.Unlock()
	return a.rule(j, f), nil
}

// refused is the rule beside a refusal: it can be waived where what refuses is the
// domain's alone.
func (a *attempt) refused(source string) deliver.TLSRule {
	l := a.static.Level
	return deliver.TLSRule{Required: true, Waivable: l != DANEOnly && l != Encrypt && !l.authenticates(), Source: source}
}

func (a *attempt) lookup(ctx context.Context, h deliver.MXHost) (*dane.Policy, error) {
	t := dane.Target{Host: h.Name, Port: a.p.Port}
	if h.MXSecure {
		t.NextHop = []string{a.domain} // RFC 7672 §3.2.2
	}
	return dane.Lookup(ctx, a.p.DANE, t)
}

func (a *attempt) policy() *mtasts.Policy {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sts.Policy
}

// recheck asks once whether there is a new policy, before mail waits or comes
// back for the old one (RFC 8461 §5.1).
func (a *attempt) recheck(ctx context.Context) bool {
	a.mu.Lock()
	done := a.rechecked
	a.rechecked = true
	a.mu.Unlock()
	if done {
		return false
	}
	found, err := a.p.STS.Recheck(ctx, a.domain)
	if err != nil || found.Policy == nil && undecided(found.Problem) {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sts = found
	return true
}
