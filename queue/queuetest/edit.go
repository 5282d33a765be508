package queuetest

import (
	"fmt"
	"time"

	"github.com/mailstead/mailstead/queue"
)

func editCases() []kase {
	return []kase{
		{name: "Edit/hold and release", do: editHold},
		{name: "Edit/retry at", do: editDue},
		{name: "Edit/reroute", do: editReroute},
		{name: "Edit/bounce", do: editBounce},
		{name: "Edit/drop", do: editDrop},
		{name: "Edit/only what the filter selects", do: editFilter},
		{name: "Edit/hold of a leased job", do: editLeasedHold},
		{name: "Edit/retry at of a leased job", do: editLeasedDue},
		{name: "Edit/reroute of a leased job", do: editLeasedReroute},
		{name: "Edit/reroute of leased jobs hides no other", do: editLeasedHides},
		{name: "Edit/bounce of a leased job", do: editLeasedBounce},
		{name: "Edit/drop of a leased job", do: editLeasedDrop},
		{name: "Edit/several of a leased job, in order", do: editLeasedSeveral},
		{name: "Edit/of a leased job when the lease expires", do: editLeasedExpiry},
	}
}

func only(id string) queue.Filter { return queue.Filter{IDs: []string{id}} }

func editHold(c *check) {
	c.put(c.full("a", "d"))
	want := c.full("a", "d")
	want.Hold = "under review"
	c.edit(only("a"), queue.Edit{Hold: &want.Hold}, 1)
	c.sameJob("held", c.get("a"), &want)
	c.wantIDs("leases while it is held", leased(c.lease("d", 1)))
	ds, next := c.destinations(c.now, 1)
	c.wantIDs("destinations while it is held", ds)
	if !next.IsZero() {
		c.Errorf("look again at %v for a held job", next)
	}
	c.edit(only("a"), queue.Edit{Hold: new("")}, 1)
	want.Hold, want.Crashes = "", 0
	ds, _ = c.destinations(c.now, 1)
	c.wantIDs("destinations after the release", ds, "d")
	c.sameJob("released", c.leaseOne("d").Job, &want)
}

func editDue(c *check) {
	c.put(c.later("a", "d", time.Hour))
	want := c.job("a", "d")
	c.edit(only("a"), queue.Edit{Due: &want.Due}, 1)
	c.sameJob("now due", c.get("a"), &want)
	ds, _ := c.destinations(c.now, 1)
	c.wantIDs("destinations", ds, "d")
	c.leaseOne("d")
	c.put(c.job("b", "e"))
	c.edit(only("b"), queue.Edit{Due: new(c.now.Add(time.Hour))}, 1)
	c.wantIDs("leases of what is due later", leased(c.lease("e", 1)))
	if _, next := c.destinations(c.now, 1); !next.Equal(c.now.Add(time.Hour)) {
		c.Errorf("look again in %v, want 1h", next.Sub(c.now))
	}
}

func editReroute(c *check) {
	c.put(c.job("a", "d"))
	c.edit(only("a"), queue.Edit{Destination: new("e")}, 1)
	ds, _ := c.destinations(c.now, 10)
	c.wantIDs("destinations", ds, "e")
	c.wantIDs("leases of the old one", leased(c.lease("d", 1)))
	want := c.job("a", "e")
	c.sameJob("rerouted", c.leaseOne("e").Job, &want)
}

func editBounce(c *check) {
	held := c.later("a", "d", time.Hour)
	held.Hold = "stop"
	c.put(held)
	c.edit(only("a"), queue.Edit{Bounce: new("unwanted")}, 1)
	want := held
	want.Hold, want.Bounce, want.Destination, want.Due = "", "unwanted", queue.BounceDestination, want.Created
	c.sameJob("bounced", c.leaseOne(queue.BounceDestination).Job, &want)
	c.wantIDs("leases of the old destination", leased(c.leaseAt("d", 1, c.now.Add(time.Hour), ttl)))
}

func editDrop(c *check) {
	c.put(c.job("a", "d"), c.job("b", "e"))
	c.edit(only("a"), queue.Edit{Drop: true}, 1)
	c.wantAll("jobs", "b")
	ds, _ := c.destinations(c.now, 10)
	c.wantIDs("destinations", ds, "e")
	c.edit(only("a"), queue.Edit{Drop: true}, 0)
}

func editFilter(c *check) {
	c.putFilterJobs()
	for name, f := range filters() {
		want := listed(c.list(f))
		c.edit(f, queue.Edit{Due: new(c.now.Add(time.Hour))}, len(want))
		var got []string
		for _, j := range c.list(queue.Filter{}) {
			if j.Due.After(c.now) {
				got = append(got, j.ID)
			}
		}
		c.wantIDs("edited with "+name, got, want...)
		c.edit(queue.Filter{}, queue.Edit{Due: &c.now}, 5)
	}
}

// editLeased edits a job while it is leased, settles it as deferred for an
// hour, and returns it.
func (c *check) editLeased(edits ...queue.Edit) *queue.Job {
	c.Helper()
	c.put(c.job("a", "d"))
	l := c.leaseOne("d")
	for _, e := range edits {
		c.edit(only("a"), e, 1)
	}
	c.wantIDs("leases of the job while it is leased", leased(c.lease("d", 1)))
	c.settle(queue.Outcome{Token: l.Token, Remaining: l.Job.Recipients, Due: c.now.Add(time.Hour), Attempted: true, Last: "450"})
	j := c.get("a")
	if j.Attempts != 1 || j.Last != "450" {
		c.Errorf("the outcome is lost: attempts %d, last %q", j.Attempts, j.Last)
	}
	return j
}

func editLeasedHold(c *check) {
	if j := c.editLeased(queue.Edit{Hold: new("stop")}); j.Hold != "stop" {
		c.Errorf("hold %q, want the operator's", j.Hold)
	}
	c.wantIDs("leases", leased(c.leaseAt("d", 1, c.now.Add(2*time.Hour), ttl)))
}

func editLeasedDue(c *check) {
	if j := c.editLeased(queue.Edit{Due: &c.now}); !j.Due.Equal(c.now) {
		c.Errorf("due %v, want the operator's", j.Due)
	}
	c.leaseOne("d")
}

func editLeasedReroute(c *check) {
	if j := c.editLeased(queue.Edit{Destination: new("e")}); j.Destination != "e" {
		c.Errorf("destination %q, want the operator's", j.Destination)
	}
	c.wantIDs("leases of the new destination", leased(c.leaseAt("e", 1, c.now.Add(time.Hour), ttl)), "a")
}

func editLeasedBounce(c *check) {
	if j := c.editLeased(queue.Edit{Hold: new("stop")}, queue.Edit{Bounce: new("unwanted")}); j.Bounce != "unwanted" {
		c.Errorf("bounce %q, want the operator's", j.Bounce)
	}
	c.leaseOne(queue.BounceDestination)
}

func editLeasedDrop(c *check) {
	c.put(c.job("a", "d"))
	l := c.leaseOne("d")
	c.edit(only("a"), queue.Edit{Drop: true}, 1)
	c.settle(queue.Outcome{Token: l.Token, Remaining: l.Job.Recipients, Due: c.now, Attempted: true, Next: []queue.Job{c.job("dsn", "e")}})
	c.wantAll("jobs", "dsn")
}

func editLeasedSeveral(c *check) {
	j := c.editLeased(queue.Edit{Hold: new("stop")}, queue.Edit{Destination: new("e")}, queue.Edit{Hold: new("")})
	if j.Hold != "" || j.Destination != "e" {
		c.Errorf("hold %q, destination %q; want none, e", j.Hold, j.Destination)
	}
}

func editLeasedExpiry(c *check) {
	c.put(c.job("a", "d"))
	if n := len(c.leaseAt("d", 1, c.now, 50*time.Millisecond)); n != 1 {
		c.Fatalf("%d leases", n)
	}
	c.edit(only("a"), queue.Edit{Destination: new("e")}, 1)
	if l := c.again("e"); l.Job.Destination != "e" {
		c.Errorf("destination %q", l.Job.Destination)
	}
	c.wantIDs("leases of the old destination", leased(c.lease("d", 1)))
}

// editLeasedHides: leased jobs that an operator sent to another destination are
// in nobody's way there, while their leases last and when they end.
func editLeasedHides(c *check) {
	for i := range 5 {
		j := c.job(fmt.Sprint("a", i), "d")
		j.Due = c.now.Add(-time.Hour)
		c.put(j)
	}
	ls := c.lease("d", 5)
	c.put(c.job("b", "e"))
	c.edit(queue.Filter{Destination: "d"}, queue.Edit{Destination: new("e")}, 5)
	ds, _ := c.destinations(c.now, 5)
	c.wantIDs("destinations", ds, "e")
	c.wantIDs("leases", leased(c.lease("e", 2)), "b")
	ds, _ = c.destinations(c.now, 5)
	c.wantIDs("destinations of which all is leased", ds)
	for _, l := range ls[1:] {
		c.settle(queue.Outcome{Token: l.Token, Attempted: true})
	}
	c.settle(queue.Outcome{Token: ls[0].Token, Attempted: true, Remaining: ls[0].Job.Recipients, Due: c.now})
	c.wantIDs("leases of what goes on", leased(c.lease("e", 5)), ls[0].Job.ID)
}
