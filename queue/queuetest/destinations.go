package queuetest

import (
	"fmt"
	"time"

	"github.com/mailstead/mailstead/queue"
)

func destinationCases() []kase {
	return []kase{
		{name: "LeaseDestinations/the longest due first", do: destOrder},
		{name: "LeaseDestinations/no more than asked for", do: destLimit},
		{name: "LeaseDestinations/not those in except", do: destExcept},
		{name: "LeaseDestinations/not where all is held or leased", do: destBusy},
		{name: "LeaseDestinations/goes on behind a place", do: destAfter},
		{name: "LeaseDestinations/says when the next falls due", do: destNext},
	}
}

func destOrder(c *check) {
	urgent := c.later("c2", "c", -time.Second)
	urgent.Priority = 9
	c.put(c.later("a", "a", -2*time.Minute), c.later("b", "b", -3*time.Minute), urgent, c.later("c", "c", -4*time.Minute),
		c.later("e", "e", time.Second), c.later("a2", "a", -time.Minute))
	f, err := c.s.LeaseDestinations(c.ctx, queue.Look{Now: c.now, Max: 10})
	if err != nil || !f.First.Equal(c.now.Add(-4*time.Minute)) {
		c.Errorf("the first is due since %v (%v), want 4m", c.now.Sub(f.First), err)
	}
	c.wantIDs("destinations", f.Destinations, "c", "b", "a")
	l := c.lease("c", 2)[1] // the long due one; the urgent one stays leased
	c.settle(queue.Outcome{Token: l.Token, Remaining: l.Job.Recipients, Due: c.now, Attempted: true})
	c.edit(queue.Filter{IDs: []string{"b"}}, queue.Edit{Due: new(c.now.Add(-time.Minute))}, 1)
	ds, _ := c.destinations(c.now, 10)
	c.wantIDs("destinations after their first jobs moved", ds, "a", "b", "c")
}

func destLimit(c *check) {
	c.put(c.later("a", "a", -2*time.Minute), c.later("b", "b", -3*time.Minute), c.later("c", "c", -4*time.Minute))
	ds, _ := c.destinations(c.now, 2)
	c.wantIDs("two destinations", ds, "c", "b")
	ds, _ = c.destinations(c.now, 0)
	c.wantIDs("none", ds)
}

func destAfter(c *check) {
	var want, got []string
	for i := range 20 {
		d := fmt.Sprintf("d%02d", i)
		c.put(c.later("a"+d, d, time.Duration(i/3-10)*time.Minute), c.later("b"+d, d, time.Duration(-i)*time.Second))
		want = append(want, d)
	}
	seen := make(map[string]bool)
	l := queue.Look{Now: c.now, Max: 3}
	for range 30 {
		f, err := c.s.LeaseDestinations(c.ctx, l)
		if err != nil {
			c.Fatalf("LeaseDestinations: %v", err)
		}
		for _, d := range f.Destinations {
			if !seen[d] {
				seen[d] = true
				got = append(got, d)
			}
		}
		if l.After = f.Last; !f.More {
			break
		}
	}
	c.wantIDs("by pages of 3", got, want...)
}

func destExcept(c *check) {
	c.put(c.later("a", "a", -4*time.Minute), c.later("b", "b", -3*time.Minute), c.later("c", "c", -2*time.Minute))
	ds, _ := c.destinations(c.now, 1, "a")
	c.wantIDs("without a", ds, "b")
	ds, next := c.destinations(c.now, 10, "a", "b", "c")
	c.wantIDs("without any", ds)
	if !next.IsZero() {
		c.Errorf("look again at %v for a destination of except", next.Sub(c.now))
	}
}

func destBusy(c *check) {
	held := c.job("h", "held")
	held.Hold = "stop"
	c.put(held, c.job("l", "leased"), c.job("a", "both"), c.job("b", "both"))
	c.leaseOne("leased")
	l := c.lease("both", 1)
	ds, _ := c.destinations(c.now, 10)
	c.wantIDs("destinations", ds, "both")
	c.settle(queue.Outcome{Token: l[0].Token, Attempted: true})
	c.leaseOne("both")
	ds, _ = c.destinations(c.now, 10)
	c.wantIDs("destinations when all is leased", ds)
}

func destNext(c *check) {
	if _, next := c.destinations(c.now, 10); !next.IsZero() {
		c.Errorf("empty: look again at %v, want zero", next)
	}
	held := c.later("h", "h", time.Second)
	held.Hold = "stop"
	c.put(c.later("a", "a", time.Hour), c.later("b", "b", time.Minute), held)
	if _, next := c.destinations(c.now, 10); !next.Equal(c.now.Add(time.Minute)) {
		c.Errorf("look again in %v, want 1m", next.Sub(c.now))
	}
	if _, next := c.destinations(c.now, 10, "b"); !next.Equal(c.now.Add(time.Hour)) {
		c.Errorf("without b: look again in %v, want 1h", next.Sub(c.now))
	}
	ds, _ := c.destinations(c.now.Add(time.Hour), 10)
	c.wantIDs("due in an hour", ds, "b", "a")
	c.put(c.job("b2", "b"))
	c.leaseOne("b")
	if _, next := c.destinations(c.now, 10); !next.Equal(c.now.Add(time.Minute)) {
		c.Errorf("behind a leased job: look again in %v, want 1m", next.Sub(c.now))
	}
}
