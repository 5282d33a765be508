package encrypt

import (
	"context"
	"errors"
	"iter"
	"log/slog"

	"filippo.io/age"

	"github.com/mailstead/mailstead/store/blob"
)

// Options are the choices of Blobs and Store. The zero value is the safe one.
type Options struct {
	// AllowPlain serves what is not encrypted: bodies, rows and entries from
	// the time before. Without it they are ErrPlain, or ErrNoKey. While it is
	// set, who can write to the store below can put mail there that nobody
	// encrypted.
	AllowPlain bool

	// Logger hears of damage. nil = slog.Default().
	Logger *slog.Logger
}

// Blobs is a blob.Blobs that encrypts. Its methods may be called from any
// number of goroutines.
type Blobs struct {
	below blob.Blobs
	keys  *keys
	plain bool
	head  int64 // octets in front of the first chunk
}

var (
	_ blob.Blobs  = (*Blobs)(nil)
	_ blob.Keyed  = (*Blobs)(nil)
	_ blob.Stater = (*Blobs)(nil)
)

// NewBlobs encrypts what is written to b.
func NewBlobs(b blob.Blobs, ring KeyRing, o Options) (*Blobs, error) {
	if b == nil || ring == nil {
		return nil, errors.New("encrypt: Blobs and a KeyRing are needed")
	}
	head, err := headLen()
	if err != nil {
		return nil, err
	}
	return &Blobs{below: b, keys: &keys{ring: ring}, plain: o.AllowPlain, head: head}, nil
}

// Open implements blob.Blobs: only what is not encrypted opens without a key.
func (b *Blobs) Open(ctx context.Context, ref blob.Ref) (blob.Blob, error) {
	return b.OpenKeyed(ctx, ref, nil)
}

// OpenKeyed implements blob.Keyed.
func (b *Blobs) OpenKeyed(ctx context.Context, ref blob.Ref, key []byte) (blob.Blob, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(key) == 0 {
		return b.openPlain(ctx, ref)
	}
	w, data, err := b.unwrap(ctx, ref, key)
	if err != nil {
		return nil, err
	}
	below, err := b.below.Open(ctx, ref)
	if err != nil || w.flags&isPlain != 0 {
		return below, err
	}
	r, err := newReader(below, identity(data))
	if err != nil {
		return nil, errors.Join(err, below.Close())
	}
	return r, nil
}

func (b *Blobs) unwrap(ctx context.Context, ref blob.Ref, key []byte) (w wrapped, data dataKey, err error) {
	if w, err = consumeKey(key); err == nil {
		data, err = b.keys.unwrap(ctx, &w, ref)
	}
	return w, data, err
}

// openPlain opens a blob from before. ErrNoKey: it is encrypted, or what is
// not is not served.
func (b *Blobs) openPlain(ctx context.Context, ref blob.Ref) (blob.Blob, error) {
	below, err := b.below.Open(ctx, ref)
	if err != nil {
		return nil, err
	}
	err = ErrNoKey
	if b.plain {
		err = notOurs(below)
	}
	if err != nil {
		return nil, errors.Join(err, below.Close())
	}
	return below, nil
}

// Stat implements blob.Stater; the blob is taken for one that is encrypted.
func (b *Blobs) Stat(ctx context.Context, ref blob.Ref) (int64, error) {
	n, err := blob.Stat(ctx, b.below, ref)
	return b.plainLen(n), err
}

// StatKeyed implements blob.Keyed.
func (b *Blobs) StatKeyed(ctx context.Context, ref blob.Ref, key []byte) (int64, error) {
	n, err := blob.Stat(ctx, b.below, ref)
	if err != nil {
		return 0, err
	}
	if len(key) == 0 {
		o, err := b.openPlain(ctx, ref)
		if err != nil {
			return 0, err
		}
		return n, o.Close()
	}
	w, _, err := b.unwrap(ctx, ref, key)
	if err != nil || w.flags&isPlain != 0 {
		return n, err
	}
	return b.plainLen(n), nil
}

// Delete implements blob.Blobs.
func (b *Blobs) Delete(ctx context.Context, refs ...blob.Ref) error {
	return b.below.Delete(ctx, refs...)
}

// List implements blob.Blobs. Every blob is taken for one that is encrypted, so
// Info.Size of one from before is some octets too small.
func (b *Blobs) List(ctx context.Context, after blob.Ref) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		for info, err := range b.below.List(ctx, after) {
			info.Size = b.plainLen(info.Size)
			if !yield(info, err) {
				return
			}
		}
	}
}

// Create implements blob.Blobs. The key under which the blob's own will be
// wrapped is asked for first, so that Commit does not fail for want of it.
func (b *Blobs) Create(ctx context.Context, size int64) (blob.Writer, error) {
	wrap, err := b.keys.wrapper(ctx, "")
	if err != nil {
		return nil, err
	}
	below, err := b.below.Create(ctx, b.storedLen(size))
	if err != nil {
		return nil, err
	}
	w := &writer{below: below, wrap: wrap, size: size}
	if w.enc, err = age.Encrypt(below, &w.data); err != nil {
		below.Abort()
		return nil, err
	}
	return w, nil
}
