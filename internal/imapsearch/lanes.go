package imapsearch

import (
	"math/bits"
	"sort"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/view"
)

// lanes is the value of one node for 64 messages at once: a bit in neither word
// is unknown.
type lanes struct{ proved, refuted uint64 }

func lanesOf(proved, all uint64) lanes { return lanes{proved & all, all &^ proved} }

// batch judges up to 64 rows of the view at a time, one node after the other.
type batch struct {
	s      *searcher
	rows   [64]*view.Row
	n      int
	values []lanes

	found, doubt store.UIDSet
}

// byRows judges messages by the view and by what the index has said; doubt are
// those that this does not suffice for.
func (s *searcher) byRows(uids store.UIDSet) (found, doubt store.UIDSet) {
	b := &batch{s: s, values: make([]lanes, len(s.program))}
	for _, r := range uids {
		for row := range s.in.Table.Rows(r.First, r.Last) {
			b.rows[b.n] = row
			if b.n++; b.n == len(b.rows) {
				b.judge()
			}
		}
	}
	b.judge()
	return b.found, b.doubt
}

// judge evaluates the program for the rows collected.
func (b *batch) judge() {
	if b.n == 0 {
		return
	}
	all := ^uint64(0) >> (64 - b.n)
	v := b.values
	for i := range b.s.program {
		n := &b.s.program[i]
		switch n.Op {
		case OpAll:
			v[i] = lanes{proved: all}
		case OpNot:
			v[i] = lanes{v[n.Left].refuted, v[n.Left].proved}
		case OpAnd:
			v[i] = lanes{v[n.Left].proved & v[n.Right].proved, v[n.Left].refuted | v[n.Right].refuted}
		case OpOr:
			v[i] = lanes{v[n.Left].proved | v[n.Right].proved, v[n.Left].refuted & v[n.Right].refuted}
		default:
			v[i] = b.leaf(i, n, all)
		}
	}
	whole := v[len(v)-1]
	b.take(&b.found, whole.proved)
	b.take(&b.doubt, all&^(whole.proved|whole.refuted))
	b.n = 0
}

// take puts the rows of the bits into the set.
func (b *batch) take(set *store.UIDSet, rows uint64) {
	for ; rows != 0; rows &= rows - 1 {
		set.Add(b.rows[bits.TrailingZeros64(rows)].UID)
	}
}

// leaf judges a node that is no operator.
func (b *batch) leaf(i int, n *Node, all uint64) lanes {
	var hit uint64
	rows := b.rows[:b.n]
	switch n.Op {
	case OpFlag:
		for k, r := range rows {
			if r.Flags()&n.Flag != 0 {
				hit |= 1 << k
			}
		}
	case OpLarger, OpSmaller:
		for k, r := range rows {
			if n.Op == OpLarger && r.Size > n.Num || n.Op == OpSmaller && r.Size < n.Num {
				hit |= 1 << k
			}
		}
	case OpModSeq:
		for k, r := range rows {
			if int64(r.ModSeq) >= n.Num {
				hit |= 1 << k
			}
		}
	case OpKeyword:
		hit = b.keywords(b.s.keywords[i])
	case OpUIDs, OpUIDSet, OpRecent:
		hit = b.within(b.s.sets[i])
	default:
		return b.byIndex(n, all)
	}
	return lanesOf(hit, all)
}

// keywords finds the rows whose set of keywords is one of sets.
func (b *batch) keywords(sets keywordSets) (hit uint64) {
	for k, r := range b.rows[:b.n] {
		if sets.has(r.KeywordSet()) {
			hit |= 1 << k
		}
	}
	return hit
}

// within finds the rows of a set. Both ascend, so it is walked once from where
// the rows begin.
func (b *batch) within(set store.UIDSet) (hit uint64) {
	first := b.rows[0].UID
	set = set[sort.Search(len(set), func(i int) bool { return set[i].Last >= first }):]
	for k, r := range b.rows[:b.n] {
		for len(set) > 0 && set[0].Last < r.UID {
			set = set[1:]
		}
		if len(set) == 0 {
			break
		}
		if set[0].First <= r.UID {
			hit |= 1 << k
		}
	}
	return hit
}

// byIndex is what the index or the view said about a leaf.
func (b *batch) byIndex(n *Node, all uint64) lanes {
	hits, asked := b.s.hits[n]
	if !asked {
		return lanes{}
	}
	known := all &^ b.within(hits.Unknown)
	v := lanesOf(b.within(hits.Match), known)
	if n.Op == OpHeader {
		v.proved = 0
	}
	return v
}
