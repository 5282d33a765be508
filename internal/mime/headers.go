package mime

import (
	"bytes"
	"io"
	"sync"
)

// Headers reads the headers of the parts of a message again, one after the
// other. It is not safe for concurrent use.
type Headers struct {
	t      *Tree
	r      io.ReaderAt
	fields fields
	part   int // the one in fields; 0 = none

	buf        []byte // octets of the message
	start, end int64  // where they lie
	out        []byte // of a Form
}

var readers = sync.Pool{New: func() any { return &Headers{buf: make([]byte, 0, aheadSize)} }}

const (
	// aheadSize is how much is read at once where parts are read in order.
	aheadSize = 8 << 10
	// maxPooledHeaders is the most that is kept for the next message.
	maxPooledHeaders = 64 << 10
)

// Headers returns a reader for the parts of the tree, to be closed. r holds what
// Walk read.
func (t *Tree) Headers(r io.ReaderAt) *Headers {
	h := readers.Get().(*Headers)
	h.t, h.r, h.part, h.buf, h.start, h.end = t, r, 0, h.buf[:0], 0, 0
	return h
}

// Close gives the memory back.
func (h *Headers) Close() {
	h.t, h.r = nil, nil
	if cap(h.buf)+cap(h.out)+cap(h.fields.octets) <= maxPooledHeaders {
		readers.Put(h)
	}
}

// Entity returns the header fields of part i, valid until the next call. The
// error is that of the reader.
func (h *Headers) Entity(i int) (*Entity, error) {
	if i == 0 {
		return h.t.Root(), nil
	}
	if i == h.part {
		return &h.fields.entity, nil
	}
	block, err := h.Block(i)
	if err != nil {
		return nil, err
	}
	h.part = i
	return h.fields.read(block, h.t.Part(i).is), nil
}

// Block returns the header block of part i as far as it is looked at, valid
// until the next call.
func (h *Headers) Block(i int) ([]byte, error) {
	at := h.t.Part(i).Header()
	whole := at
	at.End = min(at.End, at.Start+int64(min(h.t.limits.MaxHeader, 1<<30)))
	if err := h.fill(at); err != nil {
		return nil, err
	}
	block := h.buf[at.Start-h.start : at.End-h.start]
	if whole.Len()-at.Len() > 2 { // the last line is not whole
		block = block[:bytes.LastIndexByte(block, '\n')+1]
	}
	return block, nil
}

// fill has a span in the buffer. Where it lies ahead more is read with it.
func (h *Headers) fill(at Span) error {
	if h.start <= at.Start && at.End <= h.end {
		return nil
	}
	n := at.Len()
	if at.Start >= h.start {
		n = max(n, min(aheadSize, h.t.Part(0).end-at.Start))
	}
	if int64(cap(h.buf)) < n {
		h.buf = make([]byte, 0, n)
	}
	h.buf = h.buf[:n]
	h.start, h.end = at.Start, at.Start+n
	if m, err := h.r.ReadAt(h.buf, at.Start); int64(m) < n {
		h.start, h.end = 0, 0
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	return nil
}
