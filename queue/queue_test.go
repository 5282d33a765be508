package queue_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/memblob"
)

func TestDataStoresBeforePut(t *testing.T) {
	inWorld(t, func(w *world) {
		b := smtp.NewBody(strings.NewReader("hello"), 5)
		b.Prepend([]byte("X: 1\r\n"))
		if err := w.trySend(b, "", "bob@Example.NET"); err != nil {
			t.Fatal(err)
		}
		j := w.wantJobs(1)[0]
		if j.Destination != "example.net" || j.Size != 5 || string(j.Prefix) != "X: 1\r\n" || j.ID == j.Message {
			t.Errorf("job %+v", j)
		}
		bl, err := w.blobs.Open(t.Context(), j.Blob)
		if err != nil {
			t.Fatal(err)
		}
		defer bl.Close()
		if got, _ := io.ReadAll(io.NewSectionReader(bl, 0, bl.Size())); string(got) != "hello" {
			t.Errorf("stored %q", got)
		}
	})
}

// A body that does not end cleanly, or that a wrapper refuses late, is not
// queued.
func TestDataRefused(t *testing.T) {
	inWorld(t, func(w *world) {
		for _, err := range []error{io.ErrUnexpectedEOF, smtp.ErrTruncated, errNobody} {
			body := io.MultiReader(strings.NewReader("half"), failing{err})
			if got := w.trySend(smtp.NewBody(body, -1), "", "bob@example.net"); !errors.Is(got, err) {
				t.Errorf("got %v, want %v", got, err)
			}
		}
		if err := w.trySend(smtp.NewBody(strings.NewReader("four"), 5), "", "bob@example.net"); !errors.Is(err, blob.ErrSize) {
			t.Errorf("short body: %v", err)
		}
		w.wantJobs(0)
	})
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// refusing is a Storage that puts nothing.
type refusing struct{ queue.Storage }

func (refusing) Put(context.Context, ...queue.Job) error { return errStorage }

func TestDataPutFails(t *testing.T) {
	inWorld(t, func(w *world) {
		w.store.Storage = refusing{w.store.Storage}
		w.q.Kick = func() { t.Error("Kick without a job") }
		if err := w.trySend(smtp.NewBody(strings.NewReader("x"), 1), "", "bob@example.net"); !errors.Is(err, errStorage) {
			t.Errorf("got %v", err)
		}
	})
}

// unread fails the test when somebody reads it.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("a body that lies in the same store was read")
	return 0, io.EOF
}

func TestDataSharesABlob(t *testing.T) {
	inWorld(t, func(w *world) {
		stored := blob.Stored{In: w.blobs, Ref: "there"}
		if err := w.trySend(smtp.NewStoredBody(unread{t}, 123, stored, []byte("X: 1\r\n")), "", "bob@example.net"); err != nil {
			t.Fatal(err)
		}
		if j := w.wantJobs(1)[0]; j.Blob != "there" || j.Size != 123 || string(j.Prefix) != "X: 1\r\n" {
			t.Errorf("job %+v", j)
		}
		other := blob.Stored{In: memblob.New(), Ref: "elsewhere"}
		if err := w.trySend(smtp.NewStoredBody(strings.NewReader("copied"), 6, other, nil), "", "carol@example.com"); err != nil {
			t.Fatal(err)
		}
		for _, j := range w.wantJobs(2) {
			if j.Blob == "elsewhere" {
				t.Error("a Ref of another store was kept")
			}
		}
	})
}

// The receiver that has the queue's blob store is told where the body lies.
func TestAttemptSharesTheBlob(t *testing.T) {
	inWorld(t, func(w *world) {
		w.take = func(_ context.Context, env *smtp.Envelope, b *smtp.Body) ([]smtp.RcptStatus, error) {
			if s, ok := b.Stored().(blob.Stored); !ok || s.In != blob.Blobs(w.blobs) || s.Ref == "" {
				t.Errorf("Stored is %v", b.Stored())
			}
			if !env.Mail.PerRecipient {
				t.Error("PerRecipient is not set")
			}
			return smtp.Accepted(1), nil
		}
		w.send("bob@example.net")
		w.run()()
	})
}

func TestOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		for range 2 {
			if err := w.trySend(smtp.NewBody(strings.NewReader("x"), 1), "key", "a@one.example", "b@two.example", "c@one.example"); err != nil {
				t.Fatal(err)
			}
		}
		w.wantJobs(2)
		if err := w.trySend(smtp.NewBody(strings.NewReader("x"), 1), "other", "a@one.example"); err != nil {
			t.Fatal(err)
		}
		w.wantJobs(3)
	})
}

func TestJobs(t *testing.T) {
	inWorld(t, func(w *world) {
		peer := &smtp.Peer{Addr: netip.MustParseAddrPort("192.0.2.1:1234"), Hello: "h", Protocol: "ESMTPA", Identity: "alice"}
		env := &smtp.Envelope{Mail: &smtp.Mail{ID: "m", Peer: peer}}
		for i := range 250 {
			env.Recipients = append(env.Recipients, &smtp.Recipient{ForwardPath: forward(fmt.Sprintf("u%d@big.example", i))})
			if i%100 == 0 {
				env.Recipients = append(env.Recipients, &smtp.Recipient{ForwardPath: forward("x@small.example")})
			}
		}
		jobs := w.q.Jobs(env, "ref", 7, nil)
		sizes, ids := map[string][]int{}, map[string]bool{}
		for _, j := range jobs {
			sizes[j.Destination] = append(sizes[j.Destination], len(j.Recipients))
			ids[j.ID] = true
			if j.Message != "m" || j.Identity != "alice" || j.Peer != (queue.PeerInfo{Addr: "192.0.2.1", Hello: "h", Protocol: "ESMTPA"}) || j.Size != 7 {
				t.Errorf("job %+v", j)
			}
		}
		if got := fmt.Sprint(sizes); got != "map[big.example:[100 100 50] small.example:[3]]" || len(ids) != 4 {
			t.Errorf("recipients by destination: %s, %d IDs", got, len(ids))
		}
	})
}

func TestHoldAtPut(t *testing.T) {
	inWorld(t, func(w *world) {
		w.q.Hold = func(j *queue.Job) string {
			if j.Destination == "hold.example" {
				return "suspicious"
			}
			return ""
		}
		defer w.run()()
		w.send("a@hold.example", "b@go.example")
		pass(0)
		if j := w.wantJobs(1)[0]; j.Hold != "suspicious" {
			t.Errorf("hold %q", j.Hold)
		}
	})
}

func TestDelayBounds(t *testing.T) {
	s := queue.Schedule{}
	for n, want := range map[int]float64{1: 5, 2: 10, 6: 160, 7: 240, 1000: 240} {
		for range 100 {
			if got := s.Delay(n).Minutes(); got < want*0.9-0.01 || got > want*1.1+0.01 {
				t.Fatalf("delay after attempt %d: %v min, want %v ±10 %%", n, got, want)
			}
		}
	}
}
