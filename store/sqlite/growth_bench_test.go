package sqlite_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/view"
)

// warm is a filled mailbox with its view.
type warm struct {
	*writer
	views *view.Views
	acct  *view.Account
	n     int // messages at first
	next  uint64
}

func warmed(b *testing.B, n int) *warm {
	b.Helper()
	w := filled(b, n)
	views := view.New(w.s.Store, view.Options{})
	b.Cleanup(func() { views.Close() })
	acct, err := views.Open(context.Background(), "alice")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(acct.Release)
	v := &warm{writer: w, views: views, acct: acct, n: n}
	start := time.Now()
	v.table(b)
	b.Logf("first open of %d messages: %.0f ns each", n, float64(time.Since(start).Nanoseconds())/float64(n))
	return v
}

// table is the mailbox as a session sees it at a point of synchronisation.
func (w *warm) table(b *testing.B) *view.Table {
	b.Helper()
	if _, err := w.acct.Refresh(context.Background()); err != nil {
		b.Fatal(err)
	}
	t, err := w.acct.Table(context.Background(), w.inbox)
	if err != nil {
		b.Fatal(err)
	}
	return t
}

func (w *warm) apply(b *testing.B, op store.Op) {
	b.Helper()
	if _, err := w.a.Apply(context.Background(), store.Change{Ops: []store.Op{op}}); err != nil {
		b.Fatal(err)
	}
}

// uid spreads over the mailbox.
func (w *warm) uid() store.UID {
	w.next++
	return store.UID(w.next*7919%uint64(w.n)) + 1
}

// flag sets or clears a flag of one message, so that each call changes it.
func (w *warm) flag(b *testing.B, uid store.UID) {
	mode := store.FlagsAdd
	if w.table(b).Row(uid).Flags()&store.Flagged != 0 {
		mode = store.FlagsRemove
	}
	w.apply(b, store.SetFlags{Mailbox: w.inbox, UIDs: store.UIDs(uid), Mode: mode, Flags: store.Flagged})
}

// BenchmarkGrowth is what a session does with one message or with little,
// over a mailbox of 1,000 messages and of a million: no operation may cost
// more than half as much again on the large one.
func BenchmarkGrowth(b *testing.B) {
	data := body(4096)
	for _, n := range []int{1_000, 1_000_000} {
		b.Run(fmt.Sprintf("messages=%d", n), func(b *testing.B) {
			w := warmed(b, n)
			ops := []struct {
				name string
				do   func(b *testing.B)
			}{
				{"select", func(b *testing.B) { w.table(b) }},
				{"append", func(b *testing.B) { w.next++; w.deliver(b, data, w.next+1<<40); w.table(b) }},
				{"flag", func(b *testing.B) { w.flag(b, w.uid()); w.table(b) }},
				{"content", func(b *testing.B) { w.read(b, w.uid()) }},
				{"resync100", func(b *testing.B) { w.resync(b, 100) }},
				{"usage", func(b *testing.B) { w.usage(b) }},
			}
			for _, op := range ops {
				b.Run(op.name, func(b *testing.B) {
					b.ReportAllocs()
					cpu := cpuTime()
					for b.Loop() {
						op.do(b)
					}
					b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/1000/float64(b.N), "µs-cpu/op")
				})
			}
		})
	}
}

func (w *warm) usage(b *testing.B) {
	if _, err := w.a.Usage(context.Background()); err != nil {
		b.Fatal(err)
	}
}

// read opens a body and reads it.
func (w *warm) read(b *testing.B, uid store.UID) {
	c, err := w.a.Content(context.Background(), w.inbox, uid)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	buf := make([]byte, c.Size())
	if _, err := c.ReadAt(buf, 0); err != nil && int64(len(buf)) != c.Size() {
		b.Fatal(err)
	}
}

// resync reads what changed since k messages were flagged, as QRESYNC does.
// Only the reading is timed.
func (w *warm) resync(b *testing.B, k int) {
	b.StopTimer()
	since := w.table(b).ModSeq()
	for range k {
		w.flag(b, w.uid())
	}
	b.StartTimer()
	n := 0
	for range w.table(b).Changed(since) {
		n++
	}
	if n == 0 || n > k {
		b.Fatalf("%d changed, want at most %d", n, k)
	}
}

// BenchmarkShared is the memory of 100 sessions that look at one mailbox of a
// million messages through one view.
func BenchmarkShared(b *testing.B) {
	w := warmed(b, 1_000_000)
	for b.Loop() {
		before := resident(b)
		var sessions []*view.Account
		for range 100 {
			sessions = append(sessions, w.session(b))
		}
		b.ReportMetric(float64(resident(b))/(1<<20), "MiB-RSS")
		b.ReportMetric(float64(resident(b)-before)/(1<<10)/100, "KiB/session")
		for _, a := range sessions {
			a.Release()
		}
	}
}

// session is one more session on the same view, which watches the mailbox.
func (w *warm) session(b *testing.B) *view.Account {
	a, err := w.views.Open(context.Background(), "alice")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(a.Watch(func() {}).Stop)
	if t, err := a.Table(context.Background(), w.inbox); err != nil || t.Len() != w.n {
		b.Fatal(t.Len(), err)
	}
	return a
}

// resident is the memory of the process that is in RAM, in octets.
func resident(b *testing.B) int64 {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skip("no /proc/self/statm: ", err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(data))[1], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// BenchmarkNeighbour is a delivery to one account, alone and while another
// account's 100,000 messages are flagged over and over.
func BenchmarkNeighbour(b *testing.B) {
	bulk := filled(b, large)
	other := newWriter(b, bulk.s, "bob")
	data := body(4096)
	for _, busy := range []bool{false, true} {
		b.Run(fmt.Sprintf("flagging=%t", busy), func(b *testing.B) {
			ctx, stop := context.WithCancel(context.Background())
			done := make(chan struct{})
			go func() {
				defer close(done)
				for i := 0; busy && ctx.Err() == nil; i++ {
					bulk.flagAll(b, store.FlagsMode(i%2))
				}
			}()
			var took []time.Duration
			for i := 0; b.Loop(); i++ {
				start := time.Now()
				other.deliver(b, data, uint64(time.Now().UnixNano()))
				took = append(took, time.Since(start))
			}
			stop()
			<-done
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-p99")
		})
	}
}
