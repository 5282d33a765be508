package queue

import (
	"context"
	"sync"
	"time"

	"github.com/mailstead/mailstead/queue/schedule"
)

// The bounds of one dispatch.
const (
	leasesAtOnce = 16  // calls of Storage.LeaseJobs: where each is a commit, they share it
	sweepPage    = 64  // destinations found by one look
	manyBlocked  = 256 // destinations to pass over: beyond, not in each sweep
)

// sweep walks the destinations with due jobs, the longest due first, page by
// page as turns come up: each of them gets a turn in each sweep.
type sweep struct {
	place   Place
	visited map[string]bool // in this sweep
	next    time.Time       // Found.Next of the latest end
	turns   int             // given since the latest page: all who wait have had one, then the next is due

	// Before front all are blocked, as far as is known since full.
	front Place
	full  time.Time
}

// limit is what a destination gets from the Table.
func (l *loop) limit(destination string) schedule.Limit {
	var lim schedule.Limit
	if l.r.Limit != nil {
		lim = l.r.Limit(destination)
	}
	if lim.Max == 0 {
		lim.Max = l.r.PerDestination
	}
	switch {
	case destination == BounceDestination:
		lim.Max = -1
	case isLocal(destination), l.r.Ordered != nil && l.r.Ordered(destination): // what fails there is this host
		lim.Start, lim.Cohorts = max(lim.Max, 20), -1
	}
	return lim
}

// dispatch starts as many attempts as fit and returns when to look again.
func (l *loop) dispatch(ctx context.Context) time.Duration {
	now := l.r.Queue.now()
	l.checkClock(ctx, now)
	if !l.pause(ctx) {
		return lookAgain
	}
	l.table.Wake(now)
	whole := l.sweep.place == Place{} // the sweep that ends next began here
	for swept := false; ; {
		free := l.workers - l.running
		if free <= 0 {
			return lookAgain
		}
		if n := l.table.Waiting(); !swept && (n < leasesAtOnce || l.sweep.turns >= n) {
			ended, err := l.look(ctx, now)
			if err != nil {
				l.complain(ctx, "cannot look for due destinations", err)
				return lookAgain
			}
			swept = ended && whole
			whole = whole || ended
		}
		began, err := l.turns(ctx, now, free)
		if err != nil {
			l.complain(ctx, "cannot lease jobs", err)
			return lookAgain
		}
		if !began && swept {
			return l.until(now)
		}
	}
}

// until is how long there is nothing to do. A time that is over says nothing: of a
// lease that was given out before the clock was set forward.
func (l *loop) until(now time.Time) time.Duration {
	wait := lookAgain
	for _, t := range [...]time.Time{l.sweep.next, l.table.Wake(now)} {
		if t.After(now) {
			wait = min(wait, max(lookSoon, t.Sub(now)))
		}
	}
	return wait
}

// look takes the sweep on by one page, and reports that it has ended.
func (l *loop) look(ctx context.Context, now time.Time) (ended bool, err error) {
	s := &l.sweep
	s.turns = 0
	if s.place == (Place{}) {
		if len(l.table.Except()) > manyBlocked && time.Since(s.full) < lookAgain {
			s.place = s.front
		} else {
			s.front, s.full = Place{}, time.Now()
		}
	}
	found, err := l.r.Queue.Storage.LeaseDestinations(ctx, Look{Now: now, Max: sweepPage, Except: l.table.Except(), After: s.place})
	if err != nil {
		return false, err
	}
	for _, d := range found.Destinations {
		if !s.visited[d] {
			s.visited[d] = true
			l.table.Found(d, now)
		}
	}
	switch {
	case s.front != (Place{}):
	case len(found.Destinations) > 0:
		s.front = Place{Due: found.First.Add(-1)}
	default:
		s.front = found.Last
	}
	if s.place = found.Last; found.More {
		return false, nil
	}
	s.place, s.next = Place{}, found.Next
	clear(s.visited)
	return true, nil
}

// turn is one turn of a destination.
type turn struct {
	destination string
	n           int
	leases      []Lease
	err         error
}

// turns gives some destinations their turn, and reports whether there were any.
func (l *loop) turns(ctx context.Context, now time.Time, free int) (bool, error) {
	var ts []turn
	for len(ts) < leasesAtOnce && free > 0 {
		d, n, ok := l.table.Next(free, now)
		if !ok {
			break
		}
		ts, free = append(ts, turn{destination: d, n: n}), free-n
		l.sweep.turns++
	}
	expires := time.Now().Add(l.ttl) // at the earliest
	var wg sync.WaitGroup
	for i := range ts {
		if len(ts) == 1 {
			l.pick(ctx, &ts[i], now)
			break
		}
		wg.Go(func() { l.pick(ctx, &ts[i], now) })
	}
	wg.Wait()
	var failed error
	for _, t := range ts {
		var cost int64
		for _, lease := range t.leases {
			cost += schedule.Cost(lease.Job.Size)
			l.start(l.newAttempt(t.destination, lease), expires)
		}
		l.table.Leased(t.destination, t.n, len(t.leases), cost, now)
		if t.err != nil {
			failed = t.err
		}
	}
	return len(ts) > 0, failed
}

// pick leases the jobs of a turn. It is called by several goroutines at once.
func (l *loop) pick(ctx context.Context, t *turn, now time.Time) {
	t.leases, t.err = l.r.Queue.Storage.LeaseJobs(ctx, t.destination, now, t.n, l.ttl)
}
