package main

import (
	"context"
	"sync"
	"time"

	"github.com/mailstead/mailstead/deliver/fetch"
)

// counts are the numbers of /debug/vars: since the start, whatever was read
// again meanwhile.
type counts struct {
	mu      sync.Mutex
	all     tally            // guarded by mu
	sources map[string]tally // guarded by mu
}

// tally counts the events of one source, or of all.
type tally struct {
	Fetched     int64      `json:"fetched"`
	Quarantined int64      `json:"quarantined"`
	Deferred    int64      `json:"deferred"`
	Skipped     int64      `json:"skipped"`
	Removed     int64      `json:"removed"`
	Passes      int64      `json:"passes"`
	Failures    int64      `json:"failures"`
	Bytes       int64      `json:"bytes"`
	Last        *time.Time `json:"last_pass,omitempty"`
}

func newCounts() *counts { return &counts{sources: make(map[string]tally)} }

// event counts one.
func (c *counts) event(e fetch.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all.add(&e)
	t := c.sources[e.Source]
	t.add(&e)
	c.sources[e.Source] = t
}

func (t *tally) add(e *fetch.Event) {
	switch e.Kind {
	case fetch.EventFetched:
		t.Fetched++
	case fetch.EventQuarantined:
		t.Quarantined++
	case fetch.EventDeferred:
		t.Deferred++
	case fetch.EventSkipped:
		t.Skipped++
	case fetch.EventRemoved:
		t.Removed++
	case fetch.EventFailed:
		t.Failures++
	case fetch.EventPassed:
		t.Passes++
		at := e.Time.UTC()
		t.Last = &at
	}
	t.Bytes += e.Bytes
}

// countsVars is what is published.
type countsVars struct {
	All     tally            `json:"all"`
	Sources map[string]tally `json:"sources"`
}

func (c *counts) vars(context.Context) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := countsVars{All: c.all, Sources: make(map[string]tally, len(c.sources))}
	for name, t := range c.sources {
		v.Sources[name] = t
	}
	return v
}
