package blob_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/memblob"
)

// holder holds what it says, or fails when asked about bad.
type holder struct {
	refs  map[blob.Ref]bool
	bad   blob.Ref
	asked int
}

var errHolder = errors.New("holder is down")

func (h *holder) Holds(_ context.Context, refs []blob.Ref) (held []blob.Ref, err error) {
	h.asked++
	for _, ref := range refs {
		if ref == h.bad {
			return nil, errHolder
		}
		if h.refs[ref] {
			held = append(held, ref)
		}
	}
	return held, nil
}

func put(t *testing.T, b blob.Blobs, n int) (refs []blob.Ref) {
	t.Helper()
	for range n {
		w, err := b.Create(context.Background(), -1)
		if err != nil {
			t.Fatal(err)
		}
		w.Write([]byte("0123456789"))
		ref, err := w.Commit(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		refs = append(refs, ref)
	}
	return refs
}

func remaining(b blob.Blobs) map[blob.Ref]bool {
	left := map[blob.Ref]bool{}
	for info := range b.List(context.Background(), "") {
		left[info.Ref] = true
	}
	return left
}

// TestCollect lets blobs age: those that nobody holds go, the others stay.
func TestCollect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memblob.New()
		old := put(t, b, 10)
		queue := &holder{refs: map[blob.Ref]bool{old[1]: true, old[2]: true}}
		store := &holder{refs: map[blob.Ref]bool{old[2]: true, old[7]: true}}
		c := &blob.Collector{Blobs: b, Holders: []blob.Holder{queue, store}, Batch: 3, Logger: slog.New(slog.DiscardHandler)}

		time.Sleep(blob.DefaultMinAge)
		young := put(t, b, 5)
		if st, err := c.Collect(t.Context()); err != nil || st.Candidates != 0 || st.Seen != 15 {
			t.Errorf("at MinAge: %+v, %v; want no candidates", st, err)
		}
		time.Sleep(2 * time.Second)
		st, err := c.Collect(t.Context())
		if want := (blob.Stats{Seen: 15, Candidates: 10, Held: 3, Deleted: 7, Bytes: 70}); err != nil || st != want {
			t.Errorf("%+v, %v; want %+v", st, err, want)
		}
		left := remaining(b)
		for _, ref := range append(young, old[1], old[2], old[7]) {
			if !left[ref] {
				t.Errorf("%s is gone", ref)
			}
		}
		if len(left) != 8 {
			t.Errorf("%d are left, want 8", len(left))
		}
	})
}

// TestCollectHolderFails keeps the whole batch that a holder cannot judge,
// and goes on with the others.
func TestCollectHolderFails(t *testing.T) {
	b := memblob.New()
	refs := put(t, b, 9)
	c := &blob.Collector{
		Blobs: b, MinAge: -1, Batch: 3, Logger: slog.New(slog.DiscardHandler),
		Holders: []blob.Holder{&holder{}, &holder{bad: refs[4]}},
	}
	st, err := c.Collect(t.Context())
	if !errors.Is(err, errHolder) {
		t.Errorf("error %v, want that of the holder", err)
	}
	if st.Deleted != 6 || st.Skipped != 3 {
		t.Errorf("%+v; want 6 deleted, 3 skipped", st)
	}
	left := remaining(b)
	if len(left) != 3 || !left[refs[3]] || !left[refs[4]] || !left[refs[5]] {
		t.Errorf("left: %v", left)
	}
}

// TestCollectWithoutHolders is a mistake in the wiring that would cost all
// mail.
func TestCollectWithoutHolders(t *testing.T) {
	b := memblob.New()
	put(t, b, 3)
	c := &blob.Collector{Blobs: b, MinAge: -1}
	if _, err := c.Collect(t.Context()); !errors.Is(err, blob.ErrNoHolders) {
		t.Errorf("error %v, want ErrNoHolders", err)
	}
	if len(remaining(b)) != 3 {
		t.Error("blobs are gone")
	}
}

func TestCollectCancelled(t *testing.T) {
	b := memblob.New()
	put(t, b, 3)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := &blob.Collector{Blobs: b, MinAge: -1, Holders: []blob.Holder{&holder{}}, Logger: slog.New(slog.DiscardHandler)}
	if _, err := c.Collect(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want Canceled", err)
	}
	if len(remaining(b)) != 3 {
		t.Error("blobs are gone")
	}
}
