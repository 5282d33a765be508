package objects

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/mailstead/mailstead/store/blob"
)

// Blobs is a blob.Blobs on an object store alone: what exists is what the store
// lists. It suits one process; several that share one bucket are served by
// package sqlblob, which also keeps small bodies out of the object store. All
// methods may be called from any number of goroutines.
type Blobs struct {
	store  Lister
	prefix string
	spools *Spools

	mu   sync.Mutex
	open map[blob.Ref]map[*Reader]bool // those that read from the store
}

var (
	_ blob.Blobs  = (*Blobs)(nil)
	_ blob.Stater = (*Blobs)(nil)
)

// NewBlobs returns the Blobs whose objects have keys that begin with prefix;
// no other objects may.
func NewBlobs(store Lister, prefix string, o Options) *Blobs {
	return &Blobs{store: store, prefix: prefix, spools: NewSpools(o), open: make(map[blob.Ref]map[*Reader]bool)}
}

// Create implements blob.Blobs.
func (b *Blobs) Create(ctx context.Context, size int64) (blob.Writer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return b.spools.NewWriter(size, b.put), nil
}

func (b *Blobs) put(ctx context.Context, s *Spool) (blob.Ref, error) {
	sums := s.Sums()
	ref := makeRef(NewID(time.Now()), s.Size(), sums.Whole)
	err := b.store.Put(ctx, Object{Key: b.key(ref), Size: s.Size(), Sums: sums}, s)
	if err != nil {
		return "", fmt.Errorf("objects: put: %w", err)
	}
	return ref, nil
}

func (b *Blobs) key(ref blob.Ref) string { return b.prefix + string(ref) }

// Open implements blob.Blobs. A body of one chunk is fetched whole.
func (b *Blobs) Open(ctx context.Context, ref blob.Ref) (blob.Blob, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	n, ok := parseRef(ref)
	switch {
	case !ok:
		return nil, blob.ErrNoBlob
	case n.size > 0 && n.size <= leaf:
		return b.openSmall(ctx, ref, n)
	}
	o, err := b.stat(ctx, ref, n)
	if err != nil {
		return nil, err
	}
	return b.openLarge(ctx, ref, o)
}

func (b *Blobs) openSmall(ctx context.Context, ref blob.Ref, n named) (blob.Blob, error) {
	o := Object{Key: b.key(ref), Size: n.size, Sums: Sums{Whole: n.sum, chunks: []uint32{n.sum}}}
	r, err := NewReader(ctx, b.store, o, nil)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, r.cancel)
	defer stop()
	defer r.Close()
	p := make([]byte, n.size)
	if _, err := r.ReadAt(p, 0); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, err
	}
	return NewMemory(p), nil
}

func (b *Blobs) openLarge(ctx context.Context, ref blob.Ref, o Object) (blob.Blob, error) {
	var r *Reader
	r, err := NewReader(ctx, b.store, o, func() { b.closed(ref, r) })
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open[ref] == nil {
		b.open[ref] = make(map[*Reader]bool)
	}
	b.open[ref][r] = true
	return r, nil
}

// closed forgets a Reader. It may have been forgotten by Delete.
func (b *Blobs) closed(ref blob.Ref, r *Reader) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.open[ref], r)
	if len(b.open[ref]) == 0 {
		delete(b.open, ref)
	}
}

// stat asks the store for an object and compares it with what its Ref says.
func (b *Blobs) stat(ctx context.Context, ref blob.Ref, n named) (Object, error) {
	o, err := b.store.Stat(ctx, b.key(ref))
	if errors.Is(err, ErrNoObject) {
		return o, fmt.Errorf("%w: %w", blob.ErrNoBlob, err)
	}
	if err == nil && (o.Size != n.size || o.Sums.Whole != n.sum) {
		err = fmt.Errorf("%w: object %s has %d octets, checksum %08x", blob.ErrCorrupt, o.Key, o.Size, o.Sums.Whole)
	}
	return o, err
}

// Stat implements blob.Stater.
func (b *Blobs) Stat(ctx context.Context, ref blob.Ref) (int64, error) {
	n, ok := parseRef(ref)
	if !ok {
		return 0, blob.ErrNoBlob
	}
	o, err := b.stat(ctx, ref, n)
	return o.Size, err
}

// Delete implements blob.Blobs. What this process has open is fetched first, so
// that it stays readable.
func (b *Blobs) Delete(ctx context.Context, refs ...blob.Ref) error {
	keys := make([]string, 0, len(refs))
	for _, ref := range refs {
		if _, ok := parseRef(ref); !ok {
			continue
		}
		for _, r := range b.readers(ref) {
			if err := r.moveTo(b.spools); err != nil && !errors.Is(err, blob.ErrClosed) && !errors.Is(err, blob.ErrNoBlob) {
				return err
			}
		}
		keys = append(keys, b.key(ref))
	}
	if len(keys) == 0 {
		return ctx.Err()
	}
	return b.store.Delete(ctx, keys...)
}

// readers are those that have ref open. One that is opened later may find its
// object gone, as if it had come after the deletion.
func (b *Blobs) readers(ref blob.Ref) (list []*Reader) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for r := range b.open[ref] {
		list = append(list, r)
	}
	return list
}

// List implements blob.Blobs. Objects under the prefix that no Blobs made are
// passed over.
func (b *Blobs) List(ctx context.Context, after blob.Ref) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		start := ""
		if after != "" {
			start = b.key(after)
		}
		for o, err := range b.store.List(ctx, b.prefix, start) {
			if err != nil {
				yield(blob.Info{}, err)
				return
			}
			ref := blob.Ref(o.Key[len(b.prefix):])
			n, ok := parseRef(ref)
			if !ok || o.Size != n.size {
				continue
			}
			if !yield(blob.Info{Ref: ref, Size: n.size, Created: n.created}, nil) {
				return
			}
		}
	}
}
