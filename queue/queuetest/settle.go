package queuetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mailstead/mailstead/queue"
)

func settleCases() []kase {
	return []kase{
		{name: "Settle/without Remaining the job is gone", do: settleDone},
		{name: "Settle/Remaining are attempted again", do: settleRemaining},
		{name: "Settle/not Attempted gives the job back", do: settleBack},
		{name: "Settle/a token is void afterwards", do: settleTwice},
		{name: "Settle/Next is put", do: settleNext},
		{name: "Settle/Next knows Once", do: settleNextOnce},
		{name: "Settle/a void token does nothing", do: settleVoid},
		{name: "Settle/one DSN for a failure, 16 who settle it", do: settleOneDSN},
		{name: "Settle/all or none", do: settleAtomic},
		{name: "Settle/cancelled does nothing", do: settleCancelled},
	}
}

func settleDone(c *check) {
	c.put(c.job("a", "d"), c.job("b", "e"))
	c.settle(queue.Outcome{Token: c.leaseOne("d").Token, Attempted: true})
	c.wantAll("jobs", "b")
	ds, _ := c.destinations(c.now, 10)
	c.wantIDs("destinations", ds, "e")
}

func settleRemaining(c *check) {
	c.put(c.full("a", "d"))
	want := c.full("a", "d")
	l := c.leaseOne("d")
	want.Recipients = want.Recipients[1:2]
	want.Recipients[0].Delayed = true
	want.Due, want.Attempts, want.Last = c.now.Add(time.Hour), want.Attempts+1, "450 busy"
	want.Crashes = 0
	c.settle(queue.Outcome{Token: l.Token, Remaining: want.Recipients, Due: want.Due, Attempted: true, Last: want.Last})
	c.sameJob("deferred", c.get("a"), &want)
	c.wantIDs("leases before it is due", leased(c.lease("d", 1)))
	ls := c.leaseAt("d", 1, want.Due, ttl)
	if len(ls) != 1 {
		c.Fatalf("%d leases when it is due again", len(ls))
	}
	want.Hold = "failed"
	c.settle(queue.Outcome{Token: ls[0].Token, Remaining: want.Recipients, Due: want.Due, Hold: want.Hold, Last: want.Last})
	c.sameJob("held", c.get("a"), &want)
	c.wantIDs("leases of a held job", leased(c.leaseAt("d", 1, want.Due, ttl)))
}

func settleBack(c *check) {
	c.put(c.full("a", "d"))
	want := c.full("a", "d")
	l := c.leaseOne("d")
	c.settle(queue.Outcome{Token: l.Token, Remaining: l.Job.Recipients, Due: l.Job.Due, Last: l.Job.Last})
	c.sameJob("given back", c.leaseOne("d").Job, &want)
}

func settleTwice(c *check) {
	c.put(c.job("a", "d"))
	l := c.leaseOne("d")
	back := queue.Outcome{Token: l.Token, Remaining: l.Job.Recipients, Due: c.now}
	c.settle(back)
	if err := c.s.Settle(c.ctx, []queue.Outcome{{Token: l.Token, Attempted: true}}); !errors.Is(err, queue.ErrLeaseLost) {
		c.Errorf("the second time: %v, want ErrLeaseLost", err)
	}
	c.wantAll("jobs", "a")
	back.Token = c.leaseOne("d").Token
	if back.Token == l.Token {
		c.Errorf("the same token for another lease")
	}
	drop := queue.Outcome{Token: back.Token, Attempted: true}
	if err := c.s.Settle(c.ctx, []queue.Outcome{back, drop}); !errors.Is(err, queue.ErrLeaseLost) {
		c.Errorf("twice in one call: %v, want ErrLeaseLost", err)
	}
	c.wantAll("jobs after a token stood twice in a call, first to keep the job", "a")
}

func settleNext(c *check) {
	c.put(c.job("a", "d"), c.job("b", "e"))
	a, b := c.leaseOne("d"), c.leaseOne("e")
	dsn, reroute := c.full("dsn", "back"), c.job("r", "d")
	c.settle(queue.Outcome{Token: a.Token, Attempted: true, Next: []queue.Job{dsn, reroute}},
		queue.Outcome{Token: b.Token, Remaining: b.Job.Recipients, Due: c.now, Attempted: true, Next: []queue.Job{c.job("x", "y")}})
	c.wantAll("jobs", "b", "dsn", "r", "x")
	c.sameJob("the DSN", c.leaseOne("back").Job, &dsn)
	c.wantIDs("leases", leased(c.lease("d", 10)), "r")
}

func settleNextOnce(c *check) {
	c.put(c.once("a", "k"))
	l := c.leaseOne("d")
	c.settle(queue.Outcome{Token: l.Token, Attempted: true, Next: []queue.Job{c.once("b", "k"), c.once("c", "l"), c.once("e", "l")}})
	c.wantAll("jobs", "c")
}

func settleVoid(c *check) {
	c.put(c.job("a", "d"), c.job("b", "e"))
	a, b := c.leaseOne("d"), c.leaseOne("e")
	void := queue.Outcome{Token: a.Token, Attempted: true, Next: []queue.Job{c.job("dsn", "d")}}
	void.Token.Fence += 1000
	good := queue.Outcome{Token: b.Token, Attempted: true, Next: []queue.Job{c.job("c", "e")}}
	if err := c.s.Settle(c.ctx, []queue.Outcome{void, good}); !errors.Is(err, queue.ErrLeaseLost) {
		c.Errorf("got %v, want ErrLeaseLost", err)
	}
	c.wantAll("jobs: the void outcome must do nothing, the other all", "a", "c")
	c.settle(queue.Outcome{Token: a.Token, Attempted: true})
}

func settleOneDSN(c *check) {
	c.put(c.job("a", "d"))
	l := c.leaseOne("d")
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			out := queue.Outcome{Token: l.Token, Attempted: true, Next: []queue.Job{c.job(fmt.Sprintf("dsn%02d", i), "back")}}
			err := c.nodes[i%len(c.nodes)].Settle(c.ctx, []queue.Outcome{out})
			if err != nil && !errors.Is(err, queue.ErrLeaseLost) {
				c.Errorf("Settle: %v", err)
			}
		})
	}
	wg.Wait()
	if jobs := listed(c.list(queue.Filter{})); len(jobs) != 1 {
		c.Errorf("jobs %q, want one DSN", jobs)
	}
}

func settleAtomic(c *check) {
	c.put(c.job("a", "d"), c.job("b", "e"), c.job("there", "f"))
	a, b := c.leaseOne("d"), c.leaseOne("e")
	out := []queue.Outcome{
		{Token: a.Token, Attempted: true, Next: []queue.Job{c.job("n", "n")}},
		{Token: b.Token, Attempted: true, Next: []queue.Job{c.job("there", "f")}},
	}
	if err := c.s.Settle(c.ctx, out); !errors.Is(err, queue.ErrExists) {
		c.Errorf("got %v, want ErrExists", err)
	}
	c.wantAll("jobs after a Settle that failed", "a", "b", "there")
	out[1].Next = nil
	c.settle(out...) // the leases are as they were
	c.wantAll("jobs", "n", "there")
}

func settleCancelled(c *check) {
	c.put(c.job("a", "d"))
	l := c.leaseOne("d")
	ctx, cancel := context.WithCancel(c.ctx)
	cancel()
	if err := c.s.Settle(ctx, []queue.Outcome{{Token: l.Token, Attempted: true}}); !errors.Is(err, context.Canceled) {
		c.Errorf("got %v, want context.Canceled", err)
	}
	c.wantAll("jobs", "a")
	c.settle(queue.Outcome{Token: l.Token, Attempted: true})
}
