package sqldb

import (
	"slices"
	"sync"
)

// item is a Work that waits.
type item struct {
	Work
	done chan error
	err  error // outcome so far
}

func (it *item) large() bool { return it.Cost > Large }

// line holds the Work that waits, one lane a key, and hands it out in turn.
type line struct {
	max   int
	alone bool // a batch holds Work of one key
	mu    sync.Mutex
	more  sync.Cond // signalled when Work came or the line was closed
	lanes map[string]*lane
	turn  []*lane // lanes with Work, the next one first
	large bool    // the last batch was a large Work
	done  bool
}

type lane struct {
	key   string
	items []*item
}

func (l *line) init(maxBatch int, alone bool) {
	l.max, l.alone = maxBatch, alone
	l.more.L = &l.mu
	l.lanes = make(map[string]*lane)
}

// put adds an item; false when the line is closed.
func (l *line) put(it *item) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done {
		return false
	}
	n := l.lanes[it.Key]
	if n == nil {
		n = &lane{key: it.Key}
		l.lanes[it.Key] = n
		l.turn = append(l.turn, n)
	}
	n.items = append(n.items, it)
	l.more.Signal()
	return true
}

// close refuses more items; false when it was closed before.
func (l *line) close() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := !l.done
	l.done = true
	l.more.Broadcast()
	return first
}

// take waits for Work and appends a batch to dst; nothing when the line is
// closed and empty. A large Work is a batch of its own, and what else waits is
// the batch behind it: who has little to do waits for one large Work at most.
func (l *line) take(dst []*item) []*item {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.turn) == 0 && !l.done {
		l.more.Wait()
	}
	if l.alone && len(l.turn) > 0 {
		return l.takeLane(dst)
	}
	i := slices.IndexFunc(l.turn, func(n *lane) bool { return n.items[0].large() })
	if i >= 0 && !l.large {
		l.large = true
		return append(dst, l.takeFrom(i))
	}
	l.large = false
	for i = 0; i < len(l.turn) && len(dst) < l.max; {
		if l.turn[i].items[0].large() {
			i++
		} else {
			dst = append(dst, l.takeFrom(i))
		}
	}
	if len(dst) == 0 && len(l.turn) > 0 {
		l.large = true
		dst = append(dst, l.takeFrom(0))
	}
	return dst
}

// takeFrom takes the next item of a lane, which goes behind the others.
func (l *line) takeFrom(i int) *item {
	n := l.turn[i]
	it := n.items[0]
	n.items[0] = nil
	n.items = n.items[1:]
	if i == 0 {
		l.turn = l.turn[1:]
	} else {
		l.turn = slices.Delete(l.turn, i, i+1)
	}
	if len(n.items) > 0 {
		l.turn = append(l.turn, n)
	} else {
		delete(l.lanes, n.key)
	}
	return it
}

// takeLane takes a batch of one lane, up to a second large item.
func (l *line) takeLane(dst []*item) []*item {
	n := l.turn[0]
	l.turn = l.turn[1:]
	large := false
	for len(n.items) > 0 && len(dst) < l.max && !(large && n.items[0].large()) {
		it := n.items[0]
		large = large || it.large()
		dst = append(dst, it)
		n.items[0] = nil
		n.items = n.items[1:]
	}
	if len(n.items) > 0 {
		l.turn = append(l.turn, n)
	} else {
		delete(l.lanes, n.key)
	}
	return dst
}
