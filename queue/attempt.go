package queue

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/mailstead/mailstead/queue/schedule"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store/blob"
)

// ErrOutcomeUnknown is in the chain of an error by which a receiver says that
// the message may or may not have been taken: the connection was lost after
// the final dot. It is retried, so a duplicate may follow (RFC 1047).
var ErrOutcomeUnknown = errors.New("queue: connection lost after the final dot")

// attempt is one try to deliver one leased job.
type attempt struct {
	r           *Runner
	lease       Lease
	destination string
	keeper      *keeper                 // prolongs the lease
	lapse       *time.Timer             // cancels when it was not prolonged; the keeper's
	cancel      context.CancelCauseFunc // with errShutdown, errTimeout or ErrLeaseLost
	end         <-chan struct{}         // closed when the runner's time is over
	routed      bool                    // next hops were found
	panicked    bool                    // in it, or in what reports it
	began       time.Time               // of a job that crashed before
	putOff      time.Time               // not now, but then; zero = now
	overdue     *overdue                // no attempt: only what is late is told
	told        bool                    // that was due
	reach       schedule.Outcome        // what it says of the destination
	hold        string                  // why the job cannot be attempted at all
	expand      []Job                   // jobs that replace expanded recipients
	before      <-chan struct{}         // closed when the attempt in front has delivered; nil = none
	delivered   chan<- struct{}         // closed when this one has; nil = nobody waits
}

// run tries every hop, and settles the lease.
func (a *attempt) run(ctx context.Context) {
	if !a.putOff.IsZero() {
		a.back(ctx, a.putOff)
		return
	}
	if a.overdue != nil {
		a.runOverdue(ctx)
		return
	}
	if a.before != nil {
		select {
		case <-a.before:
		case <-ctx.Done():
		}
	}
	if d := defaultTo(a.r.AttemptTimeout, 30*time.Minute); d > 0 {
		timer := time.AfterFunc(d, func() { a.cancel(errTimeout) })
		defer timer.Stop()
	}
	results := a.deliver(ctx)
	if cause := context.Cause(ctx); a.routed && !a.panicked && a.hold == "" && (cause == nil || errors.Is(cause, errTimeout)) {
		a.reach = reach(results)
	}
	if a.delivered != nil {
		close(a.delivered)
	}
	a.settle(ctx, results)
}

// protect runs f; a panic in it is logged, and returned as an error.
func (a *attempt) protect(ctx context.Context, what string, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			a.panicked = true
			a.r.log().ErrorContext(ctx, "queue: "+what+" panicked", "job", a.lease.Token.Job, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			err = errPanic
		}
	}()
	return f()
}

var errPanic = errors.New("queue: panic")

// deliver returns one result for each recipient. A panic below it defers what
// has no result yet.
func (a *attempt) deliver(ctx context.Context) []Result {
	job := a.lease.Job
	results := repeat(resultOf(errNotTried, ""), len(job.Recipients))
	if job.Bounce != "" {
		return repeat(resultOf(smtp.Errorf(550, smtp.EnhancedCode{Class: 5}, "%s", job.Bounce), ""), len(job.Recipients))
	}
	if withdrawn(job, a.r.Queue.now()) {
		return results // settle makes failures of them
	}
	a.protect(ctx, "delivery", func() error {
		hops, err := a.r.Router.Route(ctx, job)
		if err != nil {
			copy(results, repeat(resultOf(err, ""), len(results)))
			return nil
		}
		a.routed = true
		for _, h := range hops {
			for i, res := range a.hop(ctx, h) {
				results[h.Recipients[i]] = res
			}
		}
		return nil
	})
	return results
}

var errNotTried = errors.New("queue: no hop took this recipient")

// hop tries one hop: one result for each of h.Recipients.
func (a *attempt) hop(ctx context.Context, h Hop) []Result {
	switch {
	case h.Err != nil:
		return repeat(resultOf(h.Err, h.Name), len(h.Recipients))
	case len(h.Expand) > 0 && (h.At == nil || len(h.At) == len(h.Expand)):
		a.expandJob(h)
		res := Result{State: Delivered, NextHop: h.Name, Expanded: len(h.Expand)}
		if h.Sender != nil {
			res.Expanded = 0 // RFC 3461 §5.2.7.1
		}
		return repeat(res, len(h.Recipients))
	case h.Move != "":
		a.moveJob(h)
		return repeat(Result{State: Delivered, NextHop: h.Name, Expanded: 1}, len(h.Recipients))
	case h.Receiver == nil || h.To != nil && len(h.To) != len(h.Recipients):
		return repeat(resultOf(errNotTried, h.Name), len(h.Recipients))
	}
	statuses, err := a.transact(ctx, h)
	if err == nil && len(statuses) != len(h.Recipients) {
		err = smtp.ErrStatusCount
	}
	if err != nil {
		return repeat(resultOf(err, h.Name), len(h.Recipients))
	}
	results := make([]Result, len(statuses))
	for i, s := range statuses {
		if s.Err != nil {
			results[i] = resultOf(s.Err, h.Name)
		} else {
			results[i] = Result{State: Delivered, NextHop: h.Name, Passed: s.Passed, Reply: smtp.NewReply(250, smtp.EnhancedCode{Class: 2}, s.Text)}
		}
	}
	return results
}

// expandJob makes the jobs of recipients that an alias stands for. Where there
// are several, the success is that of the alias (RFC 3461 §5.2.7).
func (a *attempt) expandJob(h Hop) {
	job := a.lease.Job
	mail := &smtp.Mail{ID: job.Message, ReversePath: job.ReversePath, Params: job.Params}
	if h.Sender != nil && !mail.ReversePath.IsNull() {
		mail.ReversePath, mail.Params.EnvelopeID, mail.Params.Return = *h.Sender, "", smtp.ReturnDefault
	}
	at := make(map[string]*smtp.Envelope)
	var order []string
	for i := range h.Expand {
		rcpt, key := h.Expand[i], ""
		if h.At != nil {
			key = h.At[i]
		}
		if n := &rcpt.Params.Notify; len(h.Expand) > 1 && *n&smtp.NotifySuccess != 0 {
			if *n &^= smtp.NotifySuccess; *n == 0 {
				*n = smtp.NotifyNever // nothing else was asked for
			}
		}
		if at[key] == nil {
			at[key] = &smtp.Envelope{Mail: mail}
			order = append(order, key)
		}
		at[key].Recipients = append(at[key].Recipients, &rcpt)
	}
	for _, key := range order {
		a.expand = append(a.expand, a.jobsLike(at[key], key)...)
	}
}

// moveJob makes the job of recipients that wait elsewhere.
func (a *attempt) moveJob(h Hop) {
	job := a.lease.Job
	env := &smtp.Envelope{Mail: &smtp.Mail{ID: job.Message, ReversePath: job.ReversePath, Params: job.Params}}
	for _, place := range h.Recipients {
		env.Recipients = append(env.Recipients, &job.Recipients[place].Recipient)
	}
	jobs, n := a.jobsLike(env, h.Move), 0
	for i := range jobs {
		for k := range jobs[i].Recipients {
			jobs[i].Recipients[k].Delayed = job.Recipients[h.Recipients[n]].Delayed
			n++
		}
	}
	a.expand = append(a.expand, jobs...)
}

// jobsLike makes jobs of an envelope at a destination, "" = that of each
// recipient, which have all else from this job.
func (a *attempt) jobsLike(env *smtp.Envelope, destination string) []Job {
	job, q := a.lease.Job, a.r.Queue
	var router Keyer = q.Router
	if destination != "" {
		router = fixedKey(destination)
	}
	jobs := q.jobs(router, env, spooled{ref: job.Blob, size: job.Size, key: job.Key}, job.Prefix)
	for i := range jobs {
		j := &jobs[i]
		j.Identity, j.Peer, j.Priority = job.Identity, job.Peer, job.Priority
		j.Created, j.Expires, j.Due = job.Created, job.Expires, q.now()
	}
	return jobs
}

// fixedKey is a Keyer with one answer.
type fixedKey string

func (k fixedKey) Key(smtp.ForwardPath) string { return string(k) }

// transact runs one transaction with the hop's receiver: one status for each
// of h.Recipients, refusals at RCPT included.
func (a *attempt) transact(ctx context.Context, h Hop) ([]smtp.RcptStatus, error) {
	job := a.lease.Job
	params := job.Params.Clone()
	params.FutureRelease, params.PRDR = smtp.FutureRelease{}, false // done here, and between two hosts only
	mail := &smtp.Mail{
		ID: job.Message, ReversePath: job.ReversePath, Params: params,
		PerRecipient: true, Once: job.ID, Received: job.Created,
	}
	tx, err := h.Receiver.Begin(ctx, mail)
	if err != nil {
		return nil, err
	}
	defer tx.Abort()
	statuses := make([]smtp.RcptStatus, len(h.Recipients))
	accepted := rcptAll(ctx, tx, hopRecipients(job, h), statuses)
	if len(accepted) == 0 {
		return statuses, nil
	}
	body, err := a.r.Queue.open(ctx, job)
	if err != nil {
		if errors.Is(err, blob.ErrNoBlob) || errors.Is(err, blob.ErrCorrupt) || errors.Is(err, blob.ErrNoKey) {
			a.hold = "the body cannot be read"
		}
		return nil, err
	}
	defer body.Close()
	got, err := tx.Data(ctx, a.r.Queue.body(job, body))
	if err == nil && len(got) != len(accepted) {
		err = smtp.ErrStatusCount
	}
	for i, place := range accepted {
		if err != nil {
			statuses[place].Err = err
		} else {
			statuses[place] = got[i]
		}
	}
	return statuses, nil
}

// rcptAll offers the recipients, and returns the places of those accepted;
// statuses gets the refusals.
func rcptAll(ctx context.Context, tx smtp.Transaction, rcpts []*smtp.Recipient, statuses []smtp.RcptStatus) []int {
	var accepted []int
	errs := tx.Rcpt(ctx, rcpts)
	for i := range rcpts {
		switch {
		case len(errs) != len(rcpts):
			statuses[i].Err = smtp.ErrStatusCount
		case errs[i] != nil:
			statuses[i].Err = errs[i]
		default:
			accepted = append(accepted, i)
		}
	}
	return accepted
}

func hopRecipients(job *Job, h Hop) []*smtp.Recipient {
	out := make([]*smtp.Recipient, len(h.Recipients))
	for i, place := range h.Recipients {
		r := job.Recipients[place].Recipient
		if h.To != nil {
			r.ForwardPath = h.To[i]
		}
		out[i] = &r
	}
	return out
}

// resultOf sorts an error: failed for an explicit 5xx, unknown for a lost
// final reply, deferred for everything else.
func resultOf(err error, hop string) Result {
	res := Result{State: Deferred, Err: err, NextHop: hop, Reply: smtp.ReplyOf(err)}
	switch {
	case errors.Is(err, ErrOutcomeUnknown):
		res.State = Unknown
	case smtp.IsPermanent(err):
		res.State = Failed
	}
	return res
}

// hasReply reports that an error says what the next hop answered, or could have.
func hasReply(err error) bool {
	e, ok := errors.AsType[*smtp.Error](err)
	return ok && !e.Reply.IsZero()
}

func repeat(r Result, n int) []Result {
	out := make([]Result, n)
	for i := range out {
		out[i] = r
	}
	return out
}
