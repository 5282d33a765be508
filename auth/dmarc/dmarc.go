package dmarc

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dnsx"
)

// Mode is whose rules hold.
type Mode uint8

// The modes.
const (
	// RFC9989 finds policies and Organizational Domains with a walk up the tree
	// of the DNS, and knows np, psd and t.
	RFC9989 Mode = iota
	// RFC7489 finds them with a list of public suffixes, and knows pct.
	RFC7489
)

// Result is a result of RFC 9989 §9.2 in the words of RFC 8601.
type Result = authres.Result

// The results.
const (
	None      = authres.None      // no record applies
	Pass      = authres.Pass      // an aligned identifier is authenticated
	Fail      = authres.Fail      // none is
	TempError = authres.TempError // nobody knows now
	PermError = authres.PermError // a record without a policy, or no Author Domain
)

// Method is what authenticates an identifier.
type Method = authres.Method

// The methods.
const (
	SPF  = authres.SPF  // the domain of MAIL FROM, of HELO where that is null
	DKIM = authres.DKIM // the domain of d=
)

// Identifier is what SPF or a signature says of a domain.
type Identifier struct {
	Method Method
	Domain string
	// Result is of any of the words of RFC 8601 §2.7: Pass authenticates the
	// domain, TempError may do so later, and no other does.
	Result Result
}

// Override says why Verdict.Disposition is not Verdict.Policy, in the words of
// aggregate reports.
type Override string

// The overrides.
const (
	NoOverride Override = ""
	TestMode   Override = "policy_test_mode" // t=y (RFC 9989 §4.7)
	SampledOut Override = "sampled_out"      // pct (RFC 7489 §6.6.4)
)

// Checker judges messages. Its methods may be called from any number of
// goroutines.
type Checker struct {
	// Resolver is asked. Required. Put a dnsx.Cache in front: all mail asks for
	// the same few names near the root.
	Resolver dnsx.Resolver

	// Mode is whose rules hold.
	Mode Mode

	// Suffixes is the list for RFC7489. nil = that of x/net.
	Suffixes SuffixList

	// Sample reports whether a message that fails belongs to the percentage
	// (1 to 99) that gets the policy. nil = at random. It may be called from
	// any number of goroutines.
	Sample func(percent int) bool

	// Timeout bounds Discover, Evaluate and Destinations, each. 0 = 20 s, negative = none.
	Timeout time.Duration
}

// Verdict is what DMARC says of a message.
type Verdict struct {
	Result Result
	// Disposition is what the domain asks for this message. It is not
	// PolicyNone only with Fail. A receiver that knows nothing else of the
	// message is to quarantine where it says Reject (RFC 9989 §7.4); that is for
	// the policy of the application to decide.
	Disposition Policy
	// Policy is what the record says of messages like this, before t and pct.
	Policy Policy
	// Override is why Disposition is less than that.
	Override Override

	// Domain is the Author Domain in A-labels (header.from). PolicyDomain has
	// the record; "" = none has.
	Domain, PolicyDomain string
	Record               *Record
	// Aligned are the identifiers with the result pass that are aligned.
	Aligned []Identifier
	// Err is why there is a temperror or permerror, for the log.
	Err error
	// Queries is how many questions were asked.
	Queries int
}

// Statement is the verdict as it stands in Authentication-Results (RFC 9989
// §9.1): the Author Domain, and what its policy asks for this message, where it
// has one.
func (v *Verdict) Statement() authres.Statement {
	s := authres.Statement{Method: authres.DMARC, Result: v.Result}
	if v.Domain != "" {
		s.Properties = append(s.Properties, authres.Property{Type: "header", Name: "from", Value: v.Domain})
	}
	if v.Result == Pass || v.Result == Fail {
		s.Properties = append(s.Properties, authres.Property{Type: "policy", Name: "dmarc", Value: v.Disposition.String()})
	}
	return s
}

// Check is Discover and Evaluate.
func (c *Checker) Check(ctx context.Context, domain string, ids []Identifier) Verdict {
	return c.Discover(ctx, domain).Evaluate(ctx, ids)
}

// Worst is the verdict that rules over a message with several authors (RFC
// 9989 §11.5): the failure with the most severe disposition, else a temperror,
// then a permerror, then none; pass only where all pass. Without verdicts it
// is a permerror.
func Worst(verdicts ...Verdict) Verdict {
	if len(verdicts) == 0 {
		return Verdict{Result: PermError, Err: ErrNoAuthor}
	}
	worst := verdicts[0]
	for _, v := range verdicts[1:] {
		if a, b := rank(v.Result), rank(worst.Result); a > b || a == b && v.Disposition > worst.Disposition {
			worst = v
		}
	}
	return worst
}

func rank(r Result) int {
	switch r {
	case Pass:
		return 0
	case None:
		return 1
	case PermError:
		return 2
	case TempError:
		return 3
	}
	return 4
}

// sampled reports whether a message gets the policy of a record.
func (c *Checker) sampled(percent int) bool {
	switch {
	case percent >= 100:
		return true
	case percent <= 0:
		return false
	case c.Sample != nil:
		return c.Sample(percent)
	}
	return rand.IntN(100) < percent
}

// deadline is a context for one step.
func (c *Checker) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	switch {
	case c.Timeout < 0:
		return context.WithCancel(ctx)
	case c.Timeout == 0:
		return context.WithTimeout(ctx, 20*time.Second)
	}
	return context.WithTimeout(ctx, c.Timeout)
}

// errTemporary is why nobody knows whether an identifier passes.
var errTemporary = errors.New("dmarc: an aligned identifier has the result temperror")
