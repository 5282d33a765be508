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
	sender  dnsx.Resolver // SPF of the reverse-path: 1/2
	helo    dnsx.Resolver // SPF of the HELO name: 1/8
	methods dnsx.Resolver // further methods and the client's name, together: 1/8
	keys    dnsx.Resolver // DKIM: 1/16
	author  dnsx.Resolver // DMARC: the rest
}

func newShares(r dnsx.Resolver, most int) shares {
	c := &counter{r: r}
	if most < 0 {
		return shares{count: c, sender: c, helo: c, methods: c, keys: c, author: c}
	}
	most = max(cmp.Or(most, 256), 64)
	half, eighth, sixteenth := most/2, most/8, most/16
	return shares{
		count:  c,
		sender: dnsx.NewBudget(c, half), helo: dnsx.NewBudget(c, eighth), methods: dnsx.NewBudget(c, eighth),
		keys: dnsx.NewBudget(c, sixteenth), author: dnsx.NewBudget(c, most-half-2*eighth-sixteenth),
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
