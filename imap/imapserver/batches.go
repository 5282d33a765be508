package imapserver

import (
	"iter"

	"github.com/mailstead/mailstead/store"
)

// bulk is how many messages STORE, EXPUNGE and FETCH change at once. It is far
// below store.MaxChange, as deliveries to other accounts wait while an engine is
// at work on one Change.
const bulk = 1_000

// batches cuts a set into sets of at most n UIDs each, in order.
func batches(set store.UIDSet, n int64) iter.Seq[store.UIDSet] {
	return func(yield func(store.UIDSet) bool) {
		var part store.UIDSet
		room := n
		for _, r := range set {
			for {
				size := int64(r.Last-r.First) + 1
				if size <= room {
					part = append(part, r)
					room -= size
					break
				}
				if room > 0 {
					cut := r.First + store.UID(room) - 1
					part = append(part, store.UIDRange{First: r.First, Last: cut})
					r.First = cut + 1
				}
				if !yield(part) {
					return
				}
				part, room = nil, n
			}
		}
		if len(part) > 0 {
			yield(part)
		}
	}
}
