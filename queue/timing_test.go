package queue_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
)

// sendWith puts a message with these parameters of MAIL.
func (w *world) sendWith(params smtp.MailParams, to string) {
	w.t.Helper()
	tx, err := w.q.Begin(w.t.Context(), &smtp.Mail{ID: smtp.NewID(), ReversePath: smtp.ReversePath(forward("alice@example.org")), Params: params})
	if err != nil {
		w.t.Fatal(err)
	}
	defer tx.Abort()
	tx.Rcpt(w.t.Context(), []*smtp.Recipient{{ForwardPath: forward(to)}})
	if _, err := tx.Data(w.t.Context(), smtp.NewBody(strings.NewReader("x\r\n"), -1)); err != nil {
		w.t.Fatal(err)
	}
}

// later refuses all but reports for now; what it returns are the parameters
// that the hop was given so far.
func (w *world) later() (seen func() []smtp.MailParams) {
	var all []smtp.MailParams
	w.take = func(_ context.Context, env *smtp.Envelope, _ *smtp.Body) ([]smtp.RcptStatus, error) {
		if env.Mail.ReversePath.IsNull() {
			return smtp.Accepted(len(env.Recipients)), nil
		}
		w.set(func() { all = append(all, env.Mail.Params) })
		return nil, smtp.Errorf(451, smtp.EnhancedCode{Class: 4}, "later")
	}
	return func() (seen []smtp.MailParams) {
		w.set(func() { seen = slices.Clone(all) })
		return seen
	}
}

// A message is held until its release (RFC 4865), and then has all its time to
// expire. The next hop is not told.
func TestFutureRelease(t *testing.T) {
	inWorld(t, func(w *world) {
		given := w.later()
		w.r.Schedule.Expire, w.r.Schedule.Delayed = time.Hour, -1
		w.sendWith(smtp.MailParams{FutureRelease: smtp.FutureRelease{For: 7200}, PRDR: true}, "bob@example.net")
		defer w.run()()
		pass(2*time.Hour - time.Minute)
		if n := len(given()); n != 0 {
			t.Errorf("%d attempts before the release", n)
		}
		pass(2 * time.Minute)
		if seen := given(); len(seen) != 1 || seen[0].PRDR || !seen[0].FutureRelease.IsZero() {
			t.Errorf("at the release: %+v", seen)
		}
		w.wantJobs(1)
		pass(55 * time.Minute)
		w.wantJobs(1)
		pass(5 * time.Minute)
		w.wantJobs(0)
	})
}

// BY= with "return": the message fails when its time is up, and is not sent
// later (RFC 2852).
func TestDeliverByReturn(t *testing.T) {
	inWorld(t, func(w *world) {
		given := w.later()
		w.sendWith(smtp.MailParams{DeliverBy: smtp.DeliverBy{Seconds: 420, Mode: smtp.ByReturn}}, "bob@example.net")
		defer w.run()()
		pass(421 * time.Second)
		seen := given()
		if len(seen) != 2 { // at once and after 5 min; at 7 min it is too late
			t.Errorf("%d attempts", len(seen))
		}
		if len(seen) > 0 && seen[0].DeliverBy.Seconds != 420 {
			t.Errorf("the hop was told %v", seen[0].DeliverBy)
		}
		w.wantStates(queue.Deferred, queue.Deferred, queue.Failed, queue.Delivered) // the last is the report
	})
	inWorld(t, func(w *world) {
		w.sendWith(smtp.MailParams{DeliverBy: smtp.DeliverBy{Seconds: 60, Mode: smtp.ByReturn}}, "bob@example.net")
		pass(2 * time.Minute) // the process was down
		defer w.run()()
		pass(time.Second)
		if len(w.seen()) > 0 && w.seen()[0].rcpts == "bob@example.net" {
			t.Error("it was sent when its time was up")
		}
	})
}

// BY= with "notify": a delay is reported when its time is up, once.
func TestDeliverByNotify(t *testing.T) {
	inWorld(t, func(w *world) {
		w.later()
		var delays []time.Duration
		w.r.Reporter = reporter(func(_ *queue.Job, rs []queue.Result) ([]queue.Report, error) {
			if rs[0].Delay {
				w.set(func() { delays = append(delays, time.Since(w.start).Round(time.Second)) })
			}
			return nil, nil
		})
		w.sendWith(smtp.MailParams{DeliverBy: smtp.DeliverBy{Seconds: 420, Mode: smtp.ByNotify}}, "bob@example.net")
		defer w.run()()
		pass(5 * time.Hour)
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(delays) != 1 || delays[0] != 420*time.Second {
			t.Errorf("delays were reported at %v", delays)
		}
	})
}

// MT-PRIORITY is the priority of the jobs (RFC 6710 §5.1).
func TestPriority(t *testing.T) {
	inWorld(t, func(w *world) {
		w.sendWith(smtp.MailParams{Priority: smtp.Priority{Level: 4, Given: true}}, "bob@example.net")
		if j := w.wantJobs(1)[0]; j.Priority != 4 || j.Params.Priority.Level != 4 {
			t.Errorf("%+v", j)
		}
	})
}

// A time of "notify" that was up when the message came was reported by the
// host in front (RFC 2852); the time counts from MAIL, not from the end of the
// body.
func TestDeliverByCountsFromMail(t *testing.T) {
	inWorld(t, func(w *world) {
		w.later()
		delays := 0
		w.r.Reporter = reporter(func(_ *queue.Job, rs []queue.Result) ([]queue.Report, error) {
			if rs[0].Delay {
				w.set(func() { delays++ })
			}
			return nil, nil
		})
		w.sendWith(smtp.MailParams{DeliverBy: smtp.DeliverBy{Seconds: -10, Mode: smtp.ByNotify}}, "bob@example.net")
		defer w.run()()
		pass(time.Hour)
		w.set(func() {
			if delays != 0 {
				t.Error("a delay was reported again")
			}
		})
	})
	inWorld(t, func(w *world) {
		mail := &smtp.Mail{ID: smtp.NewID(), Received: time.Now().Add(-20 * time.Second), Params: smtp.MailParams{DeliverBy: smtp.DeliverBy{Seconds: 60, Mode: smtp.ByReturn}}}
		bob := &smtp.Recipient{ForwardPath: forward("bob@example.net")}
		job := w.q.Jobs(&smtp.Envelope{Mail: mail, Recipients: []*smtp.Recipient{bob}}, "blob", 1, nil)[0]
		if by := job.Params.DeliverBy; by.Seconds != 40 {
			t.Errorf("%d s are left, want 40", by.Seconds)
		}
	})
}

// A report is as urgent (RFC 6710 §4.6), and as well protected (RFC 8689 §5),
// as the message that it is about.
func TestReportInherits(t *testing.T) {
	inWorld(t, func(w *world) {
		var report smtp.MailParams
		w.take = func(_ context.Context, env *smtp.Envelope, _ *smtp.Body) ([]smtp.RcptStatus, error) {
			if env.Mail.ReversePath.IsNull() {
				w.set(func() { report = env.Mail.Params })
				return smtp.Accepted(len(env.Recipients)), nil
			}
			return nil, errNobody
		}
		w.sendWith(smtp.MailParams{Priority: smtp.Priority{Level: 3, Given: true}, RequireTLS: true}, "bob@example.net")
		defer w.run()()
		pass(time.Minute)
		w.set(func() {
			if report.Priority.Level != 3 || !report.RequireTLS {
				t.Errorf("%+v", report)
			}
		})
	})
}
