package queue_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
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
		w.r.Pause("later.test")
		w.r.Resume("never.test")
		defer w.run()()
		for i := range 100 {
			w.send(fmt.Sprintf("u%d@later.test", i), fmt.Sprintf("u%d@now.test", i))
		}
		pass(time.Hour)
		later := w.triesOf("later.test")
		if n := w.triesOf("now.test"); later != 0 || n != 100 {
			t.Errorf("%d tries of a paused destination and %d of another one, want 0 and 100", later, n)
		}
		if got := w.r.Paused(); !slices.Equal(got, []string{"later.test"}) {
			t.Errorf("paused: %q", got)
		}
		w.r.Resume("later.test")
		pass(time.Second)
		w.wantJobs(0)
		w.r.Pause("now.test") // of which nothing is known now
		pass(soon)
		w.send("bob@now.test")
		pass(time.Hour)
		w.wantJobs(1)
		if got := w.r.Paused(); !slices.Equal(got, []string{"now.test"}) {
			t.Errorf("paused: %q", got)
		}
	})
}
