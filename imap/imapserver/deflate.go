package imapserver

import (
	"bytes"
	"errors"
	"sync"

	"github.com/klauspost/compress/flate"

	"github.com/mailstead/mailstead/internal/inflate"
)

// deflated is the compression layer of a connection (RFC 4978). What is sent
// needs no state between two writes: each is compressed by itself and flushed,
// so that a parked session holds nothing for it. Of what is received the client
// may refer back to the last 32 KiB, and no more is held than has come.
type deflated struct {
	c  *conn
	in inflate.Decoder

	raw   []byte         // came, and is not inflated yet
	small [256]byte      // takes what ends a wait
	large *[rawSize]byte // takes what comes within a command; nil while parked

	last    bool // the next write ends the stream
	leaving bool // the stream to the client has ended, by UNAUTHENTICATE; that of the client is ending
}

const rawSize = 8 << 10

var rawBuffers = sync.Pool{New: func() any { return new([rawSize]byte) }}

// inflateMemory is the most that a deflated holds while it is parked.
const inflateMemory = inflate.MaxMemory + 1<<10

// errInflated ends a connection whose client goes on compressing behind
// UNAUTHENTICATE.
var errInflated = errors.New("imapserver: compressed octets behind UNAUTHENTICATE")

// read inflates what has come, or says where to read more. An error of the
// connection is not the stream's: the next read goes on.
func (d *deflated) read(p []byte, waits bool) (in []byte, n int, err error) {
	for {
		n, taken, err := d.in.Decode(p, d.raw)
		d.raw = d.raw[taken:]
		if n > 0 || err != nil {
			return nil, n, err
		}
		if len(d.raw) == 0 {
			if in := d.room(waits); in != nil {
				return in, 0, nil
			}
		}
	}
}

// room says where to read; nil: more has come already. raw has one octet at most.
func (d *deflated) room(waits bool) []byte {
	if ahead := d.c.ahead; len(ahead) > 0 {
		d.c.ahead = nil
		d.came(ahead, len(ahead))
		return nil
	}
	d.raw = bytes.Clone(d.raw) // what is read may go where it lies
	if !waits {
		if d.large == nil {
			d.large = rawBuffers.Get().(*[rawSize]byte)
		}
		return d.large[:]
	}
	d.release()
	return d.small[:]
}

// came takes n octets of p that were read.
//
//go:noinline
func (d *deflated) came(p []byte, n int) {
	if p = p[:n]; len(d.raw) > 0 {
		p = append(bytes.Clone(d.raw), p...)
	}
	d.raw = p
}

// release gives the buffer back; nothing of raw is in it.
func (d *deflated) release() {
	if d.large != nil {
		rawBuffers.Put(d.large)
		d.large = nil
	}
}

// leave takes what the client's stream ends with, behind UNAUTHENTICATE, or says
// where to read more of it; nil: what is left of raw came behind it. RFC 8437
// §4.1 ends it behind the CRLF, which is within a block, and clients differ in
// what they send of the rest: the last block, or a flush, of which zlib keeps up
// to seven bits back, or both. So the stream ends with its last block, or at a flush point where two octets of a
// command come: of what else may come there, the rest of an empty block and
// another one, one of the first two octets is no text.
func (d *deflated) leave(waits bool) (in []byte, err error) {
	var none [1]byte
	for !d.in.Ended() {
		flushed := d.in.Flushed()
		if flushed && len(d.raw) > 1 && isTag(d.raw[0]) && isText(d.raw[1]) {
			break
		}
		if len(d.raw) == 0 || flushed && len(d.raw) == 1 && isTag(d.raw[0]) {
			if in := d.room(waits); in != nil {
				return in, nil
			}
			continue
		}
		n, taken, err := d.in.Decode(none[:], d.raw)
		d.raw = d.raw[taken:]
		if n > 0 {
			err = errInflated
		}
		if err != nil && !d.in.Ended() {
			return nil, err
		}
	}
	return nil, nil
}

func isTag(b byte) bool { return ' ' < b && b < 0x7f }

func isText(b byte) bool { return isTag(b) || b == ' ' }

// end gives back what inflating holds.
func (d *deflated) end() {
	d.in.Reset()
	d.release()
}

// deflateBuffers hold what one write has been compressed to.
var deflateBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// write compresses p, so that the client can inflate all of it, and sends it.
func (d *deflated) write(p []byte) (int, error) {
	b := deflateBuffers.Get().(*bytes.Buffer)
	defer deflateBuffers.Put(b)
	b.Reset()
	if err := flate.StatelessDeflate(b, p, d.last, nil); err != nil {
		return 0, err
	}
	if _, err := d.c.rw.Write(b.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
}
