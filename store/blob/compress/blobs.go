package compress

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/mailstead/mailstead/store/blob"
)

// mark begins every Ref of this package.
const mark = "~"

// Config says what is wrapped.
type Config struct {
	// Blobs is where compressed blobs lie. Required; nothing else is written
	// to it.
	Blobs blob.Blobs

	// Old holds blobs from the time before, without compression; nil = none.
	// It is another store than Blobs.
	Old blob.Blobs
}

// Blobs is a blob.Blobs that compresses. Its methods may be called from any
// number of goroutines.
type Blobs struct {
	below, old blob.Blobs

	enc     *zstd.Encoder
	dec     *zstd.Decoder
	buffers sync.Pool // *[]byte of bufferLen
}

var (
	_ blob.Blobs   = (*Blobs)(nil)
	_ blob.Keyed   = (*Blobs)(nil)
	_ blob.Wrapper = (*Blobs)(nil)
)

// bufferLen is enough for a frame, compressed or not.
const bufferLen = frameSize + 1<<10

// New wraps c.Blobs.
func New(c Config) (*Blobs, error) {
	if c.Blobs == nil {
		return nil, errors.New("compress: no Blobs")
	}
	if c.Old != nil && reflect.TypeOf(c.Old).Comparable() && c.Old == c.Blobs {
		return nil, errors.New("compress: Old is the store of the compressed blobs")
	}
	enc, err := zstd.NewWriter(nil, zstd.WithWindowSize(frameSize), zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecodeAllCapLimit(true),
		zstd.WithDecoderMaxMemory(1<<maxFrameLog), zstd.WithDecoderMaxWindow(1<<maxFrameLog))
	if err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	z := &Blobs{below: c.Blobs, old: c.Old, enc: enc, dec: dec}
	z.buffers.New = func() any { b := make([]byte, bufferLen); return &b }
	return z, nil
}

// place says where a Ref lies, and what it is called there. ErrNoBlob.
func (z *Blobs) place(ref blob.Ref) (b blob.Blobs, below blob.Ref, marked bool, err error) {
	inner, marked := strings.CutPrefix(string(ref), mark)
	switch {
	case marked:
		return z.below, blob.Ref(inner), true, nil
	case z.old != nil:
		return z.old, ref, false, nil
	}
	return nil, "", false, blob.ErrNoBlob
}

// Below implements blob.Wrapper.
func (z *Blobs) Below(ref blob.Ref) (blob.Blobs, blob.Ref, error) {
	b, inner, _, err := z.place(ref)
	return b, inner, err
}

// Open implements blob.Blobs.
func (z *Blobs) Open(ctx context.Context, ref blob.Ref) (blob.Blob, error) {
	return z.OpenKeyed(ctx, ref, nil)
}

// OpenKeyed implements blob.Keyed with the keys of the store below.
func (z *Blobs) OpenKeyed(ctx context.Context, ref blob.Ref, key []byte) (blob.Blob, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	in, inner, marked, err := z.place(ref)
	if err != nil {
		return nil, err
	}
	b, err := blob.OpenKeyed(ctx, in, inner, key)
	if err != nil || !marked {
		return b, err
	}
	l, err := readLayout(b)
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return &reader{z: z, below: b, layout: l, at: -1}, nil
}

// Stat implements blob.Stater. The length of a compressed blob is -1.
func (z *Blobs) Stat(ctx context.Context, ref blob.Ref) (int64, error) {
	return z.StatKeyed(ctx, ref, nil)
}

// StatKeyed implements blob.Keyed. The length of a compressed blob is -1.
func (z *Blobs) StatKeyed(ctx context.Context, ref blob.Ref, key []byte) (int64, error) {
	in, inner, marked, err := z.place(ref)
	if err != nil {
		return 0, err
	}
	size, err := blob.StatKeyed(ctx, in, inner, key)
	if marked && err == nil {
		size = -1
	}
	return size, err
}

// Delete implements blob.Blobs.
func (z *Blobs) Delete(ctx context.Context, refs ...blob.Ref) error {
	var here, old []blob.Ref
	for _, ref := range refs {
		_, inner, marked, err := z.place(ref)
		switch {
		case err != nil: // there are none without a mark
		case marked:
			here = append(here, inner)
		default:
			old = append(old, inner)
		}
	}
	var errs []error
	if len(here) > 0 {
		errs = append(errs, z.below.Delete(ctx, here...))
	}
	if len(old) > 0 {
		errs = append(errs, z.old.Delete(ctx, old...))
	}
	return errors.Join(errs...)
}

// List implements blob.Blobs. The mark comes after every other octet of a Ref,
// so the old blobs come first.
func (z *Blobs) List(ctx context.Context, after blob.Ref) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		inner, marked := strings.CutPrefix(string(after), mark)
		if !marked {
			inner = ""
			if z.old != nil && !z.listOld(ctx, after, yield) {
				return
			}
		}
		for info, err := range z.below.List(ctx, blob.Ref(inner)) {
			if err == nil {
				info.Ref = mark + info.Ref
			}
			if !yield(info, err) {
				return
			}
		}
	}
}

// listOld reports whether to go on.
func (z *Blobs) listOld(ctx context.Context, after blob.Ref, yield func(blob.Info, error) bool) bool {
	for info, err := range z.old.List(ctx, after) {
		if err == nil && strings.HasPrefix(string(info.Ref), mark) {
			info, err = blob.Info{}, fmt.Errorf("compress: a blob of Old has the Ref %q, which cannot be told from those of this package", info.Ref)
		}
		if !yield(info, err) {
			return false
		}
	}
	return true
}

func (z *Blobs) buffer() *[]byte   { return z.buffers.Get().(*[]byte) }
func (z *Blobs) release(b *[]byte) { z.buffers.Put(b) }
