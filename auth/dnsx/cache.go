package dnsx

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/mailstead/mailstead/internal/flight"
)

// Cache is a Resolver that remembers what another one said, for as long as the
// answer allows: records for their TTL and at most a day, that there are none
// for the time of the SOA record and at most 15 minutes. Failures are not
// remembered. Questions that come together are asked once, also where nobody
// answers; only one whose asker gave up is asked again, by the one of those who
// wait whose time ends last. It must not be copied.
type Cache struct {
	// Resolver is asked. Required.
	Resolver Resolver

	// MaxBytes bounds the memory of the answers, about; what was not used for
	// the longest time goes first. 0 = 16 MiB.
	MaxBytes int64

	once sync.Once
	kept flight.Cache[key, outcome]
}

var _ Resolver = (*Cache)(nil)

const (
	maxNegative   = 15 * time.Minute
	cacheBytes    = 16 << 20
	entryOverhead = 300
)

type key struct {
	name string // in lower case, without the dot at the end
	t    Type
}

// outcome is what a Resolver knows: an answer, or that there is none.
type outcome struct {
	answer *Answer
	err    *Error
}

// Lookup implements Resolver. The TTL of an answer is what is left of it.
func (c *Cache) Lookup(ctx context.Context, name string, t Type) (*Answer, error) {
	c.once.Do(c.init)
	k := key{strings.ToLower(strings.TrimSuffix(name, ".")), t}
	if o, left := c.kept.Known(k); left > 0 {
		return o.within(left)
	}
	return c.ask(ctx, k)
}

// ask asks, or waits for the same question of another.
func (c *Cache) ask(ctx context.Context, k key) (*Answer, error) {
	for {
		got, err := c.kept.Get(ctx, k, func(ctx context.Context) (o outcome, keep time.Duration, err error) {
			o.answer, err = c.Resolver.Lookup(ctx, k.name, k.t)
			if o.err, _ = errors.AsType[*Error](err); o.err != nil && (o.err.Kind == ErrNXDomain || o.err.Kind == ErrNoData) {
				return o, min(o.err.TTL, maxNegative), nil
			}
			if err != nil {
				return o, 0, err
			}
			return o, min(o.answer.TTL, maxTTL), nil
		})
		_, said := errors.AsType[*Error](err)
		switch {
		case err == nil:
			return got.Value.within(got.Left)
		case !got.Asked && errors.Is(err, ErrBudget):
			continue // it was the other one's budget that ended: ours may not have
		case got.Asked, said:
			return nil, err
		case errors.Is(err, flight.ErrLost):
			return nil, &Error{Name: k.name, Type: k.t, Kind: ErrServFail, Err: err}
		}
		return nil, &Error{Name: k.name, Type: k.t, Kind: ErrTimeout, Err: err}
	}
}

func (c *Cache) init() {
	c.kept.Max = c.MaxBytes
	if c.kept.Max <= 0 {
		c.kept.Max = cacheBytes
	}
	c.kept.Cost = func(k key, o outcome) int64 {
		n := entryOverhead + int64(len(k.name))
		if o.answer != nil {
			n += o.answer.size()
		}
		return n
	}
}

// within is an outcome with the time that it has left; 0 = as it came.
func (o outcome) within(left time.Duration) (*Answer, error) {
	switch {
	case o.err != nil && left == 0:
		return nil, o.err
	case o.err != nil:
		err := *o.err
		err.TTL = left
		return nil, &err
	case left == 0:
		return o.answer, nil
	}
	answer := *o.answer
	answer.TTL = left
	return &answer, nil
}

// size is the memory that an answer takes, about.
func (a *Answer) size() int64 {
	n := 32 * len(a.Addrs)
	for _, s := range a.Texts {
		n += 16 + len(s)
	}
	for _, s := range a.Names {
		n += 16 + len(s)
	}
	for _, x := range a.MX {
		n += 24 + len(x.Host)
	}
	for _, t := range a.TLSA {
		n += 32 + len(t.Data)
	}
	return int64(n)
}
