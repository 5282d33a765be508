package smtp

import (
	"errors"
	"io"
)

// Body is the content of a message as a Receiver reads it, once, from start
// to end. It is used by one goroutine.
type Body struct {
	r       io.Reader
	seek    io.Seeker // of r, where it can be read again
	started bool
	size    int64
	stored  any
	trace   []byte
	err     error
	refused bool // err is that of a writer, and the source is whole
	prepend [][]byte
}

// NewBody makes a Body of r. size is its exact length in octets, or -1. r must
// return io.EOF only after a clean end; io.ErrUnexpectedEOF or another error
// for anything else.
func NewBody(r io.Reader, size int64) *Body { return &Body{r: r, size: size} }

// NewStoredBody makes a Body whose octets already lie in a blob store under
// ref (a blob.Ref), so that a receiver on the same store need not copy them.
// trace are header fields that stand in front of the stored octets and are not
// part of them. An r that is an io.Seeker stands at its start.
func NewStoredBody(r io.Reader, size int64, ref any, trace []byte) *Body {
	seek, _ := r.(io.Seeker)
	return &Body{r: r, seek: seek, size: size, stored: ref, trace: trace}
}

// Rewind reports whether the body can be read from its start, and sees to it
// that it is: nothing was read yet, or its octets are stored and no wrapper
// looks at them. So a receiver tries a second way, also where the writer of
// WriteTo failed in the middle.
func (b *Body) Rewind() bool {
	if !b.started {
		return b.err == nil
	}
	if b.seek == nil || b.err != nil && b.err != io.EOF && !b.refused {
		return false
	}
	if _, err := b.seek.Seek(0, io.SeekStart); err != nil {
		return false
	}
	b.err, b.refused, b.started = nil, false, false
	return true
}

// Read returns io.EOF only after a clean end of the body. A wrapper refuses a
// message late by returning its *Error in place of io.EOF; such an error is
// sticky.
func (b *Body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	b.started = true
	n, err := b.r.Read(p)
	b.err = err
	return n, err
}

// WriteTo lets io.Copy use the source's own WriterTo, without a buffer
// between. It returns nil only after a clean end.
func (b *Body) WriteTo(w io.Writer) (int64, error) {
	if b.err == io.EOF {
		return 0, nil
	}
	if b.err != nil {
		return 0, b.err
	}
	b.started = true
	var to *taker
	if b.seek != nil {
		to = &taker{w: w}
		w = to
	}
	n, err := io.Copy(w, onlyReader(b.r))
	if err == nil {
		b.err = io.EOF
	} else {
		b.err, b.refused = err, to != nil && to.failed
	}
	return n, err
}

// taker tells an error of a writer from one of what is read.
type taker struct {
	w      io.Writer
	failed bool
}

func (t *taker) Write(p []byte) (int, error) {
	n, err := t.w.Write(p)
	t.failed = t.failed || err != nil
	return n, err
}

func onlyReader(r io.Reader) io.Reader {
	if _, ok := r.(io.WriterTo); ok {
		return r
	}
	return struct{ io.Reader }{r}
}

// Prepend adds a whole header field (with its final CRLF) in front of the
// message, above those added before. It is allowed until Read has returned
// io.EOF to the receiver: results and signatures are known only then, so a
// wrapper calls it from inside its own reader at the end of the stream.
func (b *Body) Prepend(field []byte) {
	b.prepend = append(b.prepend, field)
}

// Trace is the header fields in front of the message, newest first. It is
// valid after io.EOF. They are no part of what Read returns: a receiver keeps
// them beside the stored body, or sends them first (see Spool).
func (b *Body) Trace() []byte {
	if len(b.prepend) == 0 {
		return b.trace
	}
	n := len(b.trace)
	for _, f := range b.prepend {
		n += len(f)
	}
	out := make([]byte, 0, n)
	for i := len(b.prepend) - 1; i >= 0; i-- {
		out = append(out, b.prepend[i]...)
	}
	b.trace, b.prepend = append(out, b.trace...), nil
	return b.trace
}

// Size is the exact number of octets that Read will return in all, or -1.
func (b *Body) Size() int64 { return b.size }

// Stored is the blob.Ref under which the octets already lie, or nil.
func (b *Body) Stored() any { return b.stored }

// Wrap puts f's view of the stream in front of the reader. Size becomes
// unknown and Stored is cleared, so that nobody skips a wrapper that has to
// see the octets.
func (b *Body) Wrap(f func(io.Reader) io.Reader) {
	b.r = f(b.r)
	b.seek, b.size, b.stored = nil, -1, nil
}

// Ended reports whether the body was read to its clean end.
func (b *Body) Ended() bool { return b.err == io.EOF }

// Err is the error that ended the body: nil before the end and after a clean
// one, a wrapper's *Error when it refused late.
func (b *Body) Err() error {
	if b.err == io.EOF {
		return nil
	}
	return b.err
}

// drain reads what is left; nil only after a clean end.
func (b *Body) drain() error {
	if b.err == io.EOF {
		return nil
	}
	if _, err := b.WriteTo(io.Discard); err != nil {
		return err
	}
	return nil
}

// ErrTruncated: the connection ended inside a body. It is a temporary
// condition; nobody has the message.
var ErrTruncated = errors.New("smtp: body ended before its end mark")
