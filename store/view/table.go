package view

import (
	"iter"
	"slices"
	"sort"

	"github.com/mailstead/mailstead/store"
)

// Row is the state of one message.
type Row struct {
	ModSeq store.ModSeq // of the last change
	Size   int64        // RFC822.SIZE
	UID    store.UID
	state  uint32 // keyword set << 8 | system flags
}

// Flags are the system flags.
func (r *Row) Flags() store.Flags { return store.Flags(r.state) }

// KeywordSet numbers the row's set of keywords in its Table: 0 is the empty
// set, and rows with equal keywords have equal numbers. See Table.Keywords.
func (r *Row) KeywordSet() int { return int(r.state >> 8) }

// State is flags and keyword set in one number, equal for two rows of one
// Table exactly when all their flags are.
func (r *Row) State() uint32 { return r.state }

const (
	chunkRows   = 512     // rows of a full chunk
	pageChunks  = 64      // chunks of a full page
	rowBytes    = 24      // octets of a Row
	maxGone     = 64      // expunges remembered, see Table.gone
	maxKeywords = 1 << 24 // keyword sets of a Table
)

// A summary is what is known of a run of rows without looking at them.
type summary struct {
	max store.ModSeq // greatest ModSeq

	// any are the flags that some row has, all those that every row has.
	any, all store.Flags

	octets int64 // of the messages
}

// add takes another run in.
func (s *summary) add(o summary) {
	s.max, s.any, s.all = max(s.max, o.max), s.any|o.any, s.all&o.all
	s.octets += o.octets
}

// A chunk is a run of rows, never empty. It never changes once a Table that
// holds it was published, but that its array may be appended to beyond
// len(rows).
type chunk struct {
	summary
	rows []Row

	by     *edit // whose builder may change it
	shared bool  // an older Table has some of rows; they may be appended to
}

// summarize computes the summary.
func (c *chunk) summarize() {
	c.summary = summary{all: store.AllFlags}
	for i := range c.rows {
		r := &c.rows[i]
		c.add(summary{max: r.ModSeq, any: r.Flags(), all: r.Flags(), octets: r.Size})
	}
}

func (c *chunk) first() store.UID { return c.rows[0].UID }
func (c *chunk) last() store.UID  { return c.rows[len(c.rows)-1].UID }

// A page is a run of chunks, never empty, and never changes once it was
// published. It keeps a step of a large Table from copying, and a look for
// what changed from visiting, all chunks.
type page struct {
	summary
	n      int // rows
	bytes  int64
	chunks []*chunk

	by *edit
}

// summarize computes the summary.
func (p *page) summarize() {
	p.summary, p.n, p.bytes = summary{all: store.AllFlags}, 0, pageBytes
	for _, c := range p.chunks {
		p.add(c.summary)
		p.n += len(c.rows)
		p.bytes += chunkBytes + int64(cap(c.rows))*rowBytes
	}
}

func (p *page) last() store.UID { return p.chunks[len(p.chunks)-1].last() }

// gone is what vanished in one step of a Table.
type gone struct {
	at   store.ModSeq // the Table's ModSeq after that step
	uids store.UIDSet
}

// Table is the messages of one mailbox in ascending order of UID, as of one
// mod-sequence. It is immutable.
type Table struct {
	modseq   store.ModSeq
	n        int
	pages    []*page
	sets     [][]string // keyword sets; sets[0] is nil
	keywords []string   // every keyword of sets, in order of appearance

	// gone are the latest steps in which messages vanished, oldest first;
	// nothing vanished after goneSince that is not in it.
	gone      []gone
	goneSince store.ModSeq
}

// Len is the number of messages.
func (t *Table) Len() int { return t.n }

// Octets is the size of all messages together.
func (t *Table) Octets() int64 {
	var n int64
	for _, p := range t.pages {
		n += p.octets
	}
	return n
}

// At returns the row with n rows before it; nil where there are not as many.
// It looks at one number a chunk.
func (t *Table) At(n int) *Row {
	if n < 0 || n >= t.n {
		return nil
	}
	i := 0
	for ; n >= t.pages[i].n; i++ {
		n -= t.pages[i].n
	}
	j := 0
	for chunks := t.pages[i].chunks; n >= len(chunks[j].rows); j++ {
		n -= len(chunks[j].rows)
	}
	return &t.pages[i].chunks[j].rows[n]
}

// ModSeq is the mod-sequence up to which all changes are in the Table.
func (t *Table) ModSeq() store.ModSeq { return t.modseq }

// MaxUID is the greatest UID; 0 for an empty mailbox.
func (t *Table) MaxUID() store.UID {
	if len(t.pages) == 0 {
		return 0
	}
	return t.pages[len(t.pages)-1].last()
}

// Keywords are the keywords of a Row's KeywordSet, sorted. The caller does not
// change them.
func (t *Table) Keywords(set int) []string { return t.sets[set] }

// KeywordSets is one more than the greatest KeywordSet of any row.
func (t *Table) KeywordSets() int { return len(t.sets) }

// AllKeywords are the keywords that messages have or had, in order of their
// appearance: a later Table of the mailbox has these first, unless it was read
// anew. The caller does not change them.
func (t *Table) AllKeywords() []string { return t.keywords }

// find returns the place of the first chunk whose last UID is at least uid; i
// is len(pages) where there is none.
func find(pages []*page, uid store.UID) (i, j int) {
	i = sort.Search(len(pages), func(i int) bool { return pages[i].last() >= uid })
	if i < len(pages) {
		chunks := pages[i].chunks
		j = sort.Search(len(chunks), func(j int) bool { return chunks[j].last() >= uid })
	}
	return i, j
}

// Row returns the row of a message; nil when it is not there.
func (t *Table) Row(uid store.UID) *Row {
	i, j := find(t.pages, uid)
	if i == len(t.pages) {
		return nil
	}
	rows := t.pages[i].chunks[j].rows
	k, ok := findRow(rows, uid)
	if !ok {
		return nil
	}
	return &rows[k]
}

func findRow(rows []Row, uid store.UID) (int, bool) {
	return slices.BinarySearchFunc(rows, uid, func(r Row, u store.UID) int { return int(int64(r.UID) - int64(u)) })
}

// everything is a want of chunks.
func everything(*summary) bool { return true }

// chunks yields the chunks that have a UID of first or greater, without those
// that want refuses.
func (t *Table) chunks(first store.UID, want func(*summary) bool) iter.Seq[*chunk] {
	return func(yield func(*chunk) bool) {
		i, j := find(t.pages, first)
		for ; i < len(t.pages); i, j = i+1, 0 {
			if !want(&t.pages[i].summary) {
				continue
			}
			for _, c := range t.pages[i].chunks[j:] {
				if want(&c.summary) && !yield(c) {
					return
				}
			}
		}
	}
}

// Rows yields the rows with first <= UID <= last in ascending order. The
// caller does not change them.
func (t *Table) Rows(first, last store.UID) iter.Seq[*Row] { return t.rows(first, last, everything) }

// With yields those of Rows that have the flag.
func (t *Table) With(flag store.Flags, first, last store.UID) iter.Seq[*Row] {
	rows := t.rows(first, last, func(s *summary) bool { return s.any&flag != 0 })
	return func(yield func(*Row) bool) {
		for r := range rows {
			if r.Flags()&flag != 0 && !yield(r) {
				return
			}
		}
	}
}

// Without yields those of Rows that lack the flag.
func (t *Table) Without(flag store.Flags, first, last store.UID) iter.Seq[*Row] {
	rows := t.rows(first, last, func(s *summary) bool { return s.all&flag == 0 })
	return func(yield func(*Row) bool) {
		for r := range rows {
			if r.Flags()&flag == 0 && !yield(r) {
				return
			}
		}
	}
}

// rows yields the rows of a range, without the chunks that want refuses.
func (t *Table) rows(first, last store.UID, want func(*summary) bool) iter.Seq[*Row] {
	return func(yield func(*Row) bool) {
		for c := range t.chunks(first, want) {
			rows := c.rows
			j := 0
			if rows[0].UID < first {
				j, _ = findRow(rows, first)
			}
			for ; j < len(rows); j++ {
				if rows[j].UID > last || !yield(&rows[j]) {
					return
				}
			}
		}
	}
}

// Changed yields the rows whose ModSeq is greater than since, in ascending
// order of UID. It looks only at the parts of the Table that changed.
func (t *Table) Changed(since store.ModSeq) iter.Seq[*Row] {
	return func(yield func(*Row) bool) {
		for c := range t.chunks(0, func(s *summary) bool { return s.max > since }) {
			for j := range c.rows {
				if c.rows[j].ModSeq > since && !yield(&c.rows[j]) {
					return
				}
			}
		}
	}
}

// UIDs is the set of UIDs in the Table.
func (t *Table) UIDs() store.UIDSet { return t.UIDsFrom(1) }

// UIDsFrom is the set of UIDs in the Table that are first or greater.
func (t *Table) UIDsFrom(first store.UID) store.UIDSet {
	var set store.UIDSet
	for c := range t.chunks(first, everything) {
		if c.first() >= first && int(c.last()-c.first())+1 == len(c.rows) {
			set.AddRange(c.first(), c.last())
			continue
		}
		for j := range c.rows {
			if c.rows[j].UID >= first {
				set.Add(c.rows[j].UID)
			}
		}
	}
	return set
}

// Vanished is what is in known, a set taken from the Table that this mailbox
// had at mod-sequence since, and is not in t.
func (t *Table) Vanished(since store.ModSeq, known store.UIDSet) store.UIDSet {
	if since >= t.modseq {
		return nil
	}
	set, ok := t.Gone(since)
	if !ok {
		return known.Minus(t.UIDs())
	}
	return set.Intersect(known)
}

// Gone is what vanished after the mod-sequence since, and perhaps some of what
// vanished before. ok is false where the Table does not remember that far back.
func (t *Table) Gone(since store.ModSeq) (set store.UIDSet, ok bool) {
	if since < t.goneSince {
		return nil, false
	}
	for _, g := range t.gone {
		if g.at > since {
			set.AddSet(g.uids)
		}
	}
	return set, true
}

// bytes is what the Table costs to keep, about.
func (t *Table) bytes() int64 {
	n := int64(tableBytes)
	for _, p := range t.pages {
		n += p.bytes
	}
	for _, s := range t.sets {
		n += 24 + int64(len(s))*16
	}
	for _, g := range t.gone {
		n += 32 + int64(len(g.uids))*8
	}
	return n
}

const (
	tableBytes = 2048 // of a Table, its slot, and its share of the account
	pageBytes  = 104
	chunkBytes = 80
)
