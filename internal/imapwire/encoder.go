package imapwire

import (
	"errors"
	"io"
	"strconv"
	"time"
)

// Encoder writes tokens to a connection through a buffer. Errors are sticky:
// callers write a whole response and look at Flush. It is used by one
// goroutine at a time. A flushed Encoder holds no buffer (I4).
type Encoder struct {
	w    io.Writer
	buf  []byte
	pool *[bufferSize]byte
	err  error

	// Sync is a client's wait for the continuation request behind a
	// synchronizing literal; nil, for a server, does not wait.
	Sync func() error
}

// NewEncoder returns an Encoder on w.
func NewEncoder(w io.Writer) *Encoder { return &Encoder{w: w} }

// Reset continues on another writer (STARTTLS, COMPRESS). What was not flushed
// is dropped.
func (e *Encoder) Reset(w io.Writer) {
	e.release()
	e.w, e.err = w, nil
}

// Err returns the first error.
func (e *Encoder) Err() error { return e.err }

// Flush writes what is buffered and returns the first error.
func (e *Encoder) Flush() error {
	e.drain()
	e.release()
	return e.err
}

func (e *Encoder) drain() {
	if len(e.buf) > 0 && e.err == nil {
		n, err := e.w.Write(e.buf)
		if err == nil && n < len(e.buf) {
			err = io.ErrShortWrite
		}
		e.err = err
	}
	e.buf = e.buf[:0]
}

func (e *Encoder) release() {
	if e.pool != nil {
		buffers.Put(e.pool)
	}
	e.buf, e.pool = nil, nil
}

// room makes n octets of the buffer free, or as many as it has.
func (e *Encoder) room(n int) {
	if e.pool == nil {
		e.pool = buffers.Get().(*[bufferSize]byte)
		e.buf = e.pool[:0]
	}
	if cap(e.buf)-len(e.buf) < n {
		e.drain()
	}
}

// AvailableBuffer returns an empty slice of free buffer, to be filled by
// AppendX functions and given to Write at once, which then does not copy.
func (e *Encoder) AvailableBuffer() []byte {
	e.room(bufferSize / 8)
	return e.buf[len(e.buf):]
}

// Write adds octets as they stand.
func (e *Encoder) Write(p []byte) (int, error) {
	if e.err != nil {
		return 0, e.err
	}
	e.room(len(p))
	if len(p) > cap(e.buf) {
		_, e.err = e.w.Write(p)
		return len(p), e.err
	}
	e.buf = append(e.buf, p...)
	return len(p), e.err
}

// Raw adds octets as they stand: atoms, keywords and stored forms.
func (e *Encoder) Raw(s string) *Encoder {
	for e.err == nil && len(s) > 0 {
		e.room(min(len(s), bufferSize))
		n := min(len(s), cap(e.buf)-len(e.buf))
		e.buf = append(e.buf, s[:n]...)
		s = s[n:]
	}
	return e
}

// SP adds a space.
func (e *Encoder) SP() *Encoder { return e.Raw(" ") }

// CRLF adds a line end.
func (e *Encoder) CRLF() *Encoder { return e.Raw("\r\n") }

// Number adds a number.
func (e *Encoder) Number(v uint64) *Encoder {
	return e.put(strconv.AppendUint(e.AvailableBuffer(), v, 10))
}

// Text adds a string; see AppendString. A client whose server has no LITERAL+
// must use Literal for what needs one.
func (e *Encoder) Text(s []byte) *Encoder { return e.put(AppendString(e.AvailableBuffer(), s)) }

// NString adds an nstring; see AppendNString.
func (e *Encoder) NString(s []byte) *Encoder { return e.put(AppendNString(e.AvailableBuffer(), s)) }

// Flags adds a flag-list.
func (e *Encoder) Flags(flags []string) *Encoder {
	return e.put(AppendFlags(e.AvailableBuffer(), flags))
}

// SeqSet adds a sequence-set.
func (e *Encoder) SeqSet(set SeqSet) *Encoder { return e.put(AppendSeqSet(e.AvailableBuffer(), set)) }

// DateTime adds a date-time.
func (e *Encoder) DateTime(t time.Time) *Encoder {
	return e.put(AppendDateTime(e.AvailableBuffer(), t))
}

// Mailbox adds a mailbox name; see AppendMailbox.
func (e *Encoder) Mailbox(name string, asUTF8 bool) *Encoder {
	return e.put(AppendMailbox(e.AvailableBuffer(), name, asUTF8))
}

func (e *Encoder) put(b []byte) *Encoder {
	_, _ = e.Write(b) // kept in e.err
	return e
}

// Literal adds a literal with l.Size octets of r, which are not collected. A
// synchronizing one is flushed behind its announcement, and Sync is called. An
// r that ends early is an error that leaves the peer in the middle of the
// literal: the connection must be closed. Octets beyond l.Size stay unread.
func (e *Encoder) Literal(l Literal, r io.Reader) *Encoder {
	e.put(AppendLiteralHeader(e.AvailableBuffer(), l))
	if e.Sync != nil && !l.NonSync && e.err == nil {
		e.drain()
		if e.err == nil {
			e.err = e.Sync()
		}
	}
	left := l.Size
	for idle := 0; left > 0 && e.err == nil; {
		e.room(bufferSize / 2)
		free := e.buf[len(e.buf):cap(e.buf)]
		n, err := r.Read(free[:min(int64(len(free)), left)])
		e.buf = e.buf[:len(e.buf)+n]
		left -= int64(n)
		if idle++; n > 0 {
			idle = 0
		}
		switch {
		case left == 0:
		case errors.Is(err, io.EOF):
			e.err = io.ErrUnexpectedEOF
		case err != nil:
			e.err = err
		case idle > 100:
			e.err = io.ErrNoProgress
		}
	}
	return e
}
