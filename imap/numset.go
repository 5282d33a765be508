package imap

import (
	"cmp"
	"slices"

	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store"
)

// NumRange is one element of a NumSet. Start and Stop stand in the order in
// which they were written; 0 is "*".
type NumRange = imapwire.Range

// NumSet is a sequence-set (RFC 3501 §9): sequence numbers or UIDs as they were
// written, not sorted, never expanded.
type NumSet []NumRange

// ParseNumSet reads a sequence-set that is all of s.
func ParseNumSet(s string) (NumSet, error) {
	set, n, err := imapwire.ConsumeSeqSet(append([]byte(s), '\r'))
	if err == nil && n != len(s) {
		err = &imapwire.SyntaxError{Pos: int64(n), Reason: "end of set expected"}
	}
	return NumSet(set), err
}

// String is the set as it was written.
func (s NumSet) String() string { return string(imapwire.AppendSeqSet(nil, imapwire.SeqSet(s))) }

// Max is the greatest number written in the set, and whether "*" is.
func (s NumSet) Max() (n uint32, star bool) {
	for _, r := range s {
		n = max(n, r.Start, r.Stop)
		star = star || r.Start == 0 || r.Stop == 0
	}
	return n, star
}

// Resolve sorts the set with "*" standing for last. A range such as 9:* covers
// last even when last is smaller than 9. With last = 0 "*" stands for nothing,
// and a range with it is left out.
func (s NumSet) Resolve(last uint32) store.UIDSet {
	out := make(store.UIDSet, 0, len(s))
	for _, r := range s {
		a, b := r.Start, r.Stop
		if a == 0 {
			a = last
		}
		if b == 0 {
			b = last
		}
		if a == 0 || b == 0 {
			continue
		}
		out = append(out, store.UIDRange{First: store.UID(min(a, b)), Last: store.UID(max(a, b))})
	}
	slices.SortFunc(out, func(x, y store.UIDRange) int { return cmp.Compare(x.First, y.First) })
	var set store.UIDSet
	for _, r := range out {
		set.AddRange(r.First, r.Last)
	}
	return set
}
