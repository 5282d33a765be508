package arc

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dkim"
	"github.com/mailstead/mailstead/internal/mailsig"
)

// Reason is why a chain fails, in words for people. "" = it does not.
type Reason string

// The reasons of the structure (RFC 8617 §5.2, steps 1 to 3).
const (
	ManySets     Reason = "too many sets"
	BadInstance  Reason = "no instance from 1 to 50"
	Twice        Reason = "field twice in its set"
	Missing      Reason = "field missing in its set"
	FailedBefore Reason = "the newest seal says that the chain has failed"
	Status       Reason = "cv= is not what its place demands"
	HasNames     Reason = "h= is not allowed"
	SignsSeal    Reason = "h= names ARC-Seal"
	ManyKeys     Reason = "too many keys"
)

// The reasons of a signature.
const (
	Syntax         = Reason(mailsig.Syntax)
	Unsupported    = Reason(mailsig.Unsupported) // unknown algorithm or canonicalization
	Surplus        = Reason(mailsig.Surplus)     // too many different body hashes
	HeaderTooLarge = Reason(mailsig.HeaderTooLarge)
	OldAlgorithm   = Reason(mailsig.OldAlgorithm) // rsa-sha1 is historic
	Expired        = Reason(mailsig.Expired)
	FromFuture     = Reason(mailsig.FromFuture)
	BodyHash       = Reason(mailsig.BodyMismatch) // does not match
	Mismatch       = Reason(mailsig.Mismatch)     // the signature does not match
	KeyMissing     = Reason(mailsig.KeyMissing)
	KeyRevoked     = Reason(mailsig.KeyRevoked)
	KeySyntax      = Reason(mailsig.KeySyntax)
	KeyUnsuited    = Reason(mailsig.KeyUnsuited) // the key is not for this signature
	KeyShort       = Reason(mailsig.KeyShort)
	KeyLong        = Reason(mailsig.KeyLong)
	KeyUnknown     = Reason(mailsig.KeyUnknown) // no answer for the key
	KeyUnasked     = Reason(mailsig.KeyUnasked) // too many questions for keys
)

// Result is what came of the chain of a message.
type Result struct {
	// Result is none, pass or fail (RFC 8617 §4.4).
	Result authres.Result
	// Reason is why it is fail, Instance the set at fault (0 = none), and Field
	// the name of the field in it.
	Reason   Reason
	Instance int
	Field    string
	// Err is what lies behind the reason, for the log; nil = nothing.
	Err error

	// Temporary: it is fail because a key has no answer now. RFC 8617 §5.2.1
	// takes that for a failure; whoever can wait may ask again.
	Temporary bool

	// Sets are those of the chain, the oldest first: that of instance 1. Empty
	// where the structure of the chain is wrong.
	Sets []Set

	// OldestPass is the oldest instance from which on every signature still
	// matches the message; 0 = all of them do, or the chain does not pass.
	OldestPass int

	// Remote is the client that the message came from, for the field; whoever
	// knows it sets it (RFC 8617 §6). The invalid address is none.
	Remote netip.Addr

	// Questions is how many keys were asked for.
	Questions int

	failed  bool   // the newest seal says so
	highest int    // instance that was found
	sum     []byte // of the chain, where it passes
}

// Set is one set of a chain. Without pass nobody vouches for it.
type Set struct {
	Instance int

	// Sealer is who sealed the set (d= of ARC-Seal), Selector names the key.
	Sealer, Selector string
	// Status is what the sealer found of the chain before him (cv=).
	Status authres.Result
	// Sealed is when (t=); zero = not said.
	Sealed time.Time

	// Signer is d= of ARC-Message-Signature, SignerSelector names the key.
	Signer, SignerSelector string
	// Matches: the signature still matches the message.
	Matches bool
	// Weak is why the signature may say less than it seems to, where it
	// matches: BodyLength, SubjectUnsigned, FromExtra (a From field is not
	// signed), SmallKey. Testing and SmallKey are also those of the seal.
	Weak dkim.Weakness

	results string
}

// maxResults bounds what is kept of ARC-Authentication-Results; authres.Parse
// takes no more.
const maxResults = 64<<10 + 1

// Results is what the sealer found of the message that came to him
// (ARC-Authentication-Results). The error is one of auth/authres; the chain may
// pass nevertheless (RFC 8617 §3.4).
func (s *Set) Results() (*authres.Field, error) { return authres.Parse(s.results) }

// describe fills Sets.
func (r *Result) describe(c *chain) {
	r.Sets = make([]Set, len(c.sets))
	for i := range c.sets {
		s := &c.sets[i]
		r.Sets[i] = Set{
			Instance: i + 1, Sealer: s.seal.Domain, Selector: s.seal.Selector, Status: s.seal.status,
			Signer: s.message.Domain, SignerSelector: s.message.Selector, results: string(s.results[:min(len(s.results), maxResults)]),
		}
		if t := s.seal.Signed; t >= 0 && t < mailsig.Huge {
			r.Sets[i].Sealed = time.Unix(t, 0)
		}
	}
}

// fail makes a failure of a fault.
func (r *Result) fail(f fault) *Result {
	r.Result, r.Reason, r.Instance, r.Err = authres.Fail, f.reason, f.instance, f.err
	r.Temporary = mailsig.Reason(f.reason).Temporary()
	if f.instance > 0 || f.reason == BadInstance {
		r.Field = kindNames[f.kind]
	}
	return r
}

// Statement is the result as it stands in Authentication-Results (RFC 8617 §6).
func (r *Result) Statement() authres.Statement {
	s := authres.Statement{Method: authres.ARC, Result: r.Result}
	if r.Result == "" {
		s.Result = authres.None
	}
	if r.Reason != "" {
		s.Reason = string(r.Reason)
		if r.Field != "" {
			s.Reason = r.Field + ": " + s.Reason
		}
		if r.Instance > 0 {
			s.Reason = "i=" + strconv.Itoa(r.Instance) + " " + s.Reason
		}
	}
	if r.Result == authres.Pass {
		s.Properties = append(s.Properties, authres.Property{Type: "header", Name: "oldest-pass", Value: strconv.Itoa(r.OldestPass)})
	}
	if r.Remote.IsValid() {
		s.Properties = append(s.Properties, authres.Property{Type: "smtp", Name: "remote-ip", Value: r.Remote.Unmap().String()})
	}
	return s
}

// Comment is the result as it stands beside the reason "local_policy" of an
// aggregate report of DMARC, where the chain had a part in what became of the
// message (RFC 8617 §7.2.2).
func (r *Result) Comment() string {
	var b strings.Builder
	s := r.Statement()
	b.WriteString("arc=" + string(s.Result))
	for i := len(r.Sets); i > 0; i-- {
		at := "[" + strconv.Itoa(i) + "]."
		b.WriteString(" as" + at + "d=" + r.Sets[i-1].Sealer + " as" + at + "s=" + r.Sets[i-1].Selector)
	}
	if len(r.Sets) > 0 {
		if a := r.Sets[0].remote(); a.IsValid() {
			b.WriteString(" remote-ip[1]=" + a.String())
		}
	}
	return b.String()
}

// remote is the client of the sealer, as he says.
func (s *Set) remote() (a netip.Addr) {
	f, err := s.Results()
	if err != nil {
		return a
	}
	for i := range f.Statements {
		if a, err = netip.ParseAddr(f.Statements[i].Value("smtp", "remote-ip")); err == nil {
			return a.WithZone("")
		}
	}
	return netip.Addr{}
}
