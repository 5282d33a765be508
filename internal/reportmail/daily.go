package reportmail

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	notBefore = 15 * time.Minute // what was counted late at night is in
	spread    = 4 * time.Hour    // RFC 8460 §4.1
	retry     = time.Hour
)

// Daily calls send until ctx ends: at once, then each day at a time of its own in
// the first four hours of the day in UTC, and an hour after each call that failed.
func Daily(ctx context.Context, send func(ctx context.Context, now time.Time) error) {
	slot := notBefore + rand.N(spread-notBefore)
	for {
		wait := retry
		if send(ctx, time.Now()) == nil {
			wait = untilNext(time.Now(), slot)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// untilNext is the time up to when it is next so long after midnight.
func untilNext(now time.Time, slot time.Duration) time.Duration {
	const day = 24 * time.Hour
	next := now.UTC().Truncate(day).Add(slot)
	if !next.After(now) {
		next = next.Add(day)
	}
	return next.Sub(now)
}

const flushTime = 10 * time.Second

// EachMinute calls flush every interval (0 = 1 min) until ctx ends, and once more
// then; each call has 10 s, also the last one.
func EachMinute(ctx context.Context, interval time.Duration, flush func(ctx context.Context)) {
	if interval <= 0 {
		interval = time.Minute
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for ended := false; !ended; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			ended = true
		}
		own, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTime)
		flush(own)
		cancel()
	}
}
