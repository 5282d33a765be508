package imapthread

import (
	"bytes"
	"cmp"
	"hash/maphash"
	"iter"
	"slices"
	"time"

	"github.com/mailstead/mailstead/internal/casemap"
	"github.com/mailstead/mailstead/store"
)

// Algorithm is how threads are made.
type Algorithm uint8

// The algorithms.
const (
	OrderedSubject Algorithm = iota // RFC 5256 §3
	References                      // RFC 5256 §3
	Refs                            // see the package comment
)

// Message is what threads are made of.
type Message struct {
	UID     store.UID
	Sent    time.Time // RFC 5256 §2.2
	Subject []byte    // base subject
	Reply   bool      // the subject is that of a reply or forward

	ID         []byte           // normalised message id; nil = none
	References iter.Seq[[]byte] // ids, the nearest ancestor last; nil = none
}

// Threader collects messages. They are added in the order of the mailbox.
type Threader struct {
	algorithm Algorithm
	seed      maphash.Seed
	key       []byte

	// Nodes are numbered from 1; those that are no message have UID 0: ids
	// that were only referred to, and dummies.
	uids     []store.UID
	sent     []int64
	subjects []uint64 // hash of the base subject; 0 = empty
	replies  []bool
	parent   []int32

	trees    forest
	byID     map[uint64]int32
	messages int
	unknown  int // nodes that no message has taken
}

// New returns a Threader.
func New(a Algorithm) *Threader {
	t := &Threader{algorithm: a, seed: maphash.MakeSeed(), byID: make(map[uint64]int32)}
	t.node() // 0 is none
	return t
}

// node adds a node that is no message.
func (t *Threader) node() int32 {
	t.uids, t.sent, t.parent = append(t.uids, 0), append(t.sent, 0), append(t.parent, 0)
	t.subjects, t.replies = append(t.subjects, 0), append(t.replies, false)
	t.trees.grow()
	return int32(len(t.uids) - 1)
}

// Add takes in a message: step 1 of REFERENCES. The slices are not kept.
func (t *Threader) Add(m Message) {
	t.messages++
	n := t.own(m.ID)
	t.uids[n], t.sent[n], t.replies[n] = m.UID, m.Sent.Unix(), m.Reply
	if m.Subject = bytes.TrimSpace(m.Subject); len(m.Subject) > 0 {
		t.key = casemap.AppendKey(t.key[:0], m.Subject)
		t.subjects[n] = t.hash(t.key)
	}
	if t.algorithm == OrderedSubject {
		return
	}
	last := int32(0)
	if m.References != nil {
		for id := range m.References {
			ref := t.referred(id)
			if ref == 0 {
				continue
			}
			if last != 0 && t.parent[ref] == 0 {
				t.link(ref, last) // (1.A)
			}
			last = ref
		}
	}
	if t.parent[n] != 0 { // (1.B)
		t.trees.cut(n)
		t.parent[n] = 0
	}
	if last != 0 {
		t.link(n, last)
	}
}

// hash is that of an id or subject. The seed is secret, so nobody can make two
// that have the same.
func (t *Threader) hash(b []byte) uint64 { return maphash.Bytes(t.seed, b) | 1 }

// own is the node of a new message: the one that its id has, unless another
// message has taken that.
func (t *Threader) own(id []byte) int32 {
	if len(id) == 0 || t.algorithm == OrderedSubject {
		return t.node()
	}
	h := t.hash(id)
	switch n, ok := t.byID[h]; {
	case !ok:
		n = t.node()
		t.byID[h] = n
		return n
	case t.uids[n] == 0:
		t.unknown--
		return n
	}
	return t.node()
}

// referred is the node of an id; 0 = it is unknown, and too many are (I4).
func (t *Threader) referred(id []byte) int32 {
	h := t.hash(id)
	n, ok := t.byID[h]
	if !ok && t.unknown < 8*t.messages+1000 {
		t.unknown++
		n = t.node()
		t.byID[h] = n
	}
	return n
}

// link makes p the parent of c, which has none, unless c is an ancestor of p.
func (t *Threader) link(c, p int32) {
	if t.trees.root(p) != c {
		t.trees.link(c, p)
		t.parent[c] = p
	}
}

// isMessage reports whether the node is one of the messages.
func (t *Threader) isMessage(n int32) bool { return t.uids[n] != 0 }

// byDate are the messages in the order of their dates (I3).
func (t *Threader) byDate() []int32 {
	order := make([]int32, 0, t.messages)
	for n := range t.uids {
		if t.isMessage(int32(n)) {
			order = append(order, int32(n))
		}
	}
	slices.SortFunc(order, func(x, y int32) int {
		return cmp.Or(cmp.Compare(t.sent[x], t.sent[y]), cmp.Compare(t.uids[x], t.uids[y]))
	})
	return order
}

// Threads returns the threads of the messages added. The Threader is used up.
func (t *Threader) Threads() *Threads {
	order := t.byDate()
	switch t.algorithm {
	case OrderedSubject:
		t.bySubject(order)
		return t.grow(order)
	case Refs:
		t.prune()
		th := t.grow(order)
		t.newestLast(th, order)
		return th
	}
	t.prune()
	t.merge(t.grow(order).roots, order)
	return t.grow(order)
}

// bySubject is ORDEREDSUBJECT: the first message of each subject is the parent
// of the others.
func (t *Threader) bySubject(order []int32) {
	first := make(map[uint64]int32)
	for _, n := range order {
		if p, ok := first[t.subjects[n]]; ok {
			t.parent[n] = p
		} else {
			first[t.subjects[n]] = n
		}
	}
}

// prune is step 3 of REFERENCES: the parent of a message is its nearest ancestor
// that is one, or else the dummy on top of its tree.
func (t *Threader) prune() {
	var path []int32
	done := make([]bool, len(t.parent))
	for n := range t.parent {
		x := int32(n)
		for path = path[:0]; !done[x] && t.parent[x] != 0; x = t.parent[x] {
			path = append(path, x)
		}
		for _, x := range slices.Backward(path) {
			done[x] = true
			if p := t.parent[x]; !t.isMessage(p) && t.parent[p] != 0 {
				t.parent[x] = t.parent[p]
			}
		}
	}
}
