package dkim

import (
	"bytes"
	"hash/maphash"
)

// field is one field of a header block, with its line end; a line that is none
// has colon < 0.
type field struct{ start, colon, end int32 }

// block is a header block, cut into fields.
type block struct {
	raw    []byte
	fields []field
}

// cut finds the fields in linear time.
func cut(raw []byte) block {
	n := 0
	for at := 0; at < len(raw); at += lineLen(raw[at:]) {
		if n == 0 || raw[at] != ' ' && raw[at] != '\t' {
			n++
		}
	}
	b := block{raw: raw, fields: make([]field, 0, n)}
	for at := 0; at < len(raw); {
		line := lineLen(raw[at:])
		if last := len(b.fields) - 1; last >= 0 && (raw[at] == ' ' || raw[at] == '\t') {
			b.fields[last].end += int32(line)
		} else {
			b.fields = append(b.fields, field{start: int32(at), colon: colon(raw[at:at+line], at), end: int32(at + line)})
		}
		at += line
	}
	return b
}

// lineLen is the length of the first line, with its end.
func lineLen(s []byte) int {
	if i := bytes.IndexByte(s, '\n'); i >= 0 {
		return i + 1
	}
	return len(s)
}

// colon is where the name of a field ends; -1 for a line that is no field.
func colon(line []byte, at int) int32 {
	i := bytes.IndexByte(line, ':')
	if i <= 0 || line[0] == ' ' || line[0] == '\t' {
		return -1
	}
	return int32(at + i)
}

// name is the name of a field, nil of a line that is none.
func (b *block) name(f field) []byte {
	if f.colon < 0 {
		return nil
	}
	end := f.colon
	for b.raw[end-1] == ' ' || b.raw[end-1] == '\t' {
		end-- // the first octet is neither
	}
	return b.raw[f.start:end]
}

// value is what stands behind the colon, folded, without the last line end.
func (b *block) value(f field) []byte { return withoutEnd(b.raw[f.colon+1 : f.end]) }

// withoutEnd removes one CRLF or LF from the end.
func withoutEnd(s []byte) []byte {
	line, ended := bytes.CutSuffix(s, []byte{'\n'})
	if ended {
		line = bytes.TrimSuffix(line, []byte{'\r'})
	}
	return line
}

// index finds the fields of a name, from the bottom up, in constant time.
type index struct {
	b     *block
	seed  maphash.Seed
	slots []int32 // 1 + the number of a name
	last  []int32 // by number: the field furthest down
	prev  []int32 // by field: the next field further up with its name; -1 = none
	next  []int32 // by number: the cursor of one signature
}

func newIndex(b *block) *index {
	size := 16
	for size < 2*len(b.fields) {
		size *= 2
	}
	x := &index{b: b, seed: maphash.MakeSeed(), slots: make([]int32, size), prev: make([]int32, len(b.fields))}
	for i, f := range b.fields {
		if f.colon < 0 {
			continue
		}
		slot := x.slot(b.name(f))
		n := x.slots[slot] - 1
		if n < 0 {
			x.last = append(x.last, -1)
			n = int32(len(x.last)) - 1
			x.slots[slot] = n + 1
		}
		x.prev[i] = x.last[n]
		x.last[n] = int32(i)
	}
	x.next = make([]int32, len(x.last))
	return x
}

// slot is where a name stands, or where it would.
func (x *index) slot(name []byte) int {
	var buf [64]byte
	h := maphash.Bytes(x.seed, appendLower(buf[:0], name))
	for s := int(h) & (len(x.slots) - 1); ; s = (s + 1) & (len(x.slots) - 1) {
		n := x.slots[s] - 1
		if n < 0 || equalFold(x.b.name(x.b.fields[x.last[n]]), name) {
			return s
		}
	}
}

// rewind begins a walk of one signature.
func (x *index) rewind() { copy(x.next, x.last) }

// take returns the next field of a name, from the bottom up (RFC 6376 §5.4.2);
// ok is false when there are no more.
func (x *index) take(name []byte) (f field, ok bool) {
	n := x.slots[x.slot(name)] - 1
	if n < 0 || x.next[n] < 0 {
		return field{}, false
	}
	i := x.next[n]
	x.next[n] = x.prev[i]
	return x.b.fields[i], true
}

// left reports whether a walk has left a field of this name.
func (x *index) left(name string) bool {
	n := x.slots[x.slot([]byte(name))] - 1
	return n >= 0 && x.next[n] >= 0
}

func appendLower(dst, s []byte) []byte {
	for _, c := range s {
		dst = append(dst, lower(c))
	}
	return dst
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c |= 0x20
	}
	return c
}

// equalFold compares names of fields: ASCII.
func equalFold(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

// collector gathers a header block from pieces, up to a limit.
type collector struct {
	limit  int
	chunks [][]byte // filled ones
	buf    []byte
	size   int  // of all
	mid    bool // not at the beginning of a line
	cr     bool // the line is one CR so far
	full   bool // the limit was met
}

// maxChunk keeps what is allocated for a header near its size.
const maxChunk = 256 << 10

// feed takes octets of the header and returns how many; done is true when the
// empty line behind it was among them, or the limit was met.
func (c *collector) feed(p []byte) (n int, done bool) {
	from := 0 // of what is not kept yet
	for n < len(p) && !done {
		if !c.mid && p[n] == '\n' {
			c.keep(p[from:n])
			return n + 1, true // the CR in front of it is not kept
		}
		if !c.mid && !c.cr && p[n] == '\r' {
			c.keep(p[from:n])
			n++
			c.cr, from = true, n
			continue
		}
		if c.cr {
			c.keep([]byte{'\r'})
			c.cr = false
		}
		n += lineLen(p[n:])
		c.mid = p[n-1] != '\n'
		c.full = c.size+n-from > c.limit
		done = c.full
	}
	c.keep(p[from:n])
	return n, done
}

func (c *collector) keep(p []byte) {
	c.size += len(p)
	for len(p) > 0 {
		if len(c.buf) == cap(c.buf) {
			size := min(max(4<<10, 2*cap(c.buf)), maxChunk)
			if len(c.buf) > 0 {
				c.chunks = append(c.chunks, c.buf)
			}
			c.buf = make([]byte, 0, size)
		}
		n := min(len(p), cap(c.buf)-len(c.buf))
		c.buf = append(c.buf, p[:n]...)
		p = p[n:]
	}
}

// bytes returns the block in one piece.
func (c *collector) bytes() []byte {
	if len(c.chunks) == 0 {
		return c.buf
	}
	out := make([]byte, 0, c.size)
	for _, b := range c.chunks {
		out = append(out, b...)
	}
	out = append(out, c.buf...)
	c.chunks, c.buf = nil, nil
	return out
}
