package mime

import (
	"bytes"
	"io"
	"sync"
)

const windowSize = 32 << 10

var windows = sync.Pool{New: func() any { return new([windowSize]byte) }}

// input reads a message once, from front to end, through a fixed window.
type input struct {
	r    io.ReaderAt
	size int64
	buf  *[windowSize]byte
	pos  int   // first octet not consumed
	end  int   // behind the last octet read
	next int64 // offset of buf[end]
	err  error // of r; the message ends there

	lines int64 // LFs consumed
	last  byte  // the last octet consumed
	crlf  bool  // the LF consumed last had a CR before it
	work  int64 // octets looked at, for the proof of I2
}

// window returns the octets ahead: at least n of them (n < windowSize), fewer
// only at the end of the message.
func (in *input) window(n int) []byte {
	if in.end-in.pos < n && in.next < in.size && in.err == nil {
		in.fill(n)
	}
	return in.buf[in.pos:in.end]
}

func (in *input) fill(n int) {
	in.end = copy(in.buf[:], in.buf[in.pos:in.end])
	in.pos = 0
	for in.end < n && in.next < in.size && in.err == nil {
		room := min(int64(windowSize-in.end), in.size-in.next)
		m, err := in.r.ReadAt(in.buf[in.end:in.end+int(room)], in.next)
		in.end += m
		in.next += int64(m)
		switch {
		case err == io.EOF && in.next < in.size:
			in.err = io.ErrUnexpectedEOF
		case err != nil && err != io.EOF:
			in.err = err
		case m == 0:
			in.err = io.ErrNoProgress
		}
	}
}

// offset is the place in the message of the first octet ahead.
func (in *input) offset() int64 { return in.next - int64(in.end-in.pos) }

// consume moves over n octets of the window.
func (in *input) consume(n int) {
	if n == 0 {
		return
	}
	b := in.buf[in.pos : in.pos+n]
	in.lines += int64(bytes.Count(b, []byte{'\n'}))
	if b[n-1] == '\n' {
		before := in.last
		if n > 1 {
			before = b[n-2]
		}
		in.crlf = before == '\r'
	}
	in.last = b[n-1]
	in.pos += n
	in.work += int64(n)
}
