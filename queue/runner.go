package queue

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/mailstead/mailstead/smtp"
)

// Router names next hops at Put, and finds them at the lease.
type Router interface {
	Keyer

	// Route says where the recipients of a leased job go; every recipient
	// stands in exactly one Hop. An error defers the whole job. DNS and
	// directory look-ups happen here.
	Route(ctx context.Context, j *Job) ([]Hop, error)
}

// Hop is one way that some recipients of a job take. Exactly one of Receiver,
// Expand and Err is set.
type Hop struct {
	// Recipients are places in Job.Recipients.
	Recipients []int

	// Receiver takes the message. Its Mail has PerRecipient set, and as Once
	// the job's ID, stable over retries. To names the recipients as the
	// receiver is to see them, nil = as the job has them.
	Receiver smtp.Receiver
	To       []smtp.ForwardPath

	// Name is the next hop for logs and DSNs ("mx.example.net").
	Name string

	// Expand replaces the recipients: an alias or a list. The new ones enter
	// the queue in the commit that settles the old.
	Expand []smtp.Recipient

	// Err refuses the recipients; an *smtp.Error with a 5xx reply for good.
	Err error
}

// Reporter writes the messages that outcomes call for: DSNs (RFC 3461). It
// decides by NOTIFY, the null sender and its own rules which are due; nil or
// empty = none.
type Reporter interface {
	Report(ctx context.Context, j *Job, results []Result) ([]Report, error)
}

// Runner attempts what is due in a Queue. The fields are set before Run and
// not changed later; Queue and Router are required. The zero value of the
// others means the default named.
type Runner struct {
	Queue    *Queue
	Router   Router
	Reporter Reporter // nil = no DSNs; then failed mail is held, not dropped
	Schedule Schedule

	Workers        int // attempts at a time; zero or less = 40
	PerDestination int // of these to one destination; zero = 20, negative = no limit

	// Ordered reports a destination whose jobs are delivered one after the
	// other in the order of their due times, so that a mailbox shows messages
	// as they were accepted; only their settlements overlap. nil = none. It
	// must not block.
	Ordered func(destination string) bool

	LeaseTTL       time.Duration // zero or less = 15 min
	AttemptTimeout time.Duration // of one attempt; zero = 30 min, negative = no limit
	DrainTimeout   time.Duration // for attempts under way when Run ends; zero = 3 s, negative = none

	// Event is told of each outcome after it was settled; it must not block.
	// nil = none.
	Event func(Event)

	Logger *slog.Logger // nil = slog.Default

	once sync.Once
	wake chan struct{}
}

// Event is one outcome for one recipient.
type Event struct {
	Job       *Job
	Recipient *Recipient
	Result    Result
	Final     bool // the job has nothing more to do for this recipient
	Time      time.Time
}

func (r *Runner) init() {
	r.once.Do(func() { r.wake = make(chan struct{}, 1) })
}

// Kick makes the runner look for due jobs now. It never blocks and may be
// called at any time by any goroutine.
func (r *Runner) Kick() {
	r.init()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// lookAgain is the longest time without a look at the storage: another
// process may have put a job through its own transaction. lookSoon is the
// shortest: under load one look serves all that came since the last.
const (
	lookAgain = time.Second
	lookSoon  = 2 * time.Millisecond
)

// Why an attempt is cancelled.
var (
	errShutdown = errors.New("queue: the runner ends")
	errTimeout  = errors.New("queue: the attempt took too long")
)

// Run attempts due jobs until ctx ends; it then waits for the attempts under
// way up to DrainTimeout, cancels the rest, settles them as not attempted, and
// returns nil. It is called once.
func (r *Runner) Run(ctx context.Context) error {
	r.init()
	l := newLoop(ctx, r)
	defer l.cancel(nil)
	timer := time.NewTimer(0)
	defer timer.Stop()
	extend := time.NewTicker(max(l.ttl/3, time.Millisecond))
	defer extend.Stop()
	for {
		select {
		case <-ctx.Done():
			l.drain(extend.C)
			return nil
		case a := <-l.done:
			l.finish(a)
			l.finishMore()
		case <-extend.C:
			l.extend()
			continue
		case <-r.wake:
		case <-timer.C:
		}
		if wait := lookSoon - time.Since(l.looked); wait > 0 {
			timer.Reset(wait)
			continue
		}
		timer.Reset(l.dispatch(ctx))
		l.looked = time.Now()
	}
}

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
	active  map[Token]*attempt
	done    chan *attempt
	panics  map[string]bool // jobs whose latest attempt panicked
}

func newLoop(ctx context.Context, r *Runner) *loop {
	l := &loop{
		r: r, ttl: 15 * time.Minute, workers: 40, per: defaultTo(r.PerDestination, 20),
		busy: make(map[string]int), lanes: make(map[string]<-chan struct{}), active: make(map[Token]*attempt),
		done: make(chan *attempt), panics: make(map[string]bool),
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
	l.work, l.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	return l
}

// dispatch starts as many attempts as fit and returns when to look again.
func (l *loop) dispatch(ctx context.Context) time.Duration {
	now := l.r.Queue.now()
	free := l.workers - len(l.active)
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
	started := 0
	for i, d := range dests {
		share := max(1, free/(len(dests)-i))
		n := l.lease(ctx, d, now, min(share, l.per-l.busy[d]))
		started += n
		if free -= n; free <= 0 {
			return lookAgain
		}
	}
	if started > 0 {
		return 0 // there may be more
	}
	if !next.IsZero() && next.Sub(now) < lookAgain {
		return max(lookSoon, next.Sub(now))
	}
	return lookAgain
}

// lease starts up to n attempts for destination d and returns how many.
func (l *loop) lease(ctx context.Context, d string, now time.Time, n int) int {
	leases, err := l.r.Queue.Storage.LeaseJobs(ctx, d, now, n, l.ttl)
	if err != nil {
		l.complain(ctx, "cannot lease jobs", err)
		return 0
	}
	for _, lease := range leases {
		a := &attempt{r: l.r, lease: lease, expires: lease.Expires, destination: d, end: l.work.Done(), crashed: l.panics[lease.Job.ID]}
		var actx context.Context
		actx, a.cancel = context.WithCancelCause(l.work)
		l.active[lease.Token] = a
		l.busy[d]++
		if l.r.Ordered != nil && l.r.Ordered(d) {
			delivered := make(chan struct{})
			a.before, a.delivered = l.lanes[d], delivered
			l.lanes[d] = delivered
		}
		go func() {
			defer func() { l.done <- a }()
			a.run(actx)
		}()
	}
	return len(leases)
}

// maxPanics bounds loop.panics: a job that panicked once and then left the
// queue in another way is never heard of again.
const maxPanics = 10_000

func (l *loop) finish(a *attempt) {
	a.cancel(nil)
	id, d := a.lease.Token.Job, a.destination
	delete(l.active, a.lease.Token)
	if l.busy[d]--; l.busy[d] == 0 {
		delete(l.busy, d)
		delete(l.lanes, d)
	}
	if !a.panicked || a.crashed {
		delete(l.panics, id) // also of a job that is held now: its release is a new start
		return
	}
	if len(l.panics) >= maxPanics {
		clear(l.panics)
	}
	l.panics[id] = true
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

// extend prolongs the leases under way; an attempt that lost its lease, or may
// lose it before the next time, is cancelled before it can pass the final dot.
func (l *loop) extend() {
	if len(l.active) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(l.work, l.ttl/3)
	defer cancel()
	tokens := make([]Token, 0, len(l.active))
	for _, a := range l.active {
		tokens = append(tokens, a.lease.Token)
	}
	storage, now := l.r.Queue.Storage, time.Now()
	if storage.Extend(ctx, l.ttl, tokens...) == nil {
		for _, a := range l.active {
			a.expires = now.Add(l.ttl)
		}
		return
	}
	for _, a := range l.active {
		now := time.Now()
		err := storage.Extend(ctx, l.ttl, a.lease.Token)
		if err == nil {
			a.expires = now.Add(l.ttl)
			continue
		}
		l.complain(l.work, "cannot extend the lease of "+a.lease.Token.Job, err)
		if errors.Is(err, ErrLeaseLost) || !now.Add(l.ttl/3).Before(a.expires) {
			a.cancel(ErrLeaseLost)
		}
	}
}

// drain waits for the attempts under way, then cancels those that are left.
func (l *loop) drain(extend <-chan time.Time) {
	timer := time.NewTimer(defaultTo(l.r.DrainTimeout, 3*time.Second))
	defer timer.Stop()
	for len(l.active) > 0 {
		select {
		case a := <-l.done:
			l.finish(a)
		case <-extend:
			l.extend()
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

func (r *Runner) log() *slog.Logger {
	if r.Logger != nil {
		return r.Logger
	}
	return slog.Default()
}

func defaultTo[T int | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}
