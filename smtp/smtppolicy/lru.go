package smtppolicy

// lru is a map of bounded size that forgets what was used least recently.
type lru[K comparable, V any] struct {
	max     int
	held    func(*V) bool // entries that must not be forgotten; nil = none
	entries map[K]*lruEntry[K, V]
	ring    lruEntry[K, V] // next is the newest, prev the oldest
}

type lruEntry[K comparable, V any] struct {
	prev, next *lruEntry[K, V]
	key        K
	value      V
}

func newLRU[K comparable, V any](max int) *lru[K, V] {
	l := &lru[K, V]{max: max, entries: make(map[K]*lruEntry[K, V])}
	l.ring.prev, l.ring.next = &l.ring, &l.ring
	return l
}

// peek returns the value of a key without using it; nil = none.
func (l *lru[K, V]) peek(key K) *V {
	if e := l.entries[key]; e != nil {
		return &e.value
	}
	return nil
}

// get returns the value of a key; nil = none. It is valid until the next add.
func (l *lru[K, V]) get(key K) *V {
	e := l.entries[key]
	if e == nil {
		return nil
	}
	l.unlink(e)
	l.front(e)
	return &e.value
}

// add returns the value of a key, a zero one where there was none; nil = all
// entries in reach are held.
func (l *lru[K, V]) add(key K) *V {
	if v := l.get(key); v != nil {
		return v
	}
	var e *lruEntry[K, V]
	if len(l.entries) < l.max {
		e = new(lruEntry[K, V])
	} else if e = l.evict(); e == nil {
		return nil
	}
	*e = lruEntry[K, V]{key: key}
	l.entries[key] = e
	l.front(e)
	return &e.value
}

// remove forgets a key.
func (l *lru[K, V]) remove(key K) {
	if e := l.entries[key]; e != nil {
		l.unlink(e)
		delete(l.entries, key)
	}
}

// evictTries bounds the search for an entry that is not held.
const evictTries = 64

// evict takes out the oldest entry that is not held. Held ones on the way count
// as used, so that the next search does not meet them again.
func (l *lru[K, V]) evict() *lruEntry[K, V] {
	for range min(evictTries, len(l.entries)) {
		e := l.ring.prev
		l.unlink(e)
		if l.held == nil || !l.held(&e.value) {
			delete(l.entries, e.key)
			return e
		}
		l.front(e)
	}
	return nil
}

func (l *lru[K, V]) unlink(e *lruEntry[K, V]) {
	e.prev.next, e.next.prev = e.next, e.prev
}

func (l *lru[K, V]) front(e *lruEntry[K, V]) {
	e.prev, e.next = &l.ring, l.ring.next
	e.next.prev, e.prev.next = e, e
}
