package segment

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"sync"

	"github.com/mailstead/mailstead/store/blob"
)

// inMemory is the size up to which an open blob is one buffer, read and
// checked at once, without a handle.
const (
	inMemory     = 64 << 10
	maxClassRead = 16 - minClass + 1 // classes from 4 KiB to inMemory
)

// Open implements blob.Blobs. The checksum of the whole body is verified
// before Open returns: at every Open for a body in a shared segment, and for
// a larger one, which has a file of its own, once while its handle is kept.
func (s *Store) Open(ctx context.Context, t blob.Ref) (b blob.Blob, err error) {
	err = s.visit(ctx, t, func(g *segment, r ref) error {
		b, err = s.openIn(g, r)
		return err
	})
	return b, err
}

// visit finds the segment of a Ref and calls f, which takes over a reference
// to it.
func (s *Store) visit(ctx context.Context, t blob.Ref, f func(*segment, ref) error) error {
	r, ok := parseRef(t)
	if !ok {
		return blob.ErrNoBlob
	}
	for range 8 { // a compaction may replace the file between lookup and open
		if err := ctx.Err(); err != nil {
			return err
		}
		if s.closed.Load() {
			return blob.ErrClosed
		}
		g := s.lookup(r.number)
		if g == nil {
			return blob.ErrNoBlob
		}
		err := s.acquire(g)
		if gone(err) && s.lookup(r.number) != g {
			continue
		}
		if err == nil {
			err = f(g, r)
		}
		if err != nil {
			return fmt.Errorf("segment: open %s: %w", t, err)
		}
		return nil
	}
	return fmt.Errorf("segment: open %s: replaced again and again", t)
}

// openIn opens a record of g and takes over the reference to it.
func (s *Store) openIn(g *segment, r ref) (blob.Blob, error) {
	keep := false
	defer func() {
		if !keep {
			s.release(g)
		}
	}()
	off, err := g.find(r)
	if err != nil {
		return nil, err
	}
	if r.size <= inMemory {
		return s.openSmall(g, r, off)
	}
	if err := s.verifyOnce(g, r, off); err != nil {
		return nil, err
	}
	keep = true
	return &fileBlob{s: s, g: g, off: off + recHeaderSize, size: r.size}, nil
}

// find returns where the record of r lies, if it is alive.
func (g *segment) find(r ref) (int64, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.damage != nil && (g.generation > 0 || isIO(g.damage)) {
		return 0, fmt.Errorf("%w: %w", blob.ErrCorrupt, g.damage)
	}
	if t := g.tombLocked(r.origin); t != nil {
		if t.setAside {
			return 0, fmt.Errorf("%w: set aside", blob.ErrCorrupt)
		}
		return 0, blob.ErrNoBlob
	}
	off, ok := g.locate(r.origin)
	if !ok || off+recordLen(r.size) > g.end.Load() {
		return 0, blob.ErrNoBlob
	}
	return off, nil
}

// judge says what a body that does not match its Ref means, from the header
// that stands before it.
func (g *segment) judge(r ref, header []byte) error {
	h, err := parseRecHeader(header, g.header.seed)
	if err == nil && (h.origin != r.origin || h.size != r.size || h.sum != r.sum) {
		return blob.ErrNoBlob // a whole record, of somebody else
	}
	return blob.ErrCorrupt
}

func (s *Store) openSmall(g *segment, r ref, off int64) (blob.Blob, error) {
	buf := s.scratch(int(r.size) + recHeaderSize)
	b := *buf
	n, err := g.file.ReadAt(b, off)
	if n < len(b) {
		s.unscratch(buf)
		if err == io.EOF {
			return nil, blob.ErrCorrupt
		}
		return nil, err
	}
	if crc32.Checksum(b[recHeaderSize:], castagnoli) != r.sum {
		err := g.judge(r, b[:recHeaderSize])
		s.unscratch(buf)
		return nil, err
	}
	return &memBlob{s: s, buf: buf, size: r.size}, nil
}

func (s *Store) verifyOnce(g *segment, r ref, off int64) error {
	g.mu.RLock()
	verified := g.verified
	g.mu.RUnlock()
	if verified {
		if h, err := readRecHeader(g.file, off, g.header.seed); err == nil && h.sum == r.sum && h.size == r.size {
			return nil
		}
	}
	buf := s.scratch(inMemory)
	defer s.unscratch(buf)
	err := checkBody(g.file, off, recHeader{size: r.size, sum: r.sum}, *buf)
	switch {
	case isIO(err):
		return err
	case err != nil:
		if _, err := g.file.ReadAt((*buf)[:recHeaderSize], off); err != nil {
			return err
		}
		return g.judge(r, (*buf)[:recHeaderSize])
	}
	if g.kind == single {
		g.mu.Lock()
		g.verified = true
		g.mu.Unlock()
	}
	return nil
}

// scratch returns a buffer of n octets, at most inMemory and a header.
func (s *Store) scratch(n int) *[]byte {
	c := classOf(n - recHeaderSize)
	b, ok := s.buffers[c-minClass].Get().(*[]byte)
	if !ok {
		full := make([]byte, 1<<c+recHeaderSize)
		b = &full
	}
	*b = (*b)[:n]
	return b
}

func (s *Store) unscratch(b *[]byte) {
	*b = (*b)[:cap(*b)]
	s.buffers[classOf(len(*b)-recHeaderSize)-minClass].Put(b)
}

// memBlob is a small open blob.
type memBlob struct {
	s    *Store
	size int64

	mu  sync.RWMutex
	buf *[]byte // header and body; nil once closed
}

func (b *memBlob) Size() int64 { return b.size }

func (b *memBlob) ReadAt(p []byte, off int64) (int, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	switch {
	case b.buf == nil:
		return 0, blob.ErrClosed
	case off < 0:
		return 0, fmt.Errorf("segment: negative offset %d", off)
	case off >= b.size:
		return 0, io.EOF
	}
	n := copy(p, (*b.buf)[recHeaderSize+off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (b *memBlob) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.buf != nil {
		b.s.unscratch(b.buf)
		b.buf = nil
	}
	return nil
}

// fileBlob is a larger open blob; it keeps its file open, which a compaction
// or removal does not change.
type fileBlob struct {
	s    *Store
	g    *segment
	off  int64 // of the body
	size int64

	mu     sync.RWMutex
	closed bool
}

func (b *fileBlob) Size() int64 { return b.size }

func (b *fileBlob) ReadAt(p []byte, off int64) (int, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	switch {
	case b.closed:
		return 0, blob.ErrClosed
	case off < 0:
		return 0, fmt.Errorf("segment: negative offset %d", off)
	case off >= b.size:
		return 0, io.EOF
	}
	short := int64(len(p)) > b.size-off
	if short {
		p = p[:b.size-off]
	}
	n, err := b.g.file.ReadAt(p, b.off+off)
	if n == len(p) {
		err = nil
	} else if err == io.EOF {
		err = blob.ErrCorrupt // the file was cut behind our back
	}
	if err == nil && short {
		err = io.EOF
	}
	return n, err
}

func (b *fileBlob) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.closed = true
		b.s.release(b.g)
	}
	return nil
}
