package blobtest

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/mailstead/mailstead/store/blob"
)

// refsDiffer deletes each blob before it commits other octets of the same
// length: none may get a Ref that stood for others.
func refsDiffer(t *testing.T, c Config) {
	b := c.New(t)
	seen := map[blob.Ref]bool{}
	for i := range 40 {
		ref := put(t, b, octets(uint64(i), 100), -1)
		if seen[ref] {
			t.Fatalf("Ref %s was given to two blobs", ref)
		}
		seen[ref] = true
		if err := b.Delete(context.Background(), ref); err != nil {
			t.Fatal(err)
		}
		if c.Reopen != nil && i%10 == 9 {
			b = c.Reopen(t, b)
		}
	}
}

func survivesReopen(t *testing.T, c Config) {
	if c.Reopen == nil {
		t.Skip("nothing survives a restart")
	}
	b := c.New(t)
	want := map[blob.Ref][]byte{}
	for round := range 3 {
		for i, n := range sizes {
			data := octets(uint64(round*100+i), n)
			want[put(t, b, data, int64(n))] = data
		}
		b = c.Reopen(t, b)
		for ref, data := range want {
			wantData(t, b, ref, data)
		}
		if got := list(t, b, ""); len(got) != len(want) {
			t.Fatalf("%d blobs listed, %d committed", len(got), len(want))
		}
	}
}

func writerSize(t *testing.T, c Config) {
	b := c.New(t)
	for _, n := range sizes {
		if _, err := tryPut(b, octets(1, n), int64(n)+1); !errors.Is(err, blob.ErrSize) {
			t.Errorf("one octet of %d is missing: %v, want ErrSize", n+1, err)
		}
		if n == 0 {
			continue
		}
		w, err := b.Create(context.Background(), int64(n)-1)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(octets(1, n-1))
		w.Write([]byte("x")) // may fail here already
		if _, err := w.Commit(context.Background()); !errors.Is(err, blob.ErrSize) {
			t.Errorf("one octet more than %d: %v, want ErrSize", n-1, err)
		}
		w.Abort()
	}
	if got := list(t, b, ""); len(got) != 0 {
		t.Errorf("%d blobs came from writers that failed", len(got))
	}
}

func writerAbort(t *testing.T, c Config) {
	ctx := context.Background()
	b := c.New(t)
	for _, n := range sizes {
		w, err := b.Create(ctx, -1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(octets(1, n)); err != nil {
			t.Fatal(err)
		}
		w.Abort()
		w.Abort()
		if _, err := w.Write([]byte("x")); err == nil {
			t.Error("Write after Abort: want an error")
		}
		if _, err := w.Commit(ctx); err == nil {
			t.Error("Commit after Abort: want an error")
		}
	}
	if got := list(t, b, ""); len(got) != 0 {
		t.Errorf("%d blobs came from aborted writers", len(got))
	}
	w, err := b.Create(ctx, -1)
	if err != nil {
		t.Fatal(err)
	}
	w.Write([]byte("kept"))
	ref, err := w.Commit(ctx)
	if err != nil {
		t.Fatal(err)
	}
	w.Abort() // no effect now
	if _, err := w.Commit(ctx); err == nil {
		t.Error("second Commit: want an error")
	}
	wantData(t, b, ref, []byte("kept"))
}

func cancelled(t *testing.T, c Config) {
	b := c.New(t)
	ctx, cancel := context.WithCancel(context.Background())
	w, err := b.Create(ctx, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	w.Write([]byte("octets"))
	ref := put(t, b, []byte("other"), -1)
	cancel()
	if _, err := w.Commit(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Commit: %v, want context.Canceled", err)
	}
	if _, err := b.Create(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("Create: %v, want context.Canceled", err)
	}
	if _, err := b.Open(ctx, ref); !errors.Is(err, context.Canceled) {
		t.Errorf("Open: %v, want context.Canceled", err)
	}
	var last error
	for _, err := range b.List(ctx, "") {
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("List: %v, want context.Canceled", last)
	}
}

func concurrent(t *testing.T, c Config) {
	b := c.New(t)
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for i := range 20 {
				data := octets(uint64(g*1000+i), sizes[(g+i)%8])
				ref, err := tryPut(b, data, -1)
				if err != nil {
					t.Error(err)
					return
				}
				got, err := get(b, ref)
				if err != nil || !bytes.Equal(got, data) {
					t.Errorf("%s differs: %v", ref, err)
				}
				if i%3 == 0 {
					if err := b.Delete(context.Background(), ref); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	if got, want := len(list(t, b, "")), 16*13; got != want {
		t.Errorf("%d blobs are left, want %d", got, want)
	}
}

// slowWriter keeps writers of every size half way open while others commit.
func slowWriter(t *testing.T, c Config) {
	ctx := context.Background()
	b := c.New(t)
	var slow []blob.Writer
	for _, n := range sizes {
		w, err := b.Create(ctx, -1)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(octets(1, n))
		slow = append(slow, w)
	}
	for i, n := range sizes {
		data := octets(uint64(i), n)
		wantData(t, b, put(t, b, data, -1), data)
	}
	for i, w := range slow {
		ref, err := w.Commit(ctx)
		if err != nil {
			t.Fatal(err)
		}
		wantData(t, b, ref, octets(1, sizes[i]))
	}
}
