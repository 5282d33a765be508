package mailsig

import (
	"bytes"
	"hash/maphash"
)

// Field is one field of a header block, with its line end; a line that is none
// has Colon < 0. The numbers are offsets in the block.
type Field struct{ Start, Colon, End int32 }

// Block is a header block, cut into fields.
type Block struct {
	Raw    []byte
	Fields []Field
}

// Cut finds the fields in linear time.
func Cut(raw []byte) Block {
	n := 0
	for at := 0; at < len(raw); at += lineLen(raw[at:]) {
		if n == 0 || raw[at] != ' ' && raw[at] != '\t' {
			n++
		}
	}
	b := Block{Raw: raw, Fields: make([]Field, 0, n)}
	for at := 0; at < len(raw); {
		line := lineLen(raw[at:])
		if last := len(b.Fields) - 1; last >= 0 && (raw[at] == ' ' || raw[at] == '\t') {
			b.Fields[last].End += int32(line)
		} else {
			b.Fields = append(b.Fields, Field{Start: int32(at), Colon: colon(raw[at:at+line], at), End: int32(at + line)})
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

// Name is the name of a field, nil of a line that is none.
func (b *Block) Name(f Field) []byte {
	if f.Colon < 0 {
		return nil
	}
	end := f.Colon
	for b.Raw[end-1] == ' ' || b.Raw[end-1] == '\t' {
		end-- // the first octet is neither
	}
	return b.Raw[f.Start:end]
}

// Value is what stands behind the colon, folded, without the last line end.
func (b *Block) Value(f Field) []byte { return withoutEnd(b.Raw[f.Colon+1 : f.End]) }

// withoutEnd removes one CRLF or LF from the end.
func withoutEnd(s []byte) []byte {
	line, ended := bytes.CutSuffix(s, []byte{'\n'})
	if ended {
		line = bytes.TrimSuffix(line, []byte{'\r'})
	}
	return line
}

// Index finds the fields of a name, from the bottom up, in constant time. It
// does not change; each walk has a Cursor of its own.
type Index struct {
	b     *Block
	seed  maphash.Seed
	slots []int32 // 1 + the number of a name
	last  []int32 // by number: the field furthest down
	prev  []int32 // by field: the next field further up with its name; -1 = none
}

// NewIndex makes an index of a block.
func NewIndex(b *Block) *Index {
	size := 16
	for size < 2*len(b.Fields) {
		size *= 2
	}
	x := &Index{b: b, seed: maphash.MakeSeed(), slots: make([]int32, size), prev: make([]int32, len(b.Fields))}
	for i, f := range b.Fields {
		if f.Colon < 0 {
			continue
		}
		slot := x.slot(b.Name(f))
		n := x.slots[slot] - 1
		if n < 0 {
			x.last = append(x.last, -1)
			n = int32(len(x.last)) - 1
			x.slots[slot] = n + 1
		}
		x.prev[i] = x.last[n]
		x.last[n] = int32(i)
	}
	return x
}

// slot is where a name stands, or where it would.
func (x *Index) slot(name []byte) int {
	var buf [64]byte
	h := maphash.Bytes(x.seed, AppendLower(buf[:0], name))
	for s := int(h) & (len(x.slots) - 1); ; s = (s + 1) & (len(x.slots) - 1) {
		n := x.slots[s] - 1
		if n < 0 || EqualFold(x.b.Name(x.b.Fields[x.last[n]]), name) {
			return s
		}
	}
}

// Cursor walks the fields that a signature names.
type Cursor struct {
	x    *Index
	next []int32 // by number of a name
}

// Cursor makes a cursor, to be rewound before each walk.
func (x *Index) Cursor() *Cursor { return &Cursor{x: x, next: make([]int32, len(x.last))} }

// Rewind begins a walk.
func (c *Cursor) Rewind() { copy(c.next, c.x.last) }

// Take returns the next field of a name, from the bottom up (RFC 6376 §5.4.2);
// ok is false when there are no more.
func (c *Cursor) Take(name []byte) (f Field, ok bool) {
	n := c.x.slots[c.x.slot(name)] - 1
	if n < 0 || c.next[n] < 0 {
		return Field{}, false
	}
	i := c.next[n]
	c.next[n] = c.x.prev[i]
	return c.x.b.Fields[i], true
}

// Left reports whether a walk has left a field of this name.
func (c *Cursor) Left(name string) bool {
	n := c.x.slots[c.x.slot([]byte(name))] - 1
	return n >= 0 && c.next[n] >= 0
}

// AppendLower appends s with the letters of ASCII in lower case.
func AppendLower(dst, s []byte) []byte {
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

// EqualFold compares names of fields: ASCII.
func EqualFold(a, b []byte) bool {
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
