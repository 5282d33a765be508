package storetest

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
)

func largeChecks() []check {
	return []check{
		{name: "LargeMailbox", rule: "a mailbox of a million messages is listed, followed, flagged and expunged in bounded memory", heavy: true, run: largeMailbox},
		{name: "LargeAccount", rule: "thousands of mailboxes are listed in order, followed and renamed", heavy: true, run: largeAccount},
		{name: "LargeContent", rule: "a large message is read through any window, in bounded memory", run: largeContent},
	}
}

// Full is set in the environment for a run with all that is large.
const Full = "MAILSTEAD_FULL"

// messages of the large mailbox: a million in a full run.
func (e *env) large() int {
	switch {
	case e.c.small:
		return 500
	case os.Getenv(Full) == "1":
		return 1_000_000
	case testing.Short():
		return 5_000
	}
	return 20_000
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func largeMailbox(e *env) {
	n := e.large()
	h := e.account("alice")
	op := h.message(h.inbox, "x")
	for left := n; left > 0; left -= 5_000 {
		ops := make([]store.Op, min(left, 5_000))
		for i := range ops {
			ops[i] = op
		}
		h.do(ops...)
	}
	before, grown, count := heap(), uint64(0), 0
	for _, err := range h.Messages(e.ctx, h.inbox, store.Query{}) {
		e.ok("Messages", err)
		if count++; count%(n/4) == 0 {
			now := heap()
			grown = max(grown, now-min(before, now))
		}
	}
	e.same("messages listed", count, n)
	if grown > 64<<20 && !e.c.small { // the heap of a small one is that of the tests beside it
		e.errorf("a loop over %d messages holds %d MiB", n, grown>>20)
	}
	since := h.modSeq()
	some := store.UIDs(1, store.UID(n/2), store.UID(n))
	h.flag(h.inbox, some, store.Seen)
	h.do(store.Expunge{Mailbox: h.inbox, UIDs: store.UIDs(store.UID(n / 3))})
	e.same("changes", len(h.query(h.inbox, store.Query{Since: since})), 4)
	m := h.state(h.inbox)
	if m.Messages != int64(n-1) || m.Unseen != int64(n-4) {
		e.errorf("the mailbox is %+v", m)
	}
}

func largeAccount(e *env) {
	n := min(e.large()/10, 20_000)
	h := e.account("alice")
	ops := make([]store.Op, 0, n)
	for i := range n {
		ops = append(ops, store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: fmt.Sprintf("m%06d", i)})
	}
	h.do(ops...)
	names := h.names()
	e.same("mailboxes", len(names), n+1)
	for i, name := range names[1:] {
		if name != fmt.Sprintf("m%06d", i) {
			e.fatalf("mailbox %d is %s", i, name)
		}
	}
	since := h.modSeq()
	h.rename(ops[n/2].(store.PutMailbox).ID, "renamed")
	list, _, err := h.Mailboxes(e.ctx, since)
	if err != nil || len(list) != 1 || list[0].Name != "renamed" {
		e.errorf("mailboxes that changed: %d, %v", len(list), err)
	}
}

func largeContent(e *env) {
	size := 8 << 20
	if e.c.small || testing.Short() {
		size = 1 << 20
	}
	h := e.account("alice")
	w, err := e.s.Blobs().Create(e.ctx, int64(size))
	e.ok("Blobs.Create", err)
	defer w.Abort()
	chunk := make([]byte, 64<<10)
	for at := 0; at < size; at += len(chunk) {
		for i := range chunk {
			chunk[i] = byte((at + i) >> 4)
		}
		_, err := w.Write(chunk)
		e.ok("Write", err)
	}
	ref, err := w.Commit(e.ctx)
	e.ok("Commit", err)
	uid := h.do(store.Append{Mailbox: h.inbox, Blob: ref, Key: blob.KeyOf(w), Size: int64(size), Prefix: []byte("prefix")}).Ops[0].Dest.Min()
	c, err := h.Content(e.ctx, h.inbox, uid)
	e.ok("Content", err)
	defer c.Close()
	for _, off := range []int{0, 6, 100_000, size / 2, size - 10} {
		p := make([]byte, 16)
		if _, err := c.ReadAt(p, int64(off+6)); err != nil && off+16 <= size {
			e.errorf("ReadAt(%d): %v", off, err)
		}
		for i := range min(16, size-off) {
			if p[i] != byte((off+i)>>4) {
				e.fatalf("octet %d is %d", off+i, p[i])
			}
		}
	}
}
