package dkim

import (
	"strings"
	"time"

	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/internal/mailsig"
)

// Reason is why a signature does not pass, in words for people. "" = it passes.
type Reason string

// The reasons.
const (
	Syntax         = Reason(mailsig.Syntax)         // syntax error: neutral
	Unsupported    = Reason(mailsig.Unsupported)    // unknown version, algorithm or canonicalization: neutral
	Surplus        = Reason(mailsig.Surplus)        // too many different body hashes: neutral
	FromUnsigned   = Reason(mailsig.FromUnsigned)   // permerror
	IdentityDomain = Reason(identityDomain)         // permerror
	IdentityStrict = Reason(identityStrict)         // permerror
	HeaderTooLarge = Reason(mailsig.HeaderTooLarge) // permerror
	OldAlgorithm   = Reason(mailsig.OldAlgorithm)   // rsa-sha1 is historic: policy
	Expired        = Reason(mailsig.Expired)        // fail
	FromFuture     = Reason(mailsig.FromFuture)     // signed in the future: fail
	BodyHash       = Reason(mailsig.BodyMismatch)   // does not match: fail
	Mismatch       = Reason(mailsig.Mismatch)       // the signature does not match: fail
	KeyMissing     = Reason(mailsig.KeyMissing)     // permerror
	KeyRevoked     = Reason(mailsig.KeyRevoked)     // permerror
	KeySyntax      = Reason(mailsig.KeySyntax)      // permerror
	KeyUnsuited    = Reason(mailsig.KeyUnsuited)    // the key is not for this signature: permerror
	KeyShort       = Reason(mailsig.KeyShort)       // policy
	KeyLong        = Reason(mailsig.KeyLong)        // policy
	KeyUnknown     = Reason(mailsig.KeyUnknown)     // no answer for the key: temperror
	KeyUnasked     = Reason(mailsig.KeyUnasked)     // too many questions for keys: temperror
)

// The reasons of i=, which other signatures do not have.
const (
	identityDomain mailsig.Reason = "i= is not within d="
	identityStrict mailsig.Reason = "i= is not d=, as the key demands"
)

// result is the word of RFC 8601 §2.7.1 for a reason.
func (r Reason) result() authres.Result {
	switch r {
	case "":
		return authres.Pass
	case Syntax, Unsupported, Surplus:
		return authres.Neutral
	case OldAlgorithm, KeyShort, KeyLong:
		return authres.Policy
	case Expired, FromFuture, BodyHash, Mismatch:
		return authres.Fail
	case KeyUnknown, KeyUnasked:
		return authres.TempError
	}
	return authres.PermError
}

// Weakness is a set of reasons why a signature that passes may say less than it
// seems to.
type Weakness uint8

// The weaknesses.
const (
	// BodyLength: l= is set, so that text may have been added. Such a
	// signature is no ground for trust in what a reader sees (RFC 6376 §8.2).
	BodyLength Weakness = 1 << iota
	// Testing: the key has t=y: the message is to be treated as unsigned (RFC
	// 6376 §3.6.1).
	Testing
	// SubjectUnsigned: a Subject field is not signed.
	SubjectUnsigned
	// FromUnsealed: another From field could be added, as the signature names
	// no more of them than there are (RFC 6376 §8.15).
	FromUnsealed
	// FromExtra: there is a From field that is not signed.
	FromExtra
	// SmallKey: an RSA key of less than 2048 bits (RFC 8301 §3.2).
	SmallKey
)

// String lists the weaknesses, separated by commas.
func (w Weakness) String() string {
	var s []string
	for i, name := range []string{"body-length", "testing", "subject-unsigned", "from-unsealed", "from-extra", "small-key"} {
		if w&(1<<i) != 0 {
			s = append(s, name)
		}
	}
	return strings.Join(s, ",")
}

// Result is what came of one signature.
type Result struct {
	// Result is pass, fail, policy, neutral, temperror or permerror.
	Result authres.Result
	// Reason is why it is not pass.
	Reason Reason
	// Err is what lies behind the reason, for the log; nil = nothing.
	Err error
	// Index counts the DKIM-Signature fields from the top, from 0.
	Index int

	// What the signature says; empty where it could not be read. Without pass
	// nobody vouches for it.
	Domain    string // d=
	Selector  string // s=
	Algorithm string // a=
	Identity  string // i=; "" = not said, which means "@" and the domain
	Header    Canonicalization
	Body      Canonicalization
	Signed    time.Time // t=; zero = not said
	Expires   time.Time // x=; zero = never
	Signature string    // the first octets of b=, enough to tell it from others (RFC 6008)

	// Weak is known where the key was looked at.
	Weak Weakness
	// KeyBits is the size of the key; 0 = it was not looked at.
	KeyBits int
	// Secure: the key came with DNSSEC.
	Secure bool
}

// Statement is the result as it stands in Authentication-Results (RFC 8601
// §2.7.1, RFC 6008 §4).
func (r *Result) Statement() authres.Statement {
	s := authres.Statement{Method: authres.DKIM, Result: r.Result, Reason: string(r.Reason)}
	for _, p := range [][2]string{{"d", r.Domain}, {"i", r.Identity}, {"s", r.Selector}, {"a", r.Algorithm}, {"b", r.Signature}} {
		if p[1] != "" {
			s.Properties = append(s.Properties, authres.Property{Type: "header", Name: p[0], Value: p[1]})
		}
	}
	return s
}

// Report is what came of a message.
type Report struct {
	// Results are those of the signatures that were judged, from the top of the
	// header down. Empty = there are none: "dkim=none".
	Results []Result
	// Skipped is how many signatures were not judged, as there are too many.
	Skipped int
	// Questions is how many keys were asked for.
	Questions int
}

// Statements is the report as it stands in Authentication-Results.
func (r *Report) Statements() []authres.Statement {
	if len(r.Results) == 0 {
		return []authres.Statement{{Method: authres.DKIM, Result: authres.None}}
	}
	s := make([]authres.Statement, len(r.Results))
	for i := range r.Results {
		s[i] = r.Results[i].Statement()
	}
	return s
}
