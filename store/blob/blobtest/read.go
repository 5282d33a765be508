package blobtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/mailstead/mailstead/store/blob"
)

func readBack(t *testing.T, c Config) {
	b := c.New(t)
	for i, n := range sizes {
		data := octets(uint64(i), n)
		wantData(t, b, put(t, b, data, -1), data)
		wantData(t, b, put(t, b, data, int64(n)), data)
	}
}

func readAtEdges(t *testing.T, c Config) {
	b := c.New(t)
	for _, n := range []int{100, 200_000, 2 << 20} {
		data := octets(9, n)
		o, err := b.Open(context.Background(), put(t, b, data, -1))
		if err != nil {
			t.Fatal(err)
		}
		p := make([]byte, 10)
		if m, err := o.ReadAt(p, int64(n)-10); m != 10 || err != nil && err != io.EOF || !bytes.Equal(p, data[n-10:]) {
			t.Errorf("ReadAt of the last 10 of %d = %d, %v", n, m, err)
		}
		if m, err := o.ReadAt(p, int64(n)-4); m != 4 || err != io.EOF || !bytes.Equal(p[:4], data[n-4:]) {
			t.Errorf("ReadAt beyond the end of %d = %d, %v; want 4, EOF", n, m, err)
		}
		if m, err := o.ReadAt(p, int64(n)); m != 0 || err != io.EOF {
			t.Errorf("ReadAt at the end of %d = %d, %v; want 0, EOF", n, m, err)
		}
		if _, err := o.ReadAt(p, -1); err == nil || err == io.EOF {
			t.Errorf("ReadAt(-1) = %v; want an error", err)
		}
		if err := o.Close(); err != nil {
			t.Error(err)
		}
		if _, err := o.ReadAt(p, 0); err == nil {
			t.Error("ReadAt after Close: want an error")
		}
	}
}

func openSurvivesDelete(t *testing.T, c Config) {
	b := c.New(t)
	for _, n := range sizes {
		data := octets(3, n)
		ref := put(t, b, data, -1)
		o, err := b.Open(context.Background(), ref)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Delete(context.Background(), ref); err != nil {
			t.Fatal(err)
		}
		put(t, b, octets(4, n), -1)
		got, err := io.ReadAll(io.NewSectionReader(o, 0, o.Size()))
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("an open blob of %d octets changed with Delete: %v", n, err)
		}
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	}
}

func deleted(t *testing.T, c Config) {
	ctx := context.Background()
	b := c.New(t)
	var gone, kept []blob.Ref
	for i := range 30 {
		ref := put(t, b, octets(uint64(i), sizes[i%len(sizes)]), -1)
		if i%2 == 0 {
			gone = append(gone, ref)
		} else {
			kept = append(kept, ref)
		}
	}
	if err := b.Delete(ctx, gone...); err != nil {
		t.Fatal(err)
	}
	if err := b.Delete(ctx, gone...); err != nil {
		t.Fatalf("deleting again: %v", err)
	}
	check := func() {
		t.Helper()
		for _, ref := range gone {
			if _, err := b.Open(ctx, ref); !errors.Is(err, blob.ErrNoBlob) {
				t.Errorf("Open of the deleted %s: %v, want ErrNoBlob", ref, err)
			}
		}
		var got []blob.Ref
		for _, info := range list(t, b, "") {
			got = append(got, info.Ref)
		}
		slices.Sort(kept)
		if !slices.Equal(got, kept) {
			t.Errorf("%d blobs are listed, want %d", len(got), len(kept))
		}
	}
	check()
	if c.Reopen != nil {
		b = c.Reopen(t, b)
		check()
	}
}

func unknownRef(t *testing.T, c Config) {
	b := c.New(t)
	ref := put(t, b, []byte("octets"), -1)
	for _, bad := range []blob.Ref{"", "nonsense", ref + "0", ref[1:], "../../etc/passwd"} {
		if _, err := b.Open(context.Background(), bad); !errors.Is(err, blob.ErrNoBlob) {
			t.Errorf("Open(%q): %v, want ErrNoBlob", bad, err)
		}
		if err := b.Delete(context.Background(), bad); err != nil {
			t.Errorf("Delete(%q): %v", bad, err)
		}
	}
	wantData(t, b, ref, []byte("octets"))
}
