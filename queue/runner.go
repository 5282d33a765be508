package queue

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/mailstead/mailstead/queue/schedule"
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
// Expand, Move and Err is set.
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

	// At names the destination of each of Expand where it is not that of
	// Keyer.Key; "" = that one, nil = of all.
	At []string

	// Sender takes the place of the message's reverse-path in Expand, as for a
	// mailing list (RFC 5321 §3.9.2); the null sender stays. For the original sender
	// that is final delivery, and ENVID and RET end there (RFC 3461 §5.2.7.1). nil =
	// an alias: the reverse-path of the job.
	Sender *smtp.ReversePath

	// Move names the destination under which the recipients wait from now on, in
	// a job of their own: where Keyer.Key could not know it without I/O, as when a
	// directory says on which host a user of a domain is.
	Move string

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

	// Discard reports a job that nobody need see once it has failed: where there is
	// no Reporter it is dropped, with a line in the log, not held. nil = none;
	// webhook.Is for webhooks. It must not block.
	Discard func(*Job) bool

	Workers        int // attempts at a time; zero or less = 40
	PerDestination int // of these to one destination at most; zero = 20, negative = no limit

	// Limit is what else is special about a destination; nil, and zero = the
	// defaults of package schedule: attempts begin with 5 at a time, and follow
	// what the destination takes; one that does not answer is left alone for a
	// while. It must not block.
	Limit func(destination string) schedule.Limit

	// Ordered reports a destination whose jobs are delivered one after the
	// other in the order of their due times, so that a mailbox shows messages
	// as they were accepted; only their settlements overlap. Across senders that
	// order holds where the name is a Local one. nil = none. It must not block.
	Ordered func(destination string) bool

	// LeaseTTL is how long a lease lasts; it is extended at each third of that
	// while the attempt runs, which is cancelled when a sixth is left. Where
	// leases outlive the process, it is how long the work of a node that died
	// waits for another one. Zero or less = 15 min.
	LeaseTTL time.Duration

	AttemptTimeout time.Duration // of one attempt; zero = 30 min, negative = no limit
	DrainTimeout   time.Duration // for attempts under way when Run ends; zero = 3 s, negative = none

	// Record, when not nil, makes entries of the outcome of an attempt, which
	// are written in the commit that settles it; see Records. What is out of
	// bounds is logged and left out. It must not block, nor change its arguments.
	Record func(j *Job, results []Result, now time.Time) []Entry

	// Event is told of each outcome after it was settled; it must not block.
	// nil = none.
	Event func(Event)

	Logger *slog.Logger // nil = slog.Default

	once   sync.Once
	wake   chan struct{}
	pauses pauses
	load   load
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
	defer l.keeper.start(l.work)()
	for {
		l.publish()
		select {
		case <-ctx.Done():
			l.drain(ctx)
			l.publish()
			return nil
		case a := <-l.done:
			l.finish(ctx, a)
			l.finishMore(ctx)
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
