package queue

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/mailstead/mailstead/smtp"
)

// Report is one message that a Reporter wants sent, with the null sender
// (RFC 3461 §6.1).
type Report struct {
	To   smtp.ForwardPath
	Body io.Reader
	UTF8 bool // needs SMTPUTF8 (RFC 6533)
}

// settle writes the outcome of an attempt: in doubt, the recipient stays.
func (a *attempt) settle(ctx context.Context, results []Result) {
	job, now := a.lease.Job, a.r.Queue.now()
	stopped := errors.Is(context.Cause(ctx), errShutdown)
	if stopped && !decided(results) && !a.panicked {
		// Nothing was decided: the job goes back as it was.
		a.back(ctx, job.Due)
		return
	}
	job.Attempts++
	a.expire(results, now)
	out := Outcome{Token: a.lease.Token, Attempted: true, Due: a.r.Schedule.next(job, results, now), Next: a.expand}
	if stopped {
		out.Due = job.Due
	}
	reports, err := a.reports(ctx, results, now)
	if err != nil {
		// No DSN could be written: nobody is told, so nobody is dropped.
		a.r.log().ErrorContext(ctx, "queue: cannot write a delivery status notification", "job", job.ID, "error", err)
		keepFailed(results)
		reports, out.Due = nil, now.Add(min(a.r.Schedule.withDefaults().First, 5*time.Minute))
	}
	out.Next = append(out.Next, reports...)
	for i, res := range results {
		if res.State == Deferred || res.State == Unknown {
			rcpt := job.Recipients[i]
			rcpt.Delayed = rcpt.Delayed || (res.Delay && err == nil)
			out.Remaining = append(out.Remaining, rcpt)
			out.Last = lastOf(res)
		}
	}
	out.Entries = a.record(ctx, results, now)
	events := a.events(results, now)
	out.Next = append(out.Next, a.notices(ctx, events)...)
	out.Crashed = a.panicked // also of the Reporter
	out = a.holdLeft(ctx, out, results)
	if a.commit(ctx, out) {
		a.tell(ctx, events)
	}
}

// back gives the job back as it was.
func (a *attempt) back(ctx context.Context, due time.Time) {
	job := a.lease.Job
	a.commit(ctx, Outcome{Token: a.lease.Token, Remaining: job.Recipients, Due: due, Last: job.Last})
}

// record asks for the entries of an outcome. No mail waits for what is wrong
// with them.
func (a *attempt) record(ctx context.Context, results []Result, now time.Time) (entries []Entry) {
	if a.r.Record == nil {
		return nil
	}
	a.protect(ctx, "the record hook", func() error {
		entries = a.r.Record(a.lease.Job, results, now)
		return nil
	})
	if err := CheckEntries(entries); err != nil {
		a.r.log().ErrorContext(ctx, "queue: the record of an outcome is lost", "job", a.lease.Job.ID, "error", err)
		return nil
	}
	return entries
}

// holdLeft holds what must not be attempted again by itself.
func (a *attempt) holdLeft(ctx context.Context, out Outcome, results []Result) Outcome {
	switch {
	case a.r.Reporter == nil && anyFailed(results) && !a.discards(ctx):
		return a.holdFailed(out, results)
	case len(out.Remaining) == 0:
	case a.hold != "":
		out.Hold = a.hold
	}
	return out
}

// discards reports that nothing is lost with what has failed. In doubt it is held.
func (a *attempt) discards(ctx context.Context) (yes bool) {
	if a.r.Discard == nil {
		return false
	}
	err := a.protect(ctx, "the discard hook", func() error {
		yes = a.r.Discard(a.lease.Job)
		return nil
	})
	if yes = yes && err == nil; yes {
		a.r.log().WarnContext(ctx, "queue: dropped, for it failed", "job", a.lease.Job.ID, "kind", a.lease.Job.Kind, "destination", a.lease.Job.Destination)
	}
	return yes
}

// expire turns deferrals of a job that has had its time into failures
// (RFC 3463 §3.5: 4.4.7, delivery time expired).
func (a *attempt) expire(results []Result, now time.Time) {
	if !a.r.Schedule.Expired(a.lease.Job, now) {
		return
	}
	for i := range results {
		if s := results[i].State; s == Deferred || s == Unknown {
			results[i].State, results[i].Expired = Failed, true
			if results[i].Reply.IsZero() || results[i].NextHop == "" {
				results[i].Reply = smtp.NewReply(550, smtp.EnhancedCode{Class: 5, Subject: 4, Detail: 7}, "Delivery time expired")
			}
		}
	}
}

// reports asks the Reporter, and stores what it wants sent.
func (a *attempt) reports(ctx context.Context, results []Result, now time.Time) ([]Job, error) {
	if a.r.Reporter == nil {
		return nil, nil
	}
	ctx = context.WithoutCancel(ctx)
	delayed := a.r.Schedule.delayDue(a.lease.Job, now)
	for i := range results {
		results[i].Delay = delayed && !a.lease.Job.Recipients[i].Delayed
	}
	var jobs []Job
	err := a.protect(ctx, "the reporter", func() (err error) {
		jobs, err = a.report(ctx, results, now)
		return err
	})
	return jobs, err
}

func (a *attempt) report(ctx context.Context, results []Result, now time.Time) (jobs []Job, err error) {
	reports, err := a.r.Reporter.Report(ctx, a.lease.Job, results)
	if err != nil {
		return nil, err
	}
	for _, rep := range reports {
		params := smtp.MailParams{
			UTF8:       rep.UTF8,
			Priority:   a.lease.Job.Params.Priority,   // RFC 6710 §4.6
			RequireTLS: a.lease.Job.Params.RequireTLS, // RFC 8689 §5
		}
		mail := &smtp.Mail{ID: smtp.NewID(), Received: now, Params: params}
		env := &smtp.Envelope{Mail: mail, Recipients: []*smtp.Recipient{{ForwardPath: rep.To, Params: smtp.RcptParams{Notify: smtp.NotifyNever}}}}
		next, err := a.r.Queue.Prepare(ctx, env, rep.Body)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, next...)
	}
	return jobs, nil
}

// holdFailed keeps failed recipients in a held job where no Reporter could
// tell the sender of them.
func (a *attempt) holdFailed(out Outcome, results []Result) Outcome {
	for i, res := range results {
		if res.State == Failed {
			out.Remaining = append(out.Remaining, a.lease.Job.Recipients[i])
			out.Last = lastOf(res)
		}
	}
	out.Hold = "failed, and no reporter is configured"
	return out
}

// The times between tries to settle. As long as the storage does not take the
// outcome, the worker is not free for another attempt: what cannot be settled
// would be delivered twice.
const (
	settlePause    = 50 * time.Millisecond
	settleMaxPause = 5 * time.Second
	settleTries    = 4 // at least, also when the runner ends
)

// commit settles the lease, and reports whether it did. Where it could not,
// the lease ends by itself and the job is attempted again.
func (a *attempt) commit(ctx context.Context, out Outcome) bool {
	ctx = context.WithoutCancel(ctx)
	pause := settlePause
	for try := 1; ; try++ {
		err := a.r.Queue.Storage.Settle(ctx, []Outcome{out})
		if err == nil {
			a.keeper.remove(out.Token)
			if len(out.Next) > 0 {
				a.r.Kick()
			}
			return true
		}
		final := errors.Is(err, ErrLeaseLost) || errors.Is(err, ErrClosed) || errors.Is(err, ErrExists)
		if final || try >= settleTries && a.ended() {
			a.r.log().ErrorContext(ctx, "queue: cannot settle; the job will be attempted again", "job", out.Token.Job, "error", err)
			return false
		}
		a.r.log().WarnContext(ctx, "queue: cannot settle yet", "job", out.Token.Job, "try", try, "error", err)
		a.pause(pause, try)
		pause = min(2*pause, settleMaxPause)
	}
}

func (a *attempt) ended() bool {
	select {
	case <-a.end:
		return true
	default:
		return false
	}
}

// pause waits; the end of the runner cuts it short once the least number of
// tries is made.
func (a *attempt) pause(d time.Duration, try int) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	end := a.end
	if try < settleTries {
		end = nil
	}
	select {
	case <-timer.C:
	case <-end:
	}
}

// events are what the results of an attempt mean.
func (a *attempt) events(results []Result, now time.Time) []Event {
	job := a.lease.Job
	events := make([]Event, len(results))
	for i, res := range results {
		final := res.State == Delivered || res.State == Failed
		events[i] = Event{Kind: kindOf(res), Job: job, Recipient: &job.Recipients[i], Result: res, Final: final, Time: now}
	}
	return events
}

// notices are the jobs that tell of events. No mail waits for what is wrong with
// them.
func (a *attempt) notices(ctx context.Context, events []Event) (jobs []Job) {
	if a.r.Queue.Notify == nil {
		return nil
	}
	a.protect(ctx, "the notifier", func() error {
		jobs = a.r.Queue.Notify(events)
		return nil
	})
	if err := checkNotices(jobs); err != nil {
		a.r.log().ErrorContext(ctx, "queue: what tells of an outcome is lost", "job", a.lease.Job.ID, "error", err)
		return nil
	}
	return jobs
}

// tell logs and reports what was settled.
func (a *attempt) tell(ctx context.Context, events []Event) {
	for i := range events {
		e := &events[i]
		a.r.log().InfoContext(ctx, "queue: attempt", "job", e.Job.ID, "message", e.Job.Message, "recipient", e.Recipient.ForwardPath.String(),
			"state", e.Result.State.String(), "next_hop", e.Result.NextHop, "reply", e.Result.Reply.String(), "error", errText(e.Result.Err))
		if a.r.Event == nil {
			continue
		}
		a.protect(ctx, "the event hook", func() error {
			a.r.Event(*e)
			return nil
		})
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func lastOf(r Result) string {
	s := r.Reply.String()
	if r.NextHop != "" {
		s = r.NextHop + ": " + s
	}
	return s[:min(len(s), 512)]
}

func keepFailed(results []Result) {
	for i := range results {
		if results[i].State == Failed {
			results[i].State, results[i].Expired = Deferred, false
		}
	}
}

// decided reports whether an attempt got as far as a host that may have the
// message now.
func decided(results []Result) bool {
	for _, r := range results {
		if r.State != Deferred {
			return true
		}
	}
	return false
}

func anyFailed(results []Result) bool {
	for _, r := range results {
		if r.State == Failed {
			return true
		}
	}
	return false
}
