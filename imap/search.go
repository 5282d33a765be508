package imap

import (
	"strconv"

	"github.com/mailstead/mailstead/store"
)

// SearchReturn is a set of result options of SEARCH and SORT.
type SearchReturn uint16

// The result options; zero means the SEARCH response of RFC 3501.
const (
	ReturnMin       SearchReturn = 1 << iota // RFC 4731 §3.1
	ReturnMax                                // RFC 4731 §3.1
	ReturnAll                                // RFC 4731 §3.1
	ReturnCount                              // RFC 4731 §3.1
	ReturnSave                               // RFC 5182 §2.1
	ReturnPartial                            // RFC 9394 §3.1, RFC 5267 §4.4
	ReturnContext                            // RFC 5267 §4.2: a hint, which is not needed here
	ReturnUpdate                             // RFC 5267 §4.3
	ReturnRelevancy                          // RFC 6203 §4
)

// PartialRange is a window of results (RFC 9394 §3.1): 1 is the first one, -1
// the last one. Both bounds have the same sign, in the order in which they were
// written. The zero value is no window.
type PartialRange struct{ Start, Stop int64 }

// Bounds returns which of n results are in the window: those with from <= index
// < to, counted from 0. from == to: none.
func (p PartialRange) Bounds(n int64) (from, to int64) {
	first, last := min(p.Start, p.Stop), max(p.Start, p.Stop)
	if first < 0 {
		first, last = n+1+first, n+1+last
	}
	first, last = max(first, 1), min(last, n)
	if first > last {
		return 0, 0
	}
	return first - 1, last
}

// Select returns what of the set is in the window.
func (p PartialRange) Select(set UIDSet) UIDSet {
	from, to := p.Bounds(set.Len())
	var out UIDSet
	at := int64(0) // UIDs before r
	for _, r := range set {
		n := int64(r.Last-r.First) + 1
		lo, hi := max(from-at, 0), min(to-at, n)
		if lo < hi {
			out.AddRange(r.First+store.UID(lo), r.First+store.UID(hi-1))
		}
		at += n
	}
	return out
}

// String is the window as it was written.
func (p PartialRange) String() string {
	return strconv.FormatInt(p.Start, 10) + ":" + strconv.FormatInt(p.Stop, 10)
}
