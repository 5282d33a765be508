package memqueue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/store/blob"
)

// What Storage remembers of the past.
const (
	keepOnce = 30 * 24 * time.Hour // Job.Once of a job, from its Put
	keepRef  = 24 * time.Hour      // a blob, from the end of its last job
)

// Storage is a queue.Storage. The zero value is empty and ready for use; any
// number of goroutines may use it.
type Storage struct {
	mu       sync.Mutex
	fence    uint64
	turn     uint64 // calls of LeaseJobs
	jobs     map[string]*entry
	once     map[string]time.Time // Job.Once → when it was put
	released map[blob.Ref]time.Time
	entries  map[entryName]queue.Entry
}

var (
	_ queue.Storage = (*Storage)(nil)
	_ blob.Holder   = (*Storage)(nil)
)

// entry is a job, and the lease on it where there is one.
type entry struct {
	job     queue.Job
	fence   uint64 // of the lease; zero = not leased
	expires time.Time
	edits   []queue.Edit // wait for the end of the lease
}

func (e *entry) leased(now time.Time) bool { return e.fence != 0 && now.Before(e.expires) }

// Reopen returns a Storage with the jobs of s as a restart would find them:
// no lease is valid, and those there were have crashed. s must not be used any
// more.
func (s *Storage) Reopen() *Storage {
	s.mu.Lock()
	defer s.mu.Unlock()
	var leased []*queue.Job
	for _, e := range s.jobs {
		if e.fence != 0 {
			leased = append(leased, &e.job)
		}
	}
	queue.Crashed(leased...)
	for _, e := range s.jobs {
		s.endLocked(e)
	}
	return &Storage{fence: s.fence, jobs: s.jobs, once: s.once, released: s.released, entries: s.entries}
}

// Put implements queue.Storage.
func (s *Storage) Put(ctx context.Context, jobs ...queue.Job) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := queue.CheckJobs(jobs); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	fresh, err := s.freshLocked(nil, jobs)
	if err != nil {
		return err
	}
	s.addLocked(fresh)
	return nil
}

// freshLocked appends those of jobs whose Once is new; ErrExists when an ID is
// known, or stands there twice.
func (s *Storage) freshLocked(fresh, jobs []queue.Job) ([]queue.Job, error) {
	for i := range jobs {
		j := &jobs[i]
		if j.Once != "" {
			same := func(f queue.Job) bool { return f.Once == j.Once }
			if _, ok := s.once[j.Once]; ok || slices.ContainsFunc(fresh, same) {
				continue
			}
		}
		same := func(f queue.Job) bool { return f.ID == j.ID }
		if s.jobs[j.ID] != nil || slices.ContainsFunc(fresh, same) {
			return nil, fmt.Errorf("%w: %s", queue.ErrExists, j.ID)
		}
		fresh = append(fresh, *j)
	}
	return fresh, nil
}

func (s *Storage) addLocked(jobs []queue.Job) {
	if s.jobs == nil {
		s.jobs = make(map[string]*entry)
		s.once = make(map[string]time.Time)
		s.released = make(map[blob.Ref]time.Time)
	}
	now := time.Now()
	for i := range jobs {
		s.jobs[jobs[i].ID] = &entry{job: *jobs[i].Clone()}
		s.writeLocked(jobs[i].Entries)
		if jobs[i].Once != "" {
			s.once[jobs[i].Once] = now
		}
	}
	maps.DeleteFunc(s.once, func(_ string, at time.Time) bool { return now.Sub(at) > keepOnce })
}

// LeaseDestinations implements queue.Storage.
func (s *Storage) LeaseDestinations(ctx context.Context, l queue.Look) (found queue.Found, err error) {
	if err := ctx.Err(); err != nil {
		return found, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expireLocked()
	due := make(map[string]time.Time) // destination → its longest due job
	var next time.Time
	soonest := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	for _, e := range s.jobs {
		d := e.job.Destination
		switch at, ok := due[d]; {
		case l.Except[d] || e.job.Hold != "":
		case e.fence != 0:
			soonest(e.expires)
		case e.job.Due.After(l.Now):
			soonest(e.job.Due)
		case !ok || e.job.Due.Before(at):
			due[d] = e.job.Due
		}
	}
	place := func(d string) queue.Place { return queue.Place{Due: due[d], Destination: d} }
	maps.DeleteFunc(due, func(d string, _ time.Time) bool { return place(d).Compare(l.After) <= 0 })
	order := slices.SortedFunc(maps.Keys(due), func(a, b string) int { return place(a).Compare(place(b)) })
	if found.More = len(order) > max(l.Max, 0); found.More {
		order = order[:max(l.Max, 0)]
	} else {
		found.Next = next
	}
	found.Destinations, found.Last = order, l.After
	if len(order) > 0 {
		found.First = due[order[0]]
		found.Last = place(order[len(order)-1])
	}
	return found, nil
}

// LeaseJobs implements queue.Storage.
func (s *Storage) LeaseJobs(ctx context.Context, destination string, now time.Time, limit int, ttl time.Duration) ([]queue.Lease, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expireLocked()
	due, lanes := s.dueLocked(destination, now)
	s.turn++
	var leases []queue.Lease
	err := queue.Turns(lanes, now, s.turn, limit, func(l queue.Lane, n int) (int, error) {
		first := due[l.Rank][:min(n, len(due[l.Rank]))]
		due[l.Rank] = due[l.Rank][len(first):]
		for _, e := range first {
			s.fence++
			e.fence, e.expires = s.fence, time.Now().Add(ttl)
			leases = append(leases, queue.Lease{Token: queue.Token{Job: e.job.ID, Fence: e.fence}, Job: e.job.Clone(), Expires: e.expires})
		}
		return len(first), nil
	})
	return leases, err
}

// dueLocked is what may be leased of a destination, by lane and in order.
func (s *Storage) dueLocked(destination string, now time.Time) (due map[int64][]*entry, lanes []queue.Lane) {
	due = make(map[int64][]*entry)
	for _, e := range s.jobs {
		if e.job.Destination == destination && e.job.Hold == "" && e.fence == 0 && !e.job.Due.After(now) {
			rank := e.job.Rank()
			due[rank] = append(due[rank], e)
		}
	}
	for rank, es := range due {
		slices.SortFunc(es, func(a, b *entry) int {
			return cmp.Or(a.job.Due.Compare(b.job.Due), cmp.Compare(a.job.ID, b.job.ID))
		})
		lanes = append(lanes, queue.Lane{Rank: rank, Due: es[0].job.Due})
	}
	return due, lanes
}

// expireLocked ends the leases whose time is over.
func (s *Storage) expireLocked() {
	now := time.Now()
	for _, e := range s.jobs {
		if e.fence != 0 && !e.leased(now) {
			s.endLocked(e)
		}
	}
}

// endLocked ends a lease, and makes the edits that waited for it.
func (s *Storage) endLocked(e *entry) {
	edits := e.edits
	e.fence, e.edits = 0, nil
	for i := range edits {
		if edits[i].Drop {
			s.removeLocked(e)
			return
		}
		edits[i].Apply(&e.job)
	}
}

func (s *Storage) removeLocked(e *entry) {
	now := time.Now()
	delete(s.jobs, e.job.ID)
	s.released[e.job.Blob] = now
	maps.DeleteFunc(s.released, func(_ blob.Ref, at time.Time) bool { return now.Sub(at) > keepRef })
}

// holderLocked is the entry that t is a valid lease of, or nil.
func (s *Storage) holderLocked(t queue.Token) *entry {
	e := s.jobs[t.Job]
	if e == nil || e.fence != t.Fence || !e.leased(time.Now()) {
		return nil
	}
	return e
}

// Settle implements queue.Storage.
func (s *Storage) Settle(ctx context.Context, outcomes []queue.Outcome) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var lost error
	var valid []*queue.Outcome
	var next []queue.Job
	for i := range outcomes {
		o := &outcomes[i]
		same := func(v *queue.Outcome) bool { return v.Token == o.Token }
		if s.holderLocked(o.Token) == nil || slices.ContainsFunc(valid, same) {
			lost = fmt.Errorf("%w: %s", queue.ErrLeaseLost, o.Token.Job)
			continue
		}
		if err := errors.Join(queue.CheckEntries(o.Entries), queue.CheckJobs(o.Next)); err != nil {
			return err
		}
		var err error
		if next, err = s.freshLocked(next, o.Next); err != nil {
			return err
		}
		valid = append(valid, o)
	}
	for _, o := range valid {
		s.writeLocked(o.Entries)
		e := s.jobs[o.Token.Job]
		if len(o.Remaining) == 0 {
			s.removeLocked(e)
			continue
		}
		o.Apply(&e.job)
		s.endLocked(e)
	}
	s.addLocked(next)
	return lost
}

// Extend implements queue.Storage.
func (s *Storage) Extend(ctx context.Context, ttl time.Duration, tokens ...queue.Token) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var lost error
	for _, t := range tokens {
		if e := s.holderLocked(t); e != nil {
			e.expires = time.Now().Add(ttl)
		} else {
			lost = fmt.Errorf("%w: %s", queue.ErrLeaseLost, t.Job)
		}
	}
	return lost
}

// Edit implements queue.Storage.
func (s *Storage) Edit(ctx context.Context, f queue.Filter, edit queue.Edit) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expireLocked()
	ids := s.selectLocked(f)
	for _, id := range ids {
		e := s.jobs[id]
		e.edits = append(e.edits, edit)
		if e.fence == 0 {
			s.endLocked(e)
		}
	}
	return len(ids), nil
}

// selectLocked returns the IDs of the jobs that f selects, in order.
func (s *Storage) selectLocked(f queue.Filter) []string {
	var ids []string
	for id, e := range s.jobs {
		if f.Match(&e.job) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	if f.Limit > 0 && len(ids) > f.Limit {
		ids = ids[:f.Limit]
	}
	return ids
}

// List implements queue.Storage.
func (s *Storage) List(ctx context.Context, f queue.Filter) iter.Seq2[*queue.Job, error] {
	return func(yield func(*queue.Job, error) bool) {
		s.mu.Lock()
		ids := s.selectLocked(f)
		s.mu.Unlock()
		for _, id := range ids {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			if j := s.get(id, &f); j != nil && !yield(j, nil) {
				return
			}
		}
	}
}

// get is a copy of a job, or nil when it is gone or no longer selected.
func (s *Storage) get(id string, f *queue.Filter) *queue.Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.jobs[id]
	if e == nil || !f.Match(&e.job) {
		return nil
	}
	return e.job.Clone()
}

// Stats implements queue.Storage.
func (s *Storage) Stats(ctx context.Context) (queue.Stats, error) {
	if err := ctx.Err(); err != nil {
		return queue.Stats{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expireLocked()
	var st queue.Stats
	dests := make(map[string]bool)
	for _, e := range s.jobs {
		st.Jobs++
		dests[e.job.Destination] = true
		if e.job.Hold != "" {
			st.Held++
		}
		if e.fence != 0 {
			st.Leased++
		}
		if st.Oldest.IsZero() || e.job.Created.Before(st.Oldest) {
			st.Oldest = e.job.Created
		}
	}
	st.Destinations = int64(len(dests))
	return st, nil
}

// Holds implements queue.Storage.
func (s *Storage) Holds(ctx context.Context, refs []blob.Ref) ([]blob.Ref, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	live := make(map[blob.Ref]bool)
	for _, e := range s.jobs {
		live[e.job.Blob] = true
	}
	var held []blob.Ref
	for _, r := range refs {
		at, ok := s.released[r]
		if live[r] || ok && time.Since(at) < keepRef {
			held = append(held, r)
		}
	}
	return held, nil
}
