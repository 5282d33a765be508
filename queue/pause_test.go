package queue_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/memqueue"
)

// triesOf counts the tries of recipients in a domain.
func (w *world) triesOf(domain string) (n int) {
	for _, t := range w.seen() {
		if strings.HasSuffix(t.rcpts, "@"+domain) {
			n++
		}
	}
	return n
}

// TestRunnerPause: a paused destination gets no attempt, others do, and all of
// its mail goes when it is resumed.
func TestRunnerPause(t *testing.T) {
	inWorld(t, func(w *world) {
		w.pause("later.test", true)
		w.pause("never.test", false)
		defer w.run()()
		for i := range 100 {
			w.send(fmt.Sprintf("u%d@later.test", i), fmt.Sprintf("u%d@now.test", i))
		}
		pass(time.Hour)
		later := w.triesOf("later.test")
		if n := w.triesOf("now.test"); later != 0 || n != 100 {
			t.Errorf("%d tries of a paused destination and %d of another one, want 0 and 100", later, n)
		}
		if got, err := w.r.Paused(t.Context()); err != nil || !slices.Equal(got, []string{"later.test"}) {
			t.Errorf("paused: %q, %v", got, err)
		}
		w.pause("later.test", false)
		pass(time.Second)
		w.wantJobs(0)
		w.pause("now.test", true) // of which nothing is known now
		pass(soon)
		w.send("bob@now.test")
		pass(time.Hour)
		w.wantJobs(1)
	})
}

func (w *world) pause(destination string, paused bool) {
	w.t.Helper()
	set := w.r.Resume
	if paused {
		set = w.r.Pause
	}
	if err := set(w.t.Context(), destination); err != nil {
		w.t.Fatal(err)
	}
}

// TestPauseIsTheStorages: a pause outlives the process, and another node's
// begins and ends within two seconds.
func TestPauseIsTheStorages(t *testing.T) {
	inWorld(t, func(w *world) {
		w.pause("a.test", true)
		w.store.Storage = w.store.Storage.(*memqueue.Storage).Reopen()
		stop := w.run()
		defer func() { stop() }()
		w.send("bob@a.test")
		pass(time.Hour)
		if n := w.triesOf("a.test"); n != 0 {
			t.Errorf("%d tries after a restart", n)
		}
		other := &queue.Runner{Queue: &queue.Queue{Storage: w.store}}
		if err := other.Pause(t.Context(), "b.test"); err != nil {
			t.Fatal(err)
		}
		if err := other.Resume(t.Context(), "a.test"); err != nil {
			t.Fatal(err)
		}
		pass(2 * time.Second)
		w.send("bob@b.test")
		pass(time.Minute)
		if a, b := w.triesOf("a.test"), w.triesOf("b.test"); a != 1 || b != 0 {
			t.Errorf("%d tries of what another node resumed, %d of what it paused; want 1, 0", a, b)
		}
	})
}

// TestPauseUnknown: as long as it cannot be read what is paused, nothing is
// attempted; once it was read, that holds.
func TestPauseUnknown(t *testing.T) {
	inWorld(t, func(w *world) {
		failing := errors.New("no")
		w.store.entries = failing
		defer w.run()()
		w.send("bob@a.test")
		pass(time.Minute)
		if n := w.triesOf("a.test"); n != 0 {
			t.Errorf("%d tries", n)
		}
		w.store.fail(nil)
		pass(2 * time.Second)
		w.store.fail(failing)
		w.send("bob@a.test")
		pass(time.Minute)
		if n := w.triesOf("a.test"); n != 2 {
			t.Errorf("%d tries, want 2", n)
		}
	})
}
