package dnsx

import (
	"context"
	"sync/atomic"
)

// Budget is a Resolver for the questions of one message: when it is spent,
// Lookup fails with ErrBudget, which is no verdict about any name.
type Budget struct {
	r    Resolver
	left atomic.Int64
}

var _ Resolver = (*Budget)(nil)

// NewBudget lets n questions through to r. Behind a Cache it counts what is
// asked for, in front of one what is not remembered: put it where it belongs.
func NewBudget(r Resolver, n int) *Budget {
	b := &Budget{r: r}
	b.left.Store(int64(n))
	return b
}

// Left is how many questions may still be asked.
func (b *Budget) Left() int { return int(max(0, b.left.Load())) }

// Lookup implements Resolver.
func (b *Budget) Lookup(ctx context.Context, name string, t Type) (*Answer, error) {
	if b.left.Add(-1) < 0 {
		return nil, &Error{Name: name, Type: t, Kind: ErrBudget}
	}
	return b.r.Lookup(ctx, name, t)
}
