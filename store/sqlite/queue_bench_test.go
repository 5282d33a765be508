package sqlite_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/budget"
	"github.com/mailstead/mailstead/queue/history"
	"github.com/mailstead/mailstead/queue/holdrule"
	"github.com/mailstead/mailstead/queue/suppress"
	"github.com/mailstead/mailstead/smtp"
)

// byDomain routes by the recipient's domain.
type byDomain struct{}

func (byDomain) Key(p smtp.ForwardPath) string { return p.Domain }

func path(local, domain string) smtp.Path { return smtp.Path{Local: local, Domain: domain} }

// BenchmarkEnqueue is a durable accept of 4 KB: body in a segment, job in the
// database.
func BenchmarkEnqueue(b *testing.B) {
	for _, parallel := range []int{1, 20, 200} {
		b.Run(fmt.Sprint("parallel=", parallel), func(b *testing.B) { benchmarkEnqueue(b, parallel) })
	}
}

func benchmarkEnqueue(b *testing.B, parallel int) {
	s := openQueue(b, b.TempDir())
	q := &queue.Queue{Storage: s, Blobs: s.engine.Blobs(), Router: byDomain{}}
	data := bytes.Repeat([]byte("0123456789abcde\n"), 256)
	var n atomic.Int64
	var wg sync.WaitGroup
	commits := s.db.Stats().Commits
	b.ReportAllocs()
	b.ResetTimer()
	for range parallel {
		wg.Go(func() {
			for k := n.Add(1); k <= int64(b.N); k = n.Add(1) {
				accept(b, q, data, fmt.Sprintf("d%d.example", k%100))
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
	b.ReportMetric(float64(b.N)/float64(max(1, s.db.Stats().Commits-commits)), "msg/commit")
}

func accept(b *testing.B, q *queue.Queue, data []byte, domain string) {
	ctx := context.Background()
	tx, err := q.Begin(ctx, &smtp.Mail{ID: smtp.NewID(), ReversePath: smtp.ReversePath{Path: path("alice", "example.org")}})
	if err != nil {
		b.Error(err)
		return
	}
	tx.Rcpt(ctx, []*smtp.Recipient{{ForwardPath: smtp.ForwardPath{Path: path("bob", domain)}}})
	if _, err := tx.Data(ctx, smtp.NewBody(bytes.NewReader(data), int64(len(data)))); err != nil {
		b.Error(err)
	}
}

// BenchmarkQueueCycle puts, leases and settles a job, 20 at once.
func BenchmarkQueueCycle(b *testing.B) {
	s := openQueue(b, b.TempDir())
	ctx := context.Background()
	var n atomic.Int64
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for w := range 20 {
		wg.Go(func() {
			dest := fmt.Sprint("local:", w%8)
			for k := n.Add(1); k <= int64(b.N); k = n.Add(1) {
				cycle(b, s, ctx, dest)
			}
		})
	}
	wg.Wait()
}

func cycle(b *testing.B, s *queueDB, ctx context.Context, dest string) {
	now := time.Now()
	j := queue.Job{ID: smtp.NewID(), Destination: dest, Blob: "blob", Created: now, Due: now, Prefix: make([]byte, 300)}
	if err := s.Put(ctx, j); err != nil {
		b.Error(err)
	}
	if _, err := s.LeaseDestinations(ctx, queue.Look{Now: now, Max: 20}); err != nil {
		b.Error(err)
	}
	ls, err := s.LeaseJobs(ctx, dest, now, 1, time.Hour)
	if err != nil {
		b.Error(err)
	}
	for _, l := range ls {
		if err := s.Settle(ctx, []queue.Outcome{{Token: l.Token, Attempted: true}}); err != nil {
			b.Error(err)
		}
	}
}

// BenchmarkPick leases and gives back one job beside a destination that keeps
// 200,000 due ones.
func BenchmarkPick(b *testing.B) {
	s := openQueue(b, b.TempDir())
	ctx := context.Background()
	now := time.Now()
	for range 200 {
		jobs := make([]queue.Job, 1000)
		for i := range jobs {
			jobs[i] = queue.Job{ID: smtp.NewID(), Destination: "blocked", Created: now, Due: now.Add(-time.Hour)}
		}
		if err := s.Put(ctx, jobs...); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Put(ctx, queue.Job{ID: "x", Destination: "free", Due: now}); err != nil {
		b.Fatal(err)
	}
	if _, err := s.LeaseJobs(ctx, "blocked", now, 20, time.Hour); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		f, err := s.LeaseDestinations(ctx, queue.Look{Now: now, Max: 20, Except: map[string]bool{"blocked": true}})
		ds := f.Destinations
		if err != nil || len(ds) != 1 {
			b.Fatal(ds, err)
		}
	}
}

// discard is a router to a receiver that reads and accepts everything.
type discard struct{ byDomain }

func (d discard) Route(_ context.Context, j *queue.Job) ([]queue.Hop, error) {
	take := smtp.ReceiveFunc(func(_ context.Context, _ *smtp.Envelope, r io.Reader) error {
		_, err := io.Copy(io.Discard, r)
		return err
	})
	return []queue.Hop{{Recipients: []int{0}, Receiver: take, Name: "discard"}}, nil
}

// BenchmarkThrough is a message of 4 KB from its accept to its settlement, 20
// at once, to 8 destinations: without and with all that is kept beside jobs.
func BenchmarkThrough(b *testing.B) {
	b.Run("kept=none", func(b *testing.B) { benchmarkThrough(b, false) })
	b.Run("kept=all", func(b *testing.B) { benchmarkThrough(b, true) })
}

func benchmarkThrough(b *testing.B, kept bool) {
	s := openQueue(b, b.TempDir())
	q := &queue.Queue{Storage: s, Blobs: s.engine.Blobs(), Router: byDomain{}}
	var left sync.WaitGroup
	left.Add(b.N)
	r := &queue.Runner{
		Queue: q, Router: discard{}, Logger: slog.New(slog.DiscardHandler),
		Event: func(queue.Event) { left.Done() },
	}
	q.Kick = r.Kick
	if kept {
		list := suppress.New(s, suppress.Options{})
		unlimited := func(string) budget.Limits {
			return budget.Limits{MessagesPerHour: -1, RecipientsPerHour: -1, MessagesPerDay: -1, RecipientsPerDay: -1}
		}
		users := &budget.Budget{Storage: s, Limits: unlimited}
		q.Admit = queue.Admissions(holdrule.New(s).Admit, asUser, users.Admit)
		r.Router = list.Router(r.Router)
		r.Record = queue.Records((&history.History{Storage: s}).Record, list.Record)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { r.Run(ctx) })
	data := bytes.Repeat([]byte("0123456789abcde\n"), 256)
	var n atomic.Int64
	commits := s.db.Stats().Commits
	b.ReportAllocs()
	b.ResetTimer()
	for range 20 {
		wg.Go(func() {
			for k := n.Add(1); k <= int64(b.N); k = n.Add(1) {
				accept(b, q, data, fmt.Sprintf("d%d.example", k%8))
			}
		})
	}
	left.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
	b.ReportMetric(float64(b.N)/float64(max(1, s.db.Stats().Commits-commits)), "msg/commit")
	cancel()
	wg.Wait()
}

// asUser spreads messages over 50 accounts.
func asUser(_ context.Context, jobs []queue.Job) error {
	jobs[0].Identity = fmt.Sprint("user", jobs[0].ID[0]%50)
	return nil
}
