package imapserver

import (
	"sort"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/store"
)

// seqMap is the messages that a client was told of, in order: sequence number
// n is the n-th UID of the set. It grows with the gaps between UIDs, not with
// the messages.
type seqMap struct {
	uids   store.UIDSet
	before []uint32 // before[i]: messages in uids[:i]
	n      uint32   // messages
}

// len is the number of messages, the EXISTS of the client.
func (m *seqMap) len() uint32 { return m.n }

// seq returns the sequence number of a message; 0 = unknown to the client.
func (m *seqMap) seq(uid store.UID) uint32 {
	i := sort.Search(len(m.uids), func(i int) bool { return m.uids[i].Last >= uid })
	if i == len(m.uids) || m.uids[i].First > uid {
		return 0
	}
	return m.before[i] + uint32(uid-m.uids[i].First) + 1
}

// uid returns the message with that sequence number, 1..len.
func (m *seqMap) uid(seq uint32) store.UID {
	i := m.run(seq)
	return m.uids[i].First + store.UID(seq-1-m.before[i])
}

// run finds the range that holds a sequence number.
func (m *seqMap) run(seq uint32) int {
	return sort.Search(len(m.before), func(i int) bool { return m.before[i] >= seq }) - 1
}

// add puts messages behind all others.
func (m *seqMap) add(set store.UIDSet) {
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

// remove takes messages out.
func (m *seqMap) remove(set store.UIDSet) {
	uids := m.uids.Minus(set)
	*m = seqMap{before: make([]uint32, 0, len(uids)), uids: uids}
	for _, r := range uids {
		m.before = append(m.before, m.n)
		m.n += uint32(r.Last-r.First) + 1
	}
}

// resolve turns sequence numbers into UIDs. ok is false when one of them is
// greater than the number of messages (RFC 3501 §9, seq-number). An empty
// mailbox gives nothing for 1:*, which many clients send without a look at
// EXISTS.
func (m *seqMap) resolve(set imap.NumSet) (uids store.UIDSet, ok bool) {
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
func (m *seqMap) appendRange(set *store.UIDSet, first, last uint32) {
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

// seqs turns UIDs into sequence numbers; those unknown to the client are left
// out. The numbers come as a set, which is a plain set of numbers here.
func (m *seqMap) seqs(set store.UIDSet) store.UIDSet {
	var out store.UIDSet
	for _, r := range set.Intersect(m.uids) {
		first := m.seq(r.First)
		out.AddRange(store.UID(first), store.UID(first+uint32(r.Last-r.First)))
	}
	return out
}
