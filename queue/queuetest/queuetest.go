package queuetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/mailstead/mailstead/queue"
)

// Config says how to make the Storage that is judged.
type Config struct {
	// New returns an empty Storage, and ends it with t.Cleanup. Required.
	New func(t testing.TB) queue.Storage

	// Reopen ends s, as a crash or a restart does, and returns a Storage on
	// what it left. nil leaves out the cases of a restart.
	Reopen func(t testing.TB, s queue.Storage) queue.Storage

	// KeepsLeases: a restart voids no lease, since its holder may be another
	// node that goes on.
	KeepsLeases bool

	// Nodes returns n Storages on the same empty data, as the nodes of a
	// cluster have them, and ends them with t.Cleanup. nil leaves out the
	// cases of several nodes.
	Nodes func(t testing.TB, n int) []queue.Storage
}

// Run judges the Storage, each case on a new one. With -short the large cases
// are smaller.
func Run(t *testing.T, cfg Config) {
	for _, k := range cases() {
		t.Run(k.name, func(t *testing.T) { k.run(t, cfg) })
	}
}

type kase struct {
	name string
	do   func(*check)
	// reopens: the case needs Config.Reopen.
	reopens bool
	// leases: it needs Config.KeepsLeases to be so; nil = either.
	leases *bool
	// nodes: it needs so many; the one of check.s is the first. 0 = one.
	nodes int
}

func (k kase) run(t testing.TB, cfg Config) {
	switch {
	case k.reopens && cfg.Reopen == nil:
		t.Skip("no Config.Reopen")
	case k.leases != nil && *k.leases != cfg.KeepsLeases:
		t.Skip("Config.KeepsLeases is ", cfg.KeepsLeases)
	case k.nodes > 0 && cfg.Nodes == nil:
		t.Skip("no Config.Nodes")
	}
	c := &check{TB: t, cfg: cfg, ctx: t.Context(), now: time.Now().UTC().Truncate(time.Second)}
	if k.nodes > 0 {
		c.nodes = cfg.Nodes(t, k.nodes)
		c.s = c.nodes[0]
	} else {
		c.s = cfg.New(t)
		c.nodes = []queue.Storage{c.s}
	}
	k.do(c)
}

func cases() []kase {
	return slices.Concat(putCases(), leaseCases(), destinationCases(), settleCases(), editCases(), listCases(), holdsCases(), reopenCases(), entryCases(), crashCases(), nodesCases(), loadCases())
}

// check is the Storage of one case. Its methods end the case on an error that
// no promise allows.
type check struct {
	testing.TB
	cfg Config
	s   queue.Storage
	// nodes are all there are, s among them.
	nodes []queue.Storage

	ctx context.Context
	now time.Time // due jobs are put with this time
}

func (c *check) put(jobs ...queue.Job) {
	c.Helper()
	if err := c.s.Put(c.ctx, jobs...); err != nil {
		c.Fatalf("Put: %v", err)
	}
}

// ttl is that of leases which are not to expire.
const ttl = time.Hour

// lease leases up to n jobs of a destination.
func (c *check) lease(dest string, n int) []queue.Lease {
	c.Helper()
	return c.leaseAt(dest, n, c.now, ttl)
}

func (c *check) leaseAt(dest string, n int, now time.Time, ttl time.Duration) []queue.Lease {
	c.Helper()
	ls, err := c.s.LeaseJobs(c.ctx, dest, now, n, ttl)
	if err != nil {
		c.Fatalf("LeaseJobs: %v", err)
	}
	return ls
}

// leaseOne leases the only due job of a destination.
func (c *check) leaseOne(dest string) queue.Lease {
	c.Helper()
	ls := c.lease(dest, 10)
	if len(ls) != 1 {
		c.Fatalf("LeaseJobs(%q) gave %d leases, want 1", dest, len(ls))
	}
	return ls[0]
}

func (c *check) settle(outcomes ...queue.Outcome) {
	c.Helper()
	if err := c.s.Settle(c.ctx, outcomes); err != nil {
		c.Fatalf("Settle: %v", err)
	}
}

func (c *check) edit(f queue.Filter, e queue.Edit, want int) {
	c.Helper()
	n, err := c.s.Edit(c.ctx, f, e)
	if err != nil || n != want {
		c.Fatalf("Edit changed %d jobs, %v; want %d", n, err, want)
	}
}

func (c *check) destinations(now time.Time, limit int, except ...string) ([]string, time.Time) {
	c.Helper()
	full := make(map[string]bool)
	for _, d := range except {
		full[d] = true
	}
	f, err := c.s.LeaseDestinations(c.ctx, queue.Look{Now: now, Max: limit, Except: full})
	if err != nil {
		c.Fatalf("LeaseDestinations: %v", err)
	}
	if f.More && len(f.Destinations) == 0 && limit > 0 {
		c.Errorf("LeaseDestinations: more, but none")
	}
	return f.Destinations, f.Next
}

func (c *check) list(f queue.Filter) []*queue.Job {
	c.Helper()
	var jobs []*queue.Job
	for j, err := range c.s.List(c.ctx, f) {
		if err != nil {
			c.Fatalf("List: %v", err)
		}
		jobs = append(jobs, j)
	}
	return jobs
}

// wantIDs compares the IDs of jobs, in order.
func (c *check) wantIDs(what string, got []string, want ...string) {
	c.Helper()
	if !slices.Equal(got, want) {
		c.Errorf("%s: %q, want %q", what, got, want)
	}
}

// wantAll compares the IDs of all jobs there are.
func (c *check) wantAll(what string, want ...string) {
	c.Helper()
	c.wantIDs(what, listed(c.list(queue.Filter{})), want...)
}

// get is the job with this ID.
func (c *check) get(id string) *queue.Job {
	c.Helper()
	jobs := c.list(queue.Filter{IDs: []string{id}})
	if len(jobs) != 1 || jobs[0].ID != id {
		c.Fatalf("job %q: List yields %q", id, listed(jobs))
	}
	return jobs[0]
}

func listed(jobs []*queue.Job) (ids []string) {
	for _, j := range jobs {
		ids = append(ids, j.ID)
	}
	return ids
}

func leased(ls []queue.Lease) (ids []string) {
	for _, l := range ls {
		ids = append(ids, l.Job.ID)
	}
	return ids
}
