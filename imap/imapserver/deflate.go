package imapserver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/klauspost/compress/flate"
)

// deflated is the compression layer of a connection (RFC 4978). What is sent
// needs no state between two writes: each is compressed by itself and flushed,
// so that a parked session holds nothing for it. What is received needs the
// 32 KiB that the client may refer back to, and the tables of the block in hand.
//
// A decoder cannot be interrupted in the middle of a block and go on, and where
// a client has stopped is not to be seen from outside: a parked session has its
// read done by a goroutine, and leaves it behind when it is woken. The read that
// comes next takes its result.
type deflated struct {
	c *conn
	r io.ReadCloser // inflates; reads octets by ReadByte

	raw      [1 << 10]byte
	pos, got int // of raw: not inflated yet

	pending chan inflated // of the read that a goroutine does; nil = none
	parked  [256]byte     // what it reads into
	rest    []byte        // of parked: not taken yet
	woken   chan struct{} // interrupts the wait for pending
}

type inflated struct {
	n   int
	err error
}

// inflateMemory is about what a deflated holds while it is parked, with the
// stack of its goroutine.
const inflateMemory = 52 << 10

// newDeflated returns the layer on c; begun is what was read of it already.
func newDeflated(c *conn, begun []byte) *deflated {
	d := &deflated{c: c, woken: make(chan struct{}, 1)}
	in := &rawReader{d: d, begun: begun}
	d.r = flate.NewReaderOpts(in, flate.WithPartialBlock())
	return d
}

// read inflates. One that waits for a command returns a timeout when it is
// woken.
func (d *deflated) read(p []byte, waits bool) (int, error) {
	if len(d.rest) > 0 {
		n := copy(p, d.rest)
		d.rest = d.rest[n:]
		return n, nil
	}
	if d.pending == nil && !waits {
		return d.r.Read(p)
	}
	if d.pending == nil {
		d.pending = make(chan inflated, 1)
		go d.park(d.pending)
	}
	woken := d.woken
	if !waits {
		woken = nil
	}
	select {
	case in := <-d.pending:
		d.pending = nil
		n := copy(p, d.parked[:in.n])
		d.rest = d.parked[n:in.n]
		return n, in.err
	case <-woken:
		return 0, os.ErrDeadlineExceeded
	}
}

// park does one read. conn.serve waits for it.
func (d *deflated) park(done chan<- inflated) {
	var in inflated
	defer func() {
		if r := recover(); r != nil {
			in = inflated{err: fmt.Errorf("imapserver: panic in inflate: %v", r)}
		}
		done <- in
	}()
	in.n, in.err = d.r.Read(d.parked[:])
}

// wake interrupts the wait of a parked session. It never blocks.
func (d *deflated) wake() {
	select {
	case d.woken <- struct{}{}:
	default:
	}
}

// forget drops a wake-up that came too late for the wait it was meant for.
func (d *deflated) forget() {
	select {
	case <-d.woken:
	default:
	}
}

// wait waits for the goroutine, once the connection is closed.
func (d *deflated) wait() {
	if d.pending != nil {
		<-d.pending
	}
}

// rawReader gives the decoder its octets, one by one or in runs. It never takes
// more from the connection than has arrived.
type rawReader struct {
	d     *deflated
	begun []byte
}

func (r *rawReader) fill() error {
	d := r.d
	if d.pos < d.got {
		return nil
	}
	if len(r.begun) > 0 {
		d.pos, d.got = 0, copy(d.raw[:], r.begun)
		if r.begun = r.begun[d.got:]; len(r.begun) == 0 {
			r.begun = nil
		}
		return nil
	}
	if n := d.c.takeAhead(d.raw[:]); n > 0 {
		d.pos, d.got = 0, n
		return nil
	}
	for {
		n, err := d.c.rw.Read(d.raw[:])
		if n > 0 {
			d.pos, d.got = 0, n
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// ReadByte implements flate.Reader.
func (r *rawReader) ReadByte() (byte, error) {
	if err := r.fill(); err != nil {
		return 0, err
	}
	b := r.d.raw[r.d.pos]
	r.d.pos++
	return b, nil
}

// Read implements flate.Reader.
func (r *rawReader) Read(p []byte) (int, error) {
	if err := r.fill(); err != nil {
		return 0, err
	}
	n := copy(p, r.d.raw[r.d.pos:r.d.got])
	r.d.pos += n
	return n, nil
}

// deflateBuffers hold what one write has been compressed to.
var deflateBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// write compresses p, so that the client can inflate all of it, and sends it.
// last ends the stream.
func (d *deflated) write(p []byte, last bool) (int, error) {
	b := deflateBuffers.Get().(*bytes.Buffer)
	defer deflateBuffers.Put(b)
	b.Reset()
	if err := flate.StatelessDeflate(b, p, last, nil); err != nil {
		return 0, err
	}
	if _, err := d.c.rw.Write(b.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// isInflateError reports whether what the client sent is no DEFLATE stream.
func isInflateError(err error) bool {
	return errors.As(err, new(flate.CorruptInputError)) || errors.As(err, new(flate.InternalError))
}
