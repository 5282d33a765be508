package sqlstore

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sort"

	"github.com/mailstead/mailstead/store"
)

// A block is the state of up to blockMax neighbouring messages of one mailbox,
// packed into one row of the database. A flag on 10,000 messages rewrites about
// a hundred rows instead of 10,000, and a mailbox is read at some ten
// nanoseconds a message.
//
// Form: version octet 1; the number of distinct keyword lists, each as the
// number of its keywords and these with their lengths; the number of messages,
// each as gap to the UID before (the first: to the block's key), ModSeq as
// zig-zag difference to the one before, flags octet, number of its keyword
// list (0 = none), size. All numbers are varints.
type block struct {
	first store.UID // key of the row; no message of the block has a smaller UID
	rows  []row
	kinds [][]string // keyword lists; index 0 is the empty one

	dirty bool // differs from the database
}

// row is the state of one message.
type row struct {
	uid    store.UID
	flags  store.Flags
	kind   uint16 // index into kinds
	modSeq store.ModSeq
	size   int64
}

const (
	blockVersion = 1
	blockMax     = 96
)

func newBlock(first store.UID) *block {
	return &block{first: first, kinds: [][]string{nil}, dirty: true}
}

// kindOf is the number of a keyword list in the block.
func (b *block) kindOf(kw []string) uint16 {
	for i, k := range b.kinds {
		if slices.Equal(k, kw) {
			return uint16(i)
		}
	}
	b.kinds = append(b.kinds, kw)
	return uint16(len(b.kinds) - 1)
}

func (b *block) last() store.UID {
	if len(b.rows) == 0 {
		return b.first
	}
	return b.rows[len(b.rows)-1].uid
}

// insert puts a row at its place; false when the UID is taken.
func (b *block) insert(r row) bool {
	i := sort.Search(len(b.rows), func(i int) bool { return b.rows[i].uid >= r.uid })
	if i < len(b.rows) && b.rows[i].uid == r.uid {
		return false
	}
	b.rows = slices.Insert(b.rows, i, r)
	b.dirty = true
	return true
}

// halve moves the upper half of the rows to a new block.
func (b *block) halve() *block {
	half := len(b.rows) / 2
	n := newBlock(b.rows[half].uid)
	n.kinds = slices.Clone(b.kinds)
	n.rows = slices.Clone(b.rows[half:])
	b.rows, b.dirty = b.rows[:half], true
	return n
}

// encode appends the packed form; lists of keywords that no row uses any more
// are left out.
func (b *block) encode(dst []byte) []byte {
	number := make([]uint16, len(b.kinds))
	used := uint16(0)
	for _, r := range b.rows {
		if r.kind != 0 && number[r.kind] == 0 {
			used++
			number[r.kind] = used
		}
	}
	dst = append(dst, blockVersion)
	dst = binary.AppendUvarint(dst, uint64(used))
	for want := uint16(1); want <= used; want++ {
		kw := b.kinds[slices.Index(number, want)]
		dst = binary.AppendUvarint(dst, uint64(len(kw)))
		for _, k := range kw {
			dst = binary.AppendUvarint(dst, uint64(len(k)))
			dst = append(dst, k...)
		}
	}
	dst = binary.AppendUvarint(dst, uint64(len(b.rows)))
	uid, modSeq := b.first, store.ModSeq(0)
	for _, r := range b.rows {
		dst = binary.AppendUvarint(dst, uint64(r.uid-uid))
		dst = binary.AppendVarint(dst, int64(r.modSeq-modSeq))
		dst = append(dst, byte(r.flags))
		dst = binary.AppendUvarint(dst, uint64(number[r.kind]))
		dst = binary.AppendUvarint(dst, uint64(r.size))
		uid, modSeq = r.uid, r.modSeq
	}
	return dst
}

// decodeBlock reads the packed form into b, reusing its memory.
func decodeBlock(b *block, first store.UID, data []byte) error {
	d := decoder{b: data}
	b.first, b.rows, b.dirty = first, b.rows[:0], false
	if v := d.octet(); v != blockVersion && !d.bad {
		return fmt.Errorf("%w: state block of version %d", store.ErrVersion, v)
	}
	b.kinds = append(b.kinds[:0], nil)
	for n := d.count(); n > 0 && !d.bad; n-- {
		var kw []string
		for m := d.count(); m > 0 && !d.bad; m-- {
			kw = append(kw, string(d.take(d.count())))
		}
		b.kinds = append(b.kinds, kw)
	}
	uid, modSeq := uint64(first), store.ModSeq(0)
	for n := d.count(); n > 0 && !d.bad; n-- {
		uid += d.uvarint()
		modSeq += store.ModSeq(d.varint())
		r := row{uid: store.UID(uid), modSeq: modSeq, flags: store.Flags(d.octet())}
		kind := d.uvarint()
		r.kind, r.size = uint16(kind), int64(d.uvarint())
		d.bad = d.bad || uid >= 1<<32 || kind >= uint64(len(b.kinds))
		b.rows = append(b.rows, r)
	}
	if d.bad || len(d.b) != 0 {
		return fmt.Errorf("%w: malformed state block %d", store.ErrCorrupt, first)
	}
	return nil
}

// decoder reads varints; after a fault all results are zero and bad is set.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	return uint64(d.step(n)) * v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	return d.step(n) * v
}

func (d *decoder) step(n int) int64 {
	if n <= 0 || d.bad {
		d.bad = true
		return 0
	}
	d.b = d.b[n:]
	return 1
}

// count is a uvarint that cannot be greater than the octets that follow.
func (d *decoder) count() int {
	v := d.uvarint()
	if v > uint64(len(d.b)) {
		d.bad = true
		return 0
	}
	return int(v)
}

func (d *decoder) octet() byte {
	if p := d.take(1); len(p) == 1 {
		return p[0]
	}
	return 0
}

func (d *decoder) take(n int) []byte {
	if d.bad || n > len(d.b) {
		d.bad = true
		return nil
	}
	p := d.b[:n]
	d.b = d.b[n:]
	return p
}
