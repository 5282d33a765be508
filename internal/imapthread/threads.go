package imapthread

import (
	"strconv"

	"github.com/mailstead/mailstead/store"
)

// Threads are the threads of a mailbox, in order.
type Threads struct {
	t        *Threader
	roots    []int32
	from     []int32 // children[from[n]:from[n+1]] are those of node n
	children []int32
}

// grow makes the tree out of the parents: siblings and roots are in the order of
// order, a dummy in the place of its first child. A dummy with one child gives
// way to it (step 3 of REFERENCES).
func (t *Threader) grow(order []int32) *Threads {
	th := &Threads{t: t, from: make([]int32, len(t.parent)+1), children: make([]int32, len(order))}
	count := make([]int32, len(t.parent))
	for _, n := range order {
		count[t.parent[n]]++
	}
	for _, n := range order {
		if p := t.parent[n]; p != 0 && !t.isMessage(p) && count[p] == 1 {
			t.parent[n], count[p] = 0, 0
		}
	}
	at := int32(0)
	for n := range count {
		th.from[n] = at
		if n != 0 { // the roots are kept apart
			at += count[n]
		}
	}
	th.from[len(count)] = at
	next := append([]int32(nil), th.from...)
	for _, n := range order {
		p := t.parent[n]
		if p == 0 {
			th.roots = append(th.roots, n)
			continue
		}
		if !t.isMessage(p) && next[p] == th.from[p] {
			th.roots = append(th.roots, p)
		}
		th.children[next[p]] = n
		next[p]++
	}
	return th
}

// Len is the number of threads.
func (th *Threads) Len() int { return len(th.roots) }

// Append adds thread i in the form of the THREAD response (RFC 5256 §4):
//
//	thread-list    = "(" (thread-members / thread-nested) ")"
//	thread-members = nz-number *(SP nz-number) [SP thread-nested]
//	thread-nested  = 2*thread-list
//
// number says how a message is named.
func (th *Threads) Append(dst []byte, i int, number func(store.UID) uint32) []byte {
	type level struct{ next, end int32 } // children that have lists of their own
	stack := []level{}
	n := th.roots[i]
	for {
		dst = append(dst, '(')
		// Down as long as there is one way.
		for {
			if uid := th.t.uids[n]; uid != 0 {
				dst = strconv.AppendUint(dst, uint64(number(uid)), 10)
			}
			l := level{th.from[n], th.from[n+1]}
			if l.end-l.next != 1 {
				if l.next < l.end && th.t.uids[n] != 0 {
					dst = append(dst, ' ')
				}
				stack = append(stack, l)
				break
			}
			dst = append(dst, ' ')
			n = th.children[l.next]
		}
		// Up to where there is another one.
		for len(stack) > 0 && stack[len(stack)-1].next == stack[len(stack)-1].end {
			dst = append(dst, ')')
			stack = stack[:len(stack)-1]
		}
		if len(stack) == 0 {
			return dst
		}
		top := &stack[len(stack)-1]
		n = th.children[top.next]
		top.next++
	}
}
