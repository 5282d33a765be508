package queue_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/schedule"
	"github.com/mailstead/mailstead/smtp"
)

func TestLoad(t *testing.T) {
	inWorld(t, func(w *world) {
		release := make(chan struct{})
		w.take = func(ctx context.Context, env *smtp.Envelope, _ *smtp.Body) ([]smtp.RcptStatus, error) {
			if env.Recipients[0].ForwardPath.Domain == "dead.test" {
				return nil, context.DeadlineExceeded
			}
			<-release
			return smtp.Accepted(len(env.Recipients)), nil
		}
		w.r.Workers = 7
		w.r.Limit = func(string) schedule.Limit { return schedule.Limit{Cohorts: 1, Start: 1} }
		if got := w.r.Load(); got != (queue.Load{}) {
			t.Errorf("before Run: %+v", got)
		}
		stop := w.run()
		w.send("a@one.test", "b@two.test", "c@dead.test")
		pass(time.Second)
		if got := w.r.Load(); got.Attempts != 2 || got.Workers != 7 || got.Down != 1 || got.Destinations != 3 {
			t.Errorf("two under way and one that does not answer: %+v", got)
		}
		close(release)
		synctest.Wait()
		stop()
		if got := w.r.Load(); got.Attempts != 0 {
			t.Errorf("at the end: %+v", got)
		}
	})
}
