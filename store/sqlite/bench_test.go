package sqlite_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mailstead/mailstead/store"
)

// body is a message of n octets.
func body(n int) []byte {
	line := []byte("Lorem ipsum dolor sit amet, consetetur sadipscing elitr, sed diam.\r\n")
	return append([]byte("Subject: test\r\n\r\n"), bytes.Repeat(line, n/len(line))...)
}

// writer appends messages with full rows, as deliveries do.
type writer struct {
	s     *opened
	a     store.Account
	inbox store.MailboxID
}

func newWriter(b testing.TB, s *opened, id store.AccountID) *writer {
	b.Helper()
	ctx := context.Background()
	if err := s.Create(ctx, id, store.AccountInfo{}); err != nil {
		b.Fatal(err)
	}
	a, err := s.Open(ctx, id)
	if err != nil {
		b.Fatal(err)
	}
	m, err := store.MailboxByName(ctx, a, store.Inbox)
	if err != nil {
		b.Fatal(err)
	}
	return &writer{s: s, a: a, inbox: m.ID}
}

var (
	meta   = bytes.Repeat([]byte("m"), 700)
	prefix = bytes.Repeat([]byte("p"), 200)
)

func (w *writer) op(b testing.TB, data []byte, n uint64) store.Append {
	ctx := context.Background()
	bw, err := w.s.Blobs().Create(ctx, int64(len(data)))
	if err != nil {
		b.Error(err)
	}
	bw.Write(data)
	ref, err := bw.Commit(ctx)
	if err != nil {
		b.Error(err)
	}
	return store.Append{
		Mailbox: w.inbox, Blob: ref, Size: int64(len(data)), Prefix: prefix, Meta: meta,
		ThreadKeys: []uint64{n * 0x9e3779b97f4a7c15}, SubjectHash: n,
	}
}

func (w *writer) deliver(b testing.TB, data []byte, n uint64) {
	c := store.Change{Once: fmt.Sprint("q", n), Ops: []store.Op{w.op(b, data, n)}}
	if _, err := w.a.Apply(context.Background(), c); err != nil {
		b.Error(err)
	}
}

// BenchmarkDeliver is a durable delivery of 4 KB: body, state, facts, log,
// thread and idempotency key.
func BenchmarkDeliver(b *testing.B) {
	for _, c := range []struct{ writers, accounts int }{{1, 1}, {20, 20}, {200, 200}, {20, 1}, {200, 1}} {
		b.Run(fmt.Sprintf("writers=%d/accounts=%d", c.writers, c.accounts), func(b *testing.B) {
			s := open(b, b.TempDir())
			var ws []*writer
			for i := range c.accounts {
				ws = append(ws, newWriter(b, s, store.AccountID(fmt.Sprint("a", i))))
			}
			data := body(4096)
			took := make([]time.Duration, b.N)
			var n atomic.Int64
			var wg sync.WaitGroup
			b.ReportAllocs()
			b.ResetTimer()
			cpu := cpuTime()
			for i := range c.writers {
				wg.Go(func() {
					for {
						k := n.Add(1)
						if k > int64(b.N) {
							return
						}
						start := time.Now()
						ws[i%len(ws)].deliver(b, data, uint64(k))
						took[k-1] = time.Since(start)
					}
				})
			}
			wg.Wait()
			slices.Sort(took)
			b.ReportMetric(float64((cpuTime()-cpu).Microseconds())/float64(b.N), "µs-cpu/msg")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-p99")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
			b.ReportMetric(float64(b.N)/float64(s.engine.DB().Stats().Commits), "msg/commit")
		})
	}
}

// cpuTime is the processor time of the process.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// filled is a mailbox of n messages.
func filled(b *testing.B, n int) *writer {
	b.Helper()
	w := newWriter(b, open(b, b.TempDir()), "alice")
	op := w.op(b, body(4096), 1)
	for i := 0; i < n; {
		var ops []store.Op
		for ; len(ops) < 5000 && i < n; i++ {
			op.EmailID, op.ThreadKeys = store.NewEmailID(), []uint64{uint64(i)}
			ops = append(ops, op)
		}
		if _, err := w.a.Apply(context.Background(), store.Change{Ops: ops}); err != nil {
			b.Fatal(err)
		}
	}
	return w
}

const (
	large = 100_000
	bulk  = 1_000
)

// BenchmarkFlags sets and clears a flag on 100,000 messages in Changes of
// 1,000, as the IMAP server does.
func BenchmarkFlags(b *testing.B) {
	w := filled(b, large)
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		w.flagAll(b, store.FlagsMode(i%2))
	}
	perMessage(b)
}

// flagAll changes a flag of all messages of a large mailbox.
func (w *writer) flagAll(b *testing.B, mode store.FlagsMode) {
	for first := 1; first <= large; first += bulk {
		set := store.UIDSet{{First: store.UID(first), Last: store.UID(first + bulk - 1)}}
		op := store.SetFlags{Mailbox: w.inbox, UIDs: set, Mode: mode, Flags: store.Flagged}
		if _, err := w.a.Apply(context.Background(), store.Change{Ops: []store.Op{op}}); err != nil {
			b.Error(err)
		}
	}
}

func perMessage(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/large, "ns/message")
}

// BenchmarkMessages reads the state of 100,000 messages.
func BenchmarkMessages(b *testing.B) {
	for name, fields := range map[string]store.Fields{"state": 0, "dates": store.FieldDates, "meta": store.FieldMeta} {
		b.Run(name, func(b *testing.B) {
			w := filled(b, large)
			b.ReportAllocs()
			b.ResetTimer()
			for b.Loop() {
				n := 0
				for _, err := range w.a.Messages(context.Background(), w.inbox, store.Query{Fields: fields}) {
					if err != nil {
						b.Fatal(err)
					}
					n++
				}
				if n != large {
					b.Fatal(n)
				}
			}
			perMessage(b)
		})
	}
}

// BenchmarkCopy copies 10,000 messages.
func BenchmarkCopy(b *testing.B) {
	w := filled(b, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		op := store.Copy{Source: w.inbox, UIDs: store.UIDSet{{First: 1, Last: 10_000}}, Dest: w.inbox}
		if _, err := w.a.Apply(context.Background(), store.Change{Ops: []store.Op{op}}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkContent opens and reads a body of 4 KB.
func BenchmarkContent(b *testing.B) {
	w := filled(b, 1000)
	buf := make([]byte, 8192)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		c, err := w.a.Content(context.Background(), w.inbox, store.UID(i%1000+1))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.ReadAt(buf[:c.Size()], 0); err != nil && err != io.EOF {
			b.Fatal(err)
		}
		c.Close()
	}
}
