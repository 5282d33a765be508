package queue

import (
	"context"
	"time"

	"github.com/mailstead/mailstead/queue/schedule"
	"github.com/mailstead/mailstead/smtp"
)

// overdue is a batch of jobs of a destination that is left alone: those whose
// sender has to hear that they are late, or given up, are settled without an
// attempt; the rest goes back. The work is bounded by what has to be told.
type overdue struct {
	destination string
	size        int // asked for
	left        int // under way
	told        int
}

// The sizes of batches: as long as all of one had to be told, the next is larger.
const (
	minOverdue = 4
	maxOverdue = 64
)

// tellOverdue looks through up to n jobs of a destination.
func (l *loop) tellOverdue(ctx context.Context, destination string, n int) {
	now, expires := l.r.Queue.now(), time.Now().Add(l.ttl)
	leases, err := l.r.Queue.Storage.LeaseJobs(ctx, destination, now, n, l.ttl)
	if err != nil {
		l.complain(ctx, "cannot lease jobs", err)
	}
	b := &overdue{destination: destination, size: n, left: len(leases)}
	for _, lease := range leases {
		a := l.newAttempt(destination, lease)
		a.overdue = b
		l.start(a, expires)
	}
}

// finishOverdue counts a job of a batch, and begins another one when all of it
// had to be told.
func (l *loop) finishOverdue(ctx context.Context, a *attempt) {
	b := a.overdue
	b.left--
	if a.told {
		b.told++
	}
	if b.left == 0 && b.told == b.size && ctx.Err() == nil {
		l.tellOverdue(ctx, b.destination, min(2*b.size, maxOverdue))
	}
}

// runOverdue is an attempt of a job of such a batch.
func (a *attempt) runOverdue(ctx context.Context) {
	job, now := a.lease.Job, a.r.Queue.now()
	late := a.r.Reporter != nil && a.r.Schedule.delayDue(job, now) && !allDelayed(job)
	if !late && !a.r.Schedule.Expired(job, now) {
		a.back(ctx, job.Due)
		return
	}
	a.told = true
	err := smtp.Errorf(450, smtp.EnhancedCode{Class: 4, Subject: 4, Detail: 1}, "The destination does not answer")
	a.settle(ctx, repeat(resultOf(err, ""), len(job.Recipients)))
}

func allDelayed(j *Job) bool {
	for i := range j.Recipients {
		if !j.Recipients[i].Delayed {
			return false
		}
	}
	return true
}

// reach is what the results of an attempt say about the destination: whether it
// answered, or could not be reached (RFC 3463 §3.5) or does not want us now.
func reach(results []Result) schedule.Outcome {
	out := schedule.Neutral
	for _, r := range results {
		switch {
		case r.State == Failed && r.NextHop == "": // refused here
		case r.State == Unknown, r.State == Deferred && missed(r):
			out = schedule.Missed
		default:
			return schedule.Reached
		}
	}
	return out
}

func missed(r Result) bool {
	if !hasReply(r.Err) {
		return true
	}
	e := r.Reply.Enhanced
	return r.Reply.Code == 421 || e.Class == 4 && e.Subject == 4
}
