package queue_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
)

// Recipients that a directory places elsewhere wait there, in one job, as they
// were: in time, in what was told of them, and in what their sender asked for.
func TestMove(t *testing.T) {
	inWorld(t, func(w *world) {
		w.route = func(_ context.Context, j *queue.Job) ([]queue.Hop, error) {
			if j.Destination != "example.net" {
				return []queue.Hop{{Recipients: places(j), Err: smtp.Errorf(450, smtp.EnhancedCode{Class: 4}, "later")}}, nil
			}
			return []queue.Hop{{Recipients: []int{2, 0}, Move: "elsewhere", Name: "local"}, w.hop(1)}, nil
		}
		var told []int
		w.r.Reporter = reporter(func(_ *queue.Job, rs []queue.Result) ([]queue.Report, error) {
			for _, r := range rs {
				told = append(told, r.Expanded)
			}
			return nil, nil
		})
		w.send("a@example.net", "b@example.net", "c@example.net")
		before := w.wantJobs(1)[0]
		before.Recipients[2].Delayed = true
		before.Recipients[2].Params.Notify = smtp.NotifySuccess
		before.Priority, before.Attempts = 3, 7
		w.store.Edit(t.Context(), queue.Filter{}, queue.Edit{Due: new(time.Now().Add(time.Hour))})
		before.ID, before.Once, before.Due = "again", "", time.Now()
		if err := w.q.Put(t.Context(), *before); err != nil {
			t.Fatal(err)
		}
		defer w.run()()
		pass(soon)
		var moved *queue.Job
		for _, j := range w.jobs() {
			if j.Destination == "elsewhere" {
				moved = j
			}
		}
		if moved == nil || len(moved.Recipients) != 2 {
			t.Fatalf("jobs %v", w.jobs())
		}
		got := fmt.Sprint(moved.Recipients[0].ForwardPath, moved.Recipients[0].Delayed, moved.Recipients[0].Params.Notify,
			moved.Recipients[1].ForwardPath, moved.Recipients[1].Delayed, moved.Created.Equal(before.Created), moved.Priority, moved.Message == before.Message)
		if want := "c@example.net true SUCCESS a@example.net false true 3 true"; got != want {
			t.Errorf("moved %s, want %s", got, want)
		}
		if fmt.Sprint(told) != "[1 0 1 0 0]" {
			t.Errorf("results told as expanded to %v", told)
		}
	})
}

// A list may send in its own name, and keep a copy under a destination of the
// router's choice; the null sender stays the null sender.
func TestExpandAtAndSender(t *testing.T) {
	for _, from := range []string{"alice@example.org", ""} {
		inWorld(t, func(w *world) {
			owner := smtp.ReversePath(forward("owner-list@example.net"))
			w.route = func(_ context.Context, j *queue.Job) ([]queue.Hop, error) {
				if j.Recipients[0].ForwardPath.Local != "list" {
					return []queue.Hop{{Recipients: places(j), Err: smtp.Errorf(450, smtp.EnhancedCode{Class: 4}, "later")}}, nil
				}
				to := []smtp.Recipient{{ForwardPath: forward("a@example.com")}, {ForwardPath: forward("b@example.com")}, {ForwardPath: forward("c@example.com")}}
				return []queue.Hop{{Recipients: []int{0}, Expand: to, At: []string{"", "kept", ""}, Sender: &owner}}, nil
			}
			mail := &smtp.Mail{ID: smtp.NewID(), Params: smtp.MailParams{EnvelopeID: "e1", Return: smtp.ReturnFull}}
			if from != "" {
				mail.ReversePath = smtp.ReversePath(forward(from))
			}
			env := &smtp.Envelope{Mail: mail, Recipients: []*smtp.Recipient{{ForwardPath: forward("list@example.net")}}}
			var told []int
			w.r.Reporter = reporter(func(_ *queue.Job, rs []queue.Result) ([]queue.Report, error) {
				if rs[0].State == queue.Delivered {
					told = append(told, rs[0].Expanded)
				}
				return nil, nil
			})
			if err := w.q.Enqueue(t.Context(), env, strings.NewReader("x\r\n")); err != nil {
				t.Fatal(err)
			}
			defer w.run()()
			pass(soon)
			got := map[string]string{}
			for _, j := range w.wantJobs(2) {
				got[j.Destination] = fmt.Sprintf("%d <%s> %s%s", len(j.Recipients), j.ReversePath, j.Params.EnvelopeID, j.Params.Return)
			}
			tail := " <owner-list@example.net> "
			if from == "" {
				tail = " <> e1FULL"
			}
			if got["kept"] != "1"+tail || got["example.com"] != "2"+tail {
				t.Errorf("from <%s>: %q", from, got)
			}
			if fmt.Sprint(told) != "[0]" {
				t.Errorf("expanded to %v; the list is where the message was sent to", told)
			}
		})
	}
}
