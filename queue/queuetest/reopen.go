package queuetest

import (
	"errors"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/store/blob"
)

func reopenCases() []kase {
	return []kase{
		{name: "Reopen/keeps jobs", reopens: true, do: reopenKeeps},
		{name: "Reopen/voids leases", reopens: true, leases: new(false), do: reopenLeases},
		{name: "Reopen/keeps leases", reopens: true, leases: new(true), do: reopenKeepsLeases},
		{name: "Reopen/remembers", reopens: true, do: reopenRemembers},
		{name: "Reopen/keeps edits of leased jobs", reopens: true, do: reopenEdits},
	}
}

func (c *check) reopen() {
	c.Helper()
	c.s = c.cfg.Reopen(c.TB, c.s)
}

func reopenKeeps(c *check) {
	full, held := c.full("a", "d"), c.job("h", "h")
	held.Hold = "stop"
	c.put(full, held, c.later("l", "l", time.Minute))
	before, err := c.s.Stats(c.ctx)
	c.reopen()
	after, err2 := c.s.Stats(c.ctx)
	if err != nil || err2 != nil || before.Jobs != after.Jobs || before.Held != after.Held || before.Destinations != after.Destinations {
		c.Errorf("stats %+v (%v), before %+v (%v)", after, err2, before, err)
	}
	c.sameJob("a job with every field", c.get("a"), &full)
	c.sameJob("a held job", c.get("h"), &held)
	ds, next := c.destinations(c.now, 10)
	c.wantIDs("destinations", ds, "d")
	if !next.Equal(c.now.Add(time.Minute)) {
		c.Errorf("look again in %v, want 1m", next.Sub(c.now))
	}
	c.sameJob("leased", c.leaseOne("d").Job, &full)
}

func reopenLeases(c *check) {
	c.put(c.job("a", "d"))
	old := c.leaseOne("d")
	c.reopen()
	if err := c.s.Settle(c.ctx, []queue.Outcome{{Token: old.Token, Attempted: true}}); !errors.Is(err, queue.ErrLeaseLost) {
		c.Errorf("Settle with a token from before: %v, want ErrLeaseLost", err)
	}
	fresh := c.leaseOne("d")
	if err := c.s.Settle(c.ctx, []queue.Outcome{{Token: old.Token, Attempted: true}}); !errors.Is(err, queue.ErrLeaseLost) {
		c.Errorf("Settle with a token from before, leased again: %v, want ErrLeaseLost", err)
	}
	c.wantAll("jobs", "a")
	c.settle(queue.Outcome{Token: fresh.Token, Attempted: true})
}

func reopenKeepsLeases(c *check) {
	c.put(c.job("a", "d"), c.job("b", "e"))
	a := c.leaseOne("d")
	if n := len(c.leaseAt("e", 1, c.now, 50*time.Millisecond)); n != 1 {
		c.Fatalf("%d leases", n)
	}
	c.reopen()
	c.wantIDs("leases of a leased job", leased(c.lease("d", 1)))
	if l := c.again("e"); l.Job.ID != "b" {
		c.Errorf("job %s, want b", l.Job.ID)
	}
	c.settle(queue.Outcome{Token: a.Token, Attempted: true})
	c.wantAll("jobs", "b")
}

func reopenRemembers(c *check) {
	c.put(c.once("a", "k"))
	c.settle(queue.Outcome{Token: c.leaseOne("d").Token, Attempted: true})
	c.reopen()
	c.put(c.once("b", "k"))
	c.wantAll("jobs: the key was used before")
	c.wantHeld("the finished job's blob", []blob.Ref{"blob-a", "blob-b"}, "blob-a")
}

func reopenEdits(c *check) {
	c.put(c.job("a", "d"), c.job("b", "e"))
	c.leaseOne("d")
	c.leaseOne("e")
	c.edit(only("a"), queue.Edit{Hold: new("stop")}, 1)
	c.edit(only("b"), queue.Edit{Drop: true}, 1)
	c.reopen()
	c.wantAll("jobs", "a")
	if h := c.get("a").Hold; h != "stop" {
		c.Errorf("hold %q", h)
	}
}
