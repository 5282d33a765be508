package spf

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/internal/dnsname"
)

// Result is a result of RFC 7208 §2.6, in the words of RFC 8601 §2.7.2.
type Result = authres.Result

// The results.
const (
	None      = authres.None      // there is no policy, or no domain that could have one
	Neutral   = authres.Neutral   // the policy says nothing of the client
	Pass      = authres.Pass      // the client may use the domain
	Fail      = authres.Fail      // it may not
	SoftFail  = authres.SoftFail  // it probably may not
	TempError = authres.TempError // nobody knows now
	PermError = authres.PermError // the policy cannot be interpreted
)

// Identity says whose policy was asked.
type Identity string

// The identities of RFC 7208 §2.3, §2.4.
const (
	MailFrom Identity = "mailfrom"
	Helo     Identity = "helo"
)

// Checker judges clients by the policies of domains. Its method may be called
// from any number of goroutines.
type Checker struct {
	// Resolver is asked. Required.
	Resolver dnsx.Resolver

	// MaxVoid is how many questions may find nothing, beyond which a policy is
	// a permerror (RFC 7208 §4.6.4). 0 = 2, negative = no limit.
	MaxVoid int

	// Timeout bounds one check. 0 = 20 s, negative = none.
	Timeout time.Duration

	// Hostname is the receiver in explanations ("r"); "" = "unknown".
	Hostname string

	// Now is the clock, for the time in explanations ("t"); nil = time.Now.
	Now func() time.Time
}

// Query is what is known of the client.
type Query struct {
	// IP is the client's address.
	IP netip.Addr
	// Sender is the reverse-path without its brackets; "" is the null one.
	// Whatever octets it has, it is judged and never refused.
	Sender string
	// Helo is what the client said in HELO or EHLO.
	Helo string
}

// Verdict is what came of a check.
type Verdict struct {
	Result   Result
	Identity Identity
	// Domain is whose policy was asked: that of the sender, or the HELO name.
	Domain string
	// Explanation is what the domain says to a client that fails: printable
	// ASCII, at most 512 octets. "" = it says nothing. It is not to be trusted.
	Explanation string
	// Mechanism is what decided, as it stands in the policy; "" = none did.
	Mechanism string
	// Err is why there was a temperror or permerror, for the log.
	Err error
	// Queries is how many questions were asked.
	Queries int
}

// check is one check in the making.
type check struct {
	resolver     dnsx.Resolver
	ip           netip.Addr
	sender       string
	local        string // its local-part
	senderDomain string
	helo         string
	hostname     string
	now          time.Time
	maxVoid      int

	terms   int // that ask the DNS (§4.6.4)
	void    int
	queries int
	names   []string // validated names of the client
	named   bool     // names is known
	decided string
}

// errTooMany and the others are why a policy is a permerror.
var (
	errTooManyTerms = errors.New("spf: more than 10 terms that ask the DNS")
	errTooManyVoid  = errors.New("spf: too many questions that find nothing")
	errTooManyMX    = errors.New("spf: more than 10 MX records")
	errRecords      = errors.New("spf: more than one policy")
	errNoPolicy     = errors.New("spf: no policy where one is included")
)

// Check judges MAIL FROM, or HELO where the reverse-path is null (RFC 7208
// §2.4).
func (c *Checker) Check(ctx context.Context, q Query) Verdict {
	if q.Sender == "" {
		return c.CheckHelo(ctx, q)
	}
	local, domain := "postmaster", q.Sender
	if i := strings.LastIndexByte(q.Sender, '@'); i >= 0 {
		domain = q.Sender[i+1:]
		if i > 0 {
			local = q.Sender[:i]
		}
	}
	return c.run(ctx, q, MailFrom, local, domain)
}

// CheckHelo judges the HELO name (RFC 7208 §2.3).
func (c *Checker) CheckHelo(ctx context.Context, q Query) Verdict {
	return c.run(ctx, q, Helo, "postmaster", q.Helo)
}

func (c *Checker) run(ctx context.Context, q Query, identity Identity, local, domain string) Verdict {
	v := Verdict{Identity: identity, Domain: domain}
	if domain, v.Result = initial(domain), None; domain == "" {
		return v
	}
	v.Domain = domain
	if c.Timeout >= 0 {
		timeout := c.Timeout
		if timeout == 0 {
			timeout = 20 * time.Second
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	k := &check{
		resolver: c.Resolver, ip: q.IP.Unmap().WithZone(""), sender: local + "@" + domain, local: local, senderDomain: domain, helo: q.Helo, hostname: c.Hostname,
		now: time.Now(), maxVoid: c.MaxVoid,
	}
	if k.maxVoid == 0 {
		k.maxVoid = 2
	}
	if c.Now != nil {
		k.now = c.Now()
	}
	var r *record
	var last string
	v.Result, r, last, v.Err = k.host(ctx, domain)
	v.Mechanism = k.decided
	if v.Result == Fail && r.exp != "" {
		v.Explanation = k.explain(ctx, r.exp, last)
	}
	v.Queries = k.queries
	return v
}

// initial is the domain that a policy may be asked of (RFC 7208 §4.3), in
// A-labels; "" = none.
func initial(domain string) string {
	domain = strings.TrimSuffix(domain, ".")
	if !isASCII(domain) {
		ascii, err := dnsname.ToASCII(domain)
		if err != nil {
			return ""
		}
		domain = ascii
	}
	if len(domain) > 253 || !strings.Contains(domain, ".") || strings.HasPrefix(domain, "[") {
		return ""
	}
	for label := range strings.SplitSeq(domain, ".") {
		if label == "" || len(label) > 63 {
			return ""
		}
	}
	return domain
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// lookup asks, and sorts what came: found, nothing found, or an error that
// makes the check a temperror.
func (c *check) lookup(ctx context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	c.queries++
	answer, err := c.resolver.Lookup(ctx, name, t)
	if err == nil {
		return answer, nil
	}
	if dnsx.NotFound(err) {
		return &dnsx.Answer{}, nil
	}
	return nil, fmt.Errorf("spf: %w", err)
}

// host is check_host (RFC 7208 §4). The record and the domain are those that
// decided, behind redirects.
func (c *check) host(ctx context.Context, domain string) (Result, *record, string, error) {
	for redirected := false; ; redirected = true {
		r, result, err := c.policy(ctx, domain)
		if redirected && err == nil && result == None { // §6.1
			return PermError, nil, domain, errNoPolicy
		}
		if r == nil {
			return result, nil, domain, err
		}
		result, matched, err := c.evaluate(ctx, r, domain)
		if matched || r.redirect == "" {
			return result, r, domain, err
		}
		if err := c.term(); err != nil {
			return PermError, r, domain, err
		}
		if domain = initial(cutDomain(c.expand(ctx, r.redirect, domain, true))); domain == "" {
			return PermError, r, domain, errNoPolicy
		}
	}
}

// policy finds and parses the policy of a domain (RFC 7208 §4.4 to §4.6). nil:
// the result says why there is none.
func (c *check) policy(ctx context.Context, domain string) (*record, Result, error) {
	answer, err := c.lookup(ctx, domain, dnsx.TXT)
	if err != nil {
		return nil, TempError, err
	}
	found := ""
	for _, txt := range answer.Texts {
		if !isRecord(txt) {
			continue
		}
		if found != "" {
			return nil, PermError, errRecords
		}
		found = txt
	}
	if found == "" {
		return nil, None, nil
	}
	r, err := parse(found)
	if err != nil {
		return nil, PermError, fmt.Errorf("spf: policy of %s: %w", domain, err)
	}
	return r, "", nil
}

// term counts a term that asks the DNS.
func (c *check) term() error {
	if c.terms++; c.terms > 10 {
		return errTooManyTerms
	}
	return nil
}

// empty counts a question that found nothing.
func (c *check) empty(found bool) error {
	if found {
		return nil
	}
	if c.void++; c.maxVoid >= 0 && c.void > c.maxVoid {
		return errTooManyVoid
	}
	return nil
}

// evaluate goes through the mechanisms until one matches. An error counts as a
// match: it decides.
func (c *check) evaluate(ctx context.Context, r *record, domain string) (result Result, matched bool, err error) {
	for i := range r.mechanisms {
		m := &r.mechanisms[i]
		matched, err := c.match(ctx, m, domain)
		if err != nil {
			c.decided = m.text
			return errorResult(err), true, err
		}
		if matched {
			c.decided = m.text
			return m.qualifier(), true, nil
		}
	}
	c.decided = ""
	return Neutral, false, nil
}

// permanent is an error that makes the check a permerror.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// errorResult sorts errors: what the DNS did not say now may come later.
func errorResult(err error) Result {
	if _, ok := errors.AsType[permanent](err); ok {
		return PermError
	}
	for _, e := range [...]error{errTooManyTerms, errTooManyVoid, errTooManyMX} {
		if errors.Is(err, e) {
			return PermError
		}
	}
	return TempError
}

// explain is the explanation of a domain (RFC 7208 §6.2); "" where anything is
// wrong with it. Its questions do not count.
func (c *check) explain(ctx context.Context, exp, domain string) string {
	answer, err := c.lookup(ctx, cutDomain(c.expand(ctx, exp, domain, true)), dnsx.TXT)
	if err != nil || len(answer.Texts) != 1 {
		return ""
	}
	txt := answer.Texts[0]
	if !isASCII(txt) || checkMacros(txt, true) != "" {
		return ""
	}
	b := []byte(c.expand(ctx, txt, domain, false))
	b = b[:min(len(b), maxExplanation)]
	for i, ch := range b { // a local-part may hold anything
		if ch < ' ' || ch > '~' {
			b[i] = '?'
		}
	}
	return string(b)
}

const maxExplanation = 512
