package queuetest

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/store/blob"
)

// broken is a Storage with one fault; a nil hook is the inner one's method.
type broken struct {
	queue.Storage
	put    func(context.Context, ...queue.Job) error
	dests  func(context.Context, queue.Look) (queue.Found, error)
	lease  func(context.Context, string, time.Time, int, time.Duration) ([]queue.Lease, error)
	settle func(context.Context, []queue.Outcome) error
	extend func(context.Context, time.Duration, ...queue.Token) error
	list   func(context.Context, queue.Filter) iter.Seq2[*queue.Job, error]
	edit   func(context.Context, queue.Filter, queue.Edit) (int, error)
	stats  func(context.Context) (queue.Stats, error)
	holds  func(context.Context, []blob.Ref) ([]blob.Ref, error)

	putEntries func(context.Context, ...queue.Entry) error
	entries    func(context.Context, queue.EntryFilter) iter.Seq2[*queue.Entry, error]
}

func (b *broken) Put(ctx context.Context, jobs ...queue.Job) error {
	if b.put != nil {
		return b.put(ctx, jobs...)
	}
	return b.Storage.Put(ctx, jobs...)
}

func (b *broken) LeaseDestinations(ctx context.Context, l queue.Look) (queue.Found, error) {
	if b.dests != nil {
		return b.dests(ctx, l)
	}
	return b.Storage.LeaseDestinations(ctx, l)
}

func (b *broken) LeaseJobs(ctx context.Context, dest string, now time.Time, limit int, ttl time.Duration) ([]queue.Lease, error) {
	if b.lease != nil {
		return b.lease(ctx, dest, now, limit, ttl)
	}
	return b.Storage.LeaseJobs(ctx, dest, now, limit, ttl)
}

func (b *broken) Settle(ctx context.Context, out []queue.Outcome) error {
	if b.settle != nil {
		return b.settle(ctx, out)
	}
	return b.Storage.Settle(ctx, out)
}

func (b *broken) Extend(ctx context.Context, ttl time.Duration, tokens ...queue.Token) error {
	if b.extend != nil {
		return b.extend(ctx, ttl, tokens...)
	}
	return b.Storage.Extend(ctx, ttl, tokens...)
}

func (b *broken) Edit(ctx context.Context, f queue.Filter, e queue.Edit) (int, error) {
	if b.edit != nil {
		return b.edit(ctx, f, e)
	}
	return b.Storage.Edit(ctx, f, e)
}

// job is the job as it is, or nil.
func (b *broken) job(ctx context.Context, id string) *queue.Job {
	for j := range b.Storage.List(ctx, only(id)) {
		return j
	}
	return nil
}

func (b *broken) List(ctx context.Context, f queue.Filter) iter.Seq2[*queue.Job, error] {
	if b.list != nil {
		return b.list(ctx, f)
	}
	return b.Storage.List(ctx, f)
}

func (b *broken) Stats(ctx context.Context) (queue.Stats, error) {
	if b.stats != nil {
		return b.stats(ctx)
	}
	return b.Storage.Stats(ctx)
}

func (b *broken) Holds(ctx context.Context, refs []blob.Ref) ([]blob.Ref, error) {
	if b.holds != nil {
		return b.holds(ctx, refs)
	}
	return b.Storage.Holds(ctx, refs)
}

// fault is one way to be wrong, and the only case that notices it.
type fault struct {
	name   string
	caught string
	seed   func(*broken)

	nodes       func([]*broken) // of a cluster, instead of seed
	keepsLeases bool            // Config.KeepsLeases is claimed
}

func faults() []fault {
	return slices.Concat(putFaults(), leaseFaults(), settleFaults(), listFaults(), entryFaults(), crashFaults(), nodesFaults())
}

func putFaults() []fault {
	return []fault{
		{name: "Put adds what stands before the fault", caught: "Put/ErrExists adds none", seed: func(b *broken) {
			b.put = func(ctx context.Context, jobs ...queue.Job) error {
				for i := range jobs {
					if slices.ContainsFunc(jobs[i+1:], func(o queue.Job) bool { return o.ID == jobs[i].ID }) {
						return b.Storage.Put(ctx, jobs...)
					}
				}
				for _, j := range jobs {
					if err := b.Storage.Put(ctx, j); err != nil {
						return err
					}
				}
				return ctx.Err()
			}
		}},
		{name: "Put forgives the same ID in one call", caught: "Put/the same ID twice adds none", seed: func(b *broken) {
			b.put = func(ctx context.Context, jobs ...queue.Job) error {
				slices.SortFunc(jobs, func(a, b queue.Job) int { return cmp.Compare(a.ID, b.ID) })
				return b.Storage.Put(ctx, slices.CompactFunc(jobs, func(a, b queue.Job) bool { return a.ID == b.ID })...)
			}
		}},
		{name: "Put looks for Once only among what was there before", caught: "Put/Once twice in one call", seed: func(b *broken) {
			b.put = func(ctx context.Context, jobs ...queue.Job) error {
				for i := range jobs {
					if slices.ContainsFunc(jobs[:i], func(o queue.Job) bool { return o.Once == jobs[i].Once }) {
						jobs[i].Once = ""
					}
				}
				return b.Storage.Put(ctx, jobs...)
			}
		}},
		{name: "Put does not look at the context", caught: "Put/cancelled adds none", seed: func(b *broken) {
			b.put = func(ctx context.Context, jobs ...queue.Job) error {
				return cmp.Or(b.Storage.Put(context.WithoutCancel(ctx), jobs...), ctx.Err())
			}
		}},
		{name: "Put sets what was not given", caught: "Put/keeps every field", seed: func(b *broken) {
			b.put = func(ctx context.Context, jobs ...queue.Job) error {
				for i := range jobs {
					if jobs[i].Created.IsZero() {
						jobs[i].Created = time.Now()
					}
				}
				return b.Storage.Put(ctx, jobs...)
			}
		}},
	}
}

func leaseFaults() []fault {
	return []fault{
		{name: "a job is leased a moment early", caught: "LeaseJobs/only what is due", seed: func(b *broken) {
			b.lease = func(ctx context.Context, dest string, now time.Time, limit int, ttl time.Duration) ([]queue.Lease, error) {
				return b.Storage.LeaseJobs(ctx, dest, now.Add(1), limit, ttl)
			}
		}},
		{name: "priority is not looked at", caught: "LeaseJobs/priority, then the longest due", seed: func(b *broken) {
			b.lease = func(ctx context.Context, dest string, now time.Time, limit int, ttl time.Duration) ([]queue.Lease, error) {
				ls, err := b.Storage.LeaseJobs(ctx, dest, now, limit, ttl)
				slices.SortFunc(ls, func(a, b queue.Lease) int { return a.Job.Due.Compare(b.Job.Due) })
				return ls, err
			}
		}},
		{name: "the priority stays what it was", caught: "LeaseJobs/waiting raises the priority", seed: func(b *broken) {
			b.lease = func(ctx context.Context, dest string, now time.Time, limit int, ttl time.Duration) ([]queue.Lease, error) {
				ls, err := b.Storage.LeaseJobs(ctx, dest, now, limit, ttl)
				slices.SortStableFunc(ls, func(a, b queue.Lease) int { return cmp.Compare(b.Job.Priority, a.Job.Priority) })
				return ls, err
			}
		}},
		{name: "who sends much goes first", caught: "LeaseJobs/senders take turns", seed: func(b *broken) {
			b.lease = func(ctx context.Context, dest string, now time.Time, limit int, ttl time.Duration) ([]queue.Lease, error) {
				var late []queue.Job
				for j := range b.Storage.List(ctx, queue.Filter{Sender: "carol@example.com"}) {
					b.Storage.Edit(ctx, only(j.ID), queue.Edit{Hold: new("later")})
					late = append(late, *j)
				}
				ls, err := b.Storage.LeaseJobs(ctx, dest, now, limit, ttl)
				for i := range late {
					b.Storage.Edit(ctx, only(late[i].ID), queue.Edit{Hold: new("")})
				}
				return ls, err
			}
		}},
		{name: "none asked for, one given", caught: "LeaseJobs/no more than asked for", seed: func(b *broken) {
			b.lease = func(ctx context.Context, dest string, now time.Time, limit int, ttl time.Duration) ([]queue.Lease, error) {
				return b.Storage.LeaseJobs(ctx, dest, now, max(1, limit), ttl)
			}
		}},
		{name: "an old token settles a newer lease", caught: "LeaseJobs/an expired lease is void", seed: oldTokens},
		{name: "a lease lasts until there is another", caught: "LeaseJobs/an expired lease is void before another", seed: lateSettle},
		{name: "Extend is too short", caught: "Extend/keeps a lease", seed: func(b *broken) {
			b.extend = func(ctx context.Context, _ time.Duration, tokens ...queue.Token) error {
				return b.Storage.Extend(ctx, time.Millisecond, tokens...)
			}
		}},
		{name: "Extend is content with one", caught: "Extend/void", seed: func(b *broken) {
			b.extend = func(ctx context.Context, ttl time.Duration, tokens ...queue.Token) error {
				if err := b.Storage.Extend(ctx, ttl, tokens...); len(tokens) == 1 {
					return err
				}
				return nil
			}
		}},
		{name: "destinations in another order", caught: "LeaseDestinations/the longest due first", seed: func(b *broken) {
			b.dests = func(ctx context.Context, l queue.Look) (queue.Found, error) {
				f, err := b.Storage.LeaseDestinations(ctx, l)
				if l.Max == 10 && len(f.Destinations) > 2 {
					slices.Reverse(f.Destinations)
				}
				return f, err
			}
		}},
		{name: "no destination asked for, one given", caught: "LeaseDestinations/no more than asked for", seed: func(b *broken) {
			b.dests = func(ctx context.Context, l queue.Look) (queue.Found, error) {
				l.Max = max(1, l.Max)
				return b.Storage.LeaseDestinations(ctx, l)
			}
		}},
		{name: "each page begins with the longest due", caught: "LeaseDestinations/goes on behind a place", seed: func(b *broken) {
			b.dests = func(ctx context.Context, l queue.Look) (queue.Found, error) {
				l.After = queue.Place{}
				return b.Storage.LeaseDestinations(ctx, l)
			}
		}},
		{name: "the next time is that of a destination in except", caught: "LeaseDestinations/says when the next falls due", seed: func(b *broken) {
			b.dests = func(ctx context.Context, l queue.Look) (queue.Found, error) {
				f, err := b.Storage.LeaseDestinations(ctx, l)
				l.Except = nil
				all, _ := b.Storage.LeaseDestinations(ctx, l)
				f.Next = all.Next
				return f, err
			}
		}},
	}
}

// oldTokens forgets to compare the fence of leases that were short.
func oldTokens(b *broken) {
	var mu sync.Mutex
	short, last := make(map[queue.Token]bool), make(map[string]queue.Token)
	b.lease = func(ctx context.Context, dest string, now time.Time, limit int, ttl time.Duration) ([]queue.Lease, error) {
		ls, err := b.Storage.LeaseJobs(ctx, dest, now, limit, ttl)
		mu.Lock()
		defer mu.Unlock()
		for _, l := range ls {
			short[l.Token], last[l.Token.Job] = ttl < time.Second, l.Token
		}
		return ls, err
	}
	b.settle = func(ctx context.Context, out []queue.Outcome) error {
		mu.Lock()
		for i := range out {
			if short[out[i].Token] {
				out[i].Token = last[out[i].Token.Job]
			}
		}
		mu.Unlock()
		return b.Storage.Settle(ctx, out)
	}
}

// lateSettle takes an outcome whose lease has expired, if there is no other.
func lateSettle(b *broken) {
	var mu sync.Mutex
	last := make(map[string]queue.Lease)
	b.lease = func(ctx context.Context, dest string, now time.Time, limit int, ttl time.Duration) ([]queue.Lease, error) {
		ls, err := b.Storage.LeaseJobs(ctx, dest, now, limit, ttl)
		mu.Lock()
		defer mu.Unlock()
		for _, l := range ls {
			last[l.Job.ID] = l
		}
		return ls, err
	}
	b.settle = func(ctx context.Context, out []queue.Outcome) error {
		err := b.Storage.Settle(ctx, out)
		mu.Lock()
		l, ok := last[out[0].Token.Job]
		mu.Unlock()
		if errors.Is(err, queue.ErrLeaseLost) && ok && l.Token == out[0].Token && !time.Now().Before(l.Expires) {
			ls, _ := b.Storage.LeaseJobs(ctx, l.Job.Destination, time.Now(), 1, time.Hour)
			for i := range ls {
				out[0].Token = ls[i].Token
				err = b.Storage.Settle(ctx, out)
			}
		}
		return err
	}
}

func settleFaults() []fault {
	settle := func(after func(*broken, context.Context, []queue.Outcome, error) error) func(*broken) {
		return func(b *broken) {
			b.settle = func(ctx context.Context, out []queue.Outcome) error {
				return after(b, ctx, out, b.Storage.Settle(ctx, out))
			}
		}
	}
	edited := func(e func(queue.Outcome) queue.Edit) func(*broken) {
		return settle(func(b *broken, ctx context.Context, out []queue.Outcome, err error) error {
			for _, o := range out {
				j := b.job(ctx, o.Token.Job)
				if err == nil && j != nil && j.Bounce == "" && o.Attempted && !o.Crashed && len(o.Remaining) > 0 && o.Hold == "" {
					b.Storage.Edit(ctx, only(o.Token.Job), e(o))
				}
			}
			return err
		})
	}
	return []fault{
		{name: "Next of a void outcome is put", caught: "Settle/a void token does nothing", seed: settle(func(b *broken, ctx context.Context, out []queue.Outcome, err error) error {
			if errors.Is(err, queue.ErrLeaseLost) && len(out) > 1 {
				b.Storage.Put(ctx, out[0].Next...)
			}
			return err
		})},
		{name: "Next of an outcome that comes too late is put", caught: "Settle/one DSN for a failure, 16 who settle it", seed: settle(func(b *broken, ctx context.Context, out []queue.Outcome, err error) error {
			if errors.Is(err, queue.ErrLeaseLost) && len(out) == 1 && len(out[0].Next) > 0 && out[0].Next[0].Destination == "back" {
				b.Storage.Put(ctx, out[0].Next...)
			}
			return err
		})},
		{name: "outcomes one by one", caught: "Settle/all or none", seed: func(b *broken) {
			b.settle = func(ctx context.Context, out []queue.Outcome) error {
				var last error
				for i := range out {
					if err := b.Storage.Settle(ctx, out[i:i+1]); err != nil {
						last = err
					}
				}
				return last
			}
		}},
		{name: "Settle does not look at the context", caught: "Settle/cancelled does nothing", seed: func(b *broken) {
			b.settle = func(ctx context.Context, out []queue.Outcome) error {
				return b.Storage.Settle(context.WithoutCancel(ctx), out)
			}
		}},
		{name: "a job given back counts as attempted", caught: "Settle/not Attempted gives the job back", seed: func(b *broken) {
			b.settle = func(ctx context.Context, out []queue.Outcome) error {
				for i := range out {
					out[i].Attempted = out[i].Attempted || out[i].Hold == ""
				}
				return b.Storage.Settle(ctx, out)
			}
		}},
		{name: "the outcome wins over a hold", caught: "Edit/hold of a leased job", seed: edited(func(o queue.Outcome) queue.Edit { return queue.Edit{Hold: &o.Hold} })},
		{name: "leased jobs that were rerouted count for the limit", caught: "Edit/reroute of leased jobs hides no other", seed: func(b *broken) {
			moved := make(map[string]int)
			b.edit = func(ctx context.Context, f queue.Filter, e queue.Edit) (int, error) {
				n, err := b.Storage.Edit(ctx, f, e)
				if e.Destination != nil && f.Destination != "" {
					moved[*e.Destination] += n
				}
				return n, err
			}
			b.lease = func(ctx context.Context, dest string, now time.Time, limit int, ttl time.Duration) ([]queue.Lease, error) {
				return b.Storage.LeaseJobs(ctx, dest, now, max(0, limit-moved[dest]), ttl)
			}
		}},
		{name: "the outcome wins over a due time", caught: "Edit/retry at of a leased job", seed: edited(func(o queue.Outcome) queue.Edit { return queue.Edit{Due: &o.Due} })},
	}
}

func listFaults() []fault {
	return []fault{
		{name: "a page begins one too late", caught: "List/pages by ID", seed: func(b *broken) {
			b.list = func(ctx context.Context, f queue.Filter) iter.Seq2[*queue.Job, error] {
				return func(yield func(*queue.Job, error) bool) {
					skip := f.Limit == 300 && f.After != ""
					for j, err := range b.Storage.List(ctx, f) {
						if !skip && !yield(j, err) {
							return
						}
						skip = false
					}
				}
			}
		}},
		{name: "jobs that List yields are shared", caught: "Put/keeps its own copy", seed: sharedJobs},
		{name: "the oldest is not known", caught: "Stats/exact", seed: func(b *broken) {
			b.stats = func(ctx context.Context) (queue.Stats, error) {
				st, err := b.Storage.Stats(ctx)
				st.Oldest = time.Time{}
				return st, err
			}
		}},
		{name: "only the first blobs are looked at", caught: "Holds/many", seed: func(b *broken) {
			b.holds = func(ctx context.Context, refs []blob.Ref) ([]blob.Ref, error) {
				return b.Storage.Holds(ctx, refs[:min(64, len(refs))])
			}
		}},
		{name: "a blob is held by the first of its jobs", caught: "Holds/blobs released a moment ago", seed: func(b *broken) {
			b.holds = func(ctx context.Context, refs []blob.Ref) ([]blob.Ref, error) {
				held, err := b.Storage.Holds(ctx, refs)
				live := func(r blob.Ref) bool {
					for j := range b.Storage.List(ctx, queue.Filter{}) {
						if j.Blob == r {
							return true
						}
					}
					return false
				}
				return slices.DeleteFunc(held, func(r blob.Ref) bool { return r == "blob-c" && !live(r) }), err
			}
		}},
	}
}

// sharedJobs yields the same *Job again as long as it has not changed.
func sharedJobs(b *broken) {
	type pair struct {
		job  *queue.Job
		text string
	}
	cache := make(map[string]pair)
	b.list = func(ctx context.Context, f queue.Filter) iter.Seq2[*queue.Job, error] {
		return func(yield func(*queue.Job, error) bool) {
			for j, err := range b.Storage.List(ctx, f) {
				if j != nil && cache[j.ID].text == text(j) {
					j = cache[j.ID].job
				} else if j != nil {
					cache[j.ID] = pair{j, text(j)}
				}
				if !yield(j, err) {
					return
				}
			}
		}
	}
}
