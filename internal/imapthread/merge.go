package imapthread

import (
	"cmp"
	"slices"
)

// merge is step 5 of REFERENCES: threads that have the same base subject become
// one. roots are in the order of their dates.
func (t *Threader) merge(roots, order []int32) {
	first := t.firstChildren(order)
	table := make(map[uint64]int32, len(roots))
	subject := func(r int32) uint64 {
		if !t.isMessage(r) {
			r = first[r]
		}
		return t.subjects[r]
	}
	for _, r := range roots { // (5.B)
		s := subject(r)
		if s == 0 {
			continue
		}
		old, ok := table[s]
		if !ok || t.isMessage(old) && (!t.isMessage(r) || t.replies[old] && !t.replies[r]) {
			table[s] = r
		}
	}
	joined := make(map[int32]int32) // dummies whose children went to another one
	for _, r := range roots {       // (5.C)
		s := subject(r)
		if s == 0 || table[s] == r {
			continue
		}
		switch to := table[s]; {
		case !t.isMessage(r): // then the other one is a dummy too
			joined[r] = to
		case !t.isMessage(to) || t.replies[r] && !t.replies[to]:
			t.parent[r] = to
		default:
			dummy := t.node()
			t.parent[r], t.parent[to] = dummy, dummy
			table[s] = dummy
		}
	}
	if len(joined) == 0 {
		return
	}
	for _, n := range order {
		if to, ok := joined[t.parent[n]]; ok {
			t.parent[n] = to
		}
	}
}

// firstChildren is the first child of each dummy by its number.
func (t *Threader) firstChildren(order []int32) []int32 {
	first := make([]int32, len(t.parent))
	for _, n := range order {
		if p := t.parent[n]; first[p] == 0 {
			first[p] = n
		}
	}
	return first
}

// newestLast puts the threads in the order of their newest messages.
func (t *Threader) newestLast(th *Threads, order []int32) {
	rank := make([]int, len(t.parent)) // of a root: the place of its newest message in order
	root := make([]int32, len(t.parent))
	var path []int32
	for i, n := range order {
		path = path[:0]
		x := n
		for root[x] == 0 && t.parent[x] != 0 {
			path = append(path, x)
			x = t.parent[x]
		}
		top := x
		if root[x] != 0 {
			top = root[x]
		}
		for _, x := range path {
			root[x] = top
		}
		rank[top] = i
	}
	slices.SortFunc(th.roots, func(x, y int32) int { return cmp.Compare(rank[x], rank[y]) })
}
