package objects

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/mailstead/mailstead/store/blob"
)

// maxWindow bounds what one request reads, where a chunk is not larger.
const maxWindow = 1 << 20

// Reader is a blob.Blob on one object. Reads lie in windows of whole chunks,
// each verified before its octets are handed out (I1). A window that follows
// the one before is twice as large, up to 1 MiB, and while it is read the next
// one is fetched: 20 MB take some 22 requests, and 2 MiB of memory.
//
// Several goroutines take turns.
type Reader struct {
	o      Object
	ctx    context.Context // ends with Close
	cancel context.CancelFunc

	turn   sync.Mutex
	from   source
	last   *window // what was read last
	ahead  *window // what is behind it, on its way or there
	spare  []byte  // a buffer to be used again
	closed bool
	onEnd  func()
}

// source is where a Reader has its octets from: a Store, or a spool.
type source interface {
	Get(ctx context.Context, key string, p []byte, off int64) error
}

// window is a part of the object.
type window struct {
	off  int64
	buf  []byte
	err  error
	done chan struct{} // closed when buf and err are there
}

func (w *window) holds(off int64) bool { return off >= w.off && off < w.off+int64(len(w.buf)) }
func (w *window) end() int64           { return w.off + int64(len(w.buf)) }

// NewReader opens the object o, whose Size and Sums are known. Nothing is
// fetched before the first read. The values of ctx are used for requests, its
// end is not. onEnd, if not nil, is called by the first Close.
func NewReader(ctx context.Context, s Store, o Object, onEnd func()) (*Reader, error) {
	if !o.Sums.fits(o.Size) {
		return nil, fmt.Errorf("%w: %d checksums for %d octets", blob.ErrCorrupt, len(o.Sums.chunks), o.Size)
	}
	r := &Reader{o: o, from: s, onEnd: onEnd}
	r.ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return r, nil
}

// Size implements blob.Blob.
func (r *Reader) Size() int64 { return r.o.Size }

// Close implements blob.Blob. It ends reads that are under way.
func (r *Reader) Close() error {
	r.cancel()
	r.turn.Lock()
	defer r.turn.Unlock()
	if r.closed {
		return nil
	}
	r.closed = true
	if r.ahead != nil {
		<-r.ahead.done
	}
	r.last, r.ahead, r.spare = nil, nil, nil
	if r.onEnd != nil {
		r.onEnd()
	}
	return nil
}

// ReadAt implements io.ReaderAt.
func (r *Reader) ReadAt(p []byte, off int64) (n int, err error) {
	r.turn.Lock()
	defer r.turn.Unlock()
	if off < 0 {
		return 0, errors.New("objects: negative offset")
	}
	for n < len(p) {
		if r.closed {
			return n, blob.ErrClosed
		}
		if off >= r.o.Size {
			return n, io.EOF
		}
		w, err := r.at(off)
		if err != nil {
			return n, err
		}
		k := copy(p[n:], w.buf[off-w.off:])
		n += k
		off += int64(k)
	}
	return n, nil
}

// at returns the window that holds off. The caller has the turn.
func (r *Reader) at(off int64) (*window, error) {
	if r.last != nil && r.last.holds(off) {
		return r.last, nil
	}
	w := r.ahead
	if w == nil || !w.holds(off) {
		r.forget()
		w = r.start(off)
	}
	<-w.done
	follows := r.last != nil && w.off == r.last.end()
	if w == r.ahead {
		r.ahead = nil
	}
	if w.err != nil {
		r.spare = w.buf
		return nil, w.err
	}
	if r.last != nil {
		r.spare = r.last.buf
	}
	r.last = w
	if follows && w.end() < r.o.Size {
		r.ahead = r.start(w.end())
	}
	return w, nil
}

// forget gives up what was fetched ahead.
func (r *Reader) forget() {
	if r.ahead != nil {
		<-r.ahead.done
		r.spare, r.ahead = r.ahead.buf, nil
	}
}

// start begins to fetch the window in which off lies. The goroutine ends with
// the request; at, forget or Close waits for it.
func (r *Reader) start(off int64) *window {
	chunk := r.o.Sums.Chunk()
	size := chunk
	if r.last != nil && off == r.last.end() {
		size = max(chunk, min(maxWindow, 2*int64(len(r.last.buf))/chunk*chunk))
	}
	first := off / chunk * chunk
	size = min(size, r.o.Size-first)
	w := &window{off: first, done: make(chan struct{})}
	if int64(cap(r.spare)) >= size {
		w.buf, r.spare = r.spare[:size], nil
	} else {
		w.buf = make([]byte, size)
	}
	from := r.from
	go func() {
		defer close(w.done)
		w.err = r.fetch(from, w)
	}()
	return w
}

// fetch fills a window. What does not match its checksum is read once more: it
// may be right in the store, and damaged on its way.
func (r *Reader) fetch(from source, w *window) error {
	for range 2 {
		if err := from.Get(r.ctx, r.o.Key, w.buf, w.off); err != nil {
			return r.explain(err)
		}
		if r.o.Sums.verify(r.o.Sums.ordinal(w.off), w.buf) {
			return nil
		}
	}
	return fmt.Errorf("%w: object %s, %d octets from %d", blob.ErrCorrupt, r.o.Key, len(w.buf), w.off)
}

func (r *Reader) explain(err error) error {
	switch {
	case r.ctx.Err() != nil:
		return blob.ErrClosed
	case errors.Is(err, ErrNoObject):
		return fmt.Errorf("%w: %w", blob.ErrNoBlob, err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: object %s is shorter than %d octets: %w", blob.ErrCorrupt, r.o.Key, r.o.Size, err)
	}
	return err
}

// moveTo copies the whole object into a spool and reads from there from now on:
// the object may be deleted then. A closed Reader needs no copy.
func (r *Reader) moveTo(s *Spools) error {
	r.turn.Lock()
	defer r.turn.Unlock()
	if r.closed {
		return nil
	}
	r.forget()
	sp := &Spool{from: s}
	buf := make([]byte, r.o.Sums.Chunk())
	for off := int64(0); off < r.o.Size; off += int64(len(buf)) {
		w := &window{off: off, buf: buf[:min(int64(len(buf)), r.o.Size-off)]}
		err := r.fetch(r.from, w)
		if err == nil {
			err = sp.write(w.buf)
		}
		if err != nil {
			sp.close()
			return err
		}
	}
	r.from = spooled{sp}
	end := r.onEnd
	r.onEnd = func() {
		sp.close()
		if end != nil {
			end()
		}
	}
	return nil
}

// spooled is a spool as a source.
type spooled struct{ *Spool }

func (s spooled) Get(_ context.Context, _ string, p []byte, off int64) error {
	_, err := s.ReadAt(p, off)
	return err
}
