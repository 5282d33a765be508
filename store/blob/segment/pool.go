package segment

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// Buffers come in powers of two from 4 KiB on, each with room for a header
// and the padding of one record.
const (
	minClass  = 12 // 4 KiB
	maxClass  = 24 // 16 MiB
	classRoom = recHeaderSize + recAlign
)

// pool hands out buffers within a budget. It never waits: who gets no memory
// writes to a file instead.
type pool struct {
	free    atomic.Int64 // what is left of the budget
	classes [maxClass + 1]sync.Pool
}

func classOf(n int) int { return max(minClass, bits.Len(uint(max(n, 1)-1))) }

// get returns an empty buffer for n octets beyond its room, or nil when the
// budget is used up.
func (p *pool) get(n int) []byte {
	c := classOf(n)
	if c > maxClass {
		return nil
	}
	if p.free.Add(-(1 << c)) < 0 {
		p.free.Add(1 << c)
		return nil
	}
	if b, ok := p.classes[c].Get().(*[]byte); ok {
		return (*b)[:0]
	}
	return make([]byte, 0, 1<<c+classRoom)
}

// put takes a buffer of get back. The caller has no further use of it.
func (p *pool) put(b []byte) {
	if b == nil {
		return
	}
	c := classOf(cap(b) - classRoom)
	p.free.Add(1 << c)
	kept := b[:0] // only this path allocates
	p.classes[c].Put(&kept)
}
