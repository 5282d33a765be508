package history_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/history"
	"github.com/mailstead/mailstead/queue/memqueue"
	"github.com/mailstead/mailstead/smtp"
)

func path(s string) smtp.Path {
	local, domain, _ := strings.Cut(s, "@")
	return smtp.Path{Local: local, Domain: domain}
}

func job(message, sender string, rcpts ...string) *queue.Job {
	j := &queue.Job{ID: smtp.NewID(), Message: message, Destination: "d.test", Identity: "alice", Created: time.Now(), Attempts: 3, Size: 90, Prefix: make([]byte, 10)}
	if sender != "" {
		j.ReversePath.Path = path(sender)
	}
	for _, r := range rcpts {
		j.Recipients = append(j.Recipients, queue.Recipient{Recipient: smtp.Recipient{ForwardPath: smtp.ForwardPath{Path: path(r)}}})
	}
	return j
}

// done writes the outcome of a job, the same for all recipients.
func done(t *testing.T, h *history.History, j *queue.Job, r queue.Result) {
	t.Helper()
	es := h.Record(j, slices.Repeat([]queue.Result{r}, len(j.Recipients)), time.Now())
	if err := h.Storage.PutEntries(t.Context(), es...); err != nil {
		t.Fatal(err)
	}
}

func delivered() queue.Result {
	return queue.Result{State: queue.Delivered, NextHop: "mx.test", Reply: smtp.NewReply(250, smtp.EnhancedCode{Class: 2}, "ok")}
}

func query(t *testing.T, h *history.History, f history.Filter) (out []*history.Record) {
	t.Helper()
	for r, err := range h.Query(t.Context(), f) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

// TestRecord: what was finished stands there with all that is known of it;
// recipients that go on do not.
func TestRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &history.History{Storage: &memqueue.Storage{}}
		j := job("m1", "alice@a.test", "ok@d.test", "later@d.test", "no@d.test", "old@d.test")
		time.Sleep(time.Hour)
		refused := smtp.NewReply(550, smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 1}, strings.Repeat("no such user ", 100))
		es := h.Record(j, []queue.Result{
			delivered(),
			{State: queue.Deferred},
			{State: queue.Failed, NextHop: "mx.test", Reply: refused},
			{State: queue.Failed, Expired: true},
		}, time.Now())
		if err := h.Storage.PutEntries(t.Context(), es...); err != nil {
			t.Fatal(err)
		}
		got := query(t, h, history.Filter{})
		if len(got) != 1 {
			t.Fatalf("%d records", len(got))
		}
		r := got[0]
		if r.Message != "m1" || r.Job != j.ID || r.Sender != "alice@a.test" || r.Identity != "alice" || r.Destination != "d.test" ||
			!r.Accepted.Equal(j.Created) || !r.Finished.Equal(time.Now()) || r.Attempts != 3 || r.Octets != 100 {
			t.Errorf("record %+v", r)
		}
		want := []history.Recipient{
			{Address: "ok@d.test", State: "delivered", Reply: "250 2.0.0 ok", NextHop: "mx.test"},
			{Address: "no@d.test", State: "failed", Reply: refused.String()[:history.MaxReply], NextHop: "mx.test"},
			{Address: "old@d.test", State: "expired"},
		}
		if !slices.Equal(r.Recipients, want) {
			t.Errorf("recipients %+v", r.Recipients)
		}
		if es := h.Record(j, make([]queue.Result, 4), time.Now()); es != nil {
			t.Errorf("an outcome that finishes nobody has %d entries", len(es))
		}
		time.Sleep(7*24*time.Hour - 1)
		if got := query(t, h, history.Filter{}); len(got) != 1 {
			t.Errorf("%d records after nearly 7 days", len(got))
		}
		time.Sleep(time.Nanosecond)
		if got := query(t, h, history.Filter{}); len(got) != 0 {
			t.Errorf("%d records after 7 days", len(got))
		}
	})
}

func TestQuery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &history.History{Storage: &memqueue.Storage{}}
		start := time.Now()
		for i := range 10 {
			sender := "Alice@a.test"
			if i%2 == 1 {
				sender = ""
			}
			done(t, h, job(fmt.Sprint("m", i), sender, fmt.Sprintf("u%d@d.test", i%3), "all@D.test"), delivered())
			time.Sleep(time.Hour)
		}
		at := func(hour int) time.Time { return start.Add(time.Duration(hour) * time.Hour) }
		tests := []struct {
			f    history.Filter
			want string
		}{
			{history.Filter{}, "9876543210"},
			{history.Filter{Limit: 2}, "98"},
			{history.Filter{Message: "m4"}, "4"},
			{history.Filter{Sender: "alice@A.test"}, "86420"},
			{history.Filter{Sender: "<>"}, "97531"},
			{history.Filter{Recipient: "U1@d.test"}, "741"},
			{history.Filter{Recipient: "u1@d.test", Sender: "<>", Limit: 1}, "7"},
			{history.Filter{Identity: "bob"}, ""},
			{history.Filter{Since: at(3), Until: at(6)}, "543"},
			{history.Filter{Until: at(1)}, "0"},
			{history.Filter{Since: at(9)}, "9"},
			{history.Filter{Until: start}, ""},
		}
		for _, tt := range tests {
			got := ""
			for _, r := range query(t, h, tt.f) {
				got += r.Message[1:]
			}
			if got != tt.want {
				t.Errorf("%+v: %q, want %q", tt.f, got, tt.want)
			}
		}
	})
}

// TestPrune: the oldest buckets of what is too much go, and their counts.
func TestPrune(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &memqueue.Storage{}
		h := &history.History{Storage: s, MaxRows: 100}
		other := &history.History{Storage: s, MaxRows: 100} // another node
		for range 30 {
			for range 5 {
				done(t, h, job("m", "a@b", "c@d"), delivered())
				done(t, other, job("m", "a@b", "c@d"), delivered())
			}
			time.Sleep(10 * time.Minute)
		}
		for i, want := range []int{200, 0} {
			if n, err := h.Prune(t.Context()); n != want || err != nil {
				t.Errorf("pruning %d: %d, %v; want %d", i, n, err, want)
			}
		}
		if got := query(t, h, history.Filter{}); len(got) != 100 || time.Since(got[99].Finished) > 101*time.Minute {
			t.Errorf("%d records are left, the oldest %v", len(got), time.Since(got[len(got)-1].Finished))
		}
		h.MaxRows, h.MaxOctets = -1, 5000
		if n, err := h.Prune(t.Context()); n == 0 || n == 100 || err != nil {
			t.Errorf("of too many octets: %d, %v", n, err)
		}
		if n, err := h.Prune(t.Context()); n != 0 || err != nil {
			t.Errorf("again: %d, %v", n, err)
		}
		h.MaxOctets = 10
		if _, err := h.Prune(t.Context()); err != nil || len(query(t, h, history.Filter{})) > 0 {
			t.Errorf("all is too much: %v", err)
		}
	})
}

// TestRun: the history is looked after until the context ends.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &history.History{Storage: &memqueue.Storage{}, MaxRows: 1}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); h.Run(ctx) }()
		done(t, h, job("m", "a@b", "c@d"), delivered())
		done(t, h, job("m", "a@b", "c@d"), delivered())
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if got := query(t, h, history.Filter{}); len(got) > 1 {
			t.Errorf("%d records", len(got))
		}
		cancel()
		<-ended
	})
}

// TestLongRecord: what is too long for one entry is in several, and nothing that
// a peer can say is out of bounds.
func TestLongRecord(t *testing.T) {
	h := &history.History{Storage: &memqueue.Storage{}}
	var rcpts []string
	for i := range queue.MaxRecipients {
		rcpts = append(rcpts, fmt.Sprintf("%s%d@%s", strings.Repeat("\x01\xff", 120), i, strings.Repeat("<", 250)))
	}
	r := queue.Result{State: queue.Failed, NextHop: strings.Repeat("h", 5000), Reply: smtp.NewReply(550, smtp.EnhancedCode{Class: 5}, strings.Repeat("\xff<&", 5000))}
	done(t, h, job(strings.Repeat("m", 500), strings.Repeat("s", 500)+"@a.test", rcpts...), r)
	n := 0
	for _, rec := range query(t, h, history.Filter{}) {
		n += len(rec.Recipients)
	}
	if n != queue.MaxRecipients {
		t.Errorf("%d recipients in records, want %d", n, queue.MaxRecipients)
	}
}
