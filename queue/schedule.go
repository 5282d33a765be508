package queue

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/mailstead/mailstead/smtp"
)

// Schedule says when a deferred recipient is attempted again, and when trying
// ends (RFC 5321 §4.5.4.1). The zero value: 5 minutes, doubling to 4 hours,
// ±10 %, for 5 days; a delay DSN after 4 hours; what is greylisted, each 6 minutes
// at first.
type Schedule struct {
	First  time.Duration // after the first attempt; zero = 5 min
	Max    time.Duration // greatest delay; zero = 4 h
	Factor float64       // growth; zero = 2
	Jitter float64       // share by which a delay may differ, 0..1; zero = 0.1, negative = none
	Expire time.Duration // age at which a deferral becomes a failure; zero = 5 days
	// Greylist is the delay after each of the first GreylistTries attempts that
	// met nothing but greylisting: a host that takes the message once it knows
	// us. Zero = 6 min and 5; negative = as after every other deferral.
	Greylist      time.Duration
	GreylistTries int

	Delayed time.Duration // age at which a delay DSN is due; zero = 4 h, negative = never
}

func (s Schedule) withDefaults() Schedule {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&s.First, 5*time.Minute)
	def(&s.Max, 4*time.Hour)
	def(&s.Expire, 5*24*time.Hour)
	def(&s.Delayed, 4*time.Hour)
	def(&s.Greylist, 6*time.Minute)
	if s.GreylistTries == 0 {
		s.GreylistTries = 5
	}
	if s.Factor == 0 {
		s.Factor = 2
	}
	if s.Jitter == 0 {
		s.Jitter = 0.1
	}
	return s
}

// Delay is the time from the end of attempt n (1 = the first) to the next.
func (s Schedule) Delay(n int) time.Duration {
	s = s.withDefaults()
	d := float64(s.First)
	for i := 1; i < n && d < float64(s.Max); i++ {
		d *= s.Factor
	}
	return s.jittered(min(d, float64(s.Max)))
}

func (s Schedule) jittered(d float64) time.Duration {
	if s.Jitter > 0 {
		d *= 1 + s.Jitter*(2*rand.Float64()-1)
	}
	return time.Duration(d)
}

// delay is that after the latest attempt of a job, which had these results.
func (s Schedule) delay(j *Job, results []Result) time.Duration {
	d := s.withDefaults()
	if d.Greylist < 0 || j.Attempts > d.GreylistTries || !greylisted(results) {
		return s.Delay(j.Attempts)
	}
	return d.jittered(float64(d.Greylist))
}

// greylisted reports that all who are deferred are so by greylisting: a 4xx
// that says so, or 450 or 451 with 4.7.1 as most implementations have it.
func greylisted(results []Result) bool {
	found := false
	for _, r := range results {
		if r.State != Deferred {
			continue
		}
		text := strings.ToLower(r.Reply.String())
		says := strings.Contains(text, "greylist") || strings.Contains(text, "graylist")
		code := (r.Reply.Code == 450 || r.Reply.Code == 451) && r.Reply.Enhanced == smtp.EnhancedCode{Class: 4, Subject: 7, Detail: 1}
		if !says && !code {
			return false
		}
		found = true
	}
	return found
}

// Expired reports whether a job has had its time.
func (s Schedule) Expired(j *Job, now time.Time) bool { return !now.Before(s.Expiry(j)) }

// Expiry is when a deferral of this job becomes a failure. An Expires of the
// job's own wins; the time in which it was held for its release does not
// count, and BY= with "return" may end it sooner (RFC 2852).
func (s Schedule) Expiry(j *Job) time.Time {
	end := j.Expires
	if end.IsZero() {
		end = released(j).Add(s.withDefaults().Expire)
	}
	if by := byTime(j, smtp.ByReturn); !by.IsZero() && by.Before(end) {
		return by
	}
	return end
}

// released is when a job may be attempted first (HOLDFOR, HOLDUNTIL; RFC 4865).
func released(j *Job) time.Time {
	if at := j.Params.FutureRelease.Release(j.Created); at.After(j.Created) {
		return at
	}
	return j.Created
}

// byTime is when BY= is up, zero where the job has none of this mode.
func byTime(j *Job, mode smtp.ByMode) time.Time {
	if j.Params.DeliverBy.Mode != mode {
		return time.Time{}
	}
	return j.Params.DeliverBy.Deadline(j.Created)
}

// withdrawn reports a job that may no longer be delivered: its sender wants it
// back (RFC 2852).
func withdrawn(j *Job, now time.Time) bool {
	by := byTime(j, smtp.ByReturn)
	return !by.IsZero() && !now.Before(by)
}

// next is when a job is attempted again: by the schedule, and at the latest
// when it expires or a delay has to be reported, so that its sender learns of
// that in time.
func (s Schedule) next(j *Job, results []Result, now time.Time) time.Time {
	due := now.Add(s.delay(j, results))
	for _, end := range [...]time.Time{s.Expiry(j), byTime(j, smtp.ByNotify)} {
		if end.After(now) && end.Before(due) {
			due = end
		}
	}
	return due
}

// delayDue reports whether a delay DSN is due for a job of this age. A time of
// "notify" that was up before the message came was reported by the host in
// front (RFC 2852).
func (s Schedule) delayDue(j *Job, now time.Time) bool {
	if by := byTime(j, smtp.ByNotify); !by.Before(j.Created) && !now.Before(by) {
		return true
	}
	d := s.withDefaults().Delayed
	return d > 0 && now.Sub(released(j)) >= d
}

// onceKey is the idempotency key of the i-th job of a message.
func onceKey(once, destination string, i int) string {
	return once + "\x00" + destination + "\x00" + strconv.Itoa(i)
}
