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
	rowBytes    = 24      // octets of a Row
	maxGone     = 64      // expunges remembered, see Table.gone
	maxKeywords = 1 << 24 // keyword sets of a Table
)

// A chunk is a run of rows. It never changes once a Table that holds it was
// published, but that its array may be appended to beyond len(rows).
type chunk struct {
	rows []Row
	max  store.ModSeq // greatest ModSeq in rows

	// any are the flags that some row has, all those that every row has.
	any, all store.Flags
}

// summarize computes any and all.
func (c *chunk) summarize() {
	c.any, c.all = 0, store.AllFlags
	for i := range c.rows {
		c.any |= c.rows[i].Flags()
		c.all &= c.rows[i].Flags()
	}
}

func (c *chunk) last() store.UID { return c.rows[len(c.rows)-1].UID }

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
	chunks   []*chunk
	sets     [][]string // keyword sets; sets[0] is nil
	keywords []string   // every keyword of sets, in order of appearance

	// gone are the latest steps in which messages vanished, oldest first;
	// nothing vanished after goneSince that is not in it.
	gone      []gone
	goneSince store.ModSeq
}

// Len is the number of messages.
func (t *Table) Len() int { return t.n }

// ModSeq is the mod-sequence up to which all changes are in the Table.
func (t *Table) ModSeq() store.ModSeq { return t.modseq }

// MaxUID is the greatest UID; 0 for an empty mailbox.
func (t *Table) MaxUID() store.UID {
	if len(t.chunks) == 0 {
		return 0
	}
	return t.chunks[len(t.chunks)-1].last()
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

// find returns the first chunk whose last UID is at least uid.
func (t *Table) find(uid store.UID) int {
	return sort.Search(len(t.chunks), func(i int) bool { return t.chunks[i].last() >= uid })
}

// Row returns the row of a message; nil when it is not there.
func (t *Table) Row(uid store.UID) *Row {
	i := t.find(uid)
	if i == len(t.chunks) {
		return nil
	}
	rows := t.chunks[i].rows
	j, ok := findRow(rows, uid)
	if !ok {
		return nil
	}
	return &rows[j]
}

func findRow(rows []Row, uid store.UID) (int, bool) {
	return slices.BinarySearchFunc(rows, uid, func(r Row, u store.UID) int { return int(int64(r.UID) - int64(u)) })
}

// Rows yields the rows with first <= UID <= last in ascending order. The
// caller does not change them.
func (t *Table) Rows(first, last store.UID) iter.Seq[*Row] {
	return t.rows(first, last, func(*chunk) bool { return true })
}

// With yields those of Rows that have the flag.
func (t *Table) With(flag store.Flags, first, last store.UID) iter.Seq[*Row] {
	rows := t.rows(first, last, func(c *chunk) bool { return c.any&flag != 0 })
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
	rows := t.rows(first, last, func(c *chunk) bool { return c.all&flag == 0 })
	return func(yield func(*Row) bool) {
		for r := range rows {
			if r.Flags()&flag == 0 && !yield(r) {
				return
			}
		}
	}
}

// rows yields the rows of a range, without the chunks that want refuses.
func (t *Table) rows(first, last store.UID, want func(*chunk) bool) iter.Seq[*Row] {
	return func(yield func(*Row) bool) {
		for i := t.find(first); i < len(t.chunks); i++ {
			rows := t.chunks[i].rows
			if rows[0].UID > last {
				return
			}
			if !want(t.chunks[i]) {
				continue
			}
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
		for _, c := range t.chunks {
			if c.max <= since {
				continue
			}
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
	for i := t.find(first); i < len(t.chunks); i++ {
		rows := t.chunks[i].rows
		if rows[0].UID >= first && int(t.chunks[i].last()-rows[0].UID)+1 == len(rows) {
			set.AddRange(rows[0].UID, t.chunks[i].last())
			continue
		}
		for j := range rows {
			if rows[j].UID >= first {
				set.Add(rows[j].UID)
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
	if since < t.goneSince {
		return known.Minus(t.UIDs())
	}
	var set store.UIDSet
	for _, g := range t.gone {
		if g.at > since {
			set.AddSet(g.uids)
		}
	}
	return set.Intersect(known)
}

// bytes is what the Table costs to keep, about.
func (t *Table) bytes() int64 {
	n := int64(tableBytes) + int64(len(t.chunks))*(chunkBytes+8)
	for _, c := range t.chunks {
		n += int64(cap(c.rows)) * rowBytes
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
	chunkBytes = 48
)
