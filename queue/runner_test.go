package queue_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
)

func TestRunnerDeliversAtOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		defer w.run()()
		pass(300 * time.Millisecond) // between two looks
		w.send("bob@example.net")
		synctest.Wait()
		w.wantTries(300 * time.Millisecond)
		w.wantJobs(0)
		w.wantStates(queue.Delivered)
		if got := w.seen()[0]; got.rcpts != "bob@example.net" || got.body != "Subject: x\r\n\r\nhello\r\n" || got.once == "" {
			t.Errorf("receiver saw %+v", got)
		}
	})
}

func TestRunnerLooksEverySecond(t *testing.T) {
	inWorld(t, func(w *world) {
		w.q.Kick = nil
		defer w.run()()
		pass(100 * time.Millisecond)
		w.send("bob@example.net") // as another process would
		pass(time.Second)
		w.wantTries(time.Second)
		looks := func() int {
			w.store.mu.Lock()
			defer w.store.mu.Unlock()
			return w.store.looks
		}
		before := looks()
		pass(time.Minute)
		if n := looks() - before; n < 59 || n > 61 {
			t.Errorf("%d looks in an idle minute, want 60", n)
		}
	})
}

func TestRunnerFindsWhatIsDueOnTime(t *testing.T) {
	inWorld(t, func(w *world) {
		due := time.Now().Add(1234567 * time.Microsecond)
		w.route = func(context.Context, *queue.Job) ([]queue.Hop, error) {
			if late := time.Since(due); late < 0 || late > time.Millisecond {
				t.Errorf("attempted %v late", late)
			}
			return nil, errNobody
		}
		defer w.run()()
		if err := w.q.Put(t.Context(), queue.Job{ID: "a", Destination: "d", Due: due, Created: time.Now(), Recipients: []queue.Recipient{{}}}); err != nil {
			t.Fatal(err)
		}
		pass(2 * time.Second)
		w.wantStates(queue.Failed)
	})
}

// gauge counts how many transactions run at once, by destination.
type gauge struct {
	mu       sync.Mutex
	now, max map[string]int
	total    int
	maxTotal int
}

func (g *gauge) add(dest string, d int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.now == nil {
		g.now, g.max = map[string]int{}, map[string]int{}
	}
	g.now[dest] += d
	g.total += d
	g.max[dest] = max(g.max[dest], g.now[dest])
	g.maxTotal = max(g.maxTotal, g.total)
}

func (g *gauge) peaks() map[string]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.max)
}

// slow makes a receiver that takes d for each message.
func (g *gauge) slow(d time.Duration) smtp.EachRcpt {
	return func(_ context.Context, env *smtp.Envelope, _ *smtp.Body) ([]smtp.RcptStatus, error) {
		dest := env.Recipients[0].ForwardPath.Domain
		g.add(dest, 1)
		time.Sleep(d)
		g.add(dest, -1)
		return smtp.Accepted(len(env.Recipients)), nil
	}
}

func TestRunnerLimits(t *testing.T) {
	inWorld(t, func(w *world) {
		var g gauge
		w.take, w.r.Workers, w.r.PerDestination = g.slow(time.Second), 10, 4
		for i := range 60 {
			w.send(fmt.Sprintf("u@d%d.example", i%5))
		}
		defer w.run()()
		pass(time.Minute)
		w.wantJobs(0)
		if g.maxTotal != 10 {
			t.Errorf("%d attempts at once, want 10", g.maxTotal)
		}
		for d, n := range g.max {
			if n > 4 {
				t.Errorf("%d attempts at once to %s, want at most 4", n, d)
			}
		}
	})
}

func TestRunnerNoLimitPerDestination(t *testing.T) {
	inWorld(t, func(w *world) {
		var g gauge
		w.take, w.r.PerDestination = g.slow(time.Second), -1
		for range 60 {
			w.send("u@d.example")
		}
		defer w.run()()
		pass(10 * time.Second)
		w.wantJobs(0)
		if g.maxTotal != 40 {
			t.Errorf("%d attempts at once, want all 40", g.maxTotal)
		}
	})
}

// A destination that hangs, with any amount of mail, delays no other.
func TestRunnerFairness(t *testing.T) {
	inWorld(t, func(w *world) {
		free := make(chan struct{})
		w.take = func(ctx context.Context, env *smtp.Envelope, _ *smtp.Body) ([]smtp.RcptStatus, error) {
			if env.Recipients[0].ForwardPath.Domain == "hangs.example" {
				select {
				case <-free:
				case <-ctx.Done():
				}
				return nil, errBusy
			}
			return smtp.Accepted(1), nil
		}
		for range 500 {
			w.send("u@hangs.example")
		}
		stop := w.run()
		pass(time.Second)
		for i := range 100 {
			w.send(fmt.Sprintf("u@d%d.example", i%3))
		}
		pass(100 * time.Millisecond)
		w.wantJobs(500)
		close(free)
		pass(2 * time.Second)
		stop()
		if n := len(w.seen()); n != 600 {
			t.Errorf("%d tries, want 600", n)
		}
	})
}

// The first of several destinations does not take all workers.
func TestRunnerShares(t *testing.T) {
	inWorld(t, func(w *world) {
		var g gauge
		w.take, w.r.Workers, w.r.PerDestination = g.slow(time.Hour), 8, 8
		for i := range 80 {
			w.send(fmt.Sprintf("u@d%d.example", i%4))
		}
		stop := w.run()
		pass(time.Second)
		for d, n := range g.peaks() {
			if n != 2 {
				t.Errorf("%d workers for %s, want 2", n, d)
			}
		}
		pass(time.Hour)
		stop()
	})
}

func TestRunnerPanic(t *testing.T) {
	inWorld(t, func(w *world) {
		w.take = func(context.Context, *smtp.Envelope, *smtp.Body) ([]smtp.RcptStatus, error) { panic("boom") }
		defer w.run()()
		w.send("bob@example.net")
		synctest.Wait()
		if j := w.wantJobs(1)[0]; j.Hold != "" || j.Attempts != 1 {
			t.Errorf("after one panic: hold %q, %d attempts", j.Hold, j.Attempts)
		}
		pass(5 * time.Minute)
		if j := w.wantJobs(1)[0]; j.Hold == "" || len(j.Recipients) != 1 {
			t.Errorf("after two: hold %q, %d recipients; want a held job", j.Hold, len(j.Recipients))
		}
		pass(24 * time.Hour)
		if n := len(w.seen()); n != 2 {
			t.Errorf("%d tries, want 2", n)
		}
		// A release is a new start.
		w.set(func() { w.take = nil })
		if _, err := w.store.Edit(t.Context(), queue.Filter{}, queue.Edit{Hold: new("")}); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		w.wantJobs(0)
	})
}

// What was delivered before a panic is not delivered again.
func TestRunnerPanicKeepsResults(t *testing.T) {
	inWorld(t, func(w *world) {
		w.route = func(context.Context, *queue.Job) ([]queue.Hop, error) {
			return []queue.Hop{w.hop(1), {Recipients: []int{0}, Receiver: smtp.EachRcpt(func(context.Context, *smtp.Envelope, *smtp.Body) ([]smtp.RcptStatus, error) { panic("boom") })}}, nil
		}
		defer w.run()()
		w.send("a@example.net", "b@example.net")
		synctest.Wait()
		j := w.wantJobs(1)[0]
		if len(j.Recipients) != 1 || j.Recipients[0].ForwardPath.Local != "a" {
			t.Errorf("left: %+v", j.Recipients)
		}
	})
}

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

func TestRunnerRouteFails(t *testing.T) {
	inWorld(t, func(w *world) {
		w.route = func(context.Context, *queue.Job) ([]queue.Hop, error) { return nil, errors.New("no DNS") }
		defer w.run()()
		w.send("bob@example.net")
		synctest.Wait()
		w.wantJobs(1)
		w.wantStates(queue.Deferred)
		for name, hops := range map[string][]queue.Hop{
			"none": {}, "empty": {{Recipients: []int{0}}}, "expand to nobody": {{Recipients: []int{0}, Expand: []smtp.Recipient{}}},
			"place out of range": {w.hop(7)}, "too few To": {{Recipients: []int{0}, Receiver: w.hop().Receiver, To: []smtp.ForwardPath{}}},
		} {
			w.set(func() { w.route = func(context.Context, *queue.Job) ([]queue.Hop, error) { return hops, nil } })
			w.store.Edit(t.Context(), queue.Filter{}, queue.Edit{Due: new(time.Now())})
			w.store.Edit(t.Context(), queue.Filter{}, queue.Edit{Hold: new("")})
			pass(time.Second)
			if n := len(w.jobs()); n != 1 {
				t.Fatalf("%s: %d jobs, want the one", name, n)
			}
		}
	})
}

func TestRunnerTo(t *testing.T) {
	inWorld(t, func(w *world) {
		w.route = func(context.Context, *queue.Job) ([]queue.Hop, error) {
			h := w.hop(1, 0)
			h.To = []smtp.ForwardPath{forward("b2@example.net"), forward("a2@example.net")}
			return []queue.Hop{h}, nil
		}
		defer w.run()()
		w.send("a@example.net", "b@example.net")
		synctest.Wait()
		if got := w.seen()[0].rcpts; got != "b2@example.net,a2@example.net" {
			t.Errorf("receiver saw %s", got)
		}
	})
}

func TestRunnerBodyGone(t *testing.T) {
	inWorld(t, func(w *world) {
		w.send("bob@example.net")
		w.blobs.Delete(t.Context(), w.wantJobs(1)[0].Blob)
		defer w.run()()
		pass(time.Hour)
		if j := w.wantJobs(1)[0]; !strings.Contains(j.Hold, "body") {
			t.Errorf("hold %q: a job without its body has to wait for an operator", j.Hold)
		}
	})
}
