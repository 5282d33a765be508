package auth

import (
	"errors"
	"net/netip"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/auth/arc"
	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dmarc"
	"github.com/mailstead/mailstead/smtp"
)

// Action is what is done with a message, in order of severity.
type Action uint8

// The actions. The zero value is the default of the field that it stands in.
const (
	Default    Action = iota
	Accept            // take it
	Quarantine        // take it, and put it aside
	Defer             // ask the sender to try again later
	Reject            // refuse it for good
)

// String is the word of the action.
func (a Action) String() string {
	return [...]string{"default", "accept", "quarantine", "defer", "reject"}[min(a, Reject)]
}

// or is a, unless that is the default.
func (a Action) or(b Action) Action {
	if a == Default {
		return b
	}
	return a
}

// Policy says what is done with a message. Its zero value does what the domains
// of authors ask for. Decide may be called from any number of goroutines.
type Policy struct {
	// OnReject and OnQuarantine are for messages that fail DMARC, where their
	// domain asks to reject and to quarantine them. Default: just that. Accept
	// only writes down what was found. A host that takes mail of lists which
	// its users rely on does well to set OnReject to Quarantine (RFC 9989 §7.4).
	OnReject, OnQuarantine Action

	// OnTempError is for messages of which nobody knows now whether they pass.
	// Default: Defer where a domain is known to ask for more than nothing, else
	// Accept. Reject counts as Defer.
	OnTempError Action

	// OnSeveral is for messages with several From fields, or several addresses
	// in one: a reader may see another author than the one that was judged.
	// Default: Reject. See Verifier.SeveralAuthors for who accepts them.
	OnSeveral Action

	// OnMalformed is for a From field that cannot be read, or a header beyond
	// the limit. Default: Quarantine.
	OnMalformed Action

	// OnMissing is for messages without an author. Default: Accept.
	OnMissing Action

	// OnSPFFail is for clients that may not use the domain of the reverse-path,
	// or the HELO name where that is null. It does not apply to what passes
	// DMARC, or may do so later. Default: Accept.
	OnSPFFail Action

	// OnNoName is for clients whose address has no name that leads back to it.
	// Default: Accept.
	OnNoName Action

	// Forwarders are clients that pass on mail of others, which then may fail
	// SPF and DMARC: that, and what their name is, is not held against it.
	Forwarders []netip.Prefix

	// Sealers are those whose word counts in an ARC chain: if one of them says
	// that the message passed DMARC where he got it, a failure here is not held
	// against it (RFC 8617 §7.2.1). nil = nobody's word counts.
	Sealers arc.Trust

	// Local has the last word: it gets what was decided and returns what is
	// done. It must not wait for anything. nil = it stays as it is.
	Local func(r *Result, d Decision) Decision
}

// Override says why not that is done which the domain of the author asks for, in
// the words of aggregate reports (RFC 9990), beyond those of package dmarc.
const (
	LocalPolicy      dmarc.Override = "local_policy"
	TrustedForwarder dmarc.Override = "trusted_forwarder"
)

// Decision is what a Policy says.
type Decision struct {
	// Action is one of Accept to Reject.
	Action Action
	// Reply is what the peer gets with Defer and Reject.
	Reply smtp.Reply
	// Reason is why it is not Accept, or why it nevertheless is, in one line of
	// printable ASCII; "" = nothing speaks against the message.
	Reason string
	// Override is why it is not what the DMARC policy asks for.
	Override dmarc.Override
}

// Error is the refusal of Defer and Reject, nil for other actions.
func (d *Decision) Error() error {
	switch d.Action {
	case Defer, Reject:
		return &smtp.Error{Reply: d.Reply, Err: errors.New("auth: " + d.Reason)}
	}
	return nil
}

// Decide says what is done with a message: a function of what was found, and of
// nothing else.
func (p *Policy) Decide(r *Result) Decision {
	d := p.author(r)
	forwarded := slices.ContainsFunc(p.Forwarders, func(n netip.Prefix) bool { return n.Contains(r.Session.IP.Unmap().WithZone("")) })
	dm := p.dmarc(r)
	if forwarded && dm.Action != Accept {
		dm = Decision{Action: Accept, Reason: dm.Reason, Override: TrustedForwarder}
	}
	d = worse(d, dm)
	for _, by := range [...]Decision{p.spf(r), p.client(r)} {
		if !forwarded && by.Action > d.Action {
			by.Override = LocalPolicy
			d = by
		}
	}
	if p.Local != nil {
		d = p.Local(r, d)
		d.Reason = printable(d.Reason)
	}
	return d.complete()
}

// worse is the more severe of two decisions, the first of two that are equal.
func worse(a, b Decision) Decision {
	if b.Action > a.Action || a.Reason == "" && b.Action == a.Action {
		return b
	}
	return a
}

// complete fills in what a refusal has to have, whoever decided.
func (d Decision) complete() Decision {
	d.Action = d.Action.or(Accept)
	switch {
	case d.Action == Defer && !d.Reply.Temporary():
		d.Reply = smtp.NewReply(451, code(4, 0), "Cannot judge this message now, try again later")
	case d.Action == Reject && !d.Reply.Permanent():
		d.Reply = smtp.NewReply(550, code(5, 1), "Message refused by local policy")
	}
	return d
}

// code is an enhanced code X.7.detail (RFC 3463 §3.8, RFC 7372 §3).
func code(class, detail uint16) smtp.EnhancedCode {
	return smtp.EnhancedCode{Class: class, Subject: 7, Detail: detail}
}

// refuse is an action with the reply that it has if it is a refusal.
func refuse(a Action, detail uint16, text, reason string) Decision {
	d := Decision{Action: a, Reason: reason}
	switch a {
	case Reject:
		d.Reply = smtp.NewReply(550, code(5, detail), text)
	case Defer:
		d.Reply = smtp.NewReply(451, code(4, detail), text)
	}
	return d
}

// author judges whether there is one.
func (p *Policy) author(r *Result) Decision {
	const text = "Message refused: its From field does not name one author"
	switch err := r.AuthorErr; {
	case err == nil:
		return Decision{Action: Accept}
	case errors.Is(err, dmarc.ErrManyFrom):
		return refuse(p.OnSeveral.or(Reject), 1, text, "several From fields")
	case errors.Is(err, dmarc.ErrManyAuthors):
		return refuse(p.OnSeveral.or(Reject), 1, text, "several authors")
	case errors.Is(err, dmarc.ErrNoAuthor):
		return refuse(p.OnMissing.or(Accept), 1, text, "no author")
	case errors.Is(err, ErrHeaderTooLarge):
		return refuse(p.OnMalformed.or(Quarantine), 1, "Message refused: its header is too large", "header too large")
	}
	return refuse(p.OnMalformed.or(Quarantine), 1, text, "malformed From field")
}

// dmarc judges by the policy of the author's domain.
func (p *Policy) dmarc(r *Result) Decision {
	v := &r.DMARC
	domain := printable(v.Domain)
	switch v.Result {
	case authres.TempError:
		return p.later(r)
	case authres.Fail:
	default:
		return Decision{Action: Accept}
	}
	asked, done := Accept, Accept
	switch v.Disposition {
	case dmarc.Quarantine:
		asked, done = Quarantine, p.OnQuarantine.or(Quarantine)
	case dmarc.Reject:
		asked, done = Reject, p.OnReject.or(Reject)
	}
	d := refuse(done, 26, "Message refused by the DMARC policy of "+domain, "DMARC policy of "+domain)
	d.Override = v.Override
	if done != asked {
		d.Override = LocalPolicy
	}
	if done == Accept {
		return d
	}
	if by := p.voucher(r); by != "" {
		return Decision{Action: Accept, Reason: "trusted: " + printable(by), Override: TrustedForwarder}
	}
	if done == Reject && p.mayVouch(r) {
		return refuse(Defer, 0, askLater, "no answer about the ARC chain")
	}
	return d
}

// voucher is who is trusted and says that the message passed where he got it; ""
// = nobody.
func (p *Policy) voucher(r *Result) string {
	if r.ARC != nil {
		if e := r.ARC.Evidence(p.Sealers); e.Passed(r.DMARC.Domain) {
			return e.Sealer
		}
	}
	for i := range r.Methods {
		if by := r.Methods[i].Vouched; by != "" {
			return by
		}
	}
	return ""
}

// mayVouch reports whether a sealer who is trusted may do so when the DNS answers.
func (p *Policy) mayVouch(r *Result) bool {
	return p.Sealers != nil && r.ARC != nil && r.ARC.Temporary &&
		slices.ContainsFunc(r.ARC.Sets, func(s arc.Set) bool { return p.Sealers(s.Sealer) })
}

const askLater = "Cannot find out who this message is from, try again later"

// later judges where nobody knows now.
func (p *Policy) later(r *Result) Decision {
	a := Accept
	if r.DMARC.Policy != dmarc.PolicyNone {
		a = Defer
	}
	detail := uint16(0)
	if r.SPF.Result == authres.TempError {
		detail = 24
	}
	return refuse(min(p.OnTempError.or(a), Defer), detail, askLater, "no answer about the author")
}

// client judges the name of the client (RFC 7372 §3.3).
func (p *Policy) client(r *Result) Decision {
	a := p.OnNoName.or(Accept)
	if a == Accept || r.IPRev.Result != authres.Fail && r.IPRev.Result != authres.PermError {
		return Decision{Action: Accept}
	}
	return refuse(a, 25, "Your address has no name that leads back to it", "client without a name")
}

// spf judges whether the client may send for the sender.
func (p *Policy) spf(r *Result) Decision {
	if r.SPF.Result != authres.Fail || r.DMARC.Result == authres.Pass || r.DMARC.Result == authres.TempError {
		return Decision{Action: Accept}
	}
	domain := printable(r.SPF.Domain)
	text := "Client not allowed to send for " + domain
	if r.SPF.Explanation != "" {
		text = domain + " explains: " + printable(r.SPF.Explanation) // RFC 7208 §8.4
	}
	if a := p.OnSPFFail.or(Accept); a != Accept {
		return refuse(a, 23, text, "SPF policy of "+domain)
	}
	return Decision{Action: Accept}
}

// printable is a text in one line of at most 512 octets of printable ASCII.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s[:min(len(s), 512)])
}
