package segment

import (
	"context"
	"fmt"
	"hash/crc32"

	"github.com/mailstead/mailstead/store/blob"
)

// Create implements blob.Blobs. The announced size reserves nothing: memory
// is taken for octets that came.
func (s *Store) Create(ctx context.Context, size int64) (blob.Writer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := s.usable(); err != nil {
		return nil, err
	}
	if size > maxOffset {
		return nil, fmt.Errorf("segment: a body of %d octets is too large", size)
	}
	return &writer{s: s, announced: size}, nil
}

// writer collects a body in memory, and in a file once it is larger than
// MaxShared or the budget is used up.
type writer struct {
	s         *Store
	announced int64 // -1 unknown
	size      int64 // octets so far
	sum       uint32
	buf       []byte // record header and body; or what the spool has not seen yet
	spool     *spool
	err       error // of the first Write that failed
	done      bool
	pending   pending
}

func (w *writer) Write(p []byte) (int, error) {
	switch {
	case w.done:
		return 0, blob.ErrClosed
	case w.err != nil:
		return 0, w.err
	case w.announced >= 0 && w.size+int64(len(p)) > w.announced:
		w.err = blob.ErrSize
		return 0, w.err
	case w.size+int64(len(p)) > maxOffset/2:
		w.err = fmt.Errorf("segment: a body of more than %d octets", int64(maxOffset/2))
		return 0, w.err
	}
	if w.err = w.take(p); w.err != nil {
		return 0, w.err
	}
	w.sum = crc32.Update(w.sum, castagnoli, p)
	w.size += int64(len(p))
	return len(p), nil
}

// take stores p behind what came before.
func (w *writer) take(p []byte) error {
	if w.spool == nil {
		if w.announced <= int64(w.s.opts.MaxShared) && w.grow(len(p)) {
			w.buf = append(w.buf, p...)
			return nil
		}
		if err := w.spill(); err != nil {
			return err
		}
	}
	if len(w.buf)+len(p) > cap(w.buf) {
		if err := w.spool.write(w.buf); err != nil {
			return err
		}
		w.buf = w.buf[:0]
	}
	if len(p) > cap(w.buf) {
		return w.spool.write(p)
	}
	w.buf = append(w.buf, p...)
	return nil
}

// grow makes room for n more octets; false when they have to go to a file.
func (w *writer) grow(n int) bool {
	body := max(0, len(w.buf)-recHeaderSize) + n
	if body > w.s.opts.MaxShared {
		return false
	}
	if w.buf != nil && recHeaderSize+body+recAlign <= cap(w.buf) {
		return true
	}
	next := w.s.pool.get(body)
	if next == nil {
		return false
	}
	if w.buf == nil {
		w.buf = next[:recHeaderSize]
		return true
	}
	next = append(next, w.buf...)
	w.s.pool.put(w.buf)
	w.buf = next
	return true
}

// spill moves the body to a file. A buffer of moderate size goes on gathering
// small writes, if there is memory for it.
func (w *writer) spill() error {
	sp, err := w.s.newSpool()
	if err != nil {
		return err
	}
	w.spool = sp
	w.s.stats.spooled.Add(1)
	if w.buf != nil {
		err = sp.write(w.buf[recHeaderSize:])
		w.s.pool.put(w.buf)
	}
	w.buf = w.s.pool.get(inMemory)
	return err
}

// Commit implements blob.Writer.
func (w *writer) Commit(ctx context.Context) (blob.Ref, error) {
	if w.done {
		return "", blob.ErrClosed
	}
	defer w.Abort()
	w.done = true
	switch {
	case w.err != nil:
		return "", w.err
	case w.announced >= 0 && w.size != w.announced:
		return "", blob.ErrSize
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if err := w.s.usable(); err != nil {
		return "", err
	}
	p := &w.pending
	p.size, p.sum = w.size, w.sum
	if err := w.handOver(p); err != nil {
		return "", fmt.Errorf("segment: commit: %w", err)
	}
	if err := w.s.queue.add(p); err != nil {
		p.discard(w.s)
		return "", err
	}
	if p.answer.Wait(); p.err != nil {
		return "", fmt.Errorf("segment: commit: %w", p.err)
	}
	w.s.stats.commits.Add(1)
	w.s.stats.bytes.Add(w.size)
	return p.ref.text(), nil
}

// handOver fills p with the body, in the form in which the committer wants it.
func (w *writer) handOver(p *pending) error {
	if w.spool == nil {
		p.buf = w.buf // the committer fills in the header, and reads it
		if p.buf == nil {
			p.buf = make([]byte, recHeaderSize) // an empty body
		}
		return nil
	}
	if err := w.spool.write(w.buf); err != nil {
		return err
	}
	if w.size <= int64(w.s.opts.MaxShared) { // memory was short: it shares a segment all the same
		p.spool = w.spool
		return nil
	}
	g, err := w.s.finishSingle(w.spool, w.size, w.sum)
	if err != nil {
		return err
	}
	w.spool = nil // has a name of its own now
	p.single = g
	p.ref = ref{number: g.number, origin: fileHeaderSize, size: w.size, sum: w.sum}
	return nil
}

// Abort implements blob.Writer.
func (w *writer) Abort() {
	w.done = true
	w.s.pool.put(w.buf)
	w.buf = nil
	if w.spool != nil {
		w.spool.remove()
		w.spool = nil
	}
}
