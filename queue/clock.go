package queue

import (
	"context"
	"time"
)

// clock notices that the clock of the host was set. Leases and waits of the
// process go on by the time that has passed; what stands in the storage is by the
// clock: what was put or deferred while it was ahead waits until then.
type clock struct {
	was  time.Time // by the clock, without the time that has passed
	seen time.Time // when
}

// clockJump is the least change that is told.
const clockJump = time.Minute

// jumped is by how much the clock was set since the call before; positive =
// forward.
func (c *clock) jumped(now time.Time) (d time.Duration) {
	wall := now.Round(0)
	if !c.was.IsZero() {
		d = wall.Sub(c.was) - time.Since(c.seen)
	}
	c.was, c.seen = wall, time.Now()
	if d.Abs() < clockJump {
		return 0
	}
	return d
}

func (l *loop) checkClock(ctx context.Context, now time.Time) {
	switch d := l.clock.jumped(now); {
	case d < 0:
		l.r.log().WarnContext(ctx, "queue: the clock was set back; jobs that were put or deferred before wait for longer, until an operator makes them due", "by", -d)
	case d > 0:
		l.r.log().WarnContext(ctx, "queue: the clock was set forward; jobs are due, late or expired sooner", "by", d)
	}
}
