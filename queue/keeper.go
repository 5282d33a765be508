package queue

import (
	"context"
	"errors"
	"sync"
	"time"
)

// keeper prolongs the leases of the attempts under way, each time a third of
// their life has passed. An attempt whose lease is lost is cancelled, and so is
// one whose lease could not be prolonged until a sixth of its life was left,
// whatever the storage is doing then: it must not pass the final dot when
// another node may have the job.
type keeper struct {
	r   *Runner
	ttl time.Duration

	mu     sync.Mutex
	active map[Token]*attempt
}

// start prolongs leases until the function is called that it returns.
func (k *keeper) start(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(max(k.ttl/3, time.Millisecond))
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				k.extend(ctx)
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// left is how long a lease that expires then may be relied on.
func (k *keeper) left(expires time.Time) time.Duration {
	return max(0, time.Until(expires)-k.ttl/6)
}

// add keeps the lease of an attempt that begins.
func (k *keeper) add(a *attempt, expires time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	a.lapse = time.AfterFunc(k.left(expires), func() { a.cancel(ErrLeaseLost) })
	k.active[a.lease.Token] = a
}

// remove lets go of a lease that was settled or lost. Idempotent.
func (k *keeper) remove(t Token) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if a := k.active[t]; a != nil {
		a.lapse.Stop()
		delete(k.active, t)
	}
}

func (k *keeper) has(t Token) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.active[t] != nil
}

// prolonged notes that leases are valid until then. An attempt that was
// cancelled stays so.
func (k *keeper) prolonged(expires time.Time, tokens ...Token) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, t := range tokens {
		if a := k.active[t]; a != nil {
			a.lapse.Reset(k.left(expires))
		}
	}
}

// lost cancels an attempt.
func (k *keeper) lost(t Token) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if a := k.active[t]; a != nil {
		a.cancel(ErrLeaseLost)
	}
}

func (k *keeper) tokens() []Token {
	k.mu.Lock()
	defer k.mu.Unlock()
	tokens := make([]Token, 0, len(k.active))
	for t := range k.active {
		tokens = append(tokens, t)
	}
	return tokens
}

// extend prolongs all leases at once and, where one is lost, each for itself.
func (k *keeper) extend(ctx context.Context) {
	tokens := k.tokens()
	if len(tokens) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, k.ttl/3)
	defer cancel()
	storage, expires := k.r.Queue.Storage, time.Now().Add(k.ttl)
	err := storage.Extend(ctx, k.ttl, tokens...)
	switch {
	case err == nil:
		k.prolonged(expires, tokens...)
		return
	case !errors.Is(err, ErrLeaseLost):
		k.complain(ctx, "cannot extend leases", "leases", len(tokens), "error", err)
		return
	}
	for _, t := range tokens {
		if k.has(t) {
			k.extendOne(ctx, t)
		}
	}
}

func (k *keeper) extendOne(ctx context.Context, t Token) {
	expires := time.Now().Add(k.ttl)
	err := k.r.Queue.Storage.Extend(ctx, k.ttl, t)
	switch {
	case err == nil:
		k.prolonged(expires, t)
		return
	case !k.has(t): // it was settled meanwhile
		return
	case errors.Is(err, ErrLeaseLost):
		k.lost(t)
	}
	k.complain(ctx, "cannot extend a lease", "job", t.Job, "error", err)
}

func (k *keeper) complain(ctx context.Context, msg string, args ...any) {
	if !errors.Is(ctx.Err(), context.Canceled) {
		k.r.log().ErrorContext(ctx, "queue: "+msg, args...)
	}
}
