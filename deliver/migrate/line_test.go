package migrate_test

import (
	"context"
	"io"
	"iter"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/deliver/migrate/storeaccount"
)

// slowSource gives each body after a time; slowTarget commits after a time.
type slowSource struct {
	migrate.Source
	each time.Duration
	most atomic.Int64 // octets that were read and not added
	held atomic.Int64
}

func (s *slowSource) Open(ctx context.Context, m *migrate.Mailbox) (migrate.Reader, error) {
	r, err := s.Source.Open(ctx, m)
	return &slowReader{r, s}, err
}

type slowReader struct {
	migrate.Reader
	s *slowSource
}

func (r *slowReader) Fetch(ctx context.Context, ms []*migrate.Message) iter.Seq2[*migrate.Body, error] {
	return func(yield func(*migrate.Body, error) bool) {
		for b, err := range r.Reader.Fetch(ctx, ms) {
			time.Sleep(r.s.each)
			if b != nil {
				b.Reader = &weighed{b.Reader, r.s}
			}
			if !yield(b, err) {
				return
			}
		}
	}
}

type weighed struct {
	io.Reader
	s *slowSource
}

func (w *weighed) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	w.s.most.Store(max(w.s.most.Load(), w.s.held.Add(int64(n))))
	return n, err
}

type slowTarget struct {
	migrate.Target
	s      *slowSource
	commit time.Duration
}

func (d *slowTarget) Write(ctx context.Context, m *migrate.Mailbox) (migrate.Writer, error) {
	w, err := d.Target.Write(ctx, m)
	return &slowWriter{w, d}, err
}

type slowWriter struct {
	migrate.Writer
	d *slowTarget
}

func (w *slowWriter) Add(ctx context.Context, m *migrate.Message, body io.Reader) (string, error) {
	return w.Writer.Add(ctx, m, &taken{body, w.d.s})
}

type taken struct {
	io.Reader
	s *slowSource
}

func (t *taken) Read(p []byte) (int, error) {
	n, err := t.Reader.Read(p)
	t.s.held.Add(-int64(n))
	return n, err
}

func (w *slowWriter) Commit(ctx context.Context, notes []migrate.Note) ([]migrate.Placed, error) {
	time.Sleep(w.d.commit)
	return w.Writer.Commit(ctx, notes)
}

// While a batch is committed the next one is read: ten batches whose reading takes as
// long as their commit take eleven times as long, not twenty.
func TestReadsWhileItCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := box("x", 1, 100)
		src := &slowSource{Source: &fake{boxes: []*fakeBox{b}}, each: 100 * time.Millisecond}
		inner, _, _ := newAccount(t, storeaccount.Options{})
		dst := &slowTarget{inner, src, time.Second}
		start := time.Now()
		if r := mustRun(t, src, dst, migrate.Options{BatchMessages: 10}); r.Copied != 100 {
			t.Errorf("%+v", r.Totals)
		}
		if took := time.Since(start); took < 10*time.Second || took > 12*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// What is read ahead is bounded, however long a commit takes.
func TestReadAheadIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := box("x", 1, 60)
		for i := range b.list {
			b.list[i].body = text(i, 1<<20)
			b.list[i].Size = int64(len(b.list[i].body))
		}
		src := &slowSource{Source: &fake{boxes: []*fakeBox{b}}}
		inner, _, _ := newAccount(t, storeaccount.Options{})
		dst := &slowTarget{inner, src, time.Minute}
		if r := mustRun(t, src, dst, migrate.Options{BatchBytes: 3 << 20, Verify: migrate.VerifyBodies}); r.Copied != 60 {
			t.Errorf("%+v", r.Totals)
		}
		if most := src.most.Load(); most < 2<<20 || most > 5<<20 {
			t.Errorf("%d octets were read ahead", most)
		}
	})
}
