package queue

import (
	"context"
	"time"

	"github.com/mailstead/mailstead/queue/schedule"
)

// loop is the state of one Run; only Run's goroutine touches it.
type loop struct {
	r       *Runner
	work    context.Context // of the attempts; outlives Run's ctx by DrainTimeout
	cancel  context.CancelCauseFunc
	ttl     time.Duration
	workers int
	looked  time.Time                  // end of the latest dispatch
	table   *schedule.Table            // whose turn it is
	sweep   sweep                      // for destinations with due jobs
	busy    map[string]int             // ordered destination → attempts under way
	lanes   map[string]<-chan struct{} // ordered destination → its latest attempt has delivered
	running int                        // attempts under way
	keeper  *keeper                    // of their leases
	done    chan *attempt
	suspect *attempt // of a job that may have ended the process; one at a time
	put     int      // suspects put off since it began
	clock   clock
}

func newLoop(ctx context.Context, r *Runner) *loop {
	l := &loop{
		r: r, ttl: 15 * time.Minute, workers: 40, sweep: sweep{visited: make(map[string]bool)},
		busy: make(map[string]int), lanes: make(map[string]<-chan struct{}),
		done: make(chan *attempt),
	}
	if r.LeaseTTL > 0 {
		l.ttl = r.LeaseTTL
	}
	if r.Workers > 0 {
		l.workers = r.Workers
	}
	l.table = schedule.New(schedule.Config{Limit: l.limit})
	l.keeper = &keeper{r: r, ttl: l.ttl, active: make(map[Token]*attempt)}
	l.work, l.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	return l
}

// newAttempt is that of a lease.
func (l *loop) newAttempt(d string, lease Lease) *attempt {
	return &attempt{r: l.r, lease: lease, destination: d, end: l.work.Done(), keeper: l.keeper}
}

// start begins an attempt.
func (l *loop) start(a *attempt, expires time.Time) {
	if a.lease.Job.Crashes >= suspect && a.overdue == nil && !l.alone(a) {
		a.putOff = l.putOff()
	}
	var ctx context.Context
	ctx, a.cancel = context.WithCancelCause(l.work)
	l.keeper.add(a, expires)
	l.running++
	if d := a.destination; l.r.Ordered != nil && l.r.Ordered(d) {
		delivered := make(chan struct{})
		a.before, a.delivered = l.lanes[d], delivered
		l.lanes[d] = delivered
		l.busy[d]++
	}
	go func() {
		defer func() { l.done <- a }()
		a.run(ctx)
	}()
}

// alone makes a the one attempt under way of a suspect, unless
// there is one: then the next crash would not tell which of them it was.
func (l *loop) alone(a *attempt) bool {
	if l.suspect != nil {
		return false
	}
	l.suspect, l.put = a, 0
	a.began = time.Now()
	return true
}

// suspectPause is the least time between attempts of suspects.
const suspectPause = 50 * time.Millisecond

// putOff is when a suspect may be looked at again: one after the other, and the
// longer the one under way takes, the later.
func (l *loop) putOff() time.Time {
	l.put++
	return l.r.Queue.now().Add(time.Since(l.suspect.began) + time.Duration(l.put)*suspectPause)
}

func (l *loop) finish(ctx context.Context, a *attempt) {
	a.cancel(nil)
	d := a.destination
	l.keeper.remove(a.lease.Token)
	l.running--
	if a.delivered != nil {
		if l.busy[d]--; l.busy[d] == 0 {
			delete(l.busy, d)
			delete(l.lanes, d)
		}
	}
	if l.suspect == a {
		l.suspect = nil
	}
	if a.overdue != nil {
		l.finishOverdue(ctx, a)
		return
	}
	if l.table.Done(d, a.reach, l.r.Queue.now()) && ctx.Err() == nil {
		l.tellOverdue(ctx, d, minOverdue)
	}
}

// finishMore takes what else has ended, so that one look serves all.
func (l *loop) finishMore(ctx context.Context) {
	for {
		select {
		case a := <-l.done:
			l.finish(ctx, a)
		default:
			return
		}
	}
}

// drain waits for the attempts under way, then cancels those that are left.
func (l *loop) drain(ctx context.Context) {
	timer := time.NewTimer(defaultTo(l.r.DrainTimeout, 3*time.Second))
	defer timer.Stop()
	for l.running > 0 {
		select {
		case a := <-l.done:
			l.finish(ctx, a)
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
