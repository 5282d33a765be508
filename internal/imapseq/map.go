package imapseq

import (
	"slices"
	"sort"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/store"
)

// Map is the messages that a client was told of, in order: sequence number n is
// the n-th UID of the set. The zero value is an empty mailbox. It is not safe
// for concurrent use.
type Map struct {
	uids   store.UIDSet
	before []uint32 // before[i]: messages in uids[:i]
	n      uint32   // messages
}

// Len is the number of messages, the EXISTS of the client.
func (m *Map) Len() uint32 { return m.n }

// Seq returns the sequence number of a message; 0 = unknown to the client.
func (m *Map) Seq(uid store.UID) uint32 {
	i := sort.Search(len(m.uids), func(i int) bool { return m.uids[i].Last >= uid })
	if i == len(m.uids) || m.uids[i].First > uid {
		return 0
	}
	return m.before[i] + uint32(uid-m.uids[i].First) + 1
}

// UIDs returns the messages in order. The set is shared: it must not be changed,
// and is valid until the next Add or Remove.
func (m *Map) UIDs() store.UIDSet { return m.uids }

// UID returns the message with that sequence number, 1..Len.
func (m *Map) UID(seq uint32) store.UID {
	i := m.run(seq)
	return m.uids[i].First + store.UID(seq-1-m.before[i])
}

// run finds the range that holds a sequence number.
func (m *Map) run(seq uint32) int {
	return sort.Search(len(m.before), func(i int) bool { return m.before[i] >= seq }) - 1
}

// Add puts messages behind all others.
func (m *Map) Add(set store.UIDSet) {
	for _, r := range set {
		if i := len(m.uids) - 1; i >= 0 && m.uids[i].Last+1 == r.First {
			m.uids[i].Last = r.Last
		} else {
			m.uids = append(m.uids, r)
			m.before = append(m.before, m.n)
		}
		m.n += uint32(r.Last-r.First) + 1
	}
}

// Remove takes messages out. A few are taken out in place: that moves what lies
// behind them, and allocates nothing.
func (m *Map) Remove(set store.UIDSet) {
	if len(set) <= few {
		for _, r := range set {
			m.cut(r)
		}
		return
	}
	uids := m.uids.Minus(set)
	*m = Map{before: make([]uint32, 0, len(uids)), uids: uids}
	for _, r := range uids {
		m.before = append(m.before, m.n)
		m.n += uint32(r.Last-r.First) + 1
	}
}

// few is how many ranges are removed one by one.
const few = 8

// cut takes a range of UIDs out in place.
func (m *Map) cut(r store.UIDRange) {
	i := sort.Search(len(m.uids), func(i int) bool { return m.uids[i].Last >= r.First })
	j := i
	for j < len(m.uids) && m.uids[j].First <= r.Last {
		j++
	}
	if i == j {
		return
	}
	var left [2]store.UIDRange // of the ranges i..j
	n := 0
	if first := m.uids[i].First; first < r.First {
		left[n] = store.UIDRange{First: first, Last: r.First - 1}
		n++
	}
	if last := m.uids[j-1].Last; last > r.Last {
		left[n] = store.UIDRange{First: r.Last + 1, Last: last}
		n++
	}
	start, end := m.before[i], m.n
	if j < len(m.before) {
		end = m.before[j]
	}
	m.uids = slices.Replace(m.uids, i, j, left[:n]...)
	m.before = slices.Replace(m.before, i, j, make([]uint32, n)...)
	for k, r := range left[:n] {
		m.before[i+k] = start
		start += uint32(r.Last-r.First) + 1
	}
	gone := end - start
	for k := i + n; k < len(m.before); k++ {
		m.before[k] -= gone
	}
	m.n -= gone
}

// Resolve turns sequence numbers into UIDs. ok is false when one of them is
// greater than the number of messages (RFC 3501 §9, seq-number). An empty
// mailbox gives nothing for 1:*, which many clients send without a look at
// EXISTS.
func (m *Map) Resolve(set imap.NumSet) (uids store.UIDSet, ok bool) {
	if m.n == 0 && len(set) == 1 && set[0] == (imap.NumRange{Start: 1}) {
		return nil, true
	}
	if greatest, star := set.Max(); greatest > m.n || star && m.n == 0 {
		return nil, false
	}
	for _, r := range set.Resolve(m.n) {
		m.appendRange(&uids, uint32(r.First), uint32(r.Last))
	}
	return uids, true
}

// appendRange adds the UIDs of the messages first..last.
func (m *Map) appendRange(set *store.UIDSet, first, last uint32) {
	for i := m.run(first); i < len(m.uids) && m.before[i] < last; i++ {
		r := m.uids[i]
		if m.before[i]+1 < first {
			r.First += store.UID(first - m.before[i] - 1)
		}
		if n := uint32(m.uids[i].Last-m.uids[i].First) + 1; m.before[i]+n > last {
			r.Last -= store.UID(m.before[i] + n - last)
		}
		set.AddRange(r.First, r.Last)
	}
}

// Seqs turns UIDs into sequence numbers; those unknown to the client are left
// out. The numbers come as a set, which is a plain set of numbers here.
func (m *Map) Seqs(set store.UIDSet) store.UIDSet {
	var out store.UIDSet
	for _, r := range set.Intersect(m.uids) {
		first := m.Seq(r.First)
		out.AddRange(store.UID(first), store.UID(first+uint32(r.Last-r.First)))
	}
	return out
}

// Existing is Resolve where numbers that no message has match nothing, as in
// SEARCH (RFC 3501 §6.4.4).
func (m *Map) Existing(set imap.NumSet) store.UIDSet {
	var uids store.UIDSet
	for _, r := range set.Resolve(m.n) {
		if uint32(r.First) <= m.n {
			m.appendRange(&uids, uint32(r.First), min(uint32(r.Last), m.n))
		}
	}
	return uids
}

// Batch is the n-th run of size messages, counted from the newest, as the range
// of their UIDs (RFC 10022 §3.1). The oldest batch holds what is left and ends at
// UID 1. ok is false where there is no such batch. size and n are 1 at least.
func (m *Map) Batch(size, n uint32) (r store.UIDRange, ok bool) {
	after := uint64(size) * uint64(n-1) // messages newer than the batch
	if after >= uint64(m.n) {
		return r, false
	}
	last := m.n - uint32(after)
	r = store.UIDRange{First: 1, Last: m.UID(last)}
	if last > size {
		r.First = m.UID(last - size + 1)
	}
	return r, true
}

// Agreed is the greatest UID up to which a client's sample agrees with the Map
// (RFC 7162 §3.2.5.2): its n-th number is that of its n-th UID. Both sets ascend
// and have equally many elements. 0 = none agrees. It takes time with the ranges
// of the sample, not with its elements: below a pair that agrees the client
// counts as many messages as there are, so all pairs below agree too.
func (m *Map) Agreed(seqs, uids imap.NumSet) store.UID {
	a, b := cursor{set: seqs}, cursor{set: uids}
	var last store.UID
	for a.next() && b.next() {
		n := min(a.left, b.left)
		k := uint32(sort.Search(int(n), func(k int) bool { return m.Seq(store.UID(b.at+uint32(k))) != a.at+uint32(k) }))
		if k > 0 {
			last = store.UID(b.at + k - 1)
		}
		if k < n {
			break
		}
		a.take(n)
		b.take(n)
	}
	return last
}

// cursor goes through an ascending set range by range.
type cursor struct {
	set  imap.NumSet
	at   uint32 // the next element
	left uint32 // elements of its range, this one included
}

// next makes sure that there is an element; false at the end.
func (c *cursor) next() bool {
	if c.left > 0 {
		return true
	}
	if len(c.set) == 0 {
		return false
	}
	c.at, c.left, c.set = c.set[0].Start, c.set[0].Stop-c.set[0].Start+1, c.set[1:]
	return true
}

// take goes n elements on, within the range.
func (c *cursor) take(n uint32) { c.at, c.left = c.at+n, c.left-n }

// LastUID is the UID that "*" means in a set of UIDs (RFC 3501 §9, seq-number);
// 0 in an empty mailbox.
func (m *Map) LastUID() store.UID { return m.uids.Max() }
