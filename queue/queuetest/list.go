package queuetest

import (
	"fmt"
	"time"

	"github.com/mailstead/mailstead/queue"
)

func listCases() []kase {
	return []kase{
		{name: "List/filters", do: listFilters},
		{name: "List/pages by ID", do: listPages},
		{name: "List/holds nothing while the loop body runs", do: listChanging},
		{name: "Stats/exact", do: statsExact},
	}
}

// putFilterJobs puts jobs a to e, which differ in what a Filter looks at.
func (c *check) putFilterJobs() {
	a, b, d := c.job("a", "d"), c.job("b", "d"), c.job("d", "e")
	a.Message, b.Message = "m", "m"
	a.Identity, b.ReversePath = "alice", reverse("", "")
	b.Hold = "stop"
	d.Recipients = append(d.Recipients, rcpt("Carol Q", "Example.COM"))
	e := c.job("e", "e")
	e.ReversePath = reverse("ALICE", "EXAMPLE.org")
	c.put(a, b, c.job("c", "d"), d, e)
}

func filters() map[string]queue.Filter {
	return map[string]queue.Filter{
		"nothing":                  {},
		"IDs":                      {IDs: []string{"e", "b", "x", "b"}},
		"Message":                  {Message: "m"},
		"Destination":              {Destination: "d"},
		"Sender":                   {Sender: "Alice@example.ORG"},
		"Recipient":                {Recipient: `"carol q"@example.com`},
		"Identity":                 {Identity: "alice"},
		"Held":                     {Held: new(true)},
		"not Held":                 {Held: new(false)},
		"After":                    {After: "b"},
		"Limit":                    {Limit: 2},
		"IDs, After and Limit":     {IDs: []string{"e", "c", "b", "a"}, After: "a", Limit: 2},
		"Message and Identity":     {Message: "m", Identity: "alice"},
		"Destination and not Held": {Destination: "d", Held: new(false), Limit: 5},
		"Sender and Limit":         {Sender: "alice@example.org", Limit: 3},
		"Recipient that is not":    {Recipient: "dave@example.com"},
	}
}

func listFilters(c *check) {
	c.putFilterJobs()
	want := map[string][]string{
		"nothing": {"a", "b", "c", "d", "e"}, "IDs": {"b", "e"}, "Message": {"a", "b"}, "Destination": {"a", "b", "c"},
		"Sender": {"a", "c", "d", "e"}, "Recipient": {"d"}, "Identity": {"a"}, "Held": {"b"}, "not Held": {"a", "c", "d", "e"},
		"After": {"c", "d", "e"}, "Limit": {"a", "b"}, "IDs, After and Limit": {"b", "c"}, "Message and Identity": {"a"},
		"Destination and not Held": {"a", "c"}, "Sender and Limit": {"a", "c", "d"},
	}
	for name, f := range filters() {
		c.wantIDs(name, listed(c.list(f)), want[name]...)
	}
}

func listPages(c *check) {
	const n = 1000
	c.put(c.jobs("j", "d", n)...)
	all := listed(c.list(queue.Filter{}))
	if len(all) != n {
		c.Fatalf("%d jobs, want %d", len(all), n)
	}
	var got []string
	for f := (queue.Filter{Limit: 300}); ; {
		page := listed(c.list(f))
		if len(page) == 0 {
			break
		}
		got = append(got, page...)
		f.After = page[len(page)-1]
	}
	c.wantIDs("pages of 300", got, all...)
}

func listChanging(c *check) {
	const n = 600
	c.put(c.jobs("j", "d", n)...)
	seen := make(map[string]int)
	i := 0
	for j, err := range c.s.List(c.ctx, queue.Filter{}) {
		if err != nil {
			c.Fatalf("List: %v", err)
		}
		seen[j.ID]++
		// Jobs with an odd number go before they are seen; others come.
		c.edit(only(fmt.Sprintf("j%06d", i*2+1)), queue.Edit{Drop: true}, min(1, max(0, n/2-i)))
		c.put(c.job(fmt.Sprintf("k%06d", i), "d"))
		if i++; i > n {
			break
		}
	}
	for i := 0; i < n; i += 2 {
		if id := fmt.Sprintf("j%06d", i); seen[id] != 1 {
			c.Errorf("job %s, there all the time, was seen %d times", id, seen[id])
		}
	}
}

func statsExact(c *check) {
	want := func(when string, w queue.Stats) {
		c.Helper()
		got, err := c.s.Stats(c.ctx)
		if err != nil {
			c.Fatalf("Stats: %v", err)
		}
		same := got.Oldest.Equal(w.Oldest)
		got.Oldest = w.Oldest
		if got != w || !same {
			c.Errorf("%s: %+v, want %+v (same Oldest: %v)", when, got, w, same)
		}
	}
	want("empty", queue.Stats{})
	old, held := c.job("a", "d"), c.job("b", "e")
	old.Created = c.now.Add(-time.Hour)
	held.Hold, held.Created = "stop", c.now.Add(-time.Minute)
	c.put(old, held, c.job("c", "d"))
	want("3 jobs", queue.Stats{Jobs: 3, Held: 1, Destinations: 2, Oldest: old.Created})
	ls := c.lease("d", 2)
	want("2 leased", queue.Stats{Jobs: 3, Held: 1, Leased: 2, Destinations: 2, Oldest: old.Created})
	c.settle(queue.Outcome{Token: ls[0].Token, Attempted: true},
		queue.Outcome{Token: ls[1].Token, Remaining: ls[1].Job.Recipients, Due: c.now, Hold: "failed", Next: []queue.Job{c.job("n", "n")}})
	want("one done, one held, one new", queue.Stats{Jobs: 3, Held: 2, Destinations: 3, Oldest: held.Created})
	c.edit(only("c"), queue.Edit{Destination: new("n")}, 1)
	c.edit(only("b"), queue.Edit{Hold: new("")}, 1)
	c.edit(only("b"), queue.Edit{Hold: new("")}, 1)
	want("one released, one rerouted", queue.Stats{Jobs: 3, Held: 1, Destinations: 2, Oldest: held.Created})
	c.edit(queue.Filter{}, queue.Edit{Drop: true}, 3)
	want("all dropped", queue.Stats{})
}
