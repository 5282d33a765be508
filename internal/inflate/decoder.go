package inflate

import (
	"errors"
	"fmt"
	"io"
)

// ErrCorrupt is in the errors of what is no DEFLATE stream.
var ErrCorrupt = errors.New("inflate: not a DEFLATE stream")

// MaxMemory is the most that a Decoder holds beside itself: the window, and the
// tables of a block with dynamic codes.
const MaxMemory = windowSize + 8<<10

// Decoder inflates a stream. Its zero value is at the beginning of one. It must
// not be copied once it is in use, nor be used by two goroutines at once.
type Decoder struct {
	step  step
	final bool // the block is the last
	fresh bool // the block has no symbol yet
	flush bool // the last call stopped at a flush point

	bits uint64 // taken and not used, from the lowest on; those above n are 0
	n    uint   // how many
	err  error  // for good

	length   int // of a match or a stored block, that is not copied yet
	distance int // of the match

	tables *tables // of the block; nil between blocks and in stored ones
	window window
}

// step is what comes next in a stream.
type step uint8

const (
	blockHeader step = iota
	storedLength
	storedData
	codeCounts  // of a block with dynamic codes
	codeLengths // of the code of code lengths
	allLengths  // of the two codes
	data        // symbols
	ended
)

// cursor is what one call works on.
type cursor struct {
	dst, src []byte
	o, i     int
}

// full reports whether there is no room.
func (c *cursor) full() bool { return c.o == len(c.dst) }

// Decode inflates src into dst, which is not empty. It returns how many octets of
// each it has written and taken: until dst is full, src is used up, the stream is
// at a flush point, or ends. Before a caller waits for more input it calls again
// until src is used up and nothing was written; without src that is cheap. What
// is in dst behind the octets written is undefined.
//
// err is io.EOF behind the end of the stream, or wraps ErrCorrupt, and stays so. It
// is nil when something was written.
func (d *Decoder) Decode(dst, src []byte) (written, taken int, err error) {
	c := cursor{dst: dst, src: src}
	if len(src) > 0 {
		d.flush = false
	}
	for d.err == nil && !c.full() && d.advance(&c) {
	}
	if c.o > 0 {
		d.window.add(dst[:c.o])
		return c.o, c.i, nil
	}
	return 0, c.i, d.err
}

// Ended reports whether the last block of the stream has ended.
func (d *Decoder) Ended() bool { return d.step == ended }

// Flushed reports whether the stream may break off here: the last call stopped at
// a flush point, and of the last octet nothing is left, or only the beginning of
// the code that ends an empty block.
func (d *Decoder) Flushed() bool { return d.flush }

// Reset gives all memory back and begins a new stream.
func (d *Decoder) Reset() {
	d.dropTables()
	d.window.release()
	*d = Decoder{}
}

// advance does one step. false: no further in this call.
func (d *Decoder) advance(c *cursor) bool {
	switch d.step {
	case blockHeader:
		return d.blockHeader(c)
	case storedLength:
		return d.storedLength(c)
	case storedData:
		return d.storedData(c)
	case codeCounts:
		return d.codeCounts(c)
	case codeLengths:
		return d.codeLengths(c)
	case allLengths:
		return d.allLengths(c)
	case data:
		return d.data(c)
	}
	d.err = io.EOF
	return false
}

// need takes octets until there are n bits; false: src has no more.
func (d *Decoder) need(c *cursor, n uint) bool {
	for d.n < n {
		if c.i == len(c.src) {
			return false
		}
		d.bits |= uint64(c.src[c.i]) << d.n
		d.n += 8
		c.i++
	}
	return true
}

// take uses n bits, which are there.
func (d *Decoder) take(n uint) uint64 {
	b := d.bits & mask(n)
	d.bits >>= n
	d.n -= n
	return b
}

func (d *Decoder) corrupt(what string) bool {
	d.err = fmt.Errorf("%w: %s", ErrCorrupt, what)
	d.dropTables()
	return false
}

func (d *Decoder) blockHeader(c *cursor) bool {
	if !d.need(c, 3) {
		return false
	}
	d.final = d.take(1) == 1
	switch d.take(2) {
	case 0:
		d.take(d.n) // up to an octet; there are fewer than 8
		d.step = storedLength
	case 1:
		d.step, d.tables, d.fresh = data, fixed(), true
		// Where all that is left may begin the code of the end, a partial flush
		// may have kept back its rest.
		if d.n < 7 && d.bits == 0 {
			d.flush = !d.final
			return false
		}
	case 2:
		d.step, d.tables, d.fresh = codeCounts, tablePool.Get().(*tables), true
	default:
		return d.corrupt("a block of type 3")
	}
	return true
}

// endBlock ends a block; empty: it had nothing.
func (d *Decoder) endBlock(empty bool) bool {
	d.dropTables()
	d.step = blockHeader
	if d.final {
		d.step = ended
		d.bits, d.n = 0, 0
		return true
	}
	if empty {
		d.flush = d.n == 0
		return false
	}
	return true
}

func (d *Decoder) dropTables() {
	if d.tables != nil && d.tables != fixed() {
		tablePool.Put(d.tables)
	}
	d.tables = nil
}

func (d *Decoder) storedLength(c *cursor) bool {
	if !d.need(c, 32) {
		return false
	}
	length, complement := d.take(16), d.take(16)
	if length != complement^0xffff {
		return d.corrupt("the length of a stored block")
	}
	if length == 0 {
		return d.endBlock(true)
	}
	d.step, d.length = storedData, int(length)
	return true
}

func (d *Decoder) storedData(c *cursor) bool {
	n := copy(c.dst[c.o:], c.src[c.i:min(len(c.src), c.i+d.length)])
	c.o, c.i, d.length = c.o+n, c.i+n, d.length-n
	if d.length > 0 {
		return false
	}
	return d.endBlock(false)
}

// codeCounts reads how many lengths there are (RFC 1951 §3.2.7).
func (d *Decoder) codeCounts(c *cursor) bool {
	if !d.need(c, 14) {
		return false
	}
	t := d.tables
	t.literals, t.distances, t.codes = int(d.take(5))+257, int(d.take(5))+1, int(d.take(4))+4
	if t.literals > maxLitLen || t.distances > maxDistances {
		return d.corrupt("too many symbols")
	}
	t.got = 0
	clear(t.lengths[:19])
	d.step = codeLengths
	return true
}

// codeOrder is the order in which the lengths of the code of code lengths come.
var codeOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

func (d *Decoder) codeLengths(c *cursor) bool {
	t := d.tables
	for ; t.got < t.codes; t.got++ {
		if !d.need(c, 3) {
			return false
		}
		t.lengths[codeOrder[t.got]] = uint8(d.take(3))
	}
	lengths := t.lengths[:19]
	if code := measure(lengths); code.left() != 0 || !build(t.dist[:], lengths, lenBits, lenSymbols) {
		return d.corrupt("the code of code lengths")
	}
	t.got = 0
	d.step = allLengths
	return true
}

// repeats are the symbols 16, 17 and 18: how many bits follow, and the least
// number of repetitions.
var repeats = [3]struct {
	bits  uint
	least int
}{{2, 3}, {3, 3}, {7, 11}}

func (d *Decoder) allLengths(c *cursor) bool {
	t := d.tables
	for all := t.literals + t.distances; t.got < all; {
		e, ok := d.look(c, t.dist[:], lenBits, 0)
		if !ok {
			return false
		}
		if e.value() < 16 {
			d.take(e.bits())
			t.lengths[t.got] = uint8(e.value())
			t.got++
			continue
		}
		r := repeats[e.value()-16]
		if !d.need(c, e.bits()+r.bits) {
			return false
		}
		d.take(e.bits())
		n := r.least + int(d.take(r.bits))
		var length uint8
		if e.value() == 16 {
			if t.got == 0 {
				return d.corrupt("nothing to repeat")
			}
			length = t.lengths[t.got-1]
		}
		if t.got+n > all {
			return d.corrupt("too many code lengths")
		}
		for range n {
			t.lengths[t.got] = length
			t.got++
		}
	}
	return d.buildTables()
}

func (d *Decoder) buildTables() bool {
	t := d.tables
	lengths := t.lengths[:t.literals+t.distances]
	switch {
	case lengths[endOfBlock] == 0:
		return d.corrupt("no code for the end of the block")
	case !build(t.lit[:], lengths[:t.literals], litBits, litSymbols):
		return d.corrupt("the code of literals and lengths")
	case !build(t.dist[:], lengths[t.literals:], distBits, distSymbols):
		return d.corrupt("the code of distances")
	}
	d.step = data
	return true
}
