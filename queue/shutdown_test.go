package queue_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
)

func TestRunnerShutdownGivesBack(t *testing.T) {
	inWorld(t, func(w *world) {
		w.take = func(ctx context.Context, _ *smtp.Envelope, _ *smtp.Body) ([]smtp.RcptStatus, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		w.send("bob@example.net")
		before := w.wantJobs(1)[0]
		stop := w.run()
		pass(time.Second)
		stop()
		if d := time.Since(w.start); d != 4*time.Second {
			t.Errorf("ended after %v, want 1s and the drain time of 3s", d)
		}
		if j := w.wantJobs(1)[0]; j.Attempts != 0 || !j.Due.Equal(before.Due) || len(j.Recipients) != 1 {
			t.Errorf("given back as %+v", j)
		}
		w.wantStates()
		if st, _ := w.store.Stats(t.Context()); st.Leased != 0 {
			t.Error("still leased")
		}
	})
}

// An attempt that was cut off behind the final dot may have delivered: that is
// said, and the job is due again at once.
func TestRunnerShutdownUnknown(t *testing.T) {
	inWorld(t, func(w *world) {
		w.take = func(ctx context.Context, _ *smtp.Envelope, _ *smtp.Body) ([]smtp.RcptStatus, error) {
			<-ctx.Done()
			return nil, queue.ErrOutcomeUnknown
		}
		w.send("bob@example.net")
		before := w.wantJobs(1)[0]
		stop := w.run()
		pass(time.Second)
		stop()
		if j := w.wantJobs(1)[0]; j.Attempts != 1 || !j.Due.Equal(before.Due) {
			t.Errorf("given back as %+v", j)
		}
		w.wantStates(queue.Unknown)
	})
}

// An attempt that ends within the drain time is settled as what it was.
func TestRunnerShutdownWaits(t *testing.T) {
	inWorld(t, func(w *world) {
		var g gauge
		w.take = g.slow(2 * time.Second)
		w.send("bob@example.net")
		stop := w.run()
		pass(time.Second)
		w.send("carol@other.example") // leased no more, or drained too
		stop()
		for _, j := range w.jobs() {
			if j.Destination == "example.net" {
				t.Error("the attempt that ended in time is not settled")
			}
		}
	})
}

func TestRunnerAttemptTimeout(t *testing.T) {
	inWorld(t, func(w *world) {
		w.r.AttemptTimeout = time.Minute
		w.take = func(ctx context.Context, _ *smtp.Envelope, _ *smtp.Body) ([]smtp.RcptStatus, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		defer w.run()()
		w.send("bob@example.net")
		pass(7 * time.Minute)
		w.wantTries(0, 6*time.Minute)
		if j := w.wantJobs(1)[0]; j.Attempts < 1 {
			t.Errorf("%d attempts: a timeout has to count", j.Attempts)
		}
	})
}

func TestRunnerExtends(t *testing.T) {
	inWorld(t, func(w *world) {
		var g gauge
		w.take, w.r.LeaseTTL = g.slow(time.Hour), time.Minute
		w.r.AttemptTimeout = -1
		defer w.run()()
		w.send("bob@example.net")
		pass(2 * time.Hour)
		w.wantTries(0)
		w.wantJobs(0)
	})
}

// fading is a Storage whose leases cannot be extended. hangs: once it leased a
// job it does not answer any more.
type fading struct {
	queue.Storage
	err    error
	hangs  bool
	leased atomic.Bool
}

func (f *fading) Extend(ctx context.Context, _ time.Duration, _ ...queue.Token) error {
	if f.hangs {
		<-ctx.Done()
	}
	return f.err
}

func (f *fading) LeaseJobs(ctx context.Context, d string, now time.Time, limit int, ttl time.Duration) ([]queue.Lease, error) {
	ls, err := f.Storage.LeaseJobs(ctx, d, now, limit, ttl)
	f.leased.Store(f.leased.Load() || len(ls) > 0)
	return ls, err
}

func (f *fading) LeaseDestinations(ctx context.Context, l queue.Look) (queue.Found, error) {
	if f.hangs && f.leased.Load() {
		<-ctx.Done()
	}
	return f.Storage.LeaseDestinations(ctx, l)
}

func TestRunnerCancelsWithoutLease(t *testing.T) {
	for _, c := range []struct {
		err   error
		hangs bool
		want  time.Duration
	}{
		{queue.ErrLeaseLost, false, 20 * time.Second},          // at once
		{errors.New("no connection"), false, 50 * time.Second}, // before it runs out
		{errors.New("no answer"), true, 50 * time.Second},      // likewise
	} {
		t.Run(c.err.Error(), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.store.Storage = &fading{Storage: w.store.Storage, err: c.err, hangs: c.hangs}
				w.r.LeaseTTL = time.Minute
				cancelled := make(chan time.Duration, 10)
				w.take = func(ctx context.Context, _ *smtp.Envelope, _ *smtp.Body) ([]smtp.RcptStatus, error) {
					<-ctx.Done()
					cancelled <- time.Since(w.start)
					return nil, ctx.Err()
				}
				stop := w.run()
				w.send("bob@example.net")
				pass(2 * time.Minute)
				if got := <-cancelled; got > c.want || got < c.want-time.Second {
					t.Errorf("cancelled after %v, want %v", got, c.want)
				}
				stop()
			})
		})
	}
}

// TestRunnerCancelsOne: of several attempts the one that lost its lease ends.
func TestRunnerCancelsOne(t *testing.T) {
	inWorld(t, func(w *world) {
		w.r.LeaseTTL, w.r.AttemptTimeout = time.Minute, -1
		g := &gone{Storage: w.store.Storage}
		w.store.Storage = g
		ended := make(chan string, 10)
		w.take = func(ctx context.Context, env *smtp.Envelope, _ *smtp.Body) ([]smtp.RcptStatus, error) {
			select {
			case <-ctx.Done():
				ended <- env.Recipients[0].ForwardPath.Domain
				return nil, ctx.Err()
			case <-time.After(time.Hour):
				return smtp.Accepted(1), nil
			}
		}
		defer w.run()()
		w.send("bob@one.example")
		w.send("bob@two.example")
		w.send("bob@three.example")
		pass(5 * time.Minute)
		for _, j := range w.wantJobs(3) {
			if j.Destination == "two.example" {
				g.job.Store(j.ID) // its lease ends behind the runner's back
			}
		}
		pass(time.Minute)
		if got := <-ended; got != "two.example" || len(ended) > 0 {
			t.Errorf("the attempt for %s ended, and %d others", got, len(ended))
		}
		pass(2 * time.Hour)
	})
}

// gone is a Storage that knows nothing of the leases of a job.
type gone struct {
	queue.Storage
	job atomic.Value
}

func (g *gone) Extend(ctx context.Context, ttl time.Duration, tokens ...queue.Token) error {
	for _, t := range tokens {
		if t.Job == g.job.Load() {
			return queue.ErrLeaseLost
		}
	}
	return g.Storage.Extend(ctx, ttl, tokens...)
}
