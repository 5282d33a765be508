package segment

import (
	"context"
	"errors"
	"testing"

	"github.com/mailstead/mailstead/store/blob"
)

func TestStat(t *testing.T) {
	ctx := context.Background()
	s, err := Open(ctx, t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	put := func(n int) blob.Ref {
		w, err := s.Create(ctx, int64(n))
		if err != nil {
			t.Fatal(err)
		}
		w.Write(make([]byte, n))
		ref, err := w.Commit(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return ref
	}
	for _, n := range []int{0, 100, 100 << 10, 2 << 20} {
		if got, err := blob.Stat(ctx, s, put(n)); err != nil || got != int64(n) {
			t.Errorf("Stat of %d octets: %d, %v", n, got, err)
		}
	}
	ref := put(10)
	other, ok := parseRef(ref)
	if !ok {
		t.Fatal(ref)
	}
	other.sum++
	if err := s.Delete(ctx, ref); err != nil {
		t.Fatal(err)
	}
	foreign, _ := parseRef(put(10))
	foreign.sum++
	for _, gone := range []blob.Ref{ref, other.text(), foreign.text(), "", "s0000000001", ref + "x"} {
		if _, err := blob.Stat(ctx, s, gone); !errors.Is(err, blob.ErrNoBlob) {
			t.Errorf("Stat(%q): %v, want ErrNoBlob", gone, err)
		}
	}
}
