package migrate_test

import (
	"context"
	"fmt"
	"io"
	"iter"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/store"
)

// endless is a mailbox of n messages that are made up when they are asked for: a
// source, and a target that takes them and has them.
type endless struct {
	migrate.Target // nil
	n              int
	peak           atomic.Uint64
}

func (e *endless) Name() string                   { return "endless:" }
func (e *endless) MaxOpen() int                   { return 0 }
func (e *endless) Rules() migrate.Rules           { return migrate.Rules{} }
func (e *endless) Keeper() migrate.Keeper         { return nil }
func (e *endless) Finish(_ context.Context) error { return nil }
func (e *endless) Close() error                   { return nil }

func (e *endless) mailbox() migrate.Mailbox {
	return migrate.Mailbox{Path: []string{"INBOX"}, Key: "INBOX", Validity: "1", Messages: int64(e.n), Bytes: -1}
}

func (e *endless) Mailboxes(context.Context) ([]migrate.Mailbox, error) {
	return []migrate.Mailbox{e.mailbox()}, nil
}

func (e *endless) Put(context.Context, migrate.Mailbox) (migrate.Mailbox, error) {
	return e.mailbox(), nil
}

func (e *endless) Open(context.Context, *migrate.Mailbox) (migrate.Reader, error) { return e, nil }

func (e *endless) Write(context.Context, *migrate.Mailbox) (migrate.Writer, error) {
	return &endlessWriter{endless: e}, nil
}

func (e *endless) body(uid store.UID) string {
	return fmt.Sprintf("Message-ID: <%d@a>\r\n\r\nx\r\n", uid)
}

func (e *endless) List(context.Context, bool) iter.Seq2[*migrate.Message, error] {
	return func(yield func(*migrate.Message, error) bool) {
		for uid := store.UID(1); int(uid) <= e.n; uid++ {
			if uid%5_000 == 0 {
				e.weigh()
			}
			m := &migrate.Message{ID: migrate.UIDString(uid), UID: uid, Size: int64(len(e.body(uid))), Received: time.Unix(1_600_000_000, 0)}
			if !yield(m, nil) {
				return
			}
		}
	}
}

// weigh looks at what is in use.
func (e *endless) weigh() {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	e.peak.Store(max(e.peak.Load(), m.HeapAlloc))
}

func (e *endless) Fetch(_ context.Context, ms []*migrate.Message) iter.Seq2[*migrate.Body, error] {
	return func(yield func(*migrate.Body, error) bool) {
		for _, m := range ms {
			if !yield(&migrate.Body{ID: m.ID, Reader: strings.NewReader(e.body(m.UID))}, nil) {
				return
			}
		}
	}
}

type endlessWriter struct {
	*endless
	next  store.UID
	batch []migrate.Placed
}

func (w *endlessWriter) Atomic() bool { return false }
func (w *endlessWriter) Discard()     { w.batch = nil }

func (w *endlessWriter) Add(_ context.Context, _ *migrate.Message, body io.Reader) (string, error) {
	_, err := io.Copy(io.Discard, body)
	w.next++
	w.batch = append(w.batch, migrate.Placed{Ref: migrate.UIDString(w.next)})
	return w.batch[len(w.batch)-1].Ref, err
}

func (w *endlessWriter) Commit(context.Context, []migrate.Note) ([]migrate.Placed, error) {
	out := w.batch
	w.batch = nil
	return out, nil
}

func (w *endlessWriter) Alter(context.Context, []migrate.Alteration, []migrate.Note) error {
	return nil
}

func (w *endlessWriter) Resolve(_ context.Context, refs []string) ([]string, error) { return refs, nil }

// The memory of a pass, and of a second one that finds nothing, does not grow with the
// mailbox; that of Verify grows by no more than the package says. MAILSTEAD_FULL=1: a million messages.
func TestMemory(t *testing.T) {
	small, large := 20_000, 100_000
	if os.Getenv("MAILSTEAD_FULL") == "1" {
		small, large = 100_000, 1_000_000
	}
	type peaks struct{ first, second, verify uint64 }
	measure := func(n int) (p peaks) {
		src, dst := &endless{n: n}, &endless{n: n}
		o := migrate.Options{State: &migrate.DirKeeper{Dir: t.TempDir()}, BatchMessages: 1000}
		for _, step := range []struct {
			peak   *uint64
			verify bool
			copied int64
		}{{&p.first, false, int64(n)}, {&p.second, false, 0}, {&p.verify, true, 0}} {
			src.peak.Store(0)
			src.weigh()
			base := src.peak.Load()
			run := migrate.Run
			if step.verify {
				run, o.Verify = migrate.Verify, migrate.VerifyCounts
			}
			r, err := run(t.Context(), src, dst, o)
			if err != nil || r.Copied != step.copied {
				t.Fatalf("%v: %+v %+v", err, r.Totals, r.Problems)
			}
			*step.peak = max(src.peak.Load(), dst.peak.Load()) - base
		}
		t.Logf("%d messages: %d KiB in the first pass, %d in the second, %d in Verify", n, p.first>>10, p.second>>10, p.verify>>10)
		return p
	}
	a, b := measure(small), measure(large)
	const slack = 2 << 20
	if b.first > a.first+slack || b.second > a.second+slack {
		t.Errorf("memory grows: %+v, %+v", a, b)
	}
	if most := uint64(large-small)*80 + slack; b.verify > a.verify+most {
		t.Errorf("Verify takes %d octets more for %d messages more", b.verify-a.verify, large-small)
	}
}
