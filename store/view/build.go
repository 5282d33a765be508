package view

import (
	"slices"
	"strings"

	"github.com/mailstead/mailstead/store"
)

// A builder makes the next Table of a mailbox out of the last one, copying
// only the chunks that change. Tables form one line of descent: at most one
// builder runs for a mailbox, and always on its latest Table.
type builder struct {
	t     Table
	fresh []ownership    // of t.chunks
	index map[string]int // keyword set → number, made when first needed
	known map[string]bool
	gone  store.UIDSet
	at    int // the chunk that the last message fell into
}

// ownership says how much of a chunk is this builder's.
type ownership uint8

const (
	shared  ownership = iota // nothing
	grown                    // the chunk, but its rows are those of an older Table, followed by new ones
	private                  // everything
)

// newBuilder starts from t; nil = an empty mailbox that nothing is known of.
func newBuilder(t *Table) *builder {
	b := &builder{}
	if t == nil {
		b.t.sets = [][]string{nil}
		return b
	}
	b.t = *t
	b.t.chunks = slices.Clone(t.chunks)
	b.fresh = make([]ownership, len(t.chunks))
	return b
}

// finish returns the Table as of modseq.
func (b *builder) finish(modseq store.ModSeq) *Table {
	t := b.t
	t.modseq = max(modseq, t.modseq)
	if len(b.gone) > 0 {
		t.gone = append(slices.Clip(t.gone), gone{t.modseq, b.gone})
		if drop := len(t.gone) - maxGone; drop > 0 {
			t.goneSince = t.gone[drop-1].at
			t.gone = slices.Clone(t.gone[drop:])
		}
	}
	for i, o := range b.fresh {
		if o != shared {
			t.chunks[i].summarize()
		}
	}
	t.chunks = slices.DeleteFunc(t.chunks, func(c *chunk) bool { return len(c.rows) == 0 })
	t.n = 0
	for _, c := range t.chunks {
		t.n += len(c.rows)
	}
	if len(t.chunks) > 8+2*(t.n/chunkRows) {
		t.chunks = repack(t.chunks, t.n)
	}
	return &t
}

// repack fills chunks that many expunges left nearly empty.
func repack(old []*chunk, n int) []*chunk {
	chunks := make([]*chunk, 0, n/chunkRows+1)
	var c *chunk
	for _, o := range old {
		for _, r := range o.rows {
			if c == nil || len(c.rows) == chunkRows {
				c = &chunk{rows: make([]Row, 0, min(n, chunkRows))}
				chunks = append(chunks, c)
			}
			n--
			c.rows = append(c.rows, r)
			c.max = max(c.max, r.ModSeq)
		}
	}
	for _, c := range chunks {
		c.summarize()
	}
	return chunks
}

// message takes in one message or tombstone of the store.
func (b *builder) message(m *store.Message) {
	if m.Gone {
		b.gone.Add(m.UID)
		b.remove(m.UID)
		return
	}
	r := Row{ModSeq: m.ModSeq, Size: m.Size, UID: m.UID, state: b.set(m.Keywords)<<8 | uint32(m.Flags)}
	if n := len(b.t.chunks); n == 0 || b.t.chunks[n-1].last() < m.UID {
		b.add(r)
		return
	}
	i := b.chunkOf(m.UID)
	c := b.own(i)
	c.max = max(c.max, r.ModSeq)
	j, ok := findRow(c.rows, r.UID)
	if ok {
		c.rows[j] = r
		return
	}
	c.rows = slices.Insert(c.rows, j, r)
	if len(c.rows) >= 2*chunkRows {
		b.split(i)
	}
}

// add puts a row behind all others. The array of the last chunk may be shared
// with older Tables: they end before the new row.
func (b *builder) add(r Row) {
	n := len(b.t.chunks)
	if n == 0 || len(b.t.chunks[n-1].rows) >= chunkRows {
		c := &chunk{max: r.ModSeq}
		if n > 0 {
			c.rows = make([]Row, 0, chunkRows)
		}
		c.rows = append(c.rows, r)
		b.t.chunks, b.fresh = append(b.t.chunks, c), append(b.fresh, private)
		return
	}
	c := b.t.chunks[n-1]
	if b.fresh[n-1] == shared {
		c = &chunk{rows: c.rows, max: c.max}
		b.t.chunks[n-1], b.fresh[n-1] = c, grown
	}
	c.rows = append(c.rows, r)
	c.max = max(c.max, r.ModSeq)
}

// chunkOf finds the chunk for a UID that is not behind all others; messages
// come in ascending order, so it is the last one or one soon behind it.
func (b *builder) chunkOf(uid store.UID) int {
	chunks := b.t.chunks
	if b.at >= len(chunks) || len(chunks[b.at].rows) == 0 || chunks[b.at].rows[0].UID > uid {
		b.at = 0
	}
	for len(chunks[b.at].rows) == 0 || chunks[b.at].last() < uid {
		b.at++
	}
	return b.at
}

// own returns a chunk whose rows may be changed.
func (b *builder) own(i int) *chunk {
	c := b.t.chunks[i]
	if b.fresh[i] != private {
		c = &chunk{rows: slices.Clone(c.rows), max: c.max}
		b.t.chunks[i], b.fresh[i] = c, private
	}
	return c
}

func (b *builder) split(i int) {
	rows := b.t.chunks[i].rows
	for part := range slices.Chunk(rows, chunkRows) {
		c := &chunk{rows: slices.Clone(part)}
		for j := range c.rows {
			c.max = max(c.max, c.rows[j].ModSeq)
		}
		if len(part) > 0 && &part[0] == &rows[0] {
			b.t.chunks[i] = c
			continue
		}
		i++
		b.t.chunks = slices.Insert(b.t.chunks, i, c)
		b.fresh = slices.Insert(b.fresh, i, private)
	}
}

// remove takes a message out. Its chunk may become empty until finish, unless
// it is the last one.
func (b *builder) remove(uid store.UID) {
	n := len(b.t.chunks)
	if n == 0 || b.t.chunks[n-1].last() < uid {
		return
	}
	i := b.chunkOf(uid)
	j, ok := findRow(b.t.chunks[i].rows, uid)
	if !ok {
		return
	}
	c := b.own(i)
	c.rows = slices.Delete(c.rows, j, j+1)
	for n > 0 && len(b.t.chunks[n-1].rows) == 0 {
		n--
	}
	b.t.chunks, b.fresh = b.t.chunks[:n], b.fresh[:n]
}

// set returns the number of a set of keywords.
func (b *builder) set(keywords []string) uint32 {
	if len(keywords) == 0 {
		return 0
	}
	if b.index == nil {
		b.index, b.known = make(map[string]int, len(b.t.sets)), make(map[string]bool)
		for i, s := range b.t.sets {
			b.index[strings.Join(s, " ")] = i
		}
		for _, k := range b.t.keywords {
			b.known[strings.ToLower(k)] = true
		}
	}
	key := strings.Join(keywords, " ")
	if i, ok := b.index[key]; ok {
		return uint32(i)
	}
	i := len(b.t.sets)
	if i >= maxKeywords {
		return 0
	}
	s := make([]string, len(keywords))
	for j, k := range keywords {
		s[j] = strings.Clone(k)
		if low := strings.ToLower(k); !b.known[low] {
			b.known[low] = true
			b.t.keywords = append(slices.Clip(b.t.keywords), s[j])
		}
	}
	b.t.sets = append(slices.Clip(b.t.sets), s)
	b.index[key] = i
	return uint32(i)
}
