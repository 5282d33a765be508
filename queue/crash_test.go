package queue_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
)

// Jobs that were under way at a crash are attempted one at a time, so that the
// next crash tells which of them it was; others do not wait for them.
func TestSuspectsAlone(t *testing.T) {
	inWorld(t, func(w *world) {
		var g gauge
		w.take = g.slow(10 * time.Second)
		for i := range 10 {
			job := queue.Job{
				ID: fmt.Sprint("s", i), Destination: fmt.Sprint("d", i%3), Created: time.Now(), Due: time.Now(), Crashes: queue.MaxCrashes - 1,
				Recipients: []queue.Recipient{{}},
			}
			job.Recipients[0].ForwardPath = forward("u@suspect.example")
			if err := w.store.Put(t.Context(), job); err != nil {
				t.Fatal(err)
			}
		}
		for range 5 {
			w.send("u@healthy.example")
		}
		defer w.run()()
		pass(15 * time.Second)
		if n := g.peaks()["healthy.example"]; n != 5 {
			t.Errorf("%d healthy ones at once, want 5", n)
		}
		w.wantJobs(9)
		pass(5 * time.Minute)
		w.wantJobs(0)
		if n := g.peaks()["suspect.example"]; n != 1 {
			t.Errorf("%d suspects at once, want 1", n)
		}
		if n := len(w.seen()); n != 15 {
			t.Errorf("%d tries, want 15", n)
		}
	})
}

// A job that an operator bounces fails without an attempt, and its sender
// hears the reason.
func TestBounce(t *testing.T) {
	inWorld(t, func(w *world) {
		w.take = answer(errBusy)
		defer w.run()()
		w.send("bob@example.net", "eve@example.net")
		pass(time.Second)
		w.set(func() { w.take = nil })
		if n, err := w.store.Edit(t.Context(), queue.Filter{Recipient: "bob@example.net"}, queue.Edit{Bounce: new("not wanted here")}); n != 1 || err != nil {
			t.Fatalf("bounced %d, %v", n, err)
		}
		pass(2 * time.Second)
		w.wantJobs(0)
		w.wantStates(queue.Deferred, queue.Deferred, queue.Failed, queue.Failed, queue.Delivered)
		seen := w.seen()
		if got := seen[len(seen)-1]; got.rcpts != "alice@example.org" || got.body != "failed bob@example.net: 550 5.0.0 not wanted here\nfailed eve@example.net: 550 5.0.0 not wanted here" {
			t.Errorf("the sender got %+v", got)
		}
	})
}

// TestBounceUnderWay: of a job that is bounced during its attempt the sender
// hears once, or not at all where the attempt delivers it.
func TestBounceUnderWay(t *testing.T) {
	for _, err := range []error{nil, errBusy, errNobody} {
		inWorld(t, func(w *world) {
			w.take = func(_ context.Context, env *smtp.Envelope, _ *smtp.Body) ([]smtp.RcptStatus, error) {
				if env.Recipients[0].ForwardPath.Domain == "example.org" {
					return smtp.Accepted(1), nil // the report
				}
				time.Sleep(time.Minute)
				return []smtp.RcptStatus{{Err: err}}, nil
			}
			defer w.run()()
			w.send("bob@example.net")
			pass(time.Second)
			if n, err := w.store.Edit(t.Context(), queue.Filter{}, queue.Edit{Bounce: new("not wanted here")}); n != 1 || err != nil {
				t.Fatalf("bounced %d, %v", n, err)
			}
			pass(time.Hour)
			w.wantJobs(0)
			want := 1
			if err == nil {
				want = 0
			}
			if n := w.triesOf("example.org"); n != want {
				t.Errorf("attempt with %v: %d reports, want %d", err, n, want)
			}
			if n := w.triesOf("example.net"); n != 1 {
				t.Errorf("attempt with %v: %d tries", err, n)
			}
		})
	}
}
