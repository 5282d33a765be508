package delivertest_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/deliver/delivertest"
	"github.com/mailstead/mailstead/deliver/dsn"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/memqueue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
	"github.com/mailstead/mailstead/store/blob/memblob"
)

const (
	hostname = "relay.test" // ours
	sender   = "alice@sender.test"
)

// world is the whole chain in an internet: queue, runner, router, MX, DSNs. The
// domain of the sender has a host that takes the DSNs.
type world struct {
	t        *testing.T
	net      *delivertest.Internet
	home     *delivertest.Host // takes the DSNs
	hosts    []*delivertest.Host
	store    *faulty
	blobs    *memblob.Blobs
	pool     smtpclient.Pool
	schedule queue.Schedule
	verify   bool // TLS has to be, with a certificate that is right
	q        *queue.Queue
	r        *queue.Runner

	mu     sync.Mutex // guards what follows
	ahead  time.Duration
	events []queue.Event
	sent   []message
}

// message is one that the queue took.
type message struct {
	id string // of its Message-ID
	to []string
}

// faulty is a Storage with a disk that may be full.
type faulty struct {
	queue.Storage
	mu   sync.Mutex
	full func(method string) error // nil = it has room
}

var errDiskFull = errors.New("no space left on device")

func (f *faulty) check(method string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.full == nil {
		return nil
	}
	return f.full(method)
}

func (f *faulty) setFull(full func(string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.full = full
}

func (f *faulty) Put(ctx context.Context, jobs ...queue.Job) error {
	if err := f.check("Put"); err != nil {
		return err
	}
	return f.Storage.Put(ctx, jobs...)
}

func (f *faulty) Settle(ctx context.Context, outcomes []queue.Outcome) error {
	if err := f.check("Settle"); err != nil {
		return err
	}
	return f.Storage.Settle(ctx, outcomes)
}

func (f *faulty) LeaseJobs(ctx context.Context, d string, now time.Time, n int, ttl time.Duration) ([]queue.Lease, error) {
	if err := f.check("LeaseJobs"); err != nil {
		return nil, err
	}
	return f.Storage.LeaseJobs(ctx, d, now, n, ttl)
}

// inWorld runs f in a bubble, where time is nobody's.
func inWorld(t *testing.T, f func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, net: delivertest.New(t), store: &faulty{Storage: &memqueue.Storage{}}, blobs: memblob.New()}
		w.home = w.host("mx.sender.test", "192.0.2.1")
		w.net.DNS.MX("sender.test", "10 mx.sender.test")
		f(w)
	})
}

// host adds a host that the audit knows of.
func (w *world) host(name string, addrs ...string) *delivertest.Host {
	h := w.net.Host(name, addrs...)
	w.hosts = append(w.hosts, h)
	return h
}

// start runs the chain until the function that it returns is called.
func (w *world) start() (stop func()) {
	router := &deliver.Router{
		Directory: &deliver.Accounts{}, IsLocal: func(string) bool { return false }, Remote: w.agent(),
	}
	w.q = &queue.Queue{Storage: w.store, Blobs: w.blobs, Router: router, Now: w.now}
	w.r = &queue.Runner{
		Queue: w.q, Router: router, Schedule: w.schedule, Logger: slog.New(slog.DiscardHandler), Event: w.event,
		Reporter: &dsn.Reporter{Hostname: hostname, Blobs: w.blobs, Now: w.now},
	}
	w.q.Kick = w.r.Kick
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := w.r.Run(ctx); err != nil {
			w.t.Errorf("Run: %v", err)
		}
	}()
	return func() {
		cancel()
		<-done
		w.pool.Close()
	}
}

// now is the clock of the queue, which may jump.
func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.ahead)
}

func (w *world) jump(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ahead += d
}

func (w *world) event(e queue.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
}

// count is how many events of a kind there were for a recipient, "" = all.
func (w *world) count(kind queue.EventKind, to string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, e := range w.events {
		if e.Kind == kind && !e.Job.ReversePath.IsNull() && (to == "" || e.Recipient.ForwardPath.String() == to) {
			n++
		}
	}
	return n
}

// send puts a message, and remembers what the queue took.
func (w *world) send(to ...string) {
	w.t.Helper()
	if err := w.trySend(to...); err != nil {
		w.t.Errorf("the queue refuses: %v", err)
	}
}

func (w *world) trySend(to ...string) error {
	w.mu.Lock()
	m := message{id: fmt.Sprintf("m%d", len(w.sent)+1), to: to}
	w.mu.Unlock()
	env := &smtp.Envelope{Mail: &smtp.Mail{ID: smtp.NewID(), ReversePath: reversePath(sender), Received: w.now()}}
	for _, r := range to {
		env.Recipients = append(env.Recipients, &smtp.Recipient{ForwardPath: forwardPath(r)})
	}
	body := smtp.NewBody(strings.NewReader("Message-ID: <"+m.id+"@sender.test>\r\nSubject: test\r\n\r\nhello\r\n"), -1)
	if err := smtp.Hand(w.t.Context(), w.q, env.Mail, env.Recipients, body); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent = append(w.sent, m)
	return nil
}

func forwardPath(s string) smtp.ForwardPath {
	p, err := smtp.ParseMailbox(s, true)
	if err != nil {
		panic(err)
	}
	return smtp.ForwardPath{Path: p}
}

func reversePath(s string) smtp.ReversePath { return smtp.ReversePath{Path: forwardPath(s).Path} }

// jobs are all there are.
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

// settle lets time go by until nothing is left to do, for at most this long.
func (w *world) settle(most time.Duration) {
	w.t.Helper()
	for end, step := time.Now().Add(most), time.Second; time.Now().Before(end); step = min(2*step, time.Minute) {
		time.Sleep(step)
		synctest.Wait()
		if len(w.jobs()) == 0 {
			return
		}
	}
}
