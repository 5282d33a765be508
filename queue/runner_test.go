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
		w.wantTries(990 * time.Millisecond) // the first look was 10 ms before the test's clock began
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
		w.r.Workers, w.r.PerDestination = 5, 4
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
		pass(time.Second)
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
