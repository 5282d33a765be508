package queue_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/memqueue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store/blob/memblob"
)

// world is a queue with its runner, a router that sends everything to one
// receiver, and a record of what happened.
type world struct {
	t     *testing.T
	store *wrapped
	blobs *memblob.Blobs
	q     *queue.Queue
	r     *queue.Runner
	route func(context.Context, *queue.Job) ([]queue.Hop, error) // nil: all to receive
	take  smtp.EachRcpt                                          // nil: accept

	mu     sync.Mutex
	start  time.Time
	tries  []try
	events []queue.Event
}

// try is one transaction that the receiver saw.
type try struct {
	at    time.Duration // since start
	once  string        // Mail.Once: the job
	rcpts string        // comma-separated
	body  string        // with its trace
}

// wrapped is a Storage whose Settle can be made to fail.
type wrapped struct {
	queue.Storage
	mu     sync.Mutex
	settle func(out []queue.Outcome) error // called first; an error is returned
	looks  int                             // calls of LeaseDestinations

	entries error // of Entries; under mu
}

func (w *wrapped) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.entries = err
}

func (w *wrapped) Entries(ctx context.Context, f queue.EntryFilter) iter.Seq2[*queue.Entry, error] {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.entries; err != nil {
		return func(yield func(*queue.Entry, error) bool) { yield(nil, err) }
	}
	return w.Storage.Entries(ctx, f)
}

func (w *wrapped) Settle(ctx context.Context, out []queue.Outcome) error {
	w.mu.Lock()
	f := w.settle
	w.mu.Unlock()
	if f != nil {
		if err := f(out); err != nil {
			return err
		}
	}
	return w.Storage.Settle(ctx, out)
}

func (w *wrapped) LeaseDestinations(ctx context.Context, l queue.Look) (queue.Found, error) {
	w.mu.Lock()
	w.looks++
	w.mu.Unlock()
	return w.Storage.LeaseDestinations(ctx, l)
}

// inWorld runs f in a bubble: its goroutines must all end with it.
func inWorld(t *testing.T, f func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, store: &wrapped{Storage: &memqueue.Storage{}}, blobs: memblob.New(), start: time.Now()}
		w.q = &queue.Queue{Storage: w.store, Blobs: w.blobs, Router: w}
		w.r = &queue.Runner{
			Queue: w.q, Router: w, Schedule: queue.Schedule{Jitter: -1},
			Reporter: reporter(failures), Logger: slog.New(slog.DiscardHandler),
			Event: func(e queue.Event) {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.events = append(w.events, e)
			},
		}
		w.q.Kick = w.r.Kick
		f(w)
	})
}

func (w *world) Key(p smtp.ForwardPath) string { return strings.ToLower(p.Domain) }

func (w *world) Route(ctx context.Context, j *queue.Job) ([]queue.Hop, error) {
	w.mu.Lock()
	route := w.route
	w.mu.Unlock()
	if route != nil {
		return route(ctx, j)
	}
	return []queue.Hop{w.hop(places(j)...)}, nil
}

// hop sends recipients to the receiver.
func (w *world) hop(recipients ...int) queue.Hop {
	return queue.Hop{Recipients: recipients, Receiver: smtp.EachRcpt(w.receive), Name: "mx.test"}
}

func places(j *queue.Job) []int {
	all := make([]int, len(j.Recipients))
	for i := range all {
		all[i] = i
	}
	return all
}

func (w *world) receive(ctx context.Context, env *smtp.Envelope, b *smtp.Body) ([]smtp.RcptStatus, error) {
	body, err := io.ReadAll(b)
	if err != nil {
		return nil, err
	}
	t := try{once: env.Mail.Once, body: string(b.Trace()) + string(body)}
	var to []string
	for _, r := range env.Recipients {
		to = append(to, r.ForwardPath.String())
	}
	t.rcpts = strings.Join(to, ",")
	w.mu.Lock()
	t.at = time.Since(w.start)
	w.tries = append(w.tries, t)
	take := w.take
	w.mu.Unlock()
	if take != nil {
		return take(ctx, env, b)
	}
	return smtp.Accepted(len(env.Recipients)), nil
}

// run starts the runner, and the clock of the test once it is idle; the
// function returned ends it and waits.
func (w *world) run() (stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := w.r.Run(ctx); err != nil {
			w.t.Errorf("Run: %v", err)
		}
	}()
	pass(10 * time.Millisecond)
	w.set(func() { w.start = time.Now() })
	return func() { cancel(); <-done }
}

// send puts a message to these recipients through the Receiver.
func (w *world) send(to ...string) {
	w.t.Helper()
	if err := w.trySend(smtp.NewBody(strings.NewReader("Subject: x\r\n\r\nhello\r\n"), -1), "", to...); err != nil {
		w.t.Fatalf("send: %v", err)
	}
}

func (w *world) trySend(b *smtp.Body, once string, to ...string) error {
	w.t.Helper()
	ctx := w.t.Context()
	tx, err := w.q.Begin(ctx, &smtp.Mail{ID: smtp.NewID(), ReversePath: smtp.ReversePath(forward("alice@example.org")), Once: once})
	if err != nil {
		return err
	}
	defer tx.Abort()
	for _, r := range to {
		if err := tx.Rcpt(ctx, []*smtp.Recipient{{ForwardPath: forward(r)}})[0]; err != nil {
			return err
		}
	}
	statuses, err := tx.Data(ctx, b)
	if err == nil && len(statuses) != len(to) {
		w.t.Errorf("%d statuses for %d recipients", len(statuses), len(to))
	}
	return err
}

func forward(s string) smtp.ForwardPath {
	local, domain, _ := strings.Cut(s, "@")
	return smtp.ForwardPath{Path: smtp.Path{Local: local, Domain: domain}}
}

// jobs are all jobs there are.
func (w *world) jobs() []*queue.Job {
	w.t.Helper()
	var out []*queue.Job
	for j, err := range w.store.List(w.t.Context(), queue.Filter{}) {
		if err != nil {
			w.t.Fatal(err)
		}
		out = append(out, j)
	}
	return out
}

// wantJobs says how many jobs there must be; it returns them.
func (w *world) wantJobs(n int) []*queue.Job {
	w.t.Helper()
	jobs := w.jobs()
	if len(jobs) != n {
		w.t.Fatalf("%d jobs in the queue, want %d", len(jobs), n)
	}
	return jobs
}

// seen is what the receiver saw, in order of time.
func (w *world) seen() []try {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.tries)
}

func (w *world) wantTries(want ...time.Duration) {
	w.t.Helper()
	var got []time.Duration
	for _, t := range w.seen() {
		got = append(got, t.at)
	}
	if !slices.Equal(got, want) {
		w.t.Errorf("tries at %v, want %v", got, want)
	}
}

// wantStates compares the states of all events, in order.
func (w *world) wantStates(want ...queue.State) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	var got []queue.State
	for _, e := range w.events {
		got = append(got, e.Result.State)
		if final := e.Result.State == queue.Delivered || e.Result.State == queue.Failed; e.Final != final {
			w.t.Errorf("event %v: final %v", e.Result.State, e.Final)
		}
	}
	if !slices.Equal(got, want) {
		w.t.Errorf("events %v, want %v", got, want)
	}
}

// set changes what the runner uses while it runs.
func (w *world) set(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// soon is the least time between two looks at the storage.
const soon = 2 * time.Millisecond

// pass lets time go by.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// reporter is a queue.Reporter.
type reporter func(*queue.Job, []queue.Result) ([]queue.Report, error)

// lately is a reporter that can be changed while the runner runs.
func (w *world) lately(f *reporter) reporter {
	return func(j *queue.Job, rs []queue.Result) ([]queue.Report, error) {
		w.mu.Lock()
		now := *f
		w.mu.Unlock()
		return now(j, rs)
	}
}

func (f reporter) Report(_ context.Context, j *queue.Job, rs []queue.Result) ([]queue.Report, error) {
	return f(j, rs)
}

// failures reports what failed, and delays, to the sender.
func failures(j *queue.Job, rs []queue.Result) ([]queue.Report, error) {
	if j.ReversePath.IsNull() {
		return nil, nil
	}
	var lines []string
	for i, r := range rs {
		if r.State == queue.Failed || r.Delay {
			word := map[bool]string{true: "failed", false: "delayed"}[r.State == queue.Failed]
			lines = append(lines, fmt.Sprintf("%s %s: %s", word, j.Recipients[i].ForwardPath, r.Reply))
		}
	}
	if len(lines) == 0 {
		return nil, nil
	}
	return []queue.Report{{To: smtp.ForwardPath(j.ReversePath), Body: strings.NewReader(strings.Join(lines, "\n"))}}, nil
}

// answer makes a receiver's function of one error for all.
func answer(err error) smtp.EachRcpt {
	return func(context.Context, *smtp.Envelope, *smtp.Body) ([]smtp.RcptStatus, error) { return nil, err }
}

var (
	errBusy    = smtp.Errorf(450, smtp.EnhancedCode{Class: 4, Subject: 2}, "busy")
	errNobody  = smtp.Errorf(550, smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 1}, "no such user")
	errStorage = errors.New("disk full")
)
