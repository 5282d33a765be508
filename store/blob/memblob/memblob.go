// Package memblob keeps blobs in memory: for tests, for package memstore, and
// for programs whose mail need not outlive them. It fulfils every invariant of
// package blob but I2: nothing survives the end of the process.
package memblob

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/mailstead/mailstead/store/blob"
)

// Blobs is a blob.Blobs in memory. The zero value is ready for use.
type Blobs struct {
	mu     sync.RWMutex
	last   uint64 // number of the newest Ref; only grows (I1)
	blobs  map[blob.Ref]entry
	sorted []blob.Ref // ascending, as Refs are made; may name deleted ones
}

type entry struct {
	data    []byte
	created time.Time
}

var _ blob.Blobs = (*Blobs)(nil)

// New returns an empty Blobs.
func New() *Blobs { return &Blobs{} }

// Create implements blob.Blobs. A size beyond what is written costs nothing:
// memory is taken for octets, not for announcements.
func (b *Blobs) Create(ctx context.Context, size int64) (blob.Writer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &writer{blobs: b, size: size}, nil
}

// Open implements blob.Blobs.
func (b *Blobs) Open(ctx context.Context, ref blob.Ref) (blob.Blob, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	e, ok := b.blobs[ref]
	if !ok {
		return nil, blob.ErrNoBlob
	}
	return &open{data: e.data}, nil
}

// Delete implements blob.Blobs.
func (b *Blobs) Delete(ctx context.Context, refs ...blob.Ref) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, ref := range refs {
		delete(b.blobs, ref)
	}
	if len(b.sorted) > 64 && len(b.blobs) < len(b.sorted)/2 {
		alive := make([]blob.Ref, 0, len(b.blobs)) // a running List keeps the old one
		for _, ref := range b.sorted {
			if _, ok := b.blobs[ref]; ok {
				alive = append(alive, ref)
			}
		}
		b.sorted = alive
	}
	return nil
}

// List implements blob.Blobs.
func (b *Blobs) List(ctx context.Context, after blob.Ref) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		b.mu.RLock()
		refs := b.sorted // only ever appended to or replaced
		b.mu.RUnlock()
		i, found := slices.BinarySearch(refs, after)
		if found {
			i++
		}
		for _, ref := range refs[i:] {
			if err := ctx.Err(); err != nil {
				yield(blob.Info{}, err)
				return
			}
			b.mu.RLock()
			e, ok := b.blobs[ref]
			b.mu.RUnlock()
			if ok && !yield(blob.Info{Ref: ref, Size: int64(len(e.data)), Created: e.created}, nil) {
				return
			}
		}
	}
}

func (b *Blobs) commit(data []byte) blob.Ref {
	sum := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
	created := time.Now().Add(time.Second - 1).Truncate(time.Second)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last++
	ref := blob.Ref(fmt.Sprintf("m%016x.%08x", b.last, sum))
	if b.blobs == nil {
		b.blobs = make(map[blob.Ref]entry)
	}
	b.blobs[ref] = entry{data: data, created: created}
	b.sorted = append(b.sorted, ref)
	return ref
}

// writer collects one blob.
type writer struct {
	blobs *Blobs
	size  int64 // announced; -1 unknown
	data  []byte
	over  bool // more came than announced
	done  bool
}

func (w *writer) Write(p []byte) (int, error) {
	switch {
	case w.done:
		return 0, blob.ErrClosed
	case w.over || w.size >= 0 && int64(len(w.data)+len(p)) > w.size:
		w.over = true
		return 0, blob.ErrSize
	}
	w.data = append(w.data, p...)
	return len(p), nil
}

func (w *writer) Commit(ctx context.Context) (blob.Ref, error) {
	if w.done {
		return "", blob.ErrClosed
	}
	w.done = true
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if w.over || w.size >= 0 && int64(len(w.data)) != w.size {
		return "", blob.ErrSize
	}
	ref := w.blobs.commit(slices.Clip(w.data))
	w.data = nil
	return ref, nil
}

func (w *writer) Abort() { w.done, w.data = true, nil }

// open is an open blob.
type open struct {
	mu   sync.RWMutex
	data []byte
	done bool
}

func (o *open) Size() int64 { return int64(len(o.data)) }

func (o *open) ReadAt(p []byte, off int64) (int, error) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	switch {
	case o.done:
		return 0, blob.ErrClosed
	case off < 0:
		return 0, fmt.Errorf("memblob: negative offset %d", off)
	case off >= int64(len(o.data)):
		return 0, io.EOF
	}
	n := copy(p, o.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (o *open) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.done = true
	return nil
}
