package compress

import (
	"errors"
	"io"
	"sync"

	"github.com/mailstead/mailstead/store/blob"
)

// reader is an open blob. It keeps the frame that was read last.
type reader struct {
	z     *Blobs
	below blob.Blob
	layout

	mu     sync.Mutex // guards what follows
	at     int        // the frame in data; -1 none
	data   []byte     // its content, in room
	room   []byte     // nil = none yet
	pooled *[]byte    // what room lies in; nil = it is its own
	closed bool
}

// Size implements blob.Blob.
func (r *reader) Size() int64 { return r.size }

// ReadAt implements io.ReaderAt.
func (r *reader) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, errors.New("compress: negative offset")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return 0, blob.ErrClosed
	}
	for n < len(p) && off < r.size {
		i := int(off >> r.log)
		if err := r.load(i); err != nil {
			return n, err
		}
		k := copy(p[n:], r.data[off-int64(i)<<r.log:])
		n, off = n+k, off+int64(k)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// load brings a frame into data.
func (r *reader) load(i int) error {
	if r.at == i {
		return nil
	}
	r.at = -1
	f, want := r.frames[i], r.content(i)
	if r.room == nil {
		r.makeRoom()
	}
	if f.asIs {
		if err := r.stored(f, r.room[:want]); err != nil {
			return err
		}
		r.data, r.at = r.room[:want], i
		return nil
	}
	packed := r.z.buffer()
	defer r.z.release(packed)
	src := *packed
	if len(src) < f.length {
		src = make([]byte, f.length)
	}
	src = src[:f.length]
	if err := r.stored(f, src); err != nil {
		return err
	}
	out, err := r.z.dec.DecodeAll(src, r.room[:0:want]) // never more than want
	if err != nil || len(out) != want {
		return corrupt("frame %d: %d octets of %d, %v", i, len(out), want, err)
	}
	r.data, r.at = out, i
	return nil
}

// makeRoom makes room for the content of any frame.
func (r *reader) makeRoom() {
	if r.log > frameLog { // of a writer with longer frames
		r.room = make([]byte, 1<<r.log)
		return
	}
	r.pooled = r.z.buffer()
	r.room = *r.pooled
}

// stored reads what is stored of a frame, and checks it.
func (r *reader) stored(f frame, p []byte) error {
	if err := readFull(r.below, p, f.offset); err != nil {
		return err
	}
	if checksum(p) != f.sum {
		return corrupt("the frame at %d does not match its checksum", f.offset)
	}
	return nil
}

// Close implements blob.Blob.
func (r *reader) Close() error {
	r.mu.Lock()
	if r.closed = true; r.pooled != nil {
		r.z.release(r.pooled)
	}
	r.data, r.room, r.pooled = nil, nil, nil
	r.mu.Unlock()
	return r.below.Close()
}
