package queuetest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mailstead/mailstead/queue"
)

func loadCases() []kase {
	return []kase{
		{name: "Load/every job is delivered once", do: loadMix},
		{name: "Load/every job is delivered once by two nodes", nodes: 2, do: loadMix},
		{name: "Load/many jobs", do: loadMany},
	}
}

// loadMix puts, leases, defers, edits and settles at once.
func loadMix(c *check) {
	const putters, each = 8, 40
	m := &mix{check: c, done: make(map[string]int)}
	var wg sync.WaitGroup
	for p := range putters {
		wg.Go(func() {
			for i := range each {
				j := c.job(fmt.Sprintf("p%d-%03d", p, i), fmt.Sprint("d", i%5))
				s := c.nodes[p%len(c.nodes)]
				if err := s.Put(c.ctx, j); err != nil {
					c.Errorf("Put: %v", err)
				}
				if i%8 == 0 { // wakes up what was deferred
					if _, err := s.Edit(c.ctx, queue.Filter{Limit: 10}, queue.Edit{Due: &c.now}); err != nil {
						c.Errorf("Edit: %v", err)
					}
				}
			}
		})
	}
	ctx, cancel := context.WithTimeout(c.ctx, time.Minute)
	defer cancel()
	for w := range 8 {
		wg.Go(func() {
			for m.count.Load() < putters*each && ctx.Err() == nil && !c.Failed() {
				m.work(c.nodes[w%len(c.nodes)])
			}
		})
	}
	wg.Wait()
	for id, n := range m.done {
		if n != 1 {
			c.Errorf("job %s was finished %d times", id, n)
		}
	}
	if len(m.done) != putters*each {
		c.Errorf("%d of %d jobs were finished", len(m.done), putters*each)
	}
	c.wantAll("jobs left")
	if st, err := c.s.Stats(c.ctx); err != nil || st != (queue.Stats{}) {
		c.Errorf("stats at the end: %+v, %v", st, err)
	}
}

type mix struct {
	*check
	count atomic.Int64
	mu    sync.Mutex
	done  map[string]int
}

// work leases what is due; the first attempt defers a job, the next ends it.
func (m *mix) work(s queue.Storage) {
	f, err := s.LeaseDestinations(m.ctx, queue.Look{Now: m.now, Max: 3})
	if err != nil {
		m.Errorf("LeaseDestinations: %v", err)
	}
	for _, d := range f.Destinations {
		ls, err := s.LeaseJobs(m.ctx, d, m.now, 2, ttl)
		if err != nil {
			m.Errorf("LeaseJobs: %v", err)
		}
		for _, l := range ls {
			out := queue.Outcome{Token: l.Token, Attempted: true}
			if l.Job.Attempts == 0 {
				out.Remaining, out.Due = l.Job.Recipients, m.now
			}
			if err := s.Settle(m.ctx, []queue.Outcome{out}); err != nil {
				m.Errorf("Settle of %s: %v", l.Job.ID, err)
			}
			if l.Job.Attempts > 0 {
				m.count.Add(1)
				m.mu.Lock()
				m.done[l.Job.ID]++
				m.mu.Unlock()
			}
		}
	}
}

// loadMany fills one destination that does not take its mail, and serves
// others beside it.
func loadMany(c *check) {
	n := 100_000
	if testing.Short() {
		n = 2_000
	}
	blocked := c.jobs("a", "blocked", n)
	for i := range blocked {
		blocked[i].Due = c.now.Add(-time.Duration(i) * time.Second)
	}
	for i := 0; i < n; i += 1000 {
		c.put(blocked[i : i+1000]...)
	}
	held := c.lease("blocked", 20)
	if len(held) != 20 || held[0].Job.ID != blocked[n-1].ID {
		c.Fatalf("%d leases of the blocked destination", len(held))
	}
	for i := range 20 {
		id := fmt.Sprint("b", i)
		c.put(c.job(id, fmt.Sprint("free", i%3)))
		ds, _ := c.destinations(c.now, 5, "blocked")
		if len(ds) != 1 {
			c.Fatalf("destinations %q beside the blocked one, want one", ds)
		}
		c.settle(queue.Outcome{Token: c.leaseOne(ds[0]).Token, Attempted: true})
	}
	for i, l := range held {
		c.settle(queue.Outcome{Token: l.Token, Remaining: l.Job.Recipients, Due: c.now.Add(time.Duration(i+1) * time.Minute), Attempted: true})
	}
	ls := c.lease("blocked", 1)
	if len(ls) != 1 || ls[0].Job.ID != blocked[n-21].ID {
		c.Errorf("after 20 were deferred: %q, want %s", leased(ls), blocked[n-21].ID)
	}
	if st, err := c.s.Stats(c.ctx); err != nil || st.Jobs != int64(n) {
		c.Errorf("stats %+v, %v; want %d jobs", st, err, n)
	}
}
