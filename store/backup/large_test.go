package backup_test

import (
	"context"
	"io"
	"iter"
	"os"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/backup"
	"github.com/mailstead/mailstead/store/blob"
)

// huge is a store with bodies of nothing but zeros, of any size, that takes no
// memory for them.
type huge struct {
	store.Store
	size int64
}

func (h huge) As(any) bool       { return false }
func (h huge) Blobs() blob.Blobs { return hugeBlobs{h.Store.Blobs(), h.size} }

func (h huge) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	a, err := h.Store.Open(ctx, id)
	return hugeAccount{a, h.size}, err
}

type hugeAccount struct {
	store.Account
	size int64
}

func (a hugeAccount) As(any) bool { return false }

func (a hugeAccount) Messages(ctx context.Context, id store.MailboxID, q store.Query) iter.Seq2[*store.Message, error] {
	return func(yield func(*store.Message, error) bool) {
		for m, err := range a.Account.Messages(ctx, id, q) {
			if m != nil {
				m.Size = a.size
			}
			if !yield(m, err) {
				return
			}
		}
	}
}

func (a hugeAccount) Mailboxes(ctx context.Context, since store.ModSeq) ([]store.Mailbox, store.ModSeq, error) {
	list, now, err := a.Account.Mailboxes(ctx, since)
	for i := range list {
		list[i].Bytes = list[i].Messages * a.size
	}
	return list, now, err
}

func (a hugeAccount) Content(context.Context, store.MailboxID, store.UID) (store.Content, error) {
	return zeroBlob(a.size), nil
}

type hugeBlobs struct {
	blob.Blobs
	size int64
}

func (b hugeBlobs) Create(ctx context.Context, _ int64) (blob.Writer, error) {
	w, err := b.Blobs.Create(ctx, -1)
	return hugeWriter{w}, err
}

type hugeWriter struct{ blob.Writer }

func (w hugeWriter) Write(p []byte) (int, error) { return len(p), nil }

func (b hugeBlobs) Open(context.Context, blob.Ref) (blob.Blob, error) { return zeroBlob(b.size), nil }

type zeroBlob int64

func (z zeroBlob) Size() int64  { return int64(z) }
func (z zeroBlob) Close() error { return nil }

func (z zeroBlob) ReadAt(p []byte, off int64) (int, error) {
	n := min(int64(len(p)), max(int64(z)-off, 0))
	clear(p[:n])
	if n < int64(len(p)) {
		return int(n), io.EOF
	}
	return int(n), nil
}

// TestHugeBody: a body of 2 GB goes into an archive and out of it in little
// memory.
func TestHugeBody(t *testing.T) {
	size := int64(200 << 20)
	switch {
	case os.Getenv("MAILSTEAD_FULL") != "":
		size = 2 << 30
	case testing.Short():
		size = 20 << 20
	}
	m, a := newStore(t), newArchive(t)
	u := newUser(t, m, "alice", 1)
	u.apply(append1(t, u))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r := must(a.Backup(t.Context(), huge{m, size}, backup.BackupOptions{}))(t)
	if r.Bytes != size || r.Missing > 0 {
		t.Errorf("%+v", r)
	}
	verified(t, a, nil)
	to := newStore(t)
	rep := must(a.Restore(t.Context(), huge{to, size}, backup.RestoreOptions{}))(t)
	if rep.Bytes != size || rep.Lost > 0 {
		t.Errorf("%+v", rep)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 200<<20 {
		t.Errorf("%d MiB allocated", n>>20)
	}
}

// append1 is an Append without a prefix.
func append1(t *testing.T, u *user) store.Op {
	t.Helper()
	op := must(store.PrepareAppend(t.Context(), u.s, store.NewMessage{Mailbox: u.inbox, Body: io.LimitReader(zeroReader{}, 10), BodySize: 10}))(t)
	return op
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestLargeMailbox: a mailbox of many messages takes bounded memory to back
// up, verify and restore: 16 octets a body that is in a pack, and blocks.
func TestLargeMailbox(t *testing.T) {
	n := 100_000
	switch {
	case os.Getenv("MAILSTEAD_FULL") != "":
		n = 1_000_000
	case testing.Short():
		n = 10_000
	}
	m, a := newStore(t), newArchive(t)
	u := newUser(t, m, "alice", 1)
	for done := 0; done < n; done += 1000 {
		ops := make([]store.Op, 1000)
		for i := range ops {
			ops[i] = append1(t, u)
		}
		u.apply(ops...)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(20))
	runtime.GC()
	var base, now runtime.MemStats
	runtime.ReadMemStats(&base)
	var peak uint64
	watch := func(backup.Progress) {
		runtime.ReadMemStats(&now)
		peak = max(peak, now.HeapAlloc)
	}
	began := time.Now()
	must(a.Backup(t.Context(), m, backup.BackupOptions{Progress: watch}))(t)
	took := time.Since(began)
	u.apply(store.SetFlags{Mailbox: u.inbox, UIDs: store.UIDSet{{First: 1, Last: 5000}}, Flags: store.Flagged})
	r := must(a.Backup(t.Context(), m, backup.BackupOptions{Progress: watch}))(t)
	if r.Messages != 5000 || r.Bodies != 0 {
		t.Errorf("%+v", r)
	}
	v := must(a.Verify(t.Context(), backup.VerifyOptions{Progress: watch, Store: m, Problem: func(p *backup.Problem) { t.Error(p) }}))(t)
	if v.Compared != int64(n) {
		t.Errorf("%+v", v)
	}
	grown := int64(peak) - int64(base.HeapAlloc)*6/5
	t.Logf("%d messages: first backup %v, heap above that of the store %d MiB", n, took, grown>>20)
	if grown > 64<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
	to := newStore(t)
	began = time.Now()
	must(a.Restore(t.Context(), to, backup.RestoreOptions{}))(t)
	t.Logf("restored in %v", time.Since(began))
}
