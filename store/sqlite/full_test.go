package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"runtime"
	"runtime/metrics"
	"slices"
	"testing"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/storetest"
)

// fullSize skips what takes minutes or gigabytes.
func fullSize(t *testing.T) {
	t.Helper()
	if os.Getenv(storetest.Full) != "1" {
		t.Skip("takes long; with " + storetest.Full + "=1")
	}
}

// synthetic yields a message of n octets: a header, and text without end.
func synthetic(n int64) io.Reader {
	return io.LimitReader(io.MultiReader(bytes.NewReader([]byte("Subject: very large\r\n\r\n")), &text{}), n)
}

// text is a stream of lines that are all different.
type text struct {
	n    int
	left []byte
}

func (x *text) Read(p []byte) (int, error) {
	if len(x.left) == 0 {
		x.left = x.left[:0]
		for range 500 {
			x.n++
			x.left = fmt.Appendf(x.left, "line %060d\r\n", x.n)
		}
	}
	n := copy(p, x.left)
	x.left = x.left[n:]
	return n, nil
}

// heapGrowth measures by how much memory grows while f runs: the highest of what the
// heap held at any of many looks.
func heapGrowth(f func()) (grown uint64) {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	look := func() uint64 {
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	runtime.GC()
	before := look()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return grown
		case <-tick.C:
			if now := look(); now > before {
				grown = max(grown, now-before)
			}
		}
	}
}

// TestFullSizeMessage stores, reads and refuses a message of more than 2 GiB,
// where 32 bits end, in bounded memory.
func TestFullSizeMessage(t *testing.T) {
	fullSize(t)
	const size, bound = 2<<30 + 4096, 128 << 20
	ctx := context.Background()
	s := open(t, t.TempDir())
	w := newWriter(t, s, "alice")
	deliver := func(announced int64) (r store.Result, err error) {
		return store.AppendMessage(ctx, s, w.a, "", store.NewMessage{Mailbox: w.inbox, Body: synthetic(size), BodySize: announced})
	}
	var uid store.UID
	grown := heapGrowth(func() {
		r, err := deliver(-1)
		if err != nil {
			t.Fatal(err)
		}
		uid = r.Ops[0].Dest.Min()
	})
	t.Logf("storing it took %d MiB of memory", grown>>20)
	if grown > bound {
		t.Errorf("storing a message of %d MiB takes %d MiB of memory", int64(size)>>20, grown>>20)
	}
	want, got := crc32.NewIEEE(), crc32.NewIEEE()
	io.Copy(want, synthetic(size))
	grown = heapGrowth(func() {
		c, err := w.a.Content(ctx, w.inbox, uid)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if n, err := io.Copy(got, io.NewSectionReader(c, 0, c.Size())); err != nil || n != size {
			t.Errorf("read %d octets, %v", n, err)
		}
	})
	t.Logf("reading it took %d MiB of memory", grown>>20)
	if got.Sum32() != want.Sum32() || grown > bound {
		t.Errorf("read with checksum %x, want %x, in %d MiB of memory", got.Sum32(), want.Sum32(), grown>>20)
	}
	if _, err := deliver(size - 1); err == nil {
		t.Error("a message longer than announced was taken")
	}
	w.apply(t, store.PutAccount{Limits: &store.Limits{Bytes: size + size/2}})
	if _, err := deliver(size); !errors.Is(err, store.ErrOverQuota) {
		t.Errorf("over quota: %v", err)
	}
	sound(t, s)
}

// TestMillionMailboxes makes a million mailboxes in one account, and lists,
// finds, changes and opens them again. Without Limits.Mailboxes nothing refuses
// so many; the bounds are what they may cost.
func TestMillionMailboxes(t *testing.T) {
	fullSize(t)
	const n, perChange = 1_000_000, 10_000
	ctx := context.Background()
	s := open(t, t.TempDir())
	w := newWriter(t, s, "alice")
	other := newWriter(t, s, "bob")
	const bound = 10 * time.Minute // of what takes seconds: more is not a slow machine
	took := func(what string, f func()) {
		t.Helper()
		start := time.Now()
		grown := heapGrowth(f)
		d := time.Since(start)
		t.Logf("%s: %v, %d MiB", what, d.Round(time.Millisecond), grown>>20)
		if d > bound || grown > 3<<30 {
			t.Errorf("%s took %v and %d MiB; want at most %v and 3 GiB", what, d, grown>>20, bound)
		}
	}
	var some store.MailboxID
	took("create", func() {
		for i := 0; i < n; i += perChange {
			ops := make([]store.Op, perChange)
			for k := range ops {
				some = store.NewMailboxID()
				ops[k] = store.PutMailbox{ID: some, Create: true, Name: fmt.Sprintf("m%03d/m%07d", (i+k)%1000, i+k)}
			}
			w.apply(t, ops...)
		}
	})
	list := func() {
		boxes, _, err := w.a.Mailboxes(ctx, 0)
		if err != nil || len(boxes) != n+1000+1 || !slices.IsSortedFunc(boxes, func(a, b store.Mailbox) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) }) {
			t.Errorf("%d mailboxes, %v", len(boxes), err)
		}
	}
	took("list", list)
	took("deliver to one", func() {
		w.inbox = some
		w.deliver(t, body(1000), 1)
	})
	took("deliver to another account", func() { other.deliver(t, body(1000), 2) })
	took("changes since", func() {
		_, at, err := w.a.Mailboxes(ctx, 0)
		if err != nil {
			t.Fatal(err)
		}
		w.deliver(t, body(1000), 3)
		if boxes, _, err := w.a.Mailboxes(ctx, at); err != nil || len(boxes) != 1 {
			t.Errorf("%d mailboxes changed, %v", len(boxes), err)
		}
	})
	w.apply(t, store.PutAccount{Limits: &store.Limits{Mailboxes: n}})
	_, err := w.a.Apply(ctx, store.Change{Ops: []store.Op{store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: "one more"}}})
	if !errors.Is(err, store.ErrOverQuota) {
		t.Errorf("one more than the limit: %v, want ErrOverQuota", err)
	}
	took("close", func() { s.Close() })
	took("open and list", func() {
		s = open(t, s.dir)
		if w.a, err = s.Open(ctx, "alice"); err != nil {
			t.Fatal(err)
		}
		list()
	})
}
