package queue

import (
	"context"
	"sync"
	"time"
)

// loop is the state of one Run; only Run's goroutine touches it.
type loop struct {
	r       *Runner
	work    context.Context // of the attempts; outlives Run's ctx by DrainTimeout
	cancel  context.CancelCauseFunc
	ttl     time.Duration
	workers int
	per     int                        // attempts to one destination
	looked  time.Time                  // end of the latest dispatch
	busy    map[string]int             // destination → attempts under way
	lanes   map[string]<-chan struct{} // ordered destination → its latest attempt has delivered
	running int                        // attempts under way
	keeper  *keeper                    // of their leases
	done    chan *attempt
	suspect *attempt // of a job that crashed before; one at a time
	put     int      // suspects put off since it began
}

func newLoop(ctx context.Context, r *Runner) *loop {
	l := &loop{
		r: r, ttl: 15 * time.Minute, workers: 40, per: defaultTo(r.PerDestination, 20),
		busy: make(map[string]int), lanes: make(map[string]<-chan struct{}),
		done: make(chan *attempt),
	}
	if r.LeaseTTL > 0 {
		l.ttl = r.LeaseTTL
	}
	if r.Workers > 0 {
		l.workers = r.Workers
	}
	if l.per < 0 {
		l.per = l.workers
	}
	l.keeper = &keeper{r: r, ttl: l.ttl, active: make(map[Token]*attempt)}
	l.work, l.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	return l
}

// dispatch starts as many attempts as fit and returns when to look again.
func (l *loop) dispatch(ctx context.Context) time.Duration {
	now := l.r.Queue.now()
	free := l.workers - l.running
	if free <= 0 {
		return lookAgain
	}
	full := make(map[string]bool)
	for d, n := range l.busy {
		if n >= l.per {
			full[d] = true
		}
	}
	dests, next, err := l.r.Queue.Storage.LeaseDestinations(ctx, now, free, full)
	if err != nil {
		l.complain(ctx, "cannot look for due destinations", err)
		return lookAgain
	}
	switch started := l.lease(ctx, dests, now, free); {
	case started >= free:
		return lookAgain
	case started > 0:
		return 0 // there may be more
	}
	if !next.IsZero() && next.Sub(now) < lookAgain {
		return max(lookSoon, next.Sub(now))
	}
	return lookAgain
}

// leasesAtOnce bounds the calls of Storage.LeaseJobs under way: where each is a
// commit, those of one look share it.
const leasesAtOnce = 16

// lease starts attempts for destinations, n at most in all and the same share
// for each, and returns how many.
func (l *loop) lease(ctx context.Context, dests []string, now time.Time, n int) int {
	if len(dests) == 0 {
		return 0
	}
	share := max(1, n/len(dests))
	leases := make([][]Lease, len(dests))
	expires := time.Now().Add(l.ttl) // at the earliest
	var wg sync.WaitGroup
	for first := range min(len(dests), leasesAtOnce) {
		pick := func() {
			for i := first; i < len(dests); i += leasesAtOnce {
				leases[i] = l.pick(ctx, dests[i], now, min(share, l.per-l.busy[dests[i]]))
			}
		}
		if len(dests) == 1 {
			pick()
			continue
		}
		wg.Go(pick)
	}
	wg.Wait()
	started := 0
	for i, d := range dests {
		for _, lease := range leases[i] {
			l.start(d, lease, expires)
		}
		started += len(leases[i])
	}
	return started
}

// pick leases up to n jobs of destination d. It is called by several
// goroutines at once.
func (l *loop) pick(ctx context.Context, d string, now time.Time, n int) []Lease {
	leases, err := l.r.Queue.Storage.LeaseJobs(ctx, d, now, n, l.ttl)
	if err != nil {
		l.complain(ctx, "cannot lease jobs", err)
	}
	return leases
}

// start begins an attempt.
func (l *loop) start(d string, lease Lease, expires time.Time) {
	a := &attempt{r: l.r, lease: lease, destination: d, end: l.work.Done(), keeper: l.keeper}
	if lease.Job.Crashes > 0 && !l.alone(a) {
		a.putOff = l.putOff()
	}
	var ctx context.Context
	ctx, a.cancel = context.WithCancelCause(l.work)
	l.keeper.add(a, expires)
	l.running++
	l.busy[d]++
	if l.r.Ordered != nil && l.r.Ordered(d) {
		delivered := make(chan struct{})
		a.before, a.delivered = l.lanes[d], delivered
		l.lanes[d] = delivered
	}
	go func() {
		defer func() { l.done <- a }()
		a.run(ctx)
	}()
}

// alone makes a the one attempt under way of a job that crashed before, unless
// there is one: then the next crash would not tell which of them it was.
func (l *loop) alone(a *attempt) bool {
	if l.suspect != nil {
		return false
	}
	l.suspect, l.put = a, 0
	a.began = time.Now()
	return true
}

// suspectPause is the least time between attempts of jobs that crashed.
const suspectPause = 50 * time.Millisecond

// putOff is when a suspect may be looked at again: one after the other, and the
// longer the one under way takes, the later.
func (l *loop) putOff() time.Time {
	l.put++
	return l.r.Queue.now().Add(time.Since(l.suspect.began) + time.Duration(l.put)*suspectPause)
}

func (l *loop) finish(a *attempt) {
	a.cancel(nil)
	d := a.destination
	l.keeper.remove(a.lease.Token)
	l.running--
	if l.busy[d]--; l.busy[d] == 0 {
		delete(l.busy, d)
		delete(l.lanes, d)
	}
	if l.suspect == a {
		l.suspect = nil
	}
}

// finishMore takes what else has ended, so that one look serves all.
func (l *loop) finishMore() {
	for {
		select {
		case a := <-l.done:
			l.finish(a)
		default:
			return
		}
	}
}

// drain waits for the attempts under way, then cancels those that are left.
func (l *loop) drain() {
	timer := time.NewTimer(defaultTo(l.r.DrainTimeout, 3*time.Second))
	defer timer.Stop()
	for l.running > 0 {
		select {
		case a := <-l.done:
			l.finish(a)
		case <-timer.C:
			l.cancel(errShutdown)
		}
	}
}

func (l *loop) complain(ctx context.Context, msg string, err error) {
	if ctx.Err() == nil {
		l.r.log().ErrorContext(ctx, "queue: "+msg, "error", err)
	}
}
