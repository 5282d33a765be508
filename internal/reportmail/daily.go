package reportmail

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	spread = 4 * time.Hour // RFC 8460 §4.1
	retry  = time.Hour
)

// Daily calls send until ctx ends: at once, then at a random time in the first
// four hours of each day in UTC, and an hour after each call that failed.
func Daily(ctx context.Context, send func(ctx context.Context, now time.Time) error) {
	for {
		wait := retry
		if now := time.Now(); send(ctx, now) == nil {
			wait = untilNext(time.Now(), rand.N(spread))
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

// untilNext is the time up to so much behind the next midnight.
func untilNext(now time.Time, behind time.Duration) time.Duration {
	midnight := now.UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
	return midnight.Add(behind).Sub(now)
}
