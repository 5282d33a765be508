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

// Watch calls hint after the account changed and the view was brought up to
// date, until Stop. Hints are lossy and coalesced: one says "look again",
// however much happened. hint must not block, and must not call into the
// Account; it may come once more while Stop runs, not after.
func (a *Account) Watch(hint func()) *Watch {
	w := &Watch{a}
	a.watch.mu.Lock()
	defer a.watch.mu.Unlock()
	if a.watch.hints == nil {
		a.watch.hints = make(map[*Watch]func())
	}
	a.watch.hints[w] = hint
	if a.watch.stop == nil {
		a.startWatcherLocked()
	}
	return w
}

// startWatcherLocked starts the watcher, once its predecessor has ended.
func (a *Account) startWatcherLocked() {
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
		a.follow(ctx)
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

// follow waits for changes, reads each once, and gives hints.
func (a *Account) follow(ctx context.Context) {
	var seen store.ModSeq
	if s := a.State(); s != nil {
		seen = s.ModSeq
	}
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
