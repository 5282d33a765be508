package view

import (
	"context"
	"sync"
	"time"

	"github.com/mailstead/mailstead/store"
)

// retryWait is how long a watcher pauses after the store failed.
const retryWait = time.Second

// watch is the part of an Account that follows the store by itself.
type watch struct {
	mu      sync.Mutex
	hints   map[*Watch]func()
	stop    context.CancelFunc // ends the watcher; nil = none runs
	stopped chan struct{}      // closed by the watcher that stop ends
}

// Watch is one interest in the changes of an account.
type Watch struct{ account *Account }

// Watch calls hint at once, for what happened since the caller looked, and after
// the account changed and the view was brought up to date, until Stop. Hints are
// lossy and coalesced: one says "look again", however much happened. hint must
// not block, and must not call into the Account; it may come once more while
// Stop runs, not after.
func (a *Account) Watch(hint func()) *Watch {
	defer hint()
	w := &Watch{a}
	// As of now: by the time that the watcher runs, the view may have been brought
	// up to changes that nobody gave a hint of.
	var seen store.ModSeq
	if s := a.State(); s != nil {
		seen = s.ModSeq
	}
	a.watch.mu.Lock()
	defer a.watch.mu.Unlock()
	if a.watch.hints == nil {
		a.watch.hints = make(map[*Watch]func())
	}
	a.watch.hints[w] = hint
	if a.watch.stop == nil {
		a.startWatcherLocked(seen)
	}
	return w
}

// startWatcherLocked starts the watcher, once its predecessor has ended. It gives
// hints of what is behind seen.
func (a *Account) startWatcherLocked(seen store.ModSeq) {
	v := a.views
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return
	}
	ctx, cancel := context.WithCancel(v.ctx)
	before, done := a.watch.stopped, make(chan struct{})
	a.watch.stop, a.watch.stopped = cancel, done
	v.wg.Add(1)
	go func() {
		defer v.wg.Done()
		defer close(done)
		if before != nil {
			<-before
		}
		a.follow(ctx, seen)
	}()
}

// Stop ends the hints. Idempotent.
func (w *Watch) Stop() {
	a := w.account
	a.watch.mu.Lock()
	defer a.watch.mu.Unlock()
	delete(a.watch.hints, w)
	if len(a.watch.hints) == 0 && a.watch.stop != nil {
		a.watch.stop()
		a.watch.stop = nil
	}
}

// follow waits for changes behind seen, reads each once, and gives hints.
func (a *Account) follow(ctx context.Context, seen store.ModSeq) {
	for ctx.Err() == nil {
		modseq, err := a.store.Wait(ctx, seen)
		if err == nil && modseq > seen {
			var s *State
			if s, err = a.Refresh(ctx); err == nil {
				seen = max(seen, s.ModSeq)
				a.hint()
			}
		}
		if err != nil && !pause(ctx, retryWait) {
			return
		}
	}
}

func (a *Account) hint() {
	a.watch.mu.Lock()
	defer a.watch.mu.Unlock()
	for _, f := range a.watch.hints {
		f()
	}
}

// pause waits for d; false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
