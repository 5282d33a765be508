package queue_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
)

// logged is a log that may be read while it is written.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), text)
}

// inJumpingWorld has a clock that is off by what the function is told, and knows
// no other time. Mail to busy.test is deferred as long as busy is true.
func inJumpingWorld(t *testing.T, f func(w *world, set func(time.Duration), busy *atomic.Bool, log *logged)) {
	inWorld(t, func(w *world) {
		var off atomic.Int64
		w.q.Now = func() time.Time { return time.Now().Round(0).Add(time.Duration(off.Load())) }
		log := &logged{}
		w.r.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		busy := &atomic.Bool{}
		busy.Store(true)
		w.take = func(_ context.Context, env *smtp.Envelope, _ *smtp.Body) ([]smtp.RcptStatus, error) {
			if busy.Load() && env.Recipients[0].ForwardPath.Domain == "busy.test" {
				return nil, smtp.Errorf(452, smtp.EnhancedCode{Class: 4, Subject: 2, Detail: 2}, "full")
			}
			return smtp.Accepted(len(env.Recipients)), nil
		}
		stop := w.run()
		defer func() { stop() }()
		f(w, func(d time.Duration) { off.Store(int64(d)) }, busy, log)
	})
}

const day = 24 * time.Hour

// TestClockBack: what was deferred waits for its time by the clock, and is neither
// lost nor reported; new mail does not wait; it is told once.
func TestClockBack(t *testing.T) {
	inJumpingWorld(t, func(w *world, set func(time.Duration), busy *atomic.Bool, log *logged) {
		w.send("bob@busy.test")
		pass(time.Second)
		set(-day)
		busy.Store(false)
		w.send("bob@new.test", "carol@busy.test")
		pass(10 * time.Second)
		if n := w.triesOf("new.test"); n != 1 {
			t.Errorf("%d tries of new mail", n)
		}
		if n := w.triesOf("busy.test"); n != 2 {
			t.Errorf("%d tries of the destination, want the one before and that of the new job", n)
		}
		pass(20 * time.Minute)
		w.wantJobs(1)
		if log.count("set forward") != 0 {
			t.Error("told of a clock that went on")
		}
		set(0)
		pass(10 * time.Second)
		w.wantJobs(0)
		if n := w.triesOf("busy.test"); n != 3 {
			t.Errorf("%d tries of what was deferred", n)
		}
		if n := log.count("set back"); n != 1 {
			t.Errorf("told %d times", n)
		}
		if n := w.triesOf("example.org"); n != 0 {
			t.Errorf("%d reports", n)
		}
	})
}

// TestClockForward: what was deferred is attempted at once, and is not given up
// for the time that did not pass; each is delivered once.
func TestClockForward(t *testing.T) {
	inJumpingWorld(t, func(w *world, set func(time.Duration), busy *atomic.Bool, log *logged) {
		w.send("bob@busy.test")
		pass(time.Second)
		set(day)
		busy.Store(false)
		w.send("bob@new.test")
		pass(10 * time.Second)
		w.wantJobs(0)
		if a, b := w.triesOf("new.test"), w.triesOf("busy.test"); a != 1 || b != 2 {
			t.Errorf("%d tries of new mail and %d of what was deferred, want 1 and 2", a, b)
		}
		if n := log.count("set forward"); n != 1 || log.count("set back") != 0 {
			t.Errorf("told %d times", n)
		}
	})
}

// TestClockFarForward: what is older than its time by a wrong clock is attempted
// once more before it is given up.
func TestClockFarForward(t *testing.T) {
	inJumpingWorld(t, func(w *world, set func(time.Duration), busy *atomic.Bool, _ *logged) {
		w.send("bob@busy.test")
		pass(time.Second)
		set(10 * day)
		busy.Store(false)
		pass(10 * time.Second)
		w.wantJobs(0)
		if n := w.triesOf("busy.test"); n != 2 {
			t.Errorf("%d tries", n)
		}
		for _, e := range w.events {
			if e.Kind == queue.EventExpired {
				t.Error("given up without an attempt")
			}
		}
	})
}

// TestClockDuringAttempt: an attempt under way when the clock is set, either way,
// keeps its lease.
func TestClockDuringAttempt(t *testing.T) {
	for _, d := range []time.Duration{-day, day} {
		inJumpingWorld(t, func(w *world, set func(time.Duration), _ *atomic.Bool, _ *logged) {
			w.set(func() {
				w.take = func(_ context.Context, env *smtp.Envelope, _ *smtp.Body) ([]smtp.RcptStatus, error) {
					time.Sleep(20 * time.Minute)
					return smtp.Accepted(len(env.Recipients)), nil
				}
			})
			w.send("bob@slow.test")
			pass(time.Minute)
			set(d)
			before := w.looks()
			pass(time.Hour)
			if n := w.looks() - before; n > 3700 {
				t.Errorf("clock set by %v: %d looks in an hour", d, n)
			}
			w.wantJobs(0)
			if n := w.triesOf("slow.test"); n != 1 {
				t.Errorf("clock set by %v: %d tries", d, n)
			}
		})
	}
}

// looks is how often the storage was looked at.
func (w *world) looks() int {
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	return w.store.looks
}
