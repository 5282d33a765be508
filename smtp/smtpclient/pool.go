package smtpclient

import (
	"cmp"
	"context"
	"errors"
	"os"
	"sync"
	"time"
)

// Key says which connections may stand in for each other.
type Key struct {
	// Addr is the host and port that was dialed.
	Addr string

	// TLS is the mode of the Dialer.
	TLS TLSMode

	// Policy is what else has to be equal: how the certificate is judged, which
	// account is logged in, LMTP. Its form is the caller's.
	Policy string
}

// Pool keeps connections between messages. The zero value is usable. It may be
// used by many goroutines; Close comes last.
type Pool struct {
	// IdleTimeout is how long an unused connection is kept; zero = 10 s.
	// Servers close after 5 minutes (RFC 5321 §4.5.3.2.7), many much earlier.
	IdleTimeout time.Duration

	// MaxIdle bounds the unused connections of one Key that are kept for
	// IdleTimeout; zero = 2, negative = none is kept at all.
	MaxIdle int

	// MaxSpare bounds those beyond MaxIdle, which are kept for a second: a Key
	// that many messages go to at a time needs each of them again at once. They
	// take at most half of MaxTotal. Zero = 20, negative = none.
	MaxSpare int

	// MaxMessages bounds the messages that go over one connection; zero = 100,
	// negative = no bound.
	MaxMessages int

	// MaxTotal bounds the unused connections of all Keys; zero = 100, negative =
	// no bound.
	MaxTotal int

	// MaxAge bounds the time in which new messages go over one connection, from
	// its greeting on; zero = 5 min, negative = no bound.
	MaxAge time.Duration

	// Fresh is for how long an unused connection that the server has not
	// closed is taken to be alive. After that RSET asks before it is used. Zero
	// = 1 s, negative = always ask.
	Fresh time.Duration

	mu     sync.Mutex
	idle   map[Key][]*idleConn // guarded by mu, the one given back last at the end
	total  int                 // of idle; guarded by mu
	closed bool                // guarded by mu
	work   sync.WaitGroup      // goodbyes
}

type idleConn struct {
	c     *Client
	since time.Time
	timer *time.Timer
}

// Get returns an unused connection that still lives, the one used last, or
// calls dial. The caller gives it back by Put.
func (p *Pool) Get(ctx context.Context, key Key, dial func(context.Context) (*Client, error)) (*Client, error) {
	for {
		ic := p.take(key)
		if ic == nil {
			return dial(ctx)
		}
		fresh := p.Fresh
		if fresh == 0 {
			fresh = time.Second
		}
		if ic.c.wake() && (time.Since(ic.since) < fresh || ic.c.Reset(ctx) == nil) {
			return ic.c, nil
		}
		ic.c.Close()
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
}

// take removes a connection from the pool. One whose time is over is left to
// its timer.
func (p *Pool) take(key Key) *idleConn {
	p.mu.Lock()
	defer p.mu.Unlock()
	for list := p.idle[key]; len(list) > 0; list = p.idle[key] {
		ic := list[len(list)-1]
		p.removeLocked(key, len(list)-1)
		if ic.timer.Stop() {
			p.work.Done()
			return ic
		}
	}
	return nil
}

func (p *Pool) removeLocked(key Key, i int) {
	list := p.idle[key]
	list = append(list[:i], list[i+1:]...)
	p.total--
	if len(list) == 0 {
		delete(p.idle, key)
		return
	}
	p.idle[key] = list
}

// Put gives a connection back, in whatever state. One that cannot be kept is
// closed, with a goodbye (RFC 5321 §4.1.1.10) where that makes sense.
func (p *Pool) Put(key Key, c *Client) {
	if c.Usable() && p.keep(key, c) {
		return
	}
	goodbye(c)
}

func (p *Pool) keep(key Key, c *Client) bool {
	maxMessages, maxAge := orDefault0(p.MaxMessages, 100), orDefault0(p.MaxAge, 5*time.Minute)
	if maxMessages > 0 && c.Sent() >= maxMessages || maxAge > 0 && time.Since(c.since) >= maxAge {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	timeout := p.timeLocked(key)
	if p.closed || timeout <= 0 {
		return false
	}
	c.rest()
	ic := &idleConn{c: c, since: time.Now()}
	p.work.Add(1)
	ic.timer = time.AfterFunc(timeout, func() { p.expire(key, ic) })
	if p.idle == nil {
		p.idle = make(map[Key][]*idleConn)
	}
	p.idle[key] = append(p.idle[key], ic)
	p.total++
	return true
}

// spareTime is how long a connection beyond MaxIdle is kept.
const spareTime = time.Second

// timeLocked is how long one more unused connection is kept; zero = not at all.
func (p *Pool) timeLocked(key Key) time.Duration {
	maxIdle, maxSpare, maxTotal := orDefault0(p.MaxIdle, 2), orDefault0(p.MaxSpare, 20), orDefault0(p.MaxTotal, 100)
	timeout := p.IdleTimeout
	if timeout <= 0 {
		timeout = 10 * time.Second
	}
	switch n := len(p.idle[key]); {
	case maxIdle < 0, maxTotal > 0 && p.total >= maxTotal:
		return 0
	case n < maxIdle:
		return timeout
	case n-maxIdle >= maxSpare, maxTotal > 0 && p.total >= maxTotal/2:
		return 0
	}
	return min(timeout, spareTime)
}

// expire ends a connection that nobody needed.
func (p *Pool) expire(key Key, ic *idleConn) {
	defer p.work.Done()
	p.mu.Lock()
	for i, other := range p.idle[key] { // none once the Pool is closed
		if other == ic {
			p.removeLocked(key, i)
			break
		}
	}
	p.mu.Unlock()
	ic.c.wake()
	goodbye(ic.c)
}

// rest watches a connection that is not used: what the server says now, or
// that it closes, ends its use. So a message is not sent to a server that has
// gone, which would leave it in doubt.
func (c *Client) rest() { c.expect(1) }

// wake ends rest and reports whether the connection can be used.
func (c *Client) wake() bool {
	c.conn.SetReadDeadline(time.Unix(1, 0))
	if a := c.next(); a.err == nil || !errors.Is(a.err, os.ErrDeadlineExceeded) {
		c.broken = errors.Join(ErrClosed, cmp.Or(a.err, ErrUnsolicited))
		c.ahead.end()
	}
	return c.broken == nil
}

// goodbyeTime bounds a QUIT that nobody waits for.
const goodbyeTime = 5 * time.Second

func goodbye(c *Client) {
	ctx, cancel := context.WithTimeout(context.Background(), goodbyeTime)
	defer cancel()
	if c.broken != nil {
		c.Close()
		return
	}
	c.Quit(ctx)
}

// Close closes the unused connections and waits for those that are saying
// goodbye. What is given back later is closed at once.
func (p *Pool) Close() error {
	p.mu.Lock()
	p.closed = true
	idle := p.idle
	p.idle, p.total = nil, 0
	p.mu.Unlock()
	for _, list := range idle {
		for _, ic := range list {
			if ic.timer.Stop() {
				p.work.Go(func() {
					ic.c.wake()
					goodbye(ic.c)
				})
				p.work.Done()
			}
		}
	}
	p.work.Wait()
	return nil
}

// orDefault0: zero = the default, negative stays.
func orDefault0[T int | time.Duration](n, def T) T {
	if n == 0 {
		return def
	}
	return n
}
