package compress

import (
	"context"
	"fmt"
	"hash/crc32"

	"github.com/mailstead/mailstead/store/blob"
)

// writer compresses frame by frame.
type writer struct {
	z        *Blobs
	ctx      context.Context // of Create: what lies below is made with the first frame
	below    blob.Writer     // nil = not made yet
	size     int64           // announced; -1 unknown
	written  int64
	frame    *[]byte // the content that waits
	n        int     // octets of it
	packed   *[]byte // room for a compressed frame
	index    []byte
	frames   int
	key      []byte
	err      error // sticky
	finished bool
}

// Create implements blob.Blobs.
func (z *Blobs) Create(ctx context.Context, size int64) (blob.Writer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &writer{z: z, ctx: ctx, size: size}, nil
}

func (w *writer) Write(p []byte) (n int, err error) {
	switch {
	case w.finished:
		return 0, blob.ErrClosed
	case w.err != nil:
		return 0, w.err
	case w.size >= 0 && w.written+int64(len(p)) > w.size:
		w.err = blob.ErrSize
		return 0, w.err
	}
	if w.frame == nil {
		w.frame, w.packed = w.z.buffer(), w.z.buffer()
	}
	for len(p) > 0 {
		if w.n == frameSize {
			if w.err = w.flush(false); w.err != nil {
				return n, w.err
			}
		}
		k := copy((*w.frame)[w.n:frameSize], p)
		p, n = p[k:], n+k
		w.n += k
		w.written += int64(k)
	}
	return n, nil
}

// flush writes the frame that waits.
func (w *writer) flush(last bool) error {
	if w.frames == maxFrames {
		return fmt.Errorf("compress: a blob of more than %d octets", int64(maxFrames)*frameSize)
	}
	out, f := w.pack()
	size := int64(-1)
	if last && w.frames == 0 {
		size = int64(len(out) + entryLen + trailerLen)
	}
	w.index = appendEntry(w.index, f)
	w.frames++
	w.n = 0
	if err := w.make(size); err != nil {
		return err
	}
	_, err := w.below.Write(out)
	return err
}

// pack returns what is stored of the frame that waits.
func (w *writer) pack() ([]byte, frame) {
	content := (*w.frame)[:w.n]
	out := w.z.enc.EncodeAll(content, (*w.packed)[:0])
	plain := len(out) > len(content)-len(content)/16
	if plain {
		out = content
	}
	return out, frame{length: len(out), asIs: plain, sum: checksum(out)}
}

// make begins the blob below, once; size is the length of what will be stored,
// or -1.
func (w *writer) make(size int64) (err error) {
	if w.below == nil {
		w.below, err = w.z.below.Create(w.ctx, size)
	}
	return err
}

// Commit implements blob.Writer.
func (w *writer) Commit(ctx context.Context) (blob.Ref, error) {
	if w.finished {
		return "", blob.ErrClosed
	}
	defer w.Abort()
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if w.err != nil {
		return "", w.err
	}
	if w.size >= 0 && w.written != w.size {
		return "", blob.ErrSize
	}
	if w.n > 0 {
		if err := w.flush(true); err != nil {
			return "", err
		}
	}
	if err := w.make(trailerLen); err != nil { // an empty blob
		return "", err
	}
	if _, err := w.below.Write(appendTrailer(w.index, w.written)); err != nil {
		return "", err
	}
	ref, err := w.below.Commit(ctx)
	if err != nil {
		return "", err
	}
	w.key = blob.KeyOf(w.below)
	return mark + ref, nil
}

// Key implements blob.KeyedWriter.
func (w *writer) Key() []byte { return w.key }

// Abort implements blob.Writer.
func (w *writer) Abort() {
	w.finished = true
	if w.below != nil {
		w.below.Abort()
	}
	if w.frame != nil {
		w.z.release(w.frame)
		w.z.release(w.packed)
		w.frame, w.packed = nil, nil
	}
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }
