package view

import (
	"slices"
	"strings"

	"github.com/mailstead/mailstead/store"
)

// A builder makes the next Table of a mailbox out of the last one, copying
// only the pages and chunks that change. Tables form one line of descent: at
// most one builder runs for a mailbox, and always on its latest Table.
type builder struct {
	t     Table
	edit  *edit
	index map[string]int // keyword set → number, made when first needed
	known map[string]bool
	gone  store.UIDSet
	at    *chunk // the last chunk that was changed, owned; nil = none
}

// edit stands for one builder: what bears its own may be changed by it. It is
// of a size, so that no two have one address.
type edit struct{ _ byte }

// newBuilder starts from t; nil = an empty mailbox that nothing is known of.
func newBuilder(t *Table) *builder {
	b := &builder{edit: new(edit)}
	if t == nil {
		b.t.sets = [][]string{nil}
		return b
	}
	b.t = *t
	b.t.pages = slices.Clone(t.pages)
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
	chunks := 0
	t.n = 0
	for _, p := range t.pages {
		b.close(p)
		t.n += p.n
		chunks += len(p.chunks)
	}
	if full := t.n / chunkRows; chunks > 8+2*full || len(t.pages) > 8+2*(full/pageChunks) {
		t.pages = repack(t.pages, t.n)
	}
	return &t
}

// close ends the changes to a page.
func (b *builder) close(p *page) {
	if p.by != b.edit {
		return
	}
	for _, c := range p.chunks {
		if c.by == b.edit {
			c.summarize()
		}
	}
	p.summarize()
}

// repack fills chunks and pages that many expunges left nearly empty.
func repack(old []*page, n int) []*page {
	b := newBuilder(nil)
	for _, p := range old {
		for _, c := range p.chunks {
			for _, r := range c.rows {
				b.add(r, min(n, chunkRows))
				n--
			}
		}
	}
	for _, p := range b.t.pages {
		b.close(p)
	}
	return b.t.pages
}

// message takes in one message or tombstone of the store.
func (b *builder) message(m *store.Message) {
	if m.Gone {
		b.gone.Add(m.UID)
		b.remove(m.UID)
		return
	}
	r := Row{ModSeq: m.ModSeq, Size: m.Size, UID: m.UID, state: b.set(m.Keywords)<<8 | uint32(m.Flags)}
	if b.t.MaxUID() < m.UID {
		b.add(r, chunkRows)
		return
	}
	if c := b.at; c != nil && c.first() <= r.UID && r.UID <= c.last() {
		if k, ok := findRow(c.rows, r.UID); ok {
			c.rows[k] = r
			return
		}
	}
	b.put(r)
}

// put changes a row, or puts one between others.
func (b *builder) put(r Row) {
	i, j := find(b.t.pages, r.UID)
	c := b.own(i, j)
	k, ok := findRow(c.rows, r.UID)
	if ok {
		c.rows[k] = r
		return
	}
	c.rows = slices.Insert(c.rows, k, r)
	if len(c.rows) >= 2*chunkRows {
		b.split(i, j)
	}
}

// add puts a row behind all others. The array of the last chunk may be shared
// with older Tables: they end before the new row. room is the size of a new
// chunk behind others.
func (b *builder) add(r Row, room int) {
	i := len(b.t.pages) - 1
	if i < 0 {
		c := &chunk{rows: []Row{r}, by: b.edit}
		b.t.pages = []*page{{chunks: []*chunk{c}, by: b.edit}}
		return
	}
	p := b.ownPage(i)
	j := len(p.chunks) - 1
	c := p.chunks[j]
	if len(c.rows) < chunkRows {
		if c.by != b.edit {
			c = &chunk{rows: c.rows, by: b.edit, shared: true}
			p.chunks[j] = c
		}
		c.rows = append(c.rows, r)
		return
	}
	c = &chunk{rows: append(make([]Row, 0, max(room, 1)), r), by: b.edit}
	if len(p.chunks) < pageChunks {
		p.chunks = append(p.chunks, c)
		return
	}
	b.t.pages = append(b.t.pages, &page{chunks: []*chunk{c}, by: b.edit})
}

// ownPage returns a page whose list of chunks may be changed.
func (b *builder) ownPage(i int) *page {
	p := b.t.pages[i]
	if p.by != b.edit {
		p = &page{chunks: slices.Clone(p.chunks), by: b.edit}
		b.t.pages[i] = p
	}
	return p
}

// own returns a chunk whose rows may be changed.
func (b *builder) own(i, j int) *chunk {
	p := b.ownPage(i)
	c := p.chunks[j]
	if c.by != b.edit || c.shared {
		c = &chunk{rows: slices.Clone(c.rows), by: b.edit}
		p.chunks[j] = c
	}
	b.at = c
	return c
}

// split halves a chunk that grew too large, and its page.
func (b *builder) split(i, j int) {
	p := b.t.pages[i]
	c := p.chunks[j]
	upper := &chunk{rows: slices.Clone(c.rows[chunkRows:]), by: b.edit}
	c.rows = slices.Clone(c.rows[:chunkRows])
	p.chunks = slices.Insert(p.chunks, j+1, upper)
	if len(p.chunks) < 2*pageChunks {
		return
	}
	half := &page{chunks: slices.Clone(p.chunks[pageChunks:]), by: b.edit}
	p.chunks = slices.Clone(p.chunks[:pageChunks])
	b.t.pages = slices.Insert(b.t.pages, i+1, half)
}

// remove takes a message out, and what it leaves empty.
func (b *builder) remove(uid store.UID) {
	i, j := find(b.t.pages, uid)
	if i == len(b.t.pages) {
		return
	}
	k, ok := findRow(b.t.pages[i].chunks[j].rows, uid)
	if !ok {
		return
	}
	c := b.own(i, j)
	c.rows = slices.Delete(c.rows, k, k+1)
	if len(c.rows) > 0 {
		return
	}
	b.at = nil
	p := b.t.pages[i]
	p.chunks = slices.Delete(p.chunks, j, j+1)
	if len(p.chunks) == 0 {
		b.t.pages = slices.Delete(b.t.pages, i, i+1)
	}
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
