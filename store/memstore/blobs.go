package memstore

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/mailstead/mailstead/store/blob"
)

// blobs is the least blob.Blobs: a map of bytes.
type blobs struct {
	mu   sync.Mutex
	last uint64
	m    map[blob.Ref]stored
}

type stored struct {
	data    []byte
	created time.Time
}

func newBlobs() *blobs { return &blobs{m: make(map[blob.Ref]stored)} }

func (b *blobs) Create(ctx context.Context, size int64) (blob.Writer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &blobWriter{to: b, size: size}, nil
}

func (b *blobs) Open(ctx context.Context, ref blob.Ref) (blob.Blob, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s, ok := b.m[ref]
	if !ok {
		return nil, blob.ErrNoBlob
	}
	return openBlob{bytes.NewReader(s.data)}, nil
}

func (b *blobs) Delete(ctx context.Context, refs ...blob.Ref) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, ref := range refs {
		delete(b.m, ref)
	}
	return nil
}

func (b *blobs) List(ctx context.Context, after blob.Ref) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		for _, info := range b.snapshot(after) {
			if err := ctx.Err(); err != nil {
				yield(blob.Info{}, err)
				return
			}
			if !yield(info, nil) {
				return
			}
		}
	}
}

func (b *blobs) snapshot(after blob.Ref) []blob.Info {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []blob.Info
	for ref, s := range b.m {
		if ref > after {
			list = append(list, blob.Info{Ref: ref, Size: int64(len(s.data)), Created: s.created})
		}
	}
	slices.SortFunc(list, func(x, y blob.Info) int { return bytes.Compare([]byte(x.Ref), []byte(y.Ref)) })
	return list
}

type openBlob struct{ *bytes.Reader }

func (openBlob) Close() error { return nil }

type blobWriter struct {
	to   *blobs
	size int64
	buf  []byte
	done bool
}

func (w *blobWriter) Write(p []byte) (int, error) {
	if w.done {
		return 0, blob.ErrClosed
	}
	w.buf = append(w.buf, p...)
	return len(p), nil
}

func (w *blobWriter) Commit(ctx context.Context) (blob.Ref, error) {
	if w.done {
		return "", blob.ErrClosed
	}
	w.done = true
	if w.size >= 0 && w.size != int64(len(w.buf)) {
		return "", blob.ErrSize
	}
	w.to.mu.Lock()
	defer w.to.mu.Unlock()
	w.to.last++
	ref := blob.Ref(fmt.Sprintf("mem-%016x", w.to.last))
	w.to.m[ref] = stored{w.buf, time.Now()}
	return ref, nil
}

func (w *blobWriter) Abort() { w.done, w.buf = true, nil }
