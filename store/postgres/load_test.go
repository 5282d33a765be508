package postgres_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/sqlstore"
)

// refBlobs keeps short bodies in their Refs, so that processes share them.
type refBlobs struct{}

type refWriter struct{ bytes.Buffer }

type refBlob struct{ *bytes.Reader }

func (refBlobs) Create(context.Context, int64) (blob.Writer, error) { return new(refWriter), nil }
func (refBlobs) Delete(context.Context, ...blob.Ref) error          { return nil }
func (refBlobs) List(context.Context, blob.Ref) iter.Seq2[blob.Info, error] {
	return func(func(blob.Info, error) bool) {}
}

func (refBlobs) Open(_ context.Context, ref blob.Ref) (blob.Blob, error) {
	b, err := hex.DecodeString(string(ref))
	return refBlob{bytes.NewReader(b)}, err
}

func (w *refWriter) Abort() {}

func (w *refWriter) Commit(context.Context) (blob.Ref, error) {
	return blob.Ref(hex.EncodeToString(w.Bytes())), nil
}

func (refBlob) Close() error { return nil }

// appendTo is an Append of a body that says what it is.
func appendTo(t testing.TB, blobs blob.Blobs, inbox store.MailboxID, body string) store.Append {
	t.Helper()
	w, err := blobs.Create(t.Context(), int64(len(body)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, body); err != nil {
		t.Fatal(err)
	}
	ref, err := w.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return store.Append{Mailbox: inbox, Blob: ref, Size: int64(len(body)), EmailID: store.NewEmailID(), ThreadKeys: []uint64{uint64(len(body))}}
}

// account makes an account and returns it with its INBOX.
func account(t testing.TB, s store.Store, id store.AccountID) (store.Account, store.MailboxID) {
	t.Helper()
	if err := s.Create(t.Context(), id, store.AccountInfo{}); err != nil {
		t.Fatal(err)
	}
	return inboxOf(t, s, id)
}

func inboxOf(t testing.TB, s store.Store, id store.AccountID) (store.Account, store.MailboxID) {
	t.Helper()
	a, err := s.Open(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	m, err := store.MailboxByName(t.Context(), a, store.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	return a, m.ID
}

// deliver applies a Change until it is acknowledged, as a queue does.
func deliver(ctx context.Context, a store.Account, c store.Change) (tries int, err error) {
	for tries = 1; ; tries++ {
		_, err = a.Apply(ctx, c)
		if !errors.Is(err, store.ErrTemporary) && !errors.Is(err, store.ErrUnknown) {
			return tries, err
		}
		select {
		case <-ctx.Done():
			return tries, err
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// load are writers that deliver on several nodes to several accounts, until
// they are stopped.
type load struct {
	stop    chan struct{}
	halt    func()          // ends the writers
	ctx     context.Context // of the writers; cancelled when the test has failed
	more    chan struct{}   // signalled after each acknowledgement
	wg      sync.WaitGroup
	retries atomic.Int64

	mu    sync.Mutex
	acked map[store.AccountID]map[store.EmailID]string
}

func startLoad(t *testing.T, nodes []*opened, accounts int) *load {
	t.Helper()
	l := &load{
		stop: make(chan struct{}), more: make(chan struct{}, 1),
		acked: map[store.AccountID]map[store.EmailID]string{},
	}
	for n := range accounts {
		id := store.AccountID(fmt.Sprint("a", n))
		account(t, nodes[0], id)
		l.acked[id] = map[store.EmailID]string{}
	}
	l.halt = sync.OnceFunc(func() { close(l.stop); l.wg.Wait() })
	ctx, cancel := context.WithCancel(context.Background())
	l.ctx = ctx
	t.Cleanup(func() {
		if t.Failed() { // the server may be away for good
			cancel()
		}
		l.halt()
		cancel()
	})
	for id := range l.acked {
		_, inbox := inboxOf(t, nodes[0], id)
		for i, node := range nodes {
			a, err := node.Open(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			l.wg.Go(func() { l.write(t, node, a, id, inbox, i) })
		}
	}
	return l
}

func (l *load) write(t *testing.T, node *opened, a store.Account, id store.AccountID, inbox store.MailboxID, n int) {
	for i := 0; ; i++ {
		select {
		case <-l.stop:
			return
		default:
		}
		body := fmt.Sprintf("%s %d %d", id, n, i)
		op := appendTo(t, node.blobs, inbox, body)
		tries, err := deliver(l.ctx, a, store.Change{Once: body, Ops: []store.Op{op}})
		if err != nil {
			t.Errorf("deliver: %v", err)
			return
		}
		l.retries.Add(int64(tries - 1))
		l.mu.Lock()
		l.acked[id][op.EmailID] = body
		l.mu.Unlock()
		select {
		case l.more <- struct{}{}:
		default:
		}
	}
}

// count is how much was acknowledged so far.
func (l *load) count() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.acked {
		n += len(m)
	}
	return n
}

// grow waits until n more messages were acknowledged.
func (l *load) grow(t *testing.T, n int) {
	t.Helper()
	want := l.count() + n
	late := time.After(2 * time.Minute)
	for l.count() < want && !t.Failed() {
		select {
		case <-l.more:
		case <-late:
			t.Fatalf("%d messages acknowledged, want %d", l.count(), want)
		}
	}
}

// end stops the writers and judges what each node shows: every acknowledged
// message once, UIDs and ModSeqs in one order, and nothing damaged.
func (l *load) end(t *testing.T, nodes ...*opened) {
	t.Helper()
	l.halt()
	for _, node := range nodes {
		for id, want := range l.acked {
			l.judge(t, node, id, want)
		}
		if err := node.engine.Store().Verify(t.Context(), func(p *sqlstore.Problem) { t.Error(p) }); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d messages acknowledged, %d tries were repeated", l.count(), l.retries.Load())
}

func (l *load) judge(t *testing.T, node *opened, id store.AccountID, want map[store.EmailID]string) {
	t.Helper()
	a, inbox := inboxOf(t, node, id)
	seen := map[store.EmailID]bool{}
	last := store.ModSeq(0)
	for m, err := range a.Messages(t.Context(), inbox, store.Query{Fields: store.FieldIDs}) {
		if err != nil {
			t.Fatal(err)
		}
		if seen[m.EmailID] {
			t.Errorf("%s: %q is there twice", id, want[m.EmailID])
		}
		if m.ModSeq <= last {
			t.Errorf("%s: UID %d has ModSeq %d behind %d", id, m.UID, m.ModSeq, last)
		}
		seen[m.EmailID], last = true, m.ModSeq
	}
	for email, body := range want {
		if !seen[email] {
			t.Errorf("%s: %q was acknowledged and is lost", id, body)
		}
	}
	if m, err := store.MailboxByID(t.Context(), a, inbox); err != nil || m.Messages != int64(len(want)) {
		t.Errorf("%s: %d messages, %v; %d were acknowledged", id, m.Messages, err, len(want))
	}
}
