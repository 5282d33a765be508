package pop3server

import (
	"bytes"
	"errors"
)

// idleSize is the input buffer of every connection: a command fits (RFC 2449
// §4). A larger one is made where more arrives together, or for a line of an
// exchange of AUTH, and dropped when it is empty.
const idleSize = 256

// flightSize is the larger buffer.
const flightSize = 4 << 10

// input is what has been read and not yet used: buf[r:w].
type input struct {
	buf   []byte
	r, w  int
	small [idleSize]byte
}

// buffered is what can be parsed now.
func (in *input) buffered() []byte { return in.buf[in.r:in.w] }

// line takes the first line with its end out; nil = its end is not there. It
// is valid until room is called.
func (in *input) line() []byte {
	n := bytes.IndexByte(in.buffered(), '\n') + 1
	if n == 0 {
		return nil
	}
	in.r += n
	return in.buf[in.r-n : in.r]
}

// room returns the space for the next read, at least one octet, as long as no
// more than limit octets are in the buffer.
func (in *input) room(limit int) ([]byte, error) {
	if in.r == in.w {
		in.r, in.w = 0, 0
		if len(in.buf) != idleSize { // also at the start
			in.buf = in.small[:]
		}
	}
	if in.r > 0 {
		in.w = copy(in.buf, in.buffered())
		in.r = 0
	}
	if in.w < len(in.buf) {
		return in.buf[in.w:], nil
	}
	if in.w >= limit {
		return nil, errLineTooLong
	}
	bigger := make([]byte, max(flightSize, min(2*in.w, limit)))
	in.w = copy(bigger, in.buffered())
	in.buf = bigger
	return in.buf[in.w:], nil
}

var errLineTooLong = errors.New("pop3server: command line too long")
