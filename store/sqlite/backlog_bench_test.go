package sqlite_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
)

// backlog are jobs without a body: what is measured is the queue.
func (s *queueDB) backlog(b *testing.B, n int, due time.Time, domain func(i int) string) {
	b.Helper()
	const chunk = 1000
	jobs := make([]queue.Job, 0, chunk)
	for i := range n {
		d := domain(i)
		jobs = append(jobs, queue.Job{
			ID: fmt.Sprintf("b%08d", i), Message: fmt.Sprintf("m%08d", i), Destination: d, Created: time.Now(), Due: due,
			ReversePath: smtp.ReversePath{Path: path(fmt.Sprintf("user%d", i%1000), "example.org")}, Attempts: 3,
			Prefix: []byte("Subject: x\r\n\r\n"), Last: "mx1." + d + ": 451 4.3.0 Try again later",
			Recipients: []queue.Recipient{{Recipient: smtp.Recipient{ForwardPath: smtp.ForwardPath{Path: path("bob", d)}}}},
		})
		if len(jobs) == chunk || i == n-1 {
			if err := s.Put(context.Background(), jobs...); err != nil {
				b.Fatal(err)
			}
			jobs = jobs[:0]
		}
	}
}

// taker is a Router whose domains below "dead" cannot be reached, and others take
// at once.
type taker struct {
	byDomain
	mu    sync.Mutex
	taken func()
}

func (t *taker) Route(_ context.Context, j *queue.Job) ([]queue.Hop, error) {
	h := queue.Hop{Recipients: []int{0}, Receiver: t, Name: j.Destination}
	if strings.HasPrefix(j.Destination, "dead") {
		h.Receiver, h.Err = nil, smtp.Errorf(450, smtp.EnhancedCode{Class: 4, Subject: 4, Detail: 1}, "No answer")
	}
	return []queue.Hop{h}, nil
}

func (t *taker) Begin(ctx context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	return smtp.ReceiveFunc(func(_ context.Context, _ *smtp.Envelope, r io.Reader) error {
		_, err := io.Copy(io.Discard, r)
		t.mu.Lock()
		defer t.mu.Unlock()
		t.taken()
		return err
	}).Begin(ctx, m)
}

// collected is the memory of this process, in octets, without garbage.
func collected(b *testing.B) float64 {
	debug.FreeOSMemory()
	return float64(resident(b))
}

// BenchmarkDeferredBacklog is a restart beside a million jobs that are not due:
// until the first delivery, and the memory that the queue takes.
func BenchmarkDeferredBacklog(b *testing.B) {
	for _, n := range []int{1_000, 1_000_000} {
		b.Run(fmt.Sprint("jobs=", n), func(b *testing.B) {
			dir := b.TempDir()
			s := openQueue(b, dir)
			s.backlog(b, n, time.Now().Add(time.Hour), func(i int) string { return fmt.Sprintf("d%d.example", i%10_000) })
			if err := s.engine.Close(); err != nil {
				b.Fatal(err)
			}
			var took time.Duration
			var grown float64
			b.ResetTimer()
			for i := range b.N {
				before := collected(b)
				start := time.Now()
				s := openQueue(b, dir)
				q := &queue.Queue{Storage: s, Blobs: s.engine.Blobs(), Router: byDomain{}}
				done := make(chan struct{}, 1)
				r := &queue.Runner{Queue: q, Router: &taker{taken: func() { done <- struct{}{} }}, Logger: slog.New(slog.DiscardHandler)}
				q.Kick = r.Kick
				ctx, cancel := context.WithCancel(context.Background())
				ended := make(chan error, 1)
				go func() { ended <- r.Run(ctx) }()
				accept(b, q, []byte("Subject: x\r\n\r\n"), fmt.Sprintf("healthy%d.example", i))
				<-done
				took += time.Since(start)
				time.Sleep(2 * time.Second) // what it does while nothing is due
				grown = max(grown, collected(b)-before)
				cancel()
				if err := <-ended; err != nil {
					b.Fatal(err)
				}
				s.engine.Close()
			}
			b.ReportMetric(took.Seconds()*1000/float64(b.N), "ms-to-first")
			b.ReportMetric(grown/(1<<20), "MiB-grown")
		})
	}
}

// BenchmarkDeadDestination is the CPU of a message for a healthy destination, and
// its way through the queue, beside jobs for one that does not answer.
func BenchmarkDeadDestination(b *testing.B) {
	for _, n := range []int{0, 500_000} {
		b.Run(fmt.Sprint("jobs=", n), func(b *testing.B) {
			s := openQueue(b, b.TempDir())
			s.backlog(b, n, time.Now(), func(int) string { return "dead.example" })
			q := &queue.Queue{Storage: s, Blobs: s.engine.Blobs(), Router: byDomain{}}
			done := make(chan struct{}, 1)
			r := &queue.Runner{Queue: q, Router: &taker{taken: func() { done <- struct{}{} }}, Logger: slog.New(slog.DiscardHandler)}
			q.Kick = r.Kick
			ctx, cancel := context.WithCancel(context.Background())
			ended := make(chan error, 1)
			go func() { ended <- r.Run(ctx) }()
			time.Sleep(2 * time.Second)
			var late []time.Duration
			before := processor()
			b.ResetTimer()
			for i := range b.N {
				accept(b, q, []byte("Subject: x\r\n\r\n"), fmt.Sprintf("d%d.example", i%7))
				start := time.Now()
				<-done
				late = append(late, time.Since(start))
			}
			b.StopTimer()
			cpu := processor() - before
			slices.Sort(late)
			cancel()
			if err := <-ended; err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(cpu.Microseconds())/float64(b.N), "CPU-us/op")
			b.ReportMetric(late[len(late)*99/100].Seconds()*1000, "p99-ms")
		})
	}
}

// processor is the processor time of this process.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
