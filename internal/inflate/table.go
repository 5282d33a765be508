package inflate

import (
	"math/bits"
	"sync"
)

const (
	maxCode      = 15 // bits of a code
	maxLitLen    = 286
	maxDistances = 30
	endOfBlock   = 256

	litBits  = 10 // of a code, which the first look takes
	distBits = 8
	lenBits  = 7 // the longest code of code lengths

	// The most entries that codes of 15 bits can need: a complete code of 288
	// symbols and a first look of 10 bits, and of 32 symbols and 8 bits.
	litEntries  = 1334
	distEntries = 402
)

// An entry says what a code stands for.
//
//	bits 0 to 3    length of the code, so that entries behind a link have all of it
//	bits 4 to 7    flags
//	bits 8 to 11   how many bits follow the code; of a link, how many the second look takes
//	bits 16 to 31  the literal, the least length or distance, the code length; of a
//	               link, where its entries begin
type entry uint32

const (
	literal entry = 1 << 7
	link    entry = 1 << 6
	end     entry = 1 << 5 // of the block
	invalid entry = 1 << 4 // no symbol has the code, or the symbol is none

	special = end | invalid
)

func (e entry) bits() uint   { return uint(e & 15) }
func (e entry) extra() uint  { return uint(e >> 8 & 15) }
func (e entry) value() int   { return int(e >> 16) }
func mask(n uint) uint64     { return 1<<n - 1 }
func (e entry) first() uint  { return uint(e >> 16) }
func ofValue(v, x int) entry { return entry(v)<<16 | entry(x)<<8 }

// tables are the codes of a block. What its header says of them is collected in
// lengths.
type tables struct {
	lit  [litEntries]entry
	dist [distEntries]entry // before it is made, the code of code lengths

	lengths                    [maxLitLen + maxDistances]uint8
	literals, distances, codes int // how many the header has
	got                        int // of lengths, or of codes before
}

var tablePool = sync.Pool{New: func() any { return new(tables) }}

// symbols are the entries of the symbols of an alphabet, without the length of
// the code.
type symbols [288]entry

var (
	litSymbols  = lengthSymbols()
	distSymbols = distanceSymbols()
	lenSymbols  = plainSymbols()
)

// lengthSymbols are literals, the end and lengths (RFC 1951 §3.2.5).
func lengthSymbols() *symbols {
	var s symbols
	for i := range endOfBlock {
		s[i] = ofValue(i, 0) | literal
	}
	s[endOfBlock] = end
	length := 3
	for i := range 28 {
		extra := max(0, i/4-1)
		s[257+i] = ofValue(length, extra)
		length += 1 << extra
	}
	s[285] = ofValue(258, 0)
	s[286], s[287] = invalid, invalid
	return &s
}

func distanceSymbols() *symbols {
	var s symbols
	distance := 1
	for i := range maxDistances {
		extra := max(0, i/2-1)
		s[i] = ofValue(distance, extra)
		distance += 1 << extra
	}
	s[30], s[31] = invalid, invalid
	return &s
}

func plainSymbols() *symbols {
	var s symbols
	for i := range s {
		s[i] = ofValue(i, 0)
	}
	return &s
}

// fixed are the fixed codes (RFC 1951 §3.2.6). They are never changed.
var fixed = sync.OnceValue(func() *tables {
	t := new(tables)
	var lengths [288]uint8
	for i := range lengths {
		switch {
		case i < 144, i >= 280:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		default:
			lengths[i] = 7
		}
	}
	build(t.lit[:], lengths[:], litBits, litSymbols)
	for i := range 32 {
		lengths[i] = 5
	}
	build(t.dist[:], lengths[:32], distBits, distSymbols)
	return t
})

// code is what is known of a canonical code (RFC 1951 §3.2.2).
type code struct {
	count   [maxCode + 1]int // of symbols whose code has a length
	symbols int
	longest uint
}

func measure(lengths []uint8) code {
	var c code
	for _, n := range lengths {
		c.count[n]++
	}
	c.symbols = len(lengths) - c.count[0]
	c.count[0] = 0
	for n, k := range c.count {
		if k > 0 {
			c.longest = uint(n)
		}
	}
	return c
}

// left is how many codes of the longest length are not given away; negative =
// there are too many.
func (c *code) left() int {
	left := 1
	for _, k := range c.count[1:] {
		if left = left<<1 - k; left < 0 {
			return left
		}
	}
	return left
}

// valid reports whether the code is complete, or has one symbol of one bit, or
// none.
func (c *code) valid() bool {
	return c.left() == 0 || c.symbols == 0 || c.longest == 1 && c.symbols == 1
}

// build makes the table of a code of which the first look takes root bits.
// false: it is not valid.
func build(table []entry, lengths []uint8, root uint, of *symbols) bool {
	c := measure(lengths)
	if !c.valid() {
		return false
	}
	if c.symbols < 2 {
		for i := range table[:1<<root] {
			table[i] = invalid | 1
		}
	}
	var place [maxCode + 2]int // in sorted
	for n, k := range c.count {
		place[n+1] = place[n] + k
	}
	var sorted [288]uint16
	for s, n := range lengths {
		if n != 0 {
			sorted[place[n]] = uint16(s)
			place[n]++
		}
	}
	f := filler{table: table, root: root, used: 1 << root, code: c}
	next := 0 // the code, its first bit being the highest
	for i, s := range sorted[:c.symbols] {
		n := uint(lengths[s])
		if i > 0 {
			next = (next + 1) << (n - uint(lengths[sorted[i-1]]))
		}
		if !f.put(uint(bits.Reverse16(uint16(next))>>(16-n)), n, of[s]|entry(n)) {
			return false
		}
	}
	return true
}

// filler writes entries in the order of their codes.
type filler struct {
	table []entry
	root  uint
	used  uint // of table
	code  code // what is not put yet

	prefix, first, bits uint // of the last link
}

// put writes e for a code of n bits, which is reversed, and for all that follows
// the code.
func (f *filler) put(reversed, n uint, e entry) bool {
	f.code.count[n]--
	if n <= f.root {
		for i := reversed; i < 1<<f.root; i += 1 << n {
			f.table[i] = e
		}
		return true
	}
	if prefix := reversed & (1<<f.root - 1); f.bits == 0 || prefix != f.prefix {
		if !f.link(prefix, n) {
			return false
		}
	}
	for i := reversed >> f.root; i < 1<<f.bits; i += 1 << (n - f.root) {
		f.table[f.first+i] = e
	}
	return true
}

// link begins the entries of the codes that start with prefix, of which the
// first has n bits, and the others fill what that leaves.
func (f *filler) link(prefix, n uint) bool {
	width := n - f.root
	left := 1<<width - 1 - f.code.count[n]
	for width+f.root < f.code.longest && left > 0 {
		width++
		left = left<<1 - f.code.count[width+f.root]
	}
	f.prefix, f.first, f.bits = prefix, f.used, width
	f.used += 1 << width
	if f.used > uint(len(f.table)) {
		return false
	}
	f.table[prefix] = entry(f.first)<<16 | entry(width)<<8 | link
	return true
}
