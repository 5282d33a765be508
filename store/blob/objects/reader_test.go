package objects_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/objects"
	"github.com/mailstead/mailstead/store/blob/objects/objecttest"
)

// stored puts n octets and opens them.
func stored(t *testing.T, m *objecttest.Mem, n int) ([]byte, *objects.Reader) {
	t.Helper()
	p := objecttest.Octets(1, n)
	o := objects.Object{Key: "k", Size: int64(n), Sums: objects.SumsOf(p)}
	if err := m.Put(t.Context(), o, bytes.NewReader(p)); err != nil {
		t.Fatal(err)
	}
	r, err := objects.NewReader(t.Context(), m, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return p, r
}

// TestReaderRequests: 20 MB in pieces of 4 KiB take few requests, and the first
// piece takes one, of one chunk.
func TestReaderRequests(t *testing.T) {
	var largest int
	m := new(objecttest.Mem)
	want, r := stored(t, m, 20_000_000)
	piece := make([]byte, 4096)
	if _, err := r.ReadAt(piece, 100); err != nil || m.Gets() != 1 {
		t.Errorf("%d requests for the first piece, %v", m.Gets(), err)
	}
	var got bytes.Buffer
	for off := int64(0); ; off += int64(len(piece)) {
		n, err := r.ReadAt(piece, off)
		got.Write(piece[:n])
		largest = max(largest, r.Held())
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Error("the octets differ")
	}
	if n := m.Gets(); n > 24 {
		t.Errorf("%d requests, want 24 at most", n)
	}
	if largest > 3<<20 {
		t.Errorf("%d octets were held", largest)
	}
}

// TestReaderAnywhere reads at random, from several goroutines.
func TestReaderAnywhere(t *testing.T) {
	want, r := stored(t, new(objecttest.Mem), 3_000_000)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				off := rand.IntN(len(want))
				p := make([]byte, rand.IntN(len(want)-off)+1)
				if _, err := r.ReadAt(p, int64(off)); err != nil || !bytes.Equal(p, want[off:off+len(p)]) {
					t.Errorf("%d octets from %d differ: %v", len(p), off, err)
				}
			}
		})
	}
	wg.Wait()
}

// TestReaderDamage: no octet of a damaged chunk is handed out, all of the others
// are; what is damaged on its way once is read again.
func TestReaderDamage(t *testing.T) {
	m := new(objecttest.Mem)
	want, r := stored(t, m, 1_000_000)
	p := make([]byte, 1000)
	m.Damage("k", func(b []byte) []byte { b[400_000] ^= 1; return b })
	if n, err := r.ReadAt(p, 399_500); n != 0 || !errors.Is(err, blob.ErrCorrupt) {
		t.Errorf("%d octets, %v; want none, ErrCorrupt", n, err)
	}
	if _, err := r.ReadAt(p, 700_000); err != nil || !bytes.Equal(p, want[700_000:701_000]) {
		t.Errorf("beside the damage: %v", err)
	}
	m.Damage("k", func(b []byte) []byte { b[400_000] ^= 1; return b[:900_000] })
	if _, err := r.ReadAt(p, 899_999); !errors.Is(err, blob.ErrCorrupt) {
		t.Errorf("a shorter object: %v, want ErrCorrupt", err)
	}
	if err := m.Delete(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReadAt(p, 0); !errors.Is(err, blob.ErrNoBlob) {
		t.Errorf("a missing object: %v, want ErrNoBlob", err)
	}
	if _, err := objects.NewReader(t.Context(), m, objects.Object{Key: "k", Size: 5}, nil); !errors.Is(err, blob.ErrCorrupt) {
		t.Errorf("checksums for nothing: %v, want ErrCorrupt", err)
	}
}

// TestReaderDamagedOnTheWay: one bad answer is no damage.
func TestReaderDamagedOnTheWay(t *testing.T) {
	m := new(objecttest.Mem)
	calls := 0
	flip := func() { m.Damage("k", func(b []byte) []byte { b[5] ^= 1; return b }) }
	m.Before = func(_ context.Context, op, _ string) error {
		if op == "get" {
			if calls++; calls <= 2 {
				flip()
			}
		}
		return nil
	}
	want, r := stored(t, m, 1000)
	p := make([]byte, 1000)
	if _, err := r.ReadAt(p, 0); err != nil || !bytes.Equal(p, want) || calls != 2 {
		t.Errorf("%v after %d requests", err, calls)
	}
}

// TestReaderFails: an error passes, and the next read tries again.
func TestReaderFails(t *testing.T) {
	m := new(objecttest.Mem)
	down := errors.New("the store is down")
	fail := true
	m.Before = func(_ context.Context, op, _ string) error {
		if op == "get" && fail {
			return down
		}
		return nil
	}
	want, r := stored(t, m, 1000)
	p := make([]byte, 1000)
	if _, err := r.ReadAt(p, 0); !errors.Is(err, down) {
		t.Errorf("%v, want %v", err, down)
	}
	fail = false
	if _, err := r.ReadAt(p, 0); err != nil || !bytes.Equal(p, want) {
		t.Errorf("afterwards: %v", err)
	}
}

// TestReaderClose ends a read that hangs.
func TestReaderClose(t *testing.T) {
	m := new(objecttest.Mem)
	hangs := make(chan struct{})
	m.Before = func(ctx context.Context, op, _ string) error {
		if op == "get" {
			close(hangs)
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}
	_, r := stored(t, m, 1000)
	ended := make(chan error)
	go func() {
		_, err := r.ReadAt(make([]byte, 10), 0)
		ended <- err
	}()
	<-hangs
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, blob.ErrClosed) {
		t.Errorf("%v, want ErrClosed", err)
	}
}
