package queuetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/store/blob"
)

func nodesCases() []kase {
	return []kase{
		{name: "Nodes/each sees what the other did", nodes: 2, do: nodesSee},
		{name: "Nodes/one lease for a job, 16 workers each", nodes: 2, do: nodesRace},
		{name: "Nodes/a lease holds at the other", nodes: 2, do: nodesLease},
		{name: "Nodes/Extend holds at the other", nodes: 2, do: nodesExtend},
		{name: "Nodes/an expired lease is void when the other has a new one", nodes: 2, do: nodesExpiry},
		{name: "Nodes/Once is known at the other", nodes: 2, do: nodesOnce},
		{name: "Nodes/an edit at the other wins over an outcome", nodes: 2, do: nodesEdit},
		{name: "Nodes/a blob is held, whoever released it", nodes: 2, do: nodesHolds},
		{name: "Nodes/exact counts at each", nodes: 2, do: nodesCounts},
	}
}

// at is the check of a node.
func (c *check) at(node int) *check {
	n := *c
	n.s = c.nodes[node]
	return &n
}

func nodesSee(c *check) {
	a, b := c.at(0), c.at(1)
	a.put(a.full("a", "d"), a.later("l", "e", time.Minute))
	want := a.full("a", "d")
	ds, next := b.destinations(c.now, 10)
	b.wantIDs("destinations at the other", ds, "d")
	if !next.Equal(c.now.Add(time.Minute)) {
		c.Errorf("at the other: look again in %v, want 1m", next.Sub(c.now))
	}
	l := b.leaseOne("d")
	b.sameJob("leased at the other", l.Job, &want)
	b.settle(queue.Outcome{Token: l.Token, Remaining: l.Job.Recipients, Due: c.now.Add(time.Hour), Attempted: true, Last: "450"})
	if j := a.get("a"); j.Attempts != want.Attempts+1 || !j.Due.Equal(c.now.Add(time.Hour)) {
		c.Errorf("after the other settled it: %d attempts, due in %v", j.Attempts, j.Due.Sub(c.now))
	}
	b.put(b.job("b", "d"))
	ds, _ = a.destinations(c.now, 10)
	a.wantIDs("destinations after the other put a job", ds, "d")
	a.edit(only("b"), queue.Edit{Drop: true}, 1)
	b.wantAll("jobs after the other dropped one", "a", "l")
	ds, _ = b.destinations(c.now, 10)
	b.wantIDs("destinations after that", ds)
}

func nodesRace(c *check) {
	const workers, n, rounds = 16, 400, 40
	for d := range 4 {
		c.at(d % 2).put(c.jobs(fmt.Sprint("j", d, "-"), fmt.Sprint("d", d), n/4)...)
	}
	var mu sync.Mutex
	seen := make(map[string]int)
	var wg sync.WaitGroup
	for w := range workers * len(c.nodes) {
		wg.Go(func() {
			for i := range rounds {
				ls, err := c.nodes[w%len(c.nodes)].LeaseJobs(c.ctx, fmt.Sprint("d", (w+i)%4), c.now, 3, ttl)
				if err != nil {
					c.Errorf("LeaseJobs: %v", err)
					return
				}
				mu.Lock()
				for _, l := range ls {
					seen[l.Job.ID]++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for id, times := range seen {
		if times != 1 {
			c.Errorf("job %s was leased %d times", id, times)
		}
	}
	if len(seen) != n {
		c.Errorf("%d of %d jobs were leased", len(seen), n)
	}
}

func nodesLease(c *check) {
	a, b := c.at(0), c.at(1)
	a.put(a.job("a", "d"), a.later("b", "d", time.Second))
	l := a.leaseOne("d")
	b.wantIDs("leases of the job at the other", leased(b.lease("d", 10)))
	b.wantIDs("leases at the other, a second later", leased(b.leaseAt("d", 10, c.now.Add(time.Second), ttl)), "b")
	ds, _ := b.destinations(c.now.Add(time.Second), 10)
	b.wantIDs("destinations at the other", ds)
	a.settle(queue.Outcome{Token: l.Token, Attempted: true})
	b.wantAll("jobs", "b")
}

func nodesExtend(c *check) {
	a, b := c.at(0), c.at(1)
	a.put(a.job("a", "d"), a.job("b", "e"))
	// As in extendKeeps, the lease on b is a clock.
	for short := 100 * time.Millisecond; ; short *= 2 {
		l := a.leaseAt("d", 1, c.now, short)
		err := a.s.Extend(c.ctx, ttl, l[0].Token)
		if errors.Is(err, queue.ErrLeaseLost) && short < 10*time.Second {
			a.again("d") // this machine is slow
			continue
		}
		if err != nil {
			c.Fatalf("Extend: %v", err)
		}
		a.leaseAt("e", 1, c.now, short)
		b.again("e")
		b.wantIDs("leases at the other while the extended one lasts", leased(b.lease("d", 1)))
		a.settle(queue.Outcome{Token: l[0].Token, Attempted: true})
		return
	}
}

func nodesExpiry(c *check) {
	a, b := c.at(0), c.at(1)
	a.put(a.job("a", "d"))
	old := a.leaseAt("d", 1, c.now, 5*time.Millisecond)
	if len(old) != 1 {
		c.Fatalf("%d leases", len(old))
	}
	fresh := b.again("d")
	if fresh.Token == old[0].Token {
		c.Errorf("the token of an expired lease was given out again at the other")
	}
	late := queue.Outcome{Token: old[0].Token, Attempted: true, Next: []queue.Job{c.job("dsn", "d")}}
	if err := a.s.Settle(c.ctx, []queue.Outcome{late}); !errors.Is(err, queue.ErrLeaseLost) {
		c.Errorf("Settle with an expired token: %v, want ErrLeaseLost", err)
	}
	b.wantAll("jobs", "a")
	if err := a.s.Extend(c.ctx, ttl, old[0].Token); !errors.Is(err, queue.ErrLeaseLost) {
		c.Errorf("Extend of an expired token: %v, want ErrLeaseLost", err)
	}
	b.settle(queue.Outcome{Token: fresh.Token, Attempted: true})
	a.wantAll("jobs")
}

func nodesOnce(c *check) {
	c.at(0).put(c.once("a", "k"))
	c.at(1).put(c.once("b", "k"), c.job("c", "d"))
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			j := c.once(fmt.Sprintf("r%02d", i), "raced")
			if err := c.nodes[i%2].Put(c.ctx, j); err != nil {
				c.Errorf("Put: %v", err)
			}
		})
	}
	wg.Wait()
	ids := listed(c.at(1).list(queue.Filter{}))
	if len(ids) != 3 || !slices.Contains(ids, "a") || !slices.Contains(ids, "c") {
		c.Errorf("jobs %q, want a, c and one of those that were raced", ids)
	}
}

func nodesEdit(c *check) {
	a, b := c.at(0), c.at(1)
	a.put(a.job("a", "d"), a.job("b", "e"), a.job("c", "f"))
	held, due, dropped := a.leaseOne("d"), a.leaseOne("e"), a.leaseOne("f")
	b.edit(only("a"), queue.Edit{Hold: new("stop")}, 1)
	b.edit(only("b"), queue.Edit{Due: &c.now}, 1)
	b.edit(only("c"), queue.Edit{Drop: true}, 1)
	b.wantIDs("leases of an edited job", leased(b.lease("e", 1)))
	for _, l := range []queue.Lease{held, due, dropped} {
		next := c.job("n-"+l.Job.ID, "n")
		a.settle(queue.Outcome{Token: l.Token, Remaining: l.Job.Recipients, Due: c.now.Add(time.Hour), Attempted: true, Next: []queue.Job{next}})
	}
	b.wantAll("jobs", "a", "b", "n-a", "n-b", "n-c")
	if j := b.get("a"); j.Hold != "stop" || j.Attempts != 1 {
		c.Errorf("hold %q, want the operator's; %d attempts", j.Hold, j.Attempts)
	}
	if j := b.get("b"); !j.Due.Equal(c.now) || j.Attempts != 1 {
		c.Errorf("due in %v, want the operator's; %d attempts", j.Due.Sub(c.now), j.Attempts)
	}
}

func nodesHolds(c *check) {
	a, b := c.at(0), c.at(1)
	shared := c.job("b", "e")
	shared.Blob = "blob-a"
	a.put(a.job("a", "d"), shared, a.job("c", "f"))
	refs := []blob.Ref{"blob-a", "blob-c", "blob-x"}
	b.wantHeld("put at the other", refs, "blob-a", "blob-c")
	la, lb := a.leaseOne("d"), b.leaseOne("e")
	var wg sync.WaitGroup // two jobs of one message end at once
	for _, end := range []func(){
		func() { a.settle(queue.Outcome{Token: la.Token, Attempted: true}) },
		func() { b.settle(queue.Outcome{Token: lb.Token, Attempted: true}) },
	} {
		wg.Go(end)
	}
	wg.Wait()
	b.edit(only("c"), queue.Edit{Drop: true}, 1)
	for i := range c.nodes {
		c.at(i).wantHeld(fmt.Sprint("released, at node ", i), refs, "blob-a", "blob-c")
	}
}

func nodesCounts(c *check) {
	held := c.job("h", "h")
	held.Hold = "stop"
	c.at(0).put(c.job("a", "d"), held)
	c.at(1).put(c.job("b", "d"), c.job("c", "e"))
	c.at(0).lease("d", 1)
	c.at(1).settle(queue.Outcome{Token: c.at(1).leaseOne("e").Token, Attempted: true})
	c.at(1).edit(only("h"), queue.Edit{Destination: new("d")}, 1)
	want := queue.Stats{Jobs: 3, Held: 1, Leased: 1, Destinations: 1, Oldest: c.now}
	for i, s := range c.nodes {
		got, err := s.Stats(c.ctx)
		got.Oldest = got.Oldest.UTC()
		if err != nil || got != want {
			c.Errorf("node %d: %+v, %v; want %+v", i, got, err, want)
		}
	}
}
