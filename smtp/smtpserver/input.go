package smtpserver

import (
	"bytes"
	"errors"
	"sync"
	"sync/atomic"
)

const (
	// bufferSize is the input buffer of a connection that has work.
	bufferSize = 32 << 10

	// idleSize is the input buffer of a connection that waits for a command;
	// most commands fit.
	idleSize = 512
)

// input is what has been read and not yet used: buf[r:w]. Commands are parsed
// in place. A connection that waits holds only the small buffer.
type input struct {
	buf   []byte
	r, w  int
	pool  *bufferPool
	mark  int               // where the last line started, for unread
	big   *[bufferSize]byte // buf is this one, borrowed from pool
	small [idleSize]byte    // or this one
}

// bufferPool lends big buffers to connections.
type bufferPool struct {
	pool sync.Pool // of *[bufferSize]byte
	lent atomic.Int64
}

func (p *bufferPool) get() *[bufferSize]byte {
	p.lent.Add(1)
	if b, ok := p.pool.Get().(*[bufferSize]byte); ok {
		return b
	}
	return new([bufferSize]byte)
}

func (p *bufferPool) put(b *[bufferSize]byte) {
	p.lent.Add(-1)
	p.pool.Put(b)
}

func (in *input) init(pool *bufferPool) {
	in.pool = pool
	in.buf = in.small[:]
}

// buffered is what can be parsed now, valid until room is called.
func (in *input) buffered() []byte { return in.buf[in.r:in.w] }

// skip consumes n octets.
func (in *input) skip(n int) { in.r += n }

// unread takes back the last line that bufferedLine took; nothing has been read
// since.
func (in *input) unread() { in.r = in.mark }

// grow borrows the big buffer.
func (in *input) grow() {
	if in.big != nil {
		return
	}
	in.big = in.pool.get()
	in.w = copy(in.big[:], in.buffered())
	in.r = 0
	in.buf = in.big[:]
}

// release gives the big buffer back when nothing is in it.
func (in *input) release() {
	if in.big == nil || in.r != in.w {
		return
	}
	in.pool.put(in.big)
	in.big = nil
	in.buf, in.r, in.w = in.small[:], 0, 0
}

var errBufferFull = errors.New("smtpserver: input buffer full")

// room returns the space for the next read, at least one octet.
func (in *input) room() ([]byte, error) {
	if in.r > 0 && (in.r == in.w || in.w == len(in.buf)) {
		in.w = copy(in.buf, in.buffered())
		in.r = 0
	}
	if in.w == len(in.buf) {
		if in.big != nil {
			return nil, errBufferFull
		}
		in.grow()
	}
	return in.buf[in.w:], nil
}

// nextLine returns the length of the first line with its LF, or 0. from is
// how much of the buffered input is known to hold none.
func (in *input) nextLine(from int) int {
	i := bytes.IndexByte(in.buf[in.r+from:in.w], '\n')
	if i < 0 {
		return 0
	}
	return from + i + 1
}
