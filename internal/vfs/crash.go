package vfs

import (
	"bytes"
	"maps"
	"math/rand/v2"
)

// Crash returns the file system as the next process finds it after a power
// cut at this instant. m itself stays as it is.
//
// With a nil rng nothing survives but what is durable. With one, every file
// and every directory keeps some of its unsynced steps as well: the first few
// with the next one torn, or an arbitrary selection, as a disk that reorders
// its writes does, or of each write an arbitrary selection of its sectors.
func (m *Mem) Crash(rng *rand.Rand) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := NewMem()
	next.free = m.free
	next.root = survivor(m.root, rng, map[*node]*node{})
	return next
}

// AfterKill returns m as the next process finds it when this one was killed
// and the machine goes on: everything visible is there, locks are free.
func (m *Mem) AfterKill() *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &Mem{root: m.root, locks: map[string]bool{}, free: m.free}
}

// survivor copies what a crash leaves of n. made keeps hard links together.
func survivor(n *node, rng *rand.Rand, made map[*node]*node) *node {
	if s := made[n]; s != nil {
		return s
	}
	if !n.dir {
		s := &node{name: n.name, mtime: n.mtime, durable: survivingData(n, rng)}
		s.data = bytes.Clone(s.durable)
		made[n] = s
		return s
	}
	s := newDir(n.name)
	made[n] = s
	for name, child := range survivingEntries(n, rng) {
		s.entries[name] = survivor(child, rng, made)
	}
	s.durableEntries = maps.Clone(s.entries)
	return s
}

func survivingData(n *node, rng *rand.Rand) []byte {
	b := bytes.Clone(n.durable)
	if rng == nil || len(n.pending) == 0 {
		return b
	}
	switch rng.IntN(3) {
	case 0: // reordered
		for _, op := range n.pending {
			if rng.IntN(2) == 0 {
				b = replay(b, op)
			}
		}
		return b
	case 1: // torn into sectors
		for _, op := range n.pending {
			b = replaySectors(b, op, rng)
		}
		return b
	}
	k := rng.IntN(len(n.pending) + 1)
	for _, op := range n.pending[:k] {
		b = replay(b, op)
	}
	if k < len(n.pending) && len(n.pending[k].data) > 0 { // torn
		op := n.pending[k]
		op.data = op.data[:rng.IntN(len(op.data)+1)]
		b = replay(b, op)
	}
	return b
}

// sector is the unit in octets that a disk writes whole or not at all.
const sector = 512

// replaySectors applies about half of the sectors of a write. A truncation is
// a step of the file system, which happens or not.
func replaySectors(b []byte, op fileOp, rng *rand.Rand) []byte {
	if op.data == nil {
		if rng.IntN(2) == 0 {
			b = replay(b, op)
		}
		return b
	}
	for len(op.data) > 0 {
		n := min(int64(len(op.data)), sector-op.off%sector)
		if rng.IntN(2) == 0 {
			b = replay(b, fileOp{off: op.off, data: op.data[:n]})
		}
		op = fileOp{off: op.off + n, data: op.data[n:]}
	}
	return b
}

// survivingEntries keeps a prefix of the unsynced steps, as the journals of
// the common file systems do, or any selection, which is all that D2 promises.
func survivingEntries(n *node, rng *rand.Rand) map[string]*node {
	entries := maps.Clone(n.durableEntries)
	if rng == nil {
		return entries
	}
	ordered, k := rng.IntN(2) == 0, rng.IntN(len(n.dirOps)+1)
	for i, op := range n.dirOps {
		if ordered && i >= k || !ordered && rng.IntN(2) == 0 {
			continue
		}
		for _, e := range op {
			if e.node == nil {
				delete(entries, e.name)
			} else {
				entries[e.name] = e.node
			}
		}
	}
	return entries
}
