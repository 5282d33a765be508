package arc

import (
	"strings"

	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dkim"
	"github.com/mailstead/mailstead/internal/dnsname"
)

// Trust says which sealers are believed, by the domain of their seals.
type Trust func(domain string) bool

// TrustDomains trusts domains; one with a dot in front, such as ".example.org",
// those below it, too. Case and the form of internationalised domains do not
// matter.
func TrustDomains(domains ...string) Trust {
	exact, below := map[string]bool{}, []string(nil)
	for _, d := range domains {
		d, all := strings.CutPrefix(d, ".")
		if d = canonical(d); d == "" {
			continue
		}
		exact[d] = true
		if all {
			below = append(below, "."+d)
		}
	}
	return func(domain string) bool {
		domain = canonical(domain)
		if exact[domain] {
			return true
		}
		for _, d := range below {
			if strings.HasSuffix(domain, d) {
				return true
			}
		}
		return false
	}
}

// canonical makes domains comparable; "" = none.
func canonical(domain string) string {
	domain = strings.TrimSuffix(domain, ".")
	if a, err := dnsname.ToASCII(domain); err == nil {
		domain = a
	}
	return strings.ToLower(domain)
}

// Evidence is what a sealer who is trusted says of the message as it came to him.
type Evidence struct {
	// Instance is that of his set.
	Instance int
	// Sealer is his domain.
	Sealer string
	// Results is what he found.
	Results *authres.Field
}

// unsound is what keeps a signature from tying a sealer's words to the message.
const unsound = dkim.BodyLength | dkim.Testing | dkim.FromExtra

// Evidence returns the words of the first sealer who can be believed, as he is
// the nearest to the author; nil = there is none.
//
// The chain has to pass, and the sealer to be trusted. Moreover, what he says must
// be about this message: a set can be put onto any other one. So either his
// signature still matches the message, or the sealer behind him can be believed, who
// found a chain that passed. A signature with l=, without From, or by a key for
// testing ties nothing.
func (r *Result) Evidence(trusted Trust) *Evidence {
	if r.Result != authres.Pass || trusted == nil {
		return nil
	}
	var first *Evidence
	behind := false
	for i := len(r.Sets) - 1; i >= 0; i-- {
		s := &r.Sets[i]
		behind = (behind || s.Matches && s.Weak&unsound == 0) && s.Weak&dkim.Testing == 0 && trusted(s.Sealer)
		if !behind {
			continue
		}
		if results, err := s.Results(); err == nil {
			first = &Evidence{Instance: i + 1, Sealer: s.Sealer, Results: results}
		}
	}
	return first
}

// Passed reports whether the sealer found that the message passed DMARC for a
// domain, that of its author. It is the ground on which the receiver may outweigh a failure (RFC
// 8617 §7.2.1).
func (e *Evidence) Passed(author string) bool {
	author = canonical(author)
	if e == nil || author == "" {
		return false
	}
	passed := false
	for i := range e.Results.Statements {
		s := &e.Results.Statements[i]
		if s.Method != authres.DMARC || canonical(s.Value("header", "from")) != author {
			continue
		}
		if s.Result != authres.Pass {
			return false
		}
		passed = true
	}
	return passed
}
