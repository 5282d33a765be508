package memstore

import (
	"time"

	"github.com/mailstead/mailstead/store"
)

// onceFor is how long the key of a Change is remembered at least.
const onceFor = 31 * 24 * time.Hour

// onceLog remembers the results of Changes with a key.
type onceLog struct {
	results map[string]store.Result
	order   []onceKey // oldest first
}

type onceKey struct {
	key string
	at  time.Time
}

// get returns what key did the first time.
func (l *onceLog) get(key string) (store.Result, bool) {
	r, ok := l.results[key]
	if !ok || key == "" {
		return store.Result{}, false
	}
	r = r.Clone()
	r.Repeated = true
	return r, true
}

// put remembers a result, and forgets those that are old enough.
func (l *onceLog) put(key string, r store.Result, now time.Time) {
	if key == "" {
		return
	}
	n := 0
	for n < len(l.order) && now.Sub(l.order[n].at) > onceFor {
		delete(l.results, l.order[n].key)
		n++
	}
	l.order = l.order[n:]
	if l.results == nil {
		l.results = make(map[string]store.Result)
	}
	l.results[key] = r.Clone()
	l.order = append(l.order, onceKey{key, now})
}
