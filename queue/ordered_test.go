package queue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
)

// Deliveries to an ordered destination follow each other in the order of
// acceptance, also where an early one takes longest; settlements overlap.
func TestRunnerOrdered(t *testing.T) {
	inWorld(t, func(w *world) {
		w.r.Ordered = func(d string) bool { return d == "ordered.test" }
		under := 0
		w.take = func(_ context.Context, env *smtp.Envelope, _ *smtp.Body) ([]smtp.RcptStatus, error) {
			w.set(func() { under++ })
			if under > 1 {
				t.Error("two deliveries at once")
			}
			if len(w.seen()) < 3 {
				time.Sleep(time.Minute)
			}
			w.set(func() { under-- })
			if len(w.seen()) == 5 {
				return nil, errors.New("later") // stops nobody behind it
			}
			return smtp.Accepted(len(env.Recipients)), nil
		}
		w.store.settle = func([]queue.Outcome) error { time.Sleep(time.Hour); return nil }
		var want []string
		for i := range 15 {
			to := fmt.Sprintf("u%02d@ordered.test", i)
			w.send(to)
			want = append(want, to)
			pass(time.Nanosecond) // another due time
		}
		stop := w.run()
		defer stop()
		pass(3 * time.Minute)
		var got []string
		for _, s := range w.seen() {
			got = append(got, s.rcpts)
		}
		if !slices.Equal(got, want) {
			t.Errorf("delivered %v\nwant %v", got, want)
		}
		pass(2 * time.Hour)
	})
}
