package metrics_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/memqueue"
	"github.com/mailstead/mailstead/queue/metrics"
	"github.com/mailstead/mailstead/smtp"
)

var t0 = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

func event(kind queue.EventKind, waited time.Duration, r queue.Result) queue.Event {
	return queue.Event{Kind: kind, Job: &queue.Job{Destination: "example.net", Created: t0}, Result: r, Time: t0.Add(waited)}
}

func reply(code int, e smtp.EnhancedCode) queue.Result {
	return queue.Result{Reply: smtp.Reply{Code: code, Enhanced: e}}
}

func snapshot(t *testing.T, m *metrics.Metrics) metrics.Snapshot {
	t.Helper()
	s, err := m.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEvents(t *testing.T) {
	m := &metrics.Metrics{Ignore: func(j *queue.Job) bool { return j.Destination == "webhook:x" }}
	for kind := queue.EventAccepted; kind <= queue.EventHeld; kind++ {
		for range int(kind) + 1 {
			m.Event(event(kind, time.Minute, queue.Result{}))
		}
	}
	m.Event(event(queue.EventDelivered, 0, queue.Result{Expanded: 3}))
	m.Event(queue.Event{Kind: queue.EventFailed, Job: &queue.Job{Destination: "webhook:x"}})
	m.Event(queue.Event{Kind: 200})
	want := metrics.Events{Accepted: 1, Delivered: 2, Expanded: 1, Deferred: 3, Failed: 4, Unknown: 5, Expired: 6, Held: 7}
	if got := snapshot(t, m); got.Events != want {
		t.Errorf("got %+v, want %+v", got.Events, want)
	}
}

func TestDeferred(t *testing.T) {
	for _, c := range []struct {
		code smtp.EnhancedCode
		want string
	}{
		{smtp.EnhancedCode{}, "none"},
		{smtp.EnhancedCode{Class: 4}, "undefined"},
		{smtp.EnhancedCode{Class: 4, Subject: 2, Detail: 2}, "mailbox"},
		{smtp.EnhancedCode{Class: 4, Subject: 4, Detail: 1}, "network"},
		{smtp.EnhancedCode{Class: 4, Subject: 7, Detail: 1}, "policy"},
		{smtp.EnhancedCode{Class: 4, Subject: 999}, "none"},
	} {
		m := &metrics.Metrics{}
		m.Event(event(queue.EventDeferred, 0, reply(450, c.code)))
		s, total := snapshot(t, m), uint64(0)
		for i, n := range s.Deferred {
			if total += n; n > 0 && metrics.SubjectName(i) != c.want {
				t.Errorf("%v: counted as %s, want %s", c.code, metrics.SubjectName(i), c.want)
			}
		}
		if total != s.Events.Deferred || total != 1 {
			t.Errorf("%v: %d subjects for %d deferrals", c.code, total, s.Events.Deferred)
		}
	}
}

func TestLatency(t *testing.T) {
	bounds := metrics.Bounds()
	m, sum := &metrics.Metrics{}, time.Duration(0)
	for _, b := range bounds {
		m.Event(event(queue.EventDelivered, b, queue.Result{})) // the bound itself is in its bucket
		m.Event(event(queue.EventDelivered, b+1, queue.Result{}))
		sum += 2*b + 1
	}
	m.Event(event(queue.EventDelivered, -time.Hour, queue.Result{})) // the clock was set back
	got := snapshot(t, m).Latency
	for i, n := range got.Counts {
		if want := uint64(2); i < len(bounds) && n != want || i == len(bounds) && n != 1 {
			t.Errorf("bucket %d: %d", i, n)
		}
	}
	if got.Sum != sum {
		t.Errorf("sum %v, want %v", got.Sum, sum)
	}
}

// counted is a storage that counts, and can fail or hang.
type counted struct {
	queue.Storage
	mu   sync.Mutex
	n    int
	err  error
	hang chan struct{}
}

func (c *counted) Stats(context.Context) (queue.Stats, error) {
	c.mu.Lock()
	c.n++
	n, err, hang := c.n, c.err, c.hang
	c.mu.Unlock()
	if hang != nil {
		hang <- struct{}{}
		<-hang
	}
	return queue.Stats{Jobs: int64(n)}, err
}

func TestQueueIsAskedSeldom(t *testing.T) {
	now := t0
	store := &counted{Storage: &memqueue.Storage{}}
	m := &metrics.Metrics{Runner: &queue.Runner{Queue: &queue.Queue{Storage: store}}, Now: func() time.Time { return now }}
	for range 100 {
		if s := snapshot(t, m); s.Queue.Jobs != 1 || !s.QueueAt.Equal(t0) {
			t.Fatalf("%+v of %v", s.Queue, s.QueueAt)
		}
	}
	now = now.Add(10 * time.Second)
	if s := snapshot(t, m); s.Queue.Jobs != 2 {
		t.Errorf("after 10 s: %+v", s.Queue)
	}
	now = now.Add(-time.Hour)
	if s := snapshot(t, m); s.Queue.Jobs != 3 {
		t.Errorf("after the clock was set back: %+v", s.Queue)
	}
}

func TestStorageThatFails(t *testing.T) {
	now := t0
	store := &counted{Storage: &memqueue.Storage{}}
	m := &metrics.Metrics{Runner: &queue.Runner{Queue: &queue.Queue{Storage: store}}, Now: func() time.Time { return now }}
	snapshot(t, m)
	m.Event(event(queue.EventFailed, 0, queue.Result{}))
	now, store.err = now.Add(time.Minute), errors.New("disk full")
	s, err := m.Snapshot(t.Context())
	if !errors.Is(err, store.err) || s.Events.Failed != 1 || s.Queue.Jobs != 1 || !s.QueueAt.Equal(t0) {
		t.Errorf("%+v, %v", s, err)
	}
	store.err = nil
	if s := snapshot(t, m); s.Queue.Jobs != 3 {
		t.Errorf("once it answers again: %+v", s.Queue)
	}
}

func TestStorageThatHangs(t *testing.T) {
	store := &counted{Storage: &memqueue.Storage{}, hang: make(chan struct{})}
	m := &metrics.Metrics{Runner: &queue.Runner{Queue: &queue.Queue{Storage: store}}}
	var wg sync.WaitGroup
	wg.Go(func() { m.Snapshot(t.Context()) })
	<-store.hang // asked, and no answer
	m.Event(event(queue.EventFailed, 0, queue.Result{}))
	if s := snapshot(t, m); s.Events.Failed != 1 || !s.QueueAt.IsZero() {
		t.Errorf("%+v", s)
	}
	store.hang <- struct{}{}
	wg.Wait()
	if s := snapshot(t, m); s.Queue.Jobs != 1 {
		t.Errorf("%+v", s.Queue)
	}
}

func TestEventAllocatesNothing(t *testing.T) {
	m := &metrics.Metrics{}
	e := event(queue.EventDelivered, time.Minute, queue.Result{})
	if n := testing.AllocsPerRun(100, func() { m.Event(e) }); n != 0 {
		t.Errorf("%v allocations an event", n)
	}
}
