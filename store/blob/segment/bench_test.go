package segment_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/segment"
)

// BenchmarkCommit makes bodies of 4 KB durable on the disk that holds the
// temporary directory (TMPDIR).
func BenchmarkCommit(b *testing.B) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 256)
	for _, writers := range []int{1, 20, 200} {
		b.Run(fmt.Sprint("writers=", writers), func(b *testing.B) {
			s := open(b, b.TempDir(), segment.Options{})
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			before := s.Stats()
			var left atomic.Int64
			left.Store(int64(b.N))
			b.ResetTimer()
			var wg sync.WaitGroup
			for range writers {
				wg.Go(func() {
					for left.Add(-1) >= 0 {
						if _, err := commit(s, body); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			after := s.Stats()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
			b.ReportMetric(float64(after.Commits-before.Commits)/float64(max(1, after.Syncs-before.Syncs)), "commits/sync")
		})
	}
}

func commit(s blob.Blobs, body []byte) (blob.Ref, error) {
	ctx := context.Background()
	w, err := s.Create(ctx, int64(len(body)))
	if err != nil {
		return "", err
	}
	defer w.Abort()
	if _, err := w.Write(body); err != nil {
		return "", err
	}
	return w.Commit(ctx)
}

func BenchmarkCommitLarge(b *testing.B) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 10<<20/16)
	s := open(b, b.TempDir(), segment.Options{})
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		w, err := s.Create(context.Background(), int64(len(body)))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{bytes.NewReader(body)}, make([]byte, 32<<10)); err != nil {
			b.Fatal(err)
		}
		ref, err := w.Commit(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := s.Delete(context.Background(), ref); err != nil {
			b.Fatal(err)
		}
		if _, err := s.Compact(context.Background()); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// BenchmarkOpen opens, verifies and reads bodies of 4 KB.
func BenchmarkOpen(b *testing.B) {
	s := open(b, b.TempDir(), segment.Options{})
	var refs []blob.Ref
	for i := range 100 {
		ref, err := commit(s, bytes.Repeat([]byte{byte(i)}, 4096))
		if err != nil {
			b.Fatal(err)
		}
		refs = append(refs, ref)
	}
	p := make([]byte, 4096)
	b.SetBytes(4096)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		o, err := s.Open(context.Background(), refs[i%len(refs)])
		if err != nil {
			b.Fatal(err)
		}
		if _, err := o.ReadAt(p, 0); err != nil {
			b.Fatal(err)
		}
		o.Close()
	}
}

// BenchmarkSync is what one sync of 4 KB more costs on this disk, to read the
// others by.
func BenchmarkSync(b *testing.B) {
	f, err := os.Create(b.TempDir() + "/f")
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	p := make([]byte, 4096)
	for b.Loop() {
		if _, err := f.Write(p); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
}
