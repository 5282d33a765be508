package queue_test

import (
	"context"
	"errors"
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

// fading is a Storage whose leases cannot be extended.
type fading struct {
	queue.Storage
	err error
}

func (f fading) Extend(context.Context, time.Duration, ...queue.Token) error { return f.err }

func TestRunnerCancelsWithoutLease(t *testing.T) {
	for _, c := range []struct {
		err  error
		want time.Duration
	}{
		{queue.ErrLeaseLost, 20 * time.Second},          // at once
		{errors.New("no connection"), 60 * time.Second}, // before it would run out
	} {
		t.Run(c.err.Error(), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.store.Storage = fading{w.store.Storage, c.err}
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
				if got := <-cancelled; got > c.want {
					t.Errorf("cancelled after %v, want at most %v", got, c.want)
				}
				stop()
			})
		})
	}
}
