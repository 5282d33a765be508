package queue_test

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/schedule"
	"github.com/mailstead/mailstead/smtp"
)

// counted counts the calls of a Storage.
type counted struct {
	queue.Storage
	looks, leases, settles atomic.Int64
}

func (c *counted) LeaseDestinations(ctx context.Context, l queue.Look) (queue.Found, error) {
	c.looks.Add(1)
	return c.Storage.LeaseDestinations(ctx, l)
}

func (c *counted) LeaseJobs(ctx context.Context, d string, now time.Time, limit int, ttl time.Duration) ([]queue.Lease, error) {
	c.leases.Add(1)
	return c.Storage.LeaseJobs(ctx, d, now, limit, ttl)
}

func (c *counted) Settle(ctx context.Context, out []queue.Outcome) error {
	c.settles.Add(int64(len(out)))
	return c.Storage.Settle(ctx, out)
}

var errRefused = smtp.Errorf(450, smtp.EnhancedCode{Class: 4, Subject: 4, Detail: 1}, "connection refused")

// deadAnd refuses connections to dead.example and takes all else.
func deadAnd(_ context.Context, env *smtp.Envelope, _ *smtp.Body) ([]smtp.RcptStatus, error) {
	if env.Recipients[0].ForwardPath.Domain == "dead.example" {
		return nil, errRefused
	}
	return smtp.Accepted(len(env.Recipients)), nil
}

func (w *world) backlog(dest string, n int) {
	w.t.Helper()
	jobs := make([]queue.Job, n)
	now := time.Now()
	for i := range jobs {
		jobs[i] = queue.Job{ID: fmt.Sprintf("b%07d", i), Destination: dest, Created: now, Due: now, Recipients: []queue.Recipient{{}}}
		jobs[i].Recipients[0].ForwardPath = forward("u@" + dest)
	}
	for i := 0; i < n; i += 500 { // memqueue looks through a Put for doubles
		if err := w.store.Put(w.t.Context(), jobs[i:min(n, i+500)]...); err != nil {
			w.t.Fatal(err)
		}
	}
}

// The work for mail of healthy destinations does not depend on what waits for
// a dead one.
func TestDeadDestination(t *testing.T) { deadDestination(t, 5_000) }

func TestDeadDestinationFull(t *testing.T) {
	if os.Getenv("MAILSTEAD_FULL") == "" {
		t.Skip("MAILSTEAD_FULL is not set: minutes with 500,000 jobs")
	}
	deadDestination(t, 500_000)
}

func deadDestination(t *testing.T, n int) {
	work := func(backlog int) (perMessage float64, late time.Duration) {
		inWorld(t, func(w *world) {
			c := &counted{Storage: w.store}
			w.q.Storage = c
			w.take = deadAnd
			w.backlog("dead.example", backlog)
			defer w.run()()
			pass(time.Second)
			c.looks.Store(0)
			c.leases.Store(0)
			c.settles.Store(0)
			for i := range 100 {
				w.send(fmt.Sprintf("u@d%d.example", i%7))
				sent := time.Now()
				pass(20 * time.Millisecond)
				seen := w.seen()
				late = max(late, w.start.Add(seen[len(seen)-1].at).Sub(sent))
			}
			perMessage = float64(c.looks.Load()+c.leases.Load()+c.settles.Load()) / 100
			if left := len(w.seen()) - 100; left > 12 {
				t.Errorf("%d attempts for the dead destination", left)
			}
		})
		return perMessage, late
	}
	alone, _ := work(0)
	beside, late := work(n)
	t.Logf("%.2f calls of the storage a message alone, %.2f beside %d jobs; %v late", alone, beside, n, late)
	if beside > 1.10*alone+0.2 || late > 50*time.Millisecond {
		t.Errorf("%.2f calls a message beside %d jobs, %.2f alone; %v late", beside, n, alone, late)
	}
}

// What waits for a dead destination is told late and given up in its time,
// though only one of its jobs is attempted now and then.
func TestOverdue(t *testing.T) {
	inWorld(t, func(w *world) {
		w.take = deadAnd
		w.r.Schedule.Expire = 10 * time.Hour
		for range 60 {
			w.send("u@dead.example")
		}
		defer w.run()()
		pass(3 * time.Hour)
		attempts := len(w.seen())
		if attempts > 20 {
			t.Errorf("%d attempts in 3 h", attempts)
		}
		pass(3 * time.Hour)
		if n := len(w.seen()) - attempts; n < 55 || n > 80 {
			t.Errorf("%d transactions from 3 h to 6 h, want a delay DSN for each message", n)
		}
		pass(8 * time.Hour)
		w.wantJobs(0)
	})
}

// A destination that takes its mail again gets all that waits.
func TestRevived(t *testing.T) {
	inWorld(t, func(w *world) {
		w.take = deadAnd
		for range 200 {
			w.send("u@dead.example")
		}
		defer w.run()()
		pass(10 * time.Minute)
		w.set(func() { w.take = nil })
		pass(2 * time.Hour)
		w.wantJobs(0)
	})
}

func TestLimitOfADestination(t *testing.T) {
	inWorld(t, func(w *world) {
		w.r.Limit = func(d string) schedule.Limit {
			if d == "slow.example" {
				return schedule.Limit{Rate: 1}
			}
			return schedule.Limit{}
		}
		for range 20 {
			w.send("u@slow.example")
			w.send("u@d.example")
		}
		defer w.run()()
		pass(10 * time.Second)
		if n := len(w.jobs()); n < 9 || n > 11 {
			t.Errorf("%d jobs left after 10 s at one a second, want 10", n)
		}
	})
}

// A destination that waits for its rate is looked at when that allows the next
// attempt, not only with the next look.
func TestRateOfADestination(t *testing.T) {
	inWorld(t, func(w *world) {
		w.r.Limit = func(string) schedule.Limit { return schedule.Limit{Rate: 10} }
		for range 50 {
			w.send("u@slow.example")
		}
		defer w.run()()
		pass(5200 * time.Millisecond)
		seen := w.seen()
		if last := seen[len(seen)-1].at; len(seen) != 50 || last < 4800*time.Millisecond {
			t.Errorf("%d tries, the last after %v; want 50 in 4.9 s", len(seen), last)
		}
	})
}

// What fails on this host says nothing about a destination.
func TestFailuresHere(t *testing.T) {
	inWorld(t, func(w *world) {
		w.take = func(_ context.Context, env *smtp.Envelope, _ *smtp.Body) ([]smtp.RcptStatus, error) {
			if env.Recipients[0].ForwardPath.Local == "bad" {
				panic("bad")
			}
			return smtp.Accepted(len(env.Recipients)), nil
		}
		for range 10 {
			w.send("bad@d.example")
		}
		defer w.run()()
		pass(time.Second)
		w.send("good@d.example")
		pass(time.Second)
		if seen := w.seen(); seen[len(seen)-1].rcpts != "good@d.example" {
			t.Errorf("the latest try is %v", seen[len(seen)-1])
		}
	})
}

// Each of many destinations gets its turn, however much the longest due have.
func TestManyDestinations(t *testing.T) {
	inWorld(t, func(w *world) {
		var g gauge
		w.r.Workers = 4
		w.take = g.slow(time.Second)
		for i := range 100 {
			for range 50 {
				w.send(fmt.Sprintf("u@old%d.example", i))
			}
		}
		pass(time.Second)
		w.send("u@new.example")
		defer w.run()()
		pass(time.Minute) // 240 attempts of 5,000
		if g.peaks()["new.example"] != 1 {
			t.Error("the new one did not get a turn")
		}
	})
}
