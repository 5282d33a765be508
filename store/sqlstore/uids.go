package sqlstore

import (
	"encoding/binary"
	"fmt"

	"github.com/mailstead/mailstead/store"
)

// appendUIDs encodes a set as pairs of varints: the gap before a range, and
// its length less one.
func appendUIDs(dst []byte, s store.UIDSet) []byte {
	var last store.UID
	for _, r := range s {
		dst = binary.AppendUvarint(dst, uint64(r.First-last))
		dst = binary.AppendUvarint(dst, uint64(r.Last-r.First))
		last = r.Last
	}
	return dst
}

// consumeUIDs decodes a whole slice made by appendUIDs.
func consumeUIDs(b []byte) (store.UIDSet, error) {
	var out store.UIDSet
	var last uint64
	for len(b) > 0 {
		gap, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, errUIDs
		}
		length, m := binary.Uvarint(b[n:])
		if m <= 0 {
			return nil, errUIDs
		}
		b = b[n+m:]
		first := last + gap
		last = first + length
		if gap == 0 || gap >= 1<<32 || length >= 1<<32 || last >= 1<<32 {
			return nil, errUIDs
		}
		out = append(out, store.UIDRange{First: store.UID(first), Last: store.UID(last)})
	}
	return out, nil
}

var errUIDs = fmt.Errorf("%w: malformed UID set", store.ErrCorrupt)

// nextIn is the smallest UID of s that is at least u; ok is false when there
// is none. i is where the search starts, and is moved on: callers ask with
// ascending u.
func nextIn(s store.UIDSet, i *int, u store.UID) (store.UID, bool) {
	for *i < len(s) && s[*i].Last < u {
		*i++
	}
	if *i == len(s) {
		return 0, false
	}
	return max(u, s[*i].First), true
}

// split cuts a sorted list of UIDs into ranges of neighbours in the list whose
// gap is at most slack, for range queries.
func split(uids []store.UID, slack store.UID) []store.UIDRange {
	var out []store.UIDRange
	for _, u := range uids {
		if n := len(out); n > 0 && u-out[n-1].Last <= slack {
			out[n-1].Last = u
			continue
		}
		out = append(out, store.UIDRange{First: u, Last: u})
	}
	return out
}
