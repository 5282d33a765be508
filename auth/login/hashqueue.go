package login

import (
	"context"
	"errors"
	"runtime"
	"time"
)

// errHashQueue is why an attempt ended that never got its turn.
var errHashQueue = errors.New("login: too many password checks at once")

// hashQueue bounds how many password hashes run at once. The zero value has
// no bound.
type hashQueue struct {
	turns   chan struct{} // nil: no bound
	timeout time.Duration // <= 0: none
}

func newHashQueue(limit int, timeout time.Duration) hashQueue {
	if timeout == 0 {
		timeout = 5 * time.Second
	}
	switch {
	case limit < 0:
		return hashQueue{}
	case limit == 0:
		limit = runtime.GOMAXPROCS(0)
	}
	return hashQueue{turns: make(chan struct{}, limit), timeout: timeout}
}

// enter waits for a turn. Whoever got nil calls leave.
func (q hashQueue) enter(ctx context.Context) error {
	if q.turns == nil {
		return ctx.Err()
	}
	select {
	case q.turns <- struct{}{}:
		return nil
	default:
	}
	var expired <-chan time.Time
	if q.timeout > 0 {
		timer := time.NewTimer(q.timeout)
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case q.turns <- struct{}{}:
		return nil
	case <-expired:
		return errHashQueue
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (q hashQueue) leave() {
	if q.turns != nil {
		<-q.turns
	}
}
