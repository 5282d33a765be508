package inflate

import "encoding/binary"

// fastRoom is how much room in dst one turn of fast needs: literals, the longest
// match, and what copying eight octets at a time writes behind it.
const fastRoom = 2 + 258 + 8

// data decodes the symbols of a block.
func (d *Decoder) data(c *cursor) bool {
	if d.length > 0 {
		d.copyMatch(c)
	}
	for !c.full() {
		// What is left of a symbol that was cut stays where it is.
		if d.n < 8 && len(c.src)-c.i >= 8 && len(c.dst)-c.o >= fastRoom {
			d.fast(c)
		}
		e, ok := d.look(c, d.tables.lit[:], litBits, 0)
		switch {
		case !ok:
			return false
		case e&literal != 0:
			d.take(e.bits())
			c.dst[c.o] = byte(e.value())
			c.o++
		case e&end != 0:
			d.take(e.bits())
			return d.endBlock(d.fresh)
		case e&invalid != 0:
			return d.corrupt("a code that stands for nothing")
		case !d.match(c, e):
			return false
		}
		d.fresh = false
	}
	return false
}

// look returns the entry of the code that begins behind the first skip bits. It
// takes octets until the code is complete, and uses no bits; false: src has no
// more.
func (d *Decoder) look(c *cursor, table []entry, root, skip uint) (entry, bool) {
	for {
		b := d.bits >> skip
		e := table[b&mask(root)]
		if e&link != 0 {
			e = table[e.first()+uint(b>>root&mask(e.extra()))]
		}
		// Bits that are not there yet count as 0, and make no difference where the
		// code is no longer than those that are.
		if skip+e.bits() <= d.n {
			return e, true
		}
		if !d.need(c, d.n+1) {
			return 0, false
		}
	}
}

// match decodes a match whose length has the entry e, and copies what there is
// room for. Until its last bit is there, nothing is used.
func (d *Decoder) match(c *cursor, e entry) bool {
	used := e.bits() + e.extra()
	if !d.need(c, used) {
		return false
	}
	length := e.value() + int(d.bits>>e.bits()&mask(e.extra()))
	e, ok := d.look(c, d.tables.dist[:], distBits, used)
	if !ok {
		return false
	}
	if e&invalid != 0 {
		return d.corrupt("a distance that stands for nothing")
	}
	used += e.bits()
	if !d.need(c, used+e.extra()) {
		return false
	}
	distance := e.value() + int(d.bits>>used&mask(e.extra()))
	if distance > c.o+len(d.window.buf) {
		return d.corrupt("a distance beyond the beginning")
	}
	d.take(used + e.extra())
	d.length, d.distance = length, distance
	d.copyMatch(c)
	return true
}

// copyMatch copies as much of the match as there is room for.
func (d *Decoder) copyMatch(c *cursor) {
	n := min(d.length, len(c.dst)-c.o)
	d.length -= n
	d.copyBack(c.dst, c.o, n)
	c.o += n
}

// copyBack writes n octets at o from d.distance before; what is before dst is in
// the window.
func (d *Decoder) copyBack(dst []byte, o, n int) {
	if back := d.distance - o; back > 0 {
		k := min(n, back)
		d.window.copy(dst[o:o+k], back)
		o, n = o+k, n-k
	}
	for from := o - d.distance; n > 0; { // o-from is a multiple of the distance
		k := copy(dst[o:o+n], dst[from:o])
		o, n = o+k, n-k
	}
}

// fast decodes while there are 8 octets of input and fastRoom of output, and
// leaves what is special to the caller. It begins with fewer than 8 bits, and
// gives back whole octets that it does not use.
func (d *Decoder) fast(c *cursor) {
	dst, src := c.dst, c.src
	lit, dist := &d.tables.lit, &d.tables.dist
	b, n, o, i := d.bits, d.n, c.o, c.i
	start := o
symbols:
	for i+8 <= len(src) && o+fastRoom <= len(dst) {
		// What is above n bits are the next bits already, and comes again.
		b |= binary.LittleEndian.Uint64(src[i:]) << n
		i += int(63-n) >> 3
		n |= 56

		e := lit[b&(1<<litBits-1)]
		if e&literal != 0 {
			b, n = b>>e.bits(), n-e.bits()
			dst[o] = byte(e >> 16)
			o++
			if e = lit[b&(1<<litBits-1)]; e&literal != 0 {
				b, n = b>>e.bits(), n-e.bits()
				dst[o] = byte(e >> 16)
				o++
				continue
			}
			if n < 48 {
				continue
			}
		}
		if e&link != 0 {
			e = lit[e.first()+uint(b>>litBits&mask(e.extra()))]
			if e&literal != 0 {
				b, n = b>>e.bits(), n-e.bits()
				dst[o] = byte(e >> 16)
				o++
				continue
			}
		}
		if e&special != 0 {
			break
		}
		used := e.bits()
		length := e.value() + int(b>>used&mask(e.extra()))
		used += e.extra()
		e = dist[b>>used&(1<<distBits-1)]
		if e&link != 0 {
			e = dist[e.first()+uint(b>>used>>distBits&mask(e.extra()))]
		}
		if e&special != 0 {
			break
		}
		used += e.bits()
		distance := e.value() + int(b>>used&mask(e.extra()))
		used += e.extra()
		switch {
		case distance > o+len(d.window.buf):
			break symbols
		case distance < 8 && distance <= o:
			repeat(dst, o, distance, length)
		case distance > o, length > 64:
			d.distance = distance
			d.copyBack(dst, o, length)
		default:
			for k := o; k < o+length; k += 8 {
				binary.LittleEndian.PutUint64(dst[k:], binary.LittleEndian.Uint64(dst[k-distance:]))
			}
		}
		b, n = b>>used, n-used
		o += length
	}
	i -= int(n >> 3)
	n &= 7
	d.bits, d.n = b&mask(n), n
	d.fresh = d.fresh && o == start
	c.o, c.i = o, i
}

// repeat writes n octets at o that repeat the last distance octets, fewer than 8,
// and up to 8 behind them.
func repeat(dst []byte, o, distance, n int) {
	p := dst[o-distance : o+n+8]
	for k := distance; k < distance+8; k++ {
		p[k] = p[k-distance]
	}
	p = p[distance:]
	run := binary.LittleEndian.Uint64(p)
	step := 8 - 8%distance // whole repetitions
	k := step
	for ; k < min(n, 64); k += step {
		binary.LittleEndian.PutUint64(p[k:], run)
	}
	for k < n {
		k += copy(p[k:n], p[:k])
	}
}
