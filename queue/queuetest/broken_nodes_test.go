package queuetest

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/store/blob"
)

// nodesFaults: what a node does not know of the other.
func nodesFaults() []fault {
	return []fault{
		{name: "a node looks for what it put itself", caught: "Nodes/each sees what the other did", nodes: ownDestinations},
		{name: "nodes pick at the same time", caught: "Nodes/one lease for a job, 16 workers each", nodes: doublePick},
		{name: "a node knows its own leases", caught: "Nodes/a lease holds at the other", nodes: ownLeases},
		{name: "Extend stays in the memory of a node", caught: "Nodes/Extend holds at the other", nodes: func(bs []*broken) {
			bs[0].extend = func(ctx context.Context, ttl time.Duration, tokens ...queue.Token) error {
				return bs[0].Storage.Extend(ctx, time.Millisecond, tokens...)
			}
		}},
		{name: "leases have no fence", caught: "Nodes/an expired lease is void when the other has a new one", nodes: noFence},
		{name: "a node knows its own keys", caught: "Nodes/Once is known at the other", nodes: ownKeys},
		{name: "an edit stays in the memory of a node", caught: "Nodes/an edit at the other wins over an outcome", nodes: ownEdits},
		{name: "a node knows what it released itself", caught: "Nodes/a blob is held, whoever released it", nodes: ownReleases},
		{name: "a node counts its own leases", caught: "Nodes/exact counts at each", nodes: func(bs []*broken) {
			bs[1].stats = func(ctx context.Context) (queue.Stats, error) {
				st, err := bs[1].Storage.Stats(ctx)
				st.Leased = 0
				return st, err
			}
		}},
		{name: "a restart voids leases", caught: "Reopen/keeps leases", keepsLeases: true},
	}
}

func ownDestinations(bs []*broken) {
	var mu sync.Mutex
	own := make(map[string]bool)
	bs[1].put = func(ctx context.Context, jobs ...queue.Job) error {
		mu.Lock()
		defer mu.Unlock()
		for i := range jobs {
			own[jobs[i].Destination] = true
		}
		return bs[1].Storage.Put(ctx, jobs...)
	}
	bs[1].dests = func(ctx context.Context, l queue.Look) (queue.Found, error) {
		f, err := bs[1].Storage.LeaseDestinations(ctx, l)
		mu.Lock()
		defer mu.Unlock()
		f.Destinations = slices.DeleteFunc(f.Destinations, func(d string) bool { return !own[d] })
		return f, err
	}
}

// doublePick gives what one node leases to the other too, where many ask.
func doublePick(bs []*broken) {
	var mu sync.Mutex
	var given []queue.Lease
	for i, b := range bs {
		b.lease = func(ctx context.Context, dest string, now time.Time, limit int, ttl time.Duration) ([]queue.Lease, error) {
			ls, err := b.Storage.LeaseJobs(ctx, dest, now, limit, ttl)
			mu.Lock()
			defer mu.Unlock()
			if limit == 3 && i == 0 {
				given = append(given, ls...)
			}
			if limit == 3 && i == 1 && len(given) > 0 {
				ls, given = append(ls, given[0]), given[1:]
			}
			return ls, err
		}
	}
}

// ownLeases has the second node lease what the first one has leased.
func ownLeases(bs []*broken) {
	bs[1].lease = func(ctx context.Context, dest string, now time.Time, limit int, ttl time.Duration) ([]queue.Lease, error) {
		ls, err := bs[1].Storage.LeaseJobs(ctx, dest, now, limit, ttl)
		if len(ls) == 0 && limit == 10 {
			for j := range bs[1].Storage.List(ctx, queue.Filter{Destination: dest, Limit: 1}) {
				ls = append(ls, queue.Lease{Token: queue.Token{Job: j.ID}, Job: j})
			}
		}
		return ls, err
	}
}

// noFence has the first node settle by the name of the job alone.
func noFence(bs []*broken) {
	var mu sync.Mutex
	last := make(map[string]queue.Token)
	for _, b := range bs {
		b.lease = func(ctx context.Context, dest string, now time.Time, limit int, ttl time.Duration) ([]queue.Lease, error) {
			ls, err := b.Storage.LeaseJobs(ctx, dest, now, limit, ttl)
			mu.Lock()
			defer mu.Unlock()
			for _, l := range ls {
				last[l.Token.Job] = l.Token
			}
			return ls, err
		}
	}
	bs[0].settle = func(ctx context.Context, out []queue.Outcome) error {
		mu.Lock()
		for i := range out {
			out[i].Token = last[out[i].Token.Job]
		}
		mu.Unlock()
		return bs[0].Storage.Settle(ctx, out)
	}
}

func ownKeys(bs []*broken) {
	bs[1].put = func(ctx context.Context, jobs ...queue.Job) error {
		for i := range jobs {
			jobs[i].Once = ""
		}
		return bs[1].Storage.Put(ctx, jobs...)
	}
}

func ownEdits(bs []*broken) {
	bs[0].settle = func(ctx context.Context, out []queue.Outcome) error {
		err := bs[0].Storage.Settle(ctx, out)
		for _, o := range out {
			if err == nil && len(o.Remaining) > 0 {
				bs[0].Storage.Edit(ctx, only(o.Token.Job), queue.Edit{Hold: &o.Hold})
			}
		}
		return err
	}
}

func ownReleases(bs []*broken) {
	bs[0].holds = func(ctx context.Context, refs []blob.Ref) ([]blob.Ref, error) {
		live := make(map[blob.Ref]bool)
		for j := range bs[0].Storage.List(ctx, queue.Filter{}) {
			live[j.Blob] = true
		}
		held, err := bs[0].Storage.Holds(ctx, refs)
		return slices.DeleteFunc(held, func(r blob.Ref) bool { return !live[r] }), err
	}
}
