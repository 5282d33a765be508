package queue

import (
	"context"
	"time"
)

// Admissions is a value for Queue.Admit: each of fs in turn, until an error.
func Admissions(fs ...func(context.Context, []Job) error) func(context.Context, []Job) error {
	return func(ctx context.Context, jobs []Job) error {
		for _, f := range fs {
			if err := f(ctx, jobs); err != nil {
				return err
			}
		}
		return nil
	}
}

// Records is a value for Runner.Record: what all of fs record.
func Records(fs ...func(*Job, []Result, time.Time) []Entry) func(*Job, []Result, time.Time) []Entry {
	return func(j *Job, results []Result, now time.Time) (entries []Entry) {
		for _, f := range fs {
			entries = append(entries, f(j, results, now)...)
		}
		return entries
	}
}
