package queue_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
)

func TestRetrySchedule(t *testing.T) {
	inWorld(t, func(w *world) {
		w.take = answer(errBusy)
		w.r.Reporter = reporter(func(*queue.Job, []queue.Result) ([]queue.Report, error) { return nil, nil })
		defer w.run()()
		w.send("bob@example.net")
		pass(12 * time.Hour)
		m := time.Minute
		w.wantTries(0, 5*m, 15*m, 35*m, 75*m, 155*m, 315*m, 555*m)
		if j := w.wantJobs(1)[0]; j.Attempts != 8 || j.Last != "mx.test: 450 4.2.0 busy" {
			t.Errorf("%d attempts, last %q", j.Attempts, j.Last)
		}
	})
}

// A message that is not delivered in time fails: its sender gets a DSN, in the
// commit that forgets the recipient.
func TestExpiry(t *testing.T) {
	inWorld(t, func(w *world) {
		w.r.Schedule.Expire, w.r.Schedule.Delayed = time.Hour, -1
		w.take = func(_ context.Context, env *smtp.Envelope, _ *smtp.Body) ([]smtp.RcptStatus, error) {
			if env.Mail.ReversePath.IsNull() {
				return smtp.Accepted(1), nil
			}
			return nil, errBusy
		}
		var settled []queue.Outcome
		w.store.settle = func(out []queue.Outcome) error { settled = append(settled, out...); return nil }
		defer w.run()()
		w.send("bob@example.net")
		pass(2 * time.Hour)
		w.wantJobs(0)
		tries := w.seen()
		last := tries[len(tries)-1]
		if last.rcpts != "alice@example.org" || last.body != "failed bob@example.net: 450 4.2.0 busy" {
			t.Errorf("the last message is %+v", last)
		}
		if last.at < time.Hour || last.at > time.Hour+soon {
			t.Errorf("the sender learns of it after %v, want at the expiry after 1h", last.at)
		}
		for _, out := range settled {
			if gone := len(out.Remaining) == 0 && out.Token.Job == tries[0].once; gone != (len(out.Next) == 1) {
				t.Errorf("an outcome with %d recipients left and %d DSNs", len(out.Remaining), len(out.Next))
			}
		}
	})
}

func TestExpiresOfTheJob(t *testing.T) {
	inWorld(t, func(w *world) {
		w.route = func(context.Context, *queue.Job) ([]queue.Hop, error) { return nil, errors.New("no DNS") }
		w.r.Reporter = reporter(func(_ *queue.Job, rs []queue.Result) ([]queue.Report, error) {
			if rs[0].State == queue.Failed && rs[0].Reply.Enhanced != (smtp.EnhancedCode{Class: 5, Subject: 4, Detail: 7}) {
				t.Errorf("expired with the reply %v", rs[0].Reply)
			}
			return nil, nil
		})
		j := queue.Job{ID: "a", Created: time.Now(), Due: time.Now(), Expires: time.Now().Add(7 * time.Minute), Recipients: []queue.Recipient{{}}}
		if err := w.q.Put(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		defer w.run()()
		pass(time.Hour)
		w.wantStates(queue.Deferred, queue.Deferred, queue.Failed)
		w.wantJobs(0)
	})
}

func TestFailureIsReported(t *testing.T) {
	inWorld(t, func(w *world) {
		w.take = func(_ context.Context, env *smtp.Envelope, _ *smtp.Body) ([]smtp.RcptStatus, error) {
			if env.Mail.ReversePath.IsNull() {
				return smtp.Accepted(1), nil
			}
			return nil, errNobody
		}
		defer w.run()()
		w.send("bob@example.net")
		pass(soon)
		w.wantStates(queue.Failed, queue.Delivered)
		w.wantTries(0, soon) // the DSN leaves at once
	})
}

func TestDelayNoticeOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		w.route = func(_ context.Context, j *queue.Job) ([]queue.Hop, error) {
			if j.ReversePath.IsNull() {
				return []queue.Hop{w.hop(0)}, nil
			}
			return nil, errBusy
		}
		defer w.run()()
		w.send("bob@example.net", "carol@example.net")
		pass(48 * time.Hour)
		got := w.seen()
		if len(got) != 1 {
			t.Fatalf("%d notices, want 1", len(got))
		}
		if at := got[0].at; at < 4*time.Hour || at > 9*time.Hour || !strings.HasPrefix(got[0].body, "delayed bob@example.net: 450") {
			t.Errorf("notice %+v", got[0])
		}
		if j := w.wantJobs(1)[0]; !j.Recipients[0].Delayed || !j.Recipients[1].Delayed {
			t.Error("the recipients do not say that they were reported as delayed")
		}
	})
}

func TestUnknownOutcomeIsRetried(t *testing.T) {
	inWorld(t, func(w *world) {
		lost := fmt.Errorf("read tcp: %w", queue.ErrOutcomeUnknown)
		w.take = answer(lost)
		defer w.run()()
		w.send("bob@example.net")
		synctest.Wait()
		w.wantStates(queue.Unknown)
		w.wantJobs(1)
		w.set(func() { w.take = nil })
		pass(5 * time.Minute)
		w.wantStates(queue.Unknown, queue.Delivered)
		w.wantJobs(0)
	})
}

func TestMixedResults(t *testing.T) {
	inWorld(t, func(w *world) {
		w.take = func(_ context.Context, env *smtp.Envelope, _ *smtp.Body) ([]smtp.RcptStatus, error) {
			out := smtp.Accepted(len(env.Recipients))
			for i, r := range env.Recipients {
				switch r.ForwardPath.Local {
				case "busy":
					out[i].Err = errBusy
				case "nobody":
					out[i].Err = errNobody
				case "odd":
					out[i].Err = errors.New("no reply: in doubt")
				}
			}
			return out, nil
		}
		defer w.run()()
		w.send("ok@example.net", "busy@example.net", "nobody@example.net", "odd@example.net")
		pass(soon)
		w.wantStates(queue.Delivered, queue.Deferred, queue.Failed, queue.Deferred, queue.Delivered)
		j := w.wantJobs(1)[0]
		if len(j.Recipients) != 2 || j.Recipients[0].ForwardPath.Local != "busy" || j.Recipients[1].ForwardPath.Local != "odd" {
			t.Errorf("left: %+v", j.Recipients)
		}
		if dsn := w.seen()[1]; dsn.body != "failed nobody@example.net: 550 5.1.1 no such user" {
			t.Errorf("DSN %q", dsn.body)
		}
	})
}

func TestWrongStatusCountIsADeferral(t *testing.T) {
	inWorld(t, func(w *world) {
		w.take = func(context.Context, *smtp.Envelope, *smtp.Body) ([]smtp.RcptStatus, error) {
			return smtp.Accepted(1), nil
		}
		defer w.run()()
		w.send("a@example.net", "b@example.net")
		synctest.Wait()
		w.wantStates(queue.Deferred, queue.Deferred)
		w.wantJobs(1)
	})
}

// As long as no DSN can be written nobody is dropped.
func TestReporterFails(t *testing.T) {
	for name, report := range map[string]reporter{
		"error": func(*queue.Job, []queue.Result) ([]queue.Report, error) { return nil, errStorage },
		"panic": func(*queue.Job, []queue.Result) ([]queue.Report, error) { panic("boom") },
		"the body": func(*queue.Job, []queue.Result) ([]queue.Report, error) {
			return []queue.Report{{To: forward("x@y"), Body: broken{}}}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.take = answer(errNobody)
				w.r.Reporter = w.lately(&report)
				defer w.run()()
				w.send("bob@example.net")
				synctest.Wait()
				if j := w.wantJobs(1)[0]; len(j.Recipients) != 1 {
					t.Fatalf("left: %+v", j.Recipients)
				}
				w.set(func() { report = failures })
				pass(5*time.Minute + soon)
				for _, try := range w.seen() {
					if strings.HasPrefix(try.body, "failed bob@") {
						return
					}
				}
				t.Error("the DSN does not come when it can be written again")
			})
		})
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errStorage }

// Without a Reporter failed mail is held, not dropped.
func TestNoReporter(t *testing.T) {
	inWorld(t, func(w *world) {
		w.take, w.r.Reporter = answer(errNobody), nil
		defer w.run()()
		w.send("bob@example.net")
		pass(time.Hour)
		w.wantTries(0)
		if j := w.wantJobs(1)[0]; j.Hold == "" || len(j.Recipients) != 1 {
			t.Errorf("hold %q, left %+v", j.Hold, j.Recipients)
		}
	})
}

// A delivery whose settlement fails is not repeated while it can be settled.
func TestSettleIsRetried(t *testing.T) {
	inWorld(t, func(w *world) {
		fails := 20
		w.store.settle = func([]queue.Outcome) error {
			if fails--; fails >= 0 {
				return errStorage
			}
			return nil
		}
		defer w.run()()
		w.send("bob@example.net")
		pass(time.Second)
		w.wantStates() // nothing is told before it is settled
		w.wantJobs(1)
		pass(5 * time.Minute)
		w.wantTries(0)
		w.wantJobs(0)
		w.wantStates(queue.Delivered)
	})
}

// A storage that takes nothing any more does not keep the runner from ending.
func TestShutdownWithoutSettle(t *testing.T) {
	inWorld(t, func(w *world) {
		w.store.settle = func([]queue.Outcome) error { return errStorage }
		stop := w.run()
		w.send("bob@example.net")
		pass(time.Hour)
		before := time.Now()
		stop()
		if d := time.Since(before); d > 5*time.Second {
			t.Errorf("ended %v after it was told to", d)
		}
		w.wantJobs(1)
	})
}

func TestSettleLeaseLost(t *testing.T) {
	inWorld(t, func(w *world) {
		n := 0
		w.store.settle = func([]queue.Outcome) error { n++; return queue.ErrLeaseLost }
		defer w.run()()
		w.send("bob@example.net")
		pass(time.Minute)
		if n != 1 {
			t.Errorf("a void lease was settled %d times", n)
		}
		w.wantStates()
	})
}

func TestExpand(t *testing.T) {
	inWorld(t, func(w *world) {
		w.route = func(_ context.Context, j *queue.Job) ([]queue.Hop, error) {
			if len(j.Recipients) > 0 && j.Recipients[0].ForwardPath.Local != "list" {
				return []queue.Hop{w.hop(places(j)...)}, nil
			}
			var members []smtp.Recipient
			for i := range 250 {
				members = append(members, smtp.Recipient{ForwardPath: forward(fmt.Sprintf("m%d@example.com", i))})
			}
			return []queue.Hop{{Recipients: []int{0}, Expand: members, Name: "local"}, w.hop(1)}, nil
		}
		defer w.run()()
		w.send("list@example.net", "bob@example.net")
		pass(soon)
		w.wantJobs(0)
		sizes := map[int]int{}
		for _, try := range w.seen() {
			sizes[strings.Count(try.rcpts, ",")+1]++
		}
		if len(sizes) != 3 || sizes[1] != 1 || sizes[100] != 2 || sizes[50] != 1 {
			t.Errorf("messages by number of recipients: %v; want one to 1, two to 100, one to 50", sizes)
		}
	})
}

func TestEventPanics(t *testing.T) {
	inWorld(t, func(w *world) {
		w.r.Event = func(queue.Event) { panic("boom") }
		defer w.run()()
		w.send("bob@example.net")
		synctest.Wait()
		w.wantJobs(0)
	})
}

// The success of an alias of several is its own: those that it stands for are
// not asked to report it (RFC 3461 §5.2.7).
func TestExpandNotify(t *testing.T) {
	for _, test := range []struct {
		members int
		in, out smtp.Notify
	}{
		{1, smtp.NotifySuccess, smtp.NotifySuccess},
		{2, smtp.NotifySuccess | smtp.NotifyDelay, smtp.NotifyDelay},
		{2, smtp.NotifySuccess, smtp.NotifyNever},
		{2, 0, 0},
		{2, smtp.NotifyFailure, smtp.NotifyFailure},
	} {
		inWorld(t, func(w *world) {
			var got []smtp.Notify
			var expanded int
			w.route = func(_ context.Context, j *queue.Job) ([]queue.Hop, error) {
				if j.Recipients[0].ForwardPath.Local != "list" {
					return []queue.Hop{w.hop(places(j)...)}, nil
				}
				members := make([]smtp.Recipient, test.members)
				for i := range members {
					members[i] = smtp.Recipient{ForwardPath: forward(fmt.Sprintf("m%d@example.com", i)), Params: j.Recipients[0].Params}
				}
				return []queue.Hop{{Recipients: []int{0}, Expand: members, Name: "local"}}, nil
			}
			w.take = func(_ context.Context, env *smtp.Envelope, _ *smtp.Body) ([]smtp.RcptStatus, error) {
				for _, r := range env.Recipients {
					w.set(func() { got = append(got, r.Params.Notify) })
				}
				return smtp.Accepted(len(env.Recipients)), nil
			}
			w.r.Reporter = reporter(func(_ *queue.Job, rs []queue.Result) ([]queue.Report, error) {
				w.set(func() { expanded = max(expanded, rs[0].Expanded) })
				return nil, nil
			})
			defer w.run()()
			list := &smtp.Recipient{ForwardPath: forward("list@example.net"), Params: smtp.RcptParams{Notify: test.in}}
			env := &smtp.Envelope{Mail: &smtp.Mail{ID: smtp.NewID(), ReversePath: smtp.ReversePath(forward("alice@example.org"))}, Recipients: []*smtp.Recipient{list}}
			if err := w.q.Enqueue(t.Context(), env, strings.NewReader("x\r\n")); err != nil {
				t.Fatal(err)
			}
			pass(soon)
			w.set(func() {
				if expanded != test.members || len(got) != test.members || got[0] != test.out {
					t.Errorf("%v for %d members became %v; reported as expanded to %d", test.in, test.members, got, expanded)
				}
			})
		})
	}
}
