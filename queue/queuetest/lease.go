package queuetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/mailstead/mailstead/queue"
)

func leaseCases() []kase {
	return []kase{
		{name: "LeaseJobs/only what is due", do: leaseDue},
		{name: "LeaseJobs/only the destination", do: leaseDestination},
		{name: "LeaseJobs/priority, then the longest due", do: leaseOrder},
		{name: "LeaseJobs/waiting raises the priority", do: leaseAging},
		{name: "LeaseJobs/senders take turns", do: leaseSenders},
		{name: "LeaseJobs/no more than asked for", do: leaseLimit},
		{name: "LeaseJobs/not what is held", do: leaseHeld},
		{name: "LeaseJobs/one lease for a job", do: leaseOnce},
		{name: "LeaseJobs/one lease for a job, 16 workers", do: leaseRace},
		{name: "LeaseJobs/an expired lease is void", do: leaseExpiry},
		{name: "LeaseJobs/an expired lease is void before another", do: leaseExpiredAlone},
		{name: "Extend/keeps a lease", do: extendKeeps},
		{name: "Extend/void", do: extendVoid},
	}
}

// later is job due d after now.
func (c *check) later(id, dest string, d time.Duration) queue.Job {
	j := c.job(id, dest)
	j.Due = c.now.Add(d)
	return j
}

func leaseDue(c *check) {
	c.put(c.later("a", "d", 1), c.later("b", "d", 0), c.later("c", "d", -time.Hour), c.later("d", "d", time.Hour))
	c.wantIDs("due", leased(c.lease("d", 10)), "c", "b")
	c.wantIDs("due a nanosecond later", leased(c.leaseAt("d", 10, c.now.Add(1), ttl)), "a")
	c.wantIDs("due now", leased(c.lease("d", 10)))
}

func leaseDestination(c *check) {
	c.put(c.job("a", "d"), c.job("b", "D"), c.job("c", "dd"), c.job("e", ""))
	c.wantIDs("destination d", leased(c.lease("d", 10)), "a")
	c.wantIDs("destination x", leased(c.lease("x", 10)))
	c.wantIDs("destination of no name", leased(c.lease("", 10)), "e")
}

func leaseOrder(c *check) {
	with := func(id string, priority int, due time.Duration) queue.Job {
		j := c.later(id, "d", due)
		j.Priority = priority
		return j
	}
	c.put(with("a", 0, -time.Minute), with("b", 9, -time.Minute), with("c", -9, -8*time.Minute),
		with("e", 0, -2*time.Minute), with("f", 9, -time.Hour), with("g", 5, time.Hour))
	c.wantIDs("the first three", leased(c.lease("d", 3)), "f", "b", "e")
	c.wantIDs("the rest", leased(c.lease("d", 10)), "a", "c")
}

func leaseAging(c *check) {
	with := func(id string, priority int, due time.Duration) queue.Job {
		j := c.later(id, "d", due)
		j.Priority = priority
		return j
	}
	c.put(with("a", 2, -time.Minute), with("b", 0, -5*queue.PriorityAge), with("c", -9, -time.Second), with("e", 9, 0))
	c.wantIDs("the first", leased(c.lease("d", 1)), "e")
	c.wantIDs("the others", leased(c.lease("d", 10)), "b", "a", "c")
}

// leaseSenders: who sends one message does not wait for him who sent many
// before.
func leaseSenders(c *check) {
	many, one := c.jobs("m", "d", 300), c.job("z", "d")
	for i := range many {
		many[i].Due = c.now.Add(-time.Duration(300-i) * time.Second)
	}
	one.ReversePath = reverse("carol", "example.com")
	c.put(append(many, one)...)
	ls := c.lease("d", 10)
	if ids := leased(ls); len(ids) != 10 || !slices.Contains(ids, "z") {
		c.Fatalf("the first 10: %q, want z among them", ids)
	}
	l := ls[slices.Index(leased(ls), "z")]
	c.settle(queue.Outcome{Token: l.Token, Remaining: l.Job.Recipients, Due: c.now, Attempted: true})
	for range 64 { // one at a time, as a worker becomes free
		if slices.Contains(leased(c.lease("d", 1)), "z") {
			return
		}
	}
	c.Errorf("not leased among 64, one at a time")
}

func leaseLimit(c *check) {
	c.put(c.jobs("a", "d", 5)...)
	for _, k := range []struct{ limit, want int }{{0, 0}, {2, 2}, {3, 3}, {1, 0}} {
		if got := len(c.lease("d", k.limit)); got != k.want {
			c.Errorf("asked for %d of what is left: %d leases, want %d", k.limit, got, k.want)
		}
	}
}

func leaseHeld(c *check) {
	j := c.job("a", "d")
	j.Hold = "stop"
	c.put(j, c.job("b", "d"))
	c.wantIDs("leases", leased(c.lease("d", 10)), "b")
}

func leaseOnce(c *check) {
	c.put(c.jobs("a", "d", 3)...)
	tokens := make(map[queue.Token]bool)
	for range 3 {
		for _, l := range c.lease("d", 1) {
			if l.Token.Job != l.Job.ID || !l.Expires.After(c.now) {
				c.Errorf("job %s: token %+v, expires %v", l.Job.ID, l.Token, l.Expires)
			}
			tokens[l.Token] = true
		}
	}
	if len(tokens) != 3 {
		c.Errorf("%d tokens for 3 jobs", len(tokens))
	}
	c.wantIDs("what is left", leased(c.lease("d", 10)))
}

func leaseRace(c *check) {
	const workers, n, rounds = 16, 200, 40
	for d := range 4 {
		c.put(c.jobs(fmt.Sprint("j", d, "-"), fmt.Sprint("d", d), n/4)...)
	}
	var mu sync.Mutex
	seen := make(map[string]int)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range rounds {
				ls, err := c.s.LeaseJobs(c.ctx, fmt.Sprint("d", (w+i)%4), c.now, 3, ttl)
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

// again waits for a job to be leased again.
func (c *check) again(dest string) queue.Lease {
	c.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for range 5000 {
		if ls := c.lease(dest, 1); len(ls) > 0 {
			return ls[0]
		}
		<-tick.C
	}
	c.Fatalf("the lease on %s does not expire", dest)
	return queue.Lease{}
}

func leaseExpiry(c *check) {
	c.put(c.job("a", "d"))
	ls := c.leaseAt("d", 1, c.now, 5*time.Millisecond)
	if len(ls) != 1 {
		c.Fatalf("%d leases", len(ls))
	}
	fresh := c.again("d")
	if fresh.Token == ls[0].Token {
		c.Errorf("the token of an expired lease was given out again")
	}
	old := queue.Outcome{Token: ls[0].Token, Attempted: true, Next: []queue.Job{c.job("dsn", "d")}}
	if err := c.s.Settle(c.ctx, []queue.Outcome{old}); !errors.Is(err, queue.ErrLeaseLost) {
		c.Errorf("Settle with an expired token: %v, want ErrLeaseLost", err)
	}
	c.wantAll("jobs", "a")
	if err := c.s.Extend(c.ctx, ttl, ls[0].Token); !errors.Is(err, queue.ErrLeaseLost) {
		c.Errorf("Extend of an expired token: %v, want ErrLeaseLost", err)
	}
	c.settle(queue.Outcome{Token: fresh.Token, Attempted: true})
	c.wantAll("jobs")
}

func leaseExpiredAlone(c *check) {
	c.put(c.job("a", "d"), c.job("b", "e"))
	short := c.leaseAt("d", 1, c.now, 5*time.Millisecond)
	c.leaseAt("e", 1, c.now, 5*time.Millisecond) // ends later
	if len(short) != 1 {
		c.Fatalf("%d leases", len(short))
	}
	c.again("e")
	if err := c.s.Extend(c.ctx, ttl, short[0].Token); !errors.Is(err, queue.ErrLeaseLost) {
		c.Errorf("Extend of an expired token: %v, want ErrLeaseLost", err)
	}
	if err := c.s.Settle(c.ctx, []queue.Outcome{{Token: short[0].Token, Attempted: true}}); !errors.Is(err, queue.ErrLeaseLost) {
		c.Errorf("Settle with an expired token: %v, want ErrLeaseLost", err)
	}
	c.wantAll("jobs", "a", "b")
}

func extendKeeps(c *check) {
	c.put(c.job("a", "d"), c.job("b", "e"))
	// The lease on b begins later and is as long: once it has run out, the
	// one on a would have, too.
	for short := 100 * time.Millisecond; ; short *= 2 {
		a := c.leaseAt("d", 1, c.now, short)
		err := c.s.Extend(c.ctx, ttl, a[0].Token)
		if errors.Is(err, queue.ErrLeaseLost) && short < 10*time.Second {
			c.again("d") // this machine is slow
			continue
		}
		if err != nil {
			c.Fatalf("Extend: %v", err)
		}
		c.leaseAt("e", 1, c.now, short)
		c.again("e")
		c.wantIDs("leases while the extended one lasts", leased(c.lease("d", 1)))
		c.settle(queue.Outcome{Token: a[0].Token, Attempted: true})
		return
	}
}

func extendVoid(c *check) {
	c.put(c.job("a", "d"), c.job("b", "d"))
	ls := c.lease("d", 2)
	if len(ls) != 2 {
		c.Fatalf("%d leases", len(ls))
	}
	c.settle(queue.Outcome{Token: ls[0].Token, Attempted: true})
	wrong := queue.Token{Job: ls[1].Token.Job, Fence: ls[1].Token.Fence + 1000}
	for _, t := range []queue.Token{ls[0].Token, wrong, {Job: "x", Fence: 1}} {
		if err := c.s.Extend(c.ctx, ttl, ls[1].Token, t); !errors.Is(err, queue.ErrLeaseLost) {
			c.Errorf("Extend of %+v: %v, want ErrLeaseLost", t, err)
		}
	}
	if err := c.s.Extend(c.ctx, ttl, ls[1].Token); err != nil {
		c.Errorf("Extend of the valid one: %v", err)
	}
}
