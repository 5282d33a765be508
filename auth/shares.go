package auth

import (
	"cmp"
	"context"
	"sync/atomic"

	"github.com/mailstead/mailstead/auth/dnsx"
)

// shares is the budget of a message. The sum of the shares is the whole, so that
// none of them takes from another.
type shares struct {
	count   *counter
	sender  dnsx.Resolver // SPF of the reverse-path; a policy within the limits needs 123
	helo    dnsx.Resolver // SPF of the HELO name
	keys    dnsx.Resolver // DKIM
	chain   dnsx.Resolver // ARC
	author  dnsx.Resolver // DMARC
	client  dnsx.Resolver // the name of the client
	lists   dnsx.Resolver // lists of clients
	methods dnsx.Resolver // further methods, together

	// What a message makes more than these of is too many for good: no later
	// attempt has more.
	signatureKeys, chainKeys int
}

// mostSignatureKeys is how many keys of DKIM signatures are asked for at most.
const mostSignatureKeys = 10

// defaultQuestions is the sum of the shares that newShares has.
const defaultQuestions = 320

// newShares divides most questions.
func newShares(r dnsx.Resolver, most int) shares {
	c := &counter{r: r}
	most = max(cmp.Or(most, defaultQuestions), 64)
	part := func(n int) int { return n * most / defaultQuestions }
	share := func(n int) dnsx.Resolver { return dnsx.NewBudget(c, part(n)) }
	return shares{
		count: c, sender: share(124), helo: share(32), keys: share(16), chain: share(40),
		author: share(48), client: share(12), lists: share(24), methods: share(24),
		signatureKeys: min(part(16), mostSignatureKeys), chainKeys: part(40),
	}
}

// asked is how many questions were let through.
func (s *shares) asked() int { return int(s.count.n.Load()) }

// counter counts the questions of a message.
type counter struct {
	r dnsx.Resolver
	n atomic.Int64
}

// Lookup implements dnsx.Resolver.
func (c *counter) Lookup(ctx context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	c.n.Add(1)
	return c.r.Lookup(ctx, name, t)
}
