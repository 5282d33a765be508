package queuetest

import (
	"context"
	"time"

	"github.com/mailstead/mailstead/queue"
)

// crashFaults: what a Storage makes of attempts that ended without an outcome.
func crashFaults() []fault {
	return []fault{
		{name: "crashes are not told", caught: "Crash/an attempt that ended with its process is counted", seed: func(b *broken) {
			b.lease = func(ctx context.Context, dest string, now time.Time, limit int, ttl time.Duration) ([]queue.Lease, error) {
				ls, err := b.Storage.LeaseJobs(ctx, dest, now, limit, ttl)
				for i := range ls {
					if ls[i].Job.Hold == "" && ls[i].Job.Once == "" {
						ls[i].Job.Crashes = 0
					}
				}
				return ls, err
			}
		}},
		{name: "a crashed job is attempted for ever", caught: "Crash/the third in a row holds the job", seed: func(b *broken) {
			b.lease = func(ctx context.Context, dest string, now time.Time, limit int, ttl time.Duration) ([]queue.Lease, error) {
				for j := range b.Storage.List(ctx, queue.Filter{Destination: dest, Held: new(true)}) {
					if j.Hold == queue.HoldCrashed {
						b.Storage.Edit(ctx, only(j.ID), queue.Edit{Hold: new("")})
					}
				}
				return b.Storage.LeaseJobs(ctx, dest, now, limit, ttl)
			}
		}},
		{name: "whoever waited is blamed", caught: "Crash/suspects that waited are not blamed", seed: func(b *broken) {
			b.lease = func(ctx context.Context, dest string, now time.Time, limit int, ttl time.Duration) ([]queue.Lease, error) {
				ls, err := b.Storage.LeaseJobs(ctx, dest, now, limit, ttl)
				if len(ls) == 2 && ls[0].Job.Crashes == queue.MaxCrashes-1 {
					b.Storage.Edit(ctx, only(ls[1].Token.Job), queue.Edit{Hold: new(queue.HoldCrashed)}) // at the end of its lease
				}
				return ls, err
			}
		}},
		{name: "a job settled before the crash is blamed", caught: "Crash/only what was under way", seed: func(b *broken) {
			b.settle = blame(b, func(j *queue.Job, o *queue.Outcome) bool {
				return j.Destination == "e" && j.ID == "b" && o.Attempted && len(o.Next) == 0 && o.Due.Equal(j.Due) && o.Last == ""
			})
		}},
		{name: "crashes are counted for ever", caught: "Crash/an outcome ends the row", seed: func(b *broken) {
			b.settle = blame(b, func(j *queue.Job, o *queue.Outcome) bool { return j.Crashes > 0 && j.Once == "" })
		}},
		{name: "an outcome is none that crashed", caught: "Crash/an outcome may be one", seed: func(b *broken) {
			b.settle = func(ctx context.Context, out []queue.Outcome) error {
				for i := range out {
					out[i].Crashed = false
				}
				return b.Storage.Settle(ctx, out)
			}
		}},
		{name: "a release remembers", caught: "Crash/a release begins anew", seed: func(b *broken) {
			b.edit = func(ctx context.Context, f queue.Filter, e queue.Edit) (int, error) {
				before := b.job(ctx, "a")
				n, err := b.Storage.Edit(ctx, f, e)
				if err == nil && before != nil && before.Hold == queue.HoldCrashed {
					ls, _ := b.Storage.LeaseJobs(ctx, before.Destination, before.Due, 1, time.Hour)
					for _, l := range ls {
						b.Storage.Settle(ctx, []queue.Outcome{{Token: l.Token, Remaining: l.Job.Recipients, Due: l.Job.Due, Crashed: true}})
					}
				}
				return n, err
			}
		}},
	}
}

// blame makes crashes of the outcomes of some jobs.
func blame(b *broken, which func(*queue.Job, *queue.Outcome) bool) func(context.Context, []queue.Outcome) error {
	return func(ctx context.Context, out []queue.Outcome) error {
		for i := range out {
			if j := b.job(ctx, out[i].Token.Job); j != nil && len(out[i].Remaining) > 0 && which(j, &out[i]) {
				out[i].Crashed = true
			}
		}
		return b.Storage.Settle(ctx, out)
	}
}
