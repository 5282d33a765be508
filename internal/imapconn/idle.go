package imapconn

import (
	"context"
	"time"
)

// never is a deadline that does not come.
var never = time.Unix(1<<40, 0)

// Idle reads until ctx ends, max is over, wake says so, or the call is done. That
// it ends is no error, and loses nothing of a response. zero or negative max =
// Timeouts.Idle; wake nil = never.
func (c *Conn) Idle(ctx context.Context, k *Call, max time.Duration, wake func() bool) error {
	if max <= 0 {
		max = c.Timeouts.Idle
	}
	c.idle = never
	if max > 0 {
		c.idle = time.Now().Add(max)
	}
	defer func() { c.idle = time.Time{} }()
	ended := make(chan struct{})
	unwatch := context.AfterFunc(ctx, func() {
		defer close(ended)
		c.raw.SetReadDeadline(past)
	})
	defer func() {
		if !unwatch() {
			<-ended
		}
	}()
	for !k.Done {
		if !c.in.buffered() {
			c.unasked = 0
			if ctx.Err() != nil || wake != nil && wake() {
				return nil
			}
		}
		c.idleCtx = ctx
		r, err := c.next()
		c.idleCtx = nil
		if timedOut(err) && c.err == nil {
			return nil
		}
		if err == nil {
			err = c.route(r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
