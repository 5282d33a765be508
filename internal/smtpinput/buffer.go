// Package smtpinput holds what a connection has received and not used yet. Lines
// are parsed in place, out of a large buffer while there is work and a small one
// while the connection waits.
package smtpinput

import (
	"bytes"
	"errors"
	"sync"
	"sync/atomic"
)

const (
	// Size is the buffer of a connection that has work: the longest line.
	Size = 32 << 10

	// idleSize is the buffer of a connection that waits for a command; most
	// commands fit.
	idleSize = 512
)

// Buffer is what has been read and not yet used: buf[r:w]. Init comes first. One
// goroutine uses it.
type Buffer struct {
	buf   []byte
	r, w  int
	pool  *Pool
	mark  int            // where the last line started, for Unread
	big   *[Size]byte    // buf is this one, borrowed from pool
	small [idleSize]byte // or this one
}

// Pool lends large buffers to connections. The zero value is usable, by any
// number of goroutines.
type Pool struct {
	pool sync.Pool // of *[Size]byte
	lent atomic.Int64
}

// Lent is the number of buffers that are in use.
func (p *Pool) Lent() int64 { return p.lent.Load() }

func (p *Pool) get() *[Size]byte {
	p.lent.Add(1)
	if b, ok := p.pool.Get().(*[Size]byte); ok {
		return b
	}
	return new([Size]byte)
}

func (p *Pool) put(b *[Size]byte) {
	p.lent.Add(-1)
	p.pool.Put(b)
}

// Init makes in empty.
func (in *Buffer) Init(pool *Pool) {
	in.pool = pool
	in.buf = in.small[:]
}

// Buffered is what can be parsed now, valid until Room is called.
func (in *Buffer) Buffered() []byte { return in.buf[in.r:in.w] }

// Skip consumes n octets.
func (in *Buffer) Skip(n int) { in.r += n }

// Empty reports that nothing is there.
func (in *Buffer) Empty() bool { return in.r == in.w }

// Take consumes a line of n octets, which Unread can take back as long as nothing
// has been read since.
func (in *Buffer) Take(n int) {
	in.mark = in.r
	in.r += n
}

// Unread takes back the last line that Take took.
func (in *Buffer) Unread() { in.r = in.mark }

// Grow borrows the big buffer.
func (in *Buffer) Grow() {
	if in.big != nil {
		return
	}
	in.big = in.pool.get()
	in.w = copy(in.big[:], in.Buffered())
	in.r = 0
	in.buf = in.big[:]
}

// Release gives the big buffer back when nothing is in it.
func (in *Buffer) Release() {
	if in.big == nil || in.r != in.w {
		return
	}
	in.pool.put(in.big)
	in.big = nil
	in.buf, in.r, in.w = in.small[:], 0, 0
}

// ErrFull: a line is larger than the large buffer.
var ErrFull = errors.New("smtpinput: buffer full")

// Filled says that n octets were read into Room.
func (in *Buffer) Filled(n int) { in.w += n }

// Room returns the space for the next read, at least one octet.
func (in *Buffer) Room() ([]byte, error) {
	if in.r > 0 && (in.r == in.w || in.w == len(in.buf)) {
		in.w = copy(in.buf, in.Buffered())
		in.r = 0
	}
	if in.w == len(in.buf) {
		if in.big != nil {
			return nil, ErrFull
		}
		in.Grow()
	}
	return in.buf[in.w:], nil
}

// NextLine returns the length of the first line with its LF, or 0. from is
// how much of the buffered input is known to hold none.
func (in *Buffer) NextLine(from int) int {
	i := bytes.IndexByte(in.buf[in.r+from:in.w], '\n')
	if i < 0 {
		return 0
	}
	return from + i + 1
}
