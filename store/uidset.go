package store

import (
	"iter"
	"slices"
	"sort"
	"strconv"
)

// UIDRange is the UIDs First..Last, both included; First <= Last, First >= 1.
type UIDRange struct{ First, Last UID }

// UIDSet is a set of UIDs as ascending, disjoint ranges with a gap between
// any two. The zero value is the empty set. It is a plain slice: a copy shares
// its ranges, so whoever keeps one clones it.
type UIDSet []UIDRange

// UIDs makes a set of single UIDs, in any order.
func UIDs(uids ...UID) UIDSet {
	var s UIDSet
	for _, u := range uids {
		s.Add(u)
	}
	return s
}

// AllUIDs is 1:*.
func AllUIDs() UIDSet { return UIDSet{{1, 1<<32 - 1}} }

// Add puts one UID into the set; cheapest in ascending order.
func (s *UIDSet) Add(u UID) { s.AddRange(u, u) }

// AddRange puts first..last into the set, in either order. Zero is left out.
func (s *UIDSet) AddRange(first, last UID) {
	if first > last {
		first, last = last, first
	}
	if first == 0 {
		first = 1
	}
	if last == 0 {
		return
	}
	set := *s
	n := len(set)
	switch {
	case n == 0 || (set[n-1].Last < first && first-set[n-1].Last > 1):
		*s = append(set, UIDRange{first, last})
		return
	case set[n-1].Last < first: // the next one
		set[n-1].Last = last
		return
	}
	// i: the first range that touches or lies behind first..last.
	i := sort.Search(len(set), func(i int) bool { return set[i].Last >= first-1 })
	j := i
	for j < len(set) && (last == 1<<32-1 || set[j].First <= last+1) {
		first, last = min(first, set[j].First), max(last, set[j].Last)
		j++
	}
	*s = slices.Replace(set, i, j, UIDRange{first, last})
}

// AddSet puts all of t into the set.
func (s *UIDSet) AddSet(t UIDSet) {
	for _, r := range t {
		s.AddRange(r.First, r.Last)
	}
}

// Contains reports whether u is in the set.
func (s UIDSet) Contains(u UID) bool {
	i := sort.Search(len(s), func(i int) bool { return s[i].Last >= u })
	return i < len(s) && s[i].First <= u
}

// Len is the number of UIDs; ranges are not expanded.
func (s UIDSet) Len() int64 {
	var n int64
	for _, r := range s {
		n += int64(r.Last) - int64(r.First) + 1
	}
	return n
}

// Min is the smallest UID, Max the greatest; zero for the empty set.
func (s UIDSet) Min() UID {
	if len(s) == 0 {
		return 0
	}
	return s[0].First
}

// Max is the greatest UID; zero for the empty set.
func (s UIDSet) Max() UID {
	if len(s) == 0 {
		return 0
	}
	return s[len(s)-1].Last
}

// All yields every UID in ascending order. Only for sets known to be bounded
// by what is in a mailbox.
func (s UIDSet) All() iter.Seq[UID] {
	return func(yield func(UID) bool) {
		for _, r := range s {
			for u := r.First; ; u++ {
				if !yield(u) {
					return
				}
				if u == r.Last {
					break
				}
			}
		}
	}
}

// Intersect is what is in both.
func (s UIDSet) Intersect(t UIDSet) UIDSet {
	var out UIDSet
	for i, j := 0, 0; i < len(s) && j < len(t); {
		switch {
		case s[i].Last < t[j].First:
			i = s.skip(i, t[j].First)
			continue
		case t[j].Last < s[i].First:
			j = t.skip(j, s[i].First)
			continue
		}
		out = append(out, UIDRange{max(s[i].First, t[j].First), min(s[i].Last, t[j].Last)})
		if s[i].Last < t[j].Last {
			i++
		} else {
			j++
		}
	}
	return out
}

// skip is the index of the first range behind i whose last UID is u or greater:
// it takes steps in the logarithm of the distance, so that a small set and a
// large one meet in little time.
func (s UIDSet) skip(i int, u UID) int {
	step := 1
	for i+step < len(s) && s[i+step].Last < u {
		i += step
		step *= 2
	}
	end := min(i+step, len(s))
	return i + 1 + sort.Search(end-i-1, func(k int) bool { return s[i+1+k].Last >= u })
}

// Minus is what is in s and not in t.
func (s UIDSet) Minus(t UIDSet) UIDSet {
	var out UIDSet
	j := 0
	for _, r := range s {
		first := r.First
		for ; j < len(t) && t[j].Last < first; j++ {
		}
		done := false
		for k := j; k < len(t) && t[k].First <= r.Last; k++ {
			if t[k].First > first {
				out = append(out, UIDRange{first, t[k].First - 1})
			}
			if t[k].Last >= r.Last {
				done = true
				break
			}
			first = t[k].Last + 1
		}
		if !done && first <= r.Last {
			out = append(out, UIDRange{first, r.Last})
		}
	}
	return out
}

// Clone returns a set that shares nothing with s.
func (s UIDSet) Clone() UIDSet { return slices.Clone(s) }

// Append writes the set in IMAP's form ("1:3,7") behind dst.
func (s UIDSet) Append(dst []byte) []byte {
	for i, r := range s {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendUint(dst, uint64(r.First), 10)
		if r.Last != r.First {
			dst = append(dst, ':')
			dst = strconv.AppendUint(dst, uint64(r.Last), 10)
		}
	}
	return dst
}

// String is the set in IMAP's form; "" for the empty set.
func (s UIDSet) String() string { return string(s.Append(nil)) }
