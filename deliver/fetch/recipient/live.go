package recipient

import (
	"context"
	"errors"
	"sync/atomic"
)

// Live is a Resolver that is replaced while it is in use, as when a configuration
// is read again. Its zero value has none: every message waits. Any number of
// goroutines may use it.
type Live struct {
	r atomic.Pointer[Resolver]
}

var errNotSet = errors.New("recipient: a Live without a Resolver")

// Set makes r answer from now on.
func (l *Live) Set(r *Resolver) { l.r.Store(r) }

// Find is that of the Resolver.
func (l *Live) Find(ctx context.Context, header []byte) (Result, error) {
	r := l.r.Load()
	if r == nil {
		return Result{}, errNotSet
	}
	return r.Find(ctx, header)
}
