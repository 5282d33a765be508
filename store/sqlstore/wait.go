package sqlstore

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/mailstead/mailstead/store"
)

// waiters wakes those who wait for a change of an account.
type waiters struct {
	done chan struct{} // closed when the store is

	mu sync.Mutex
	on map[int64]*waiter // accounts that somebody waits for
}

type waiter struct {
	ch   chan struct{}
	n    int   // how many wait
	seen int64 // version of the account that one of them looked at
}

func (w *waiters) init() {
	w.done = make(chan struct{})
	w.on = make(map[int64]*waiter)
}

// close wakes all for good; false when it was closed before.
func (w *waiters) close() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed() {
		return false
	}
	close(w.done)
	return true
}

func (w *waiters) closed() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}

// notify wakes who waits for an account. It is called after the change was
// published.
func (w *waiters) notify(account int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if x := w.on[account]; x != nil {
		close(x.ch)
		delete(w.on, account)
	}
}

// watched are the accounts that somebody waits for.
func (w *waiters) watched() []int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(maps.Keys(w.on))
}

// saw notes that who waits looked at a version of the account, and what it had
// to show was published.
func (w *waiters) saw(x *waiter, version int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	x.seen = max(x.seen, version)
}

// behind reports whether nobody who waits has looked at a version yet.
func (w *waiters) behind(account, version int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	x := w.on[account]
	return x != nil && x.seen < version
}

// waited reports whether somebody waits for an account.
func (w *waiters) waited(account int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.on[account] != nil
}

// join returns what is closed at the account's next change; leave ends the
// interest in it.
func (w *waiters) join(account int64) *waiter {
	w.mu.Lock()
	defer w.mu.Unlock()
	x := w.on[account]
	if x == nil {
		x = &waiter{ch: make(chan struct{})}
		w.on[account] = x
	}
	x.n++
	return x
}

func (w *waiters) leave(account int64, x *waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if x.n--; x.n == 0 && w.on[account] == x {
		delete(w.on, account)
	}
}

// Wait implements store.Account. Who waits joins before it looks at the
// counter, so no change falls between the look and the wait.
func (h *handle) Wait(ctx context.Context, after store.ModSeq) (store.ModSeq, error) {
	for {
		x := h.store.wake.join(h.num)
		now, err := h.modSeq(ctx, x, h.cached)
		if err == nil && now <= after && h.store.shared() {
			now, err = h.modSeq(ctx, x, h.account)
		}
		if err == nil && now <= after {
			select {
			case <-x.ch:
			case <-ctx.Done():
				err = ctx.Err()
			case <-h.store.wake.done:
				err = store.ErrClosed
			}
		}
		h.store.wake.leave(h.num, x)
		if err != nil {
			return 0, fail("wait", h.id, err)
		}
		if now > after {
			return now, nil
		}
	}
}

// modSeq is the counter of the account as look has it, for one who waits.
func (h *handle) modSeq(ctx context.Context, x *waiter, look func(context.Context) (*account, error)) (store.ModSeq, error) {
	a, err := look(ctx)
	if err != nil {
		return 0, err
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	h.store.wake.saw(x, a.pub.version)
	return a.pub.modSeq, a.gone()
}

// gone reports ErrNoAccount for an account that was dropped; mu is held.
func (a *account) gone() error {
	if a.pub.dropped {
		return store.ErrNoAccount
	}
	return nil
}
