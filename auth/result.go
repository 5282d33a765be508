package auth

import (
	"slices"
	"strings"

	"github.com/mailstead/mailstead/auth/arc"
	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dkim"
	"github.com/mailstead/mailstead/auth/dmarc"
	"github.com/mailstead/mailstead/auth/iprev"
	"github.com/mailstead/mailstead/auth/spf"
)

// Result is what came of a message. It has all that a policy needs.
type Result struct {
	Session Session

	// SPF is the verdict on the reverse-path; on the HELO name where that is
	// null. Helo is the one on the HELO name, where the reverse-path is not
	// null. The Result in them is "" where the client has no address.
	SPF, Helo spf.Verdict

	// IPRev is the verdict on the client's name; its Result is "" where the
	// client has no address.
	IPRev iprev.Verdict

	// DKIM has a result for each signature that was judged.
	DKIM dkim.Report

	// ARC is the chain of those who passed the message on; never nil.
	ARC *arc.Result

	// DMARC is the verdict on the author; the worst one, where Verifier lets
	// several authors be judged, which then all stand in Authors.
	DMARC   dmarc.Verdict
	Authors []dmarc.Verdict
	// AuthorErr is why there is not one author: an error of package dmarc, or
	// ErrHeaderTooLarge. nil = there is one.
	AuthorErr error

	// Methods is what further methods found, in the order of Verifier.Methods.
	Methods []Finding

	// Weak is what the verdict stands on less firmly than it seems.
	Weak Weakness

	// Questions is how many questions the DNS was asked.
	Questions int
}

// Weakness is a set of reasons why a message that is authenticated may be less so
// than it seems. What is weak in one signature stands in its dkim.Result.
type Weakness uint16

// The weaknesses. Those of signatures are there if every signature that passes
// and is aligned has them; of every one that passes, where none is aligned.
const (
	// Unaligned: SPF or a signature passes, and nothing that passes is for the
	// domain of the author.
	Unaligned Weakness = 1 << iota
	// OnlySPF: the author is authenticated by SPF alone, which says nothing of
	// what is in the message.
	OnlySPF
	// BodyLength: l= lets anybody add text (RFC 6376 §8.2).
	BodyLength
	// TestingKey: t=y, so that the message counts as unsigned.
	TestingKey
	// SubjectUnsigned: a Subject field is not signed.
	SubjectUnsigned
	// FromUnsealed: another From field could have been added.
	FromUnsealed
	// FromUnsigned: a From field is not signed.
	FromUnsigned
	// SmallKey: an RSA key of less than 2048 bits.
	SmallKey
)

// signatureWeaknesses are those of signatures, in the terms of package dkim.
var signatureWeaknesses = [...]struct {
	of dkim.Weakness
	is Weakness
}{
	{dkim.BodyLength, BodyLength},
	{dkim.Testing, TestingKey},
	{dkim.SubjectUnsigned, SubjectUnsigned},
	{dkim.FromUnsealed, FromUnsealed},
	{dkim.FromExtra, FromUnsigned},
	{dkim.SmallKey, SmallKey},
}

// String lists the weaknesses, separated by commas.
func (w Weakness) String() string {
	var s []string
	for i, name := range [...]string{
		"unaligned", "only-spf", "body-length", "testing", "subject-unsigned", "from-unsealed", "from-extra", "small-key",
	} {
		if w&(1<<i) != 0 {
			s = append(s, name)
		}
	}
	return strings.Join(s, ",")
}

// groundless is what keeps a signature from being the ground of a DMARC pass.
const groundless = dkim.BodyLength | dkim.Testing | dkim.FromExtra

// identifiers are those that DMARC judges. A signature that is no ground for a
// pass is "policy".
func (r *Result) identifiers() []dmarc.Identifier {
	ids := make([]dmarc.Identifier, 0, 1+len(r.DKIM.Results))
	if r.SPF.Domain != "" {
		ids = append(ids, dmarc.Identifier{Method: dmarc.SPF, Domain: r.SPF.Domain, Result: r.SPF.Result})
	}
	for i := range r.DKIM.Results {
		s := &r.DKIM.Results[i]
		id := dmarc.Identifier{Method: dmarc.DKIM, Domain: s.Domain, Result: s.Result}
		if id.Result == authres.Pass && s.Weak&groundless != 0 {
			id.Result = authres.Policy
		}
		ids = append(ids, id)
	}
	return ids
}

// weigh finds the weaknesses.
func (r *Result) weigh() {
	isAligned := func(s *dkim.Result) bool {
		return s.Weak&groundless == 0 && slices.ContainsFunc(r.DMARC.Aligned, func(id dmarc.Identifier) bool {
			return id.Method == dmarc.DKIM && id.Domain == s.Domain
		})
	}
	all, aligned := ^dkim.Weakness(0), ^dkim.Weakness(0)
	passed, grounds := r.SPF.Result == authres.Pass, false
	for i := range r.DKIM.Results {
		if s := &r.DKIM.Results[i]; s.Result == authres.Pass {
			all &= s.Weak
			passed = true
			if isAligned(s) {
				aligned &= s.Weak
				grounds = true
			}
		}
	}
	if grounds {
		all = aligned
	}
	for _, w := range signatureWeaknesses {
		if all != ^dkim.Weakness(0) && all&w.of != 0 {
			r.Weak |= w.is
		}
	}
	switch {
	case r.DMARC.Result == authres.Pass && !grounds:
		r.Weak |= OnlySPF
	case r.DMARC.Result == authres.Fail && passed:
		r.Weak |= Unaligned
	}
}

// Statements are the results as they stand in Authentication-Results. Without a
// chain ARC says nothing.
func (r *Result) Statements() []authres.Statement {
	s := make([]authres.Statement, 0, 5+len(r.DKIM.Results))
	for _, v := range [...]*spf.Verdict{&r.SPF, &r.Helo} {
		if v.Result != "" {
			s = append(s, v.Statement())
		}
	}
	if r.IPRev.Result != "" {
		s = append(s, r.IPRev.Statement())
	}
	s = append(s, r.DKIM.Statements()...)
	if r.ARC != nil && r.ARC.Result != authres.None {
		s = append(s, r.ARC.Statement())
	}
	for i := range r.Methods {
		s = append(s, r.Methods[i].Statements...)
	}
	return append(s, r.DMARC.Statement())
}

// Field is Authentication-Results of the host with this authserv-id (RFC 8601
// §2.5).
func (r *Result) Field(id string) *authres.Field {
	return &authres.Field{ID: id, Statements: r.Statements(), UTF8: r.Session.UTF8}
}

// ReceivedSPF is the header field Received-SPF of the host with this name (RFC
// 7208 §9.1), with CRLF at its end; nil where the client was not judged.
func (r *Result) ReceivedSPF(hostname string) []byte {
	if r.SPF.Result == "" {
		return nil
	}
	return r.SPF.Received(r.Session.query(), hostname)
}
