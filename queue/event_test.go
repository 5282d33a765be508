package queue_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
)

func TestStream(t *testing.T) {
	inWorld(t, func(w *world) {
		var s queue.Stream
		w.q.Event, w.r.Event = s.Emit, s.Emit
		w.take = func(_ context.Context, env *smtp.Envelope, _ *smtp.Body) ([]smtp.RcptStatus, error) {
			return []smtp.RcptStatus{{}, {Err: errNobody}, {Err: errBusy}}[:len(env.Recipients)], nil
		}
		ctx, cancel := context.WithCancel(w.t.Context())
		var kinds []string
		done := make(chan struct{})
		events := s.Subscribe(ctx, 0)
		go func() {
			defer close(done)
			for e, missed := range events {
				if missed > 0 || e.Job == nil || (e.Recipient == nil) != (e.Kind == queue.EventAccepted) {
					t.Errorf("%d missed, %+v", missed, e)
				}
				kinds = append(kinds, e.Kind.String())
			}
		}()
		w.r.Reporter = reporter(func(*queue.Job, []queue.Result) ([]queue.Report, error) { return nil, nil })
		w.r.Schedule.Expire = time.Hour
		defer w.run()()
		w.send("a@d.example", "b@d.example", "c@d.example")
		pass(time.Second)
		w.set(func() { w.take = answer(errBusy) })
		pass(2 * time.Hour)
		cancel()
		<-done
		want := []string{"accepted", "delivered", "failed", "deferred", "deferred", "deferred", "deferred", "expired"}
		if !slices.Equal(kinds, want) {
			t.Errorf("events %q, want %q", kinds, want)
		}
		s.Emit(queue.Event{}) // nobody listens
	})
}

// Who is too slow is told how much he missed, and holds nobody up.
func TestStreamOverflow(t *testing.T) {
	var s queue.Stream
	events := s.Subscribe(t.Context(), 3)
	for i := range 10 {
		s.Emit(queue.Event{Kind: queue.EventKind(i % 6)})
	}
	n, total := 0, uint64(0)
	for _, missed := range events {
		total += missed
		if n++; n == 3 {
			break
		}
	}
	if total != 7 {
		t.Errorf("told of %d that were missed, want 7", total)
	}
}
