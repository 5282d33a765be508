package queuetest

import (
	"fmt"
	"time"

	"github.com/mailstead/mailstead/queue"
)

func crashCases() []kase {
	return []kase{
		{name: "Crash/an attempt that ended with its process is counted", reopens: true, do: crashCounted},
		{name: "Crash/the third in a row holds the job", reopens: true, do: crashThrice},
		{name: "Crash/suspects that waited are not blamed", reopens: true, do: crashSuspects},
		{name: "Crash/only what was under way", reopens: true, do: crashOthers},
		{name: "Crash/an outcome ends the row", reopens: true, do: crashForgotten},
		{name: "Crash/an outcome may be one", do: crashOutcome},
		{name: "Crash/a release begins anew", do: crashReleased},
	}
}

// crash ends the storage while the only due job of a destination is leased,
// and returns the job as it is then.
func (c *check) crash(dest string) *queue.Job {
	c.Helper()
	return c.crashAll(dest, 1)[0].Job
}

// crashAll ends the storage while the n due jobs of a destination are leased,
// and returns their leases.
func (c *check) crashAll(dest string, n int) []queue.Lease {
	c.Helper()
	t := ttl
	if c.cfg.KeepsLeases {
		t = 5 * time.Millisecond // nobody else tells that its holder is gone
	}
	ls := c.leaseAt(dest, 10, c.now, t)
	if len(ls) != n {
		c.Fatalf("%d leases of %s before the crash, want %d", len(ls), dest, n)
	}
	c.reopen()
	if c.cfg.KeepsLeases {
		// The one behind is leased when that of the job has ended.
		clock := fmt.Sprint("clock", ls[0].Token.Fence)
		c.put(c.job(clock, clock))
		c.leaseAt(clock, 1, c.now, t)
		c.again(clock)
		c.edit(only(clock), queue.Edit{Drop: true}, 1)
	}
	return ls
}

func crashCounted(c *check) {
	c.put(c.job("a", "d"))
	if j := c.crash("d"); j.Crashes != 0 {
		c.Errorf("%d crashes before the first", j.Crashes)
	}
	l := c.leaseOne("d")
	if l.Job.Crashes != 1 || l.Job.Attempts != 0 {
		c.Errorf("leased after a crash: %d crashes, %d attempts; want 1, 0", l.Job.Crashes, l.Job.Attempts)
	}
}

func crashThrice(c *check) {
	c.put(c.job("a", "d"))
	for range queue.MaxCrashes {
		c.crash("d")
	}
	c.wantIDs("leases after three crashes", leased(c.lease("d", 10)))
	if j := c.get("a"); j.Hold != queue.HoldCrashed || j.Crashes != queue.MaxCrashes {
		c.Errorf("hold %q, %d crashes; want %q, %d", j.Hold, j.Crashes, queue.HoldCrashed, queue.MaxCrashes)
	}
}

func crashSuspects(c *check) {
	for _, id := range []string{"a", "b"} {
		j := c.job(id, "d")
		j.Crashes = queue.MaxCrashes - 1
		c.put(j)
	}
	c.crashAll("d", 2)
	c.wantIDs("leases of two suspects after a crash", leased(c.lease("d", 10)), "a", "b")
}

func crashOthers(c *check) {
	c.put(c.job("a", "d"), c.job("b", "e"), c.job("f", "f"))
	c.settle(queue.Outcome{Token: c.leaseOne("e").Token, Attempted: true, Remaining: c.job("b", "e").Recipients, Due: c.now})
	c.crash("d")
	c.lease("d", 1) // its crash is noted by now
	for id, want := range map[string]int{"a": 1, "b": 0, "f": 0} {
		if j := c.get(id); j.Crashes != want {
			c.Errorf("job %s: %d crashes, want %d", id, j.Crashes, want)
		}
	}
}

func crashForgotten(c *check) {
	c.put(c.job("a", "d"))
	c.crash("d")
	l := c.leaseOne("d")
	c.settle(queue.Outcome{Token: l.Token, Remaining: l.Job.Recipients, Due: c.now, Attempted: true})
	c.crash("d")
	c.wantIDs("leases after a crash, an outcome and a crash", leased(c.lease("d", 10)), "a")
}

func crashOutcome(c *check) {
	c.put(c.job("a", "d"))
	l := c.leaseOne("d")
	c.settle(queue.Outcome{Token: l.Token, Remaining: l.Job.Recipients, Due: c.now, Attempted: true, Crashed: true})
	if j := c.get("a"); j.Crashes != queue.MaxCrashes-1 || j.Hold != "" {
		c.Errorf("a panic counts as %d crashes, hold %q; want a suspect, no hold", j.Crashes, j.Hold)
	}
}

func crashReleased(c *check) {
	j := c.job("a", "d")
	j.Crashes, j.Hold = 2, queue.HoldCrashed
	c.put(j)
	c.edit(only("a"), queue.Edit{Hold: new("")}, 1)
	if j := c.leaseOne("d").Job; j.Crashes != 0 {
		c.Errorf("%d crashes after the release, want 0", j.Crashes)
	}
}
