package memstore

import "github.com/mailstead/mailstead/store"

// threadKey is what two messages of one thread share: a hash out of
// Message-ID, In-Reply-To and References, and the base subject.
type threadKey struct {
	key, subject uint64
}

// threadNode stands for one message in the thread index, through all its
// states.
type threadNode struct {
	thread  store.ThreadID
	keys    []uint64
	subject uint64
	order   uint64 // greater = newer
	gone    bool   // expunged
}

// findThread is the thread of the newest message with a common key and the
// same subject.
func (a *account) findThread(keys []uint64, subject uint64) (store.ThreadID, bool) {
	var newest *threadNode
	for _, key := range keys {
		list := a.threads[threadKey{key, subject}]
		for i := len(list) - 1; i >= 0; i-- {
			if n := list[i]; !n.gone {
				if newest == nil || n.order > newest.order {
					newest = n
				}
				break
			}
		}
	}
	if newest == nil {
		return store.ThreadID{}, false
	}
	return newest.thread, true
}

// indexThread adds a message to the index. A refused Change marks it gone
// again, which is as good as taking it out.
func (a *account) indexThread(n *threadNode) {
	a.order++
	n.order = a.order
	for _, key := range n.keys {
		k := threadKey{key, n.subject}
		a.threads[k] = append(a.threads[k], n)
	}
}
