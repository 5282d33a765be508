package migrate

import (
	"context"
	"io"
	"sync"
	"time"
)

// pace hands out units at a rate, to all who ask. The zero value has no limit.
type pace struct {
	rate float64 // units a second

	mu   sync.Mutex
	next time.Time // when the units handed out so far are used up
}

// maxBurst is how much of a rate may be saved up.
const maxBurst = time.Second

// wait takes n units and waits until they are due.
func (p *pace) wait(ctx context.Context, n int64) error {
	if p.rate <= 0 || n <= 0 {
		return nil
	}
	p.mu.Lock()
	now := time.Now()
	if floor := now.Add(-maxBurst); p.next.Before(floor) {
		p.next = floor
	}
	p.next = p.next.Add(time.Duration(float64(n) / p.rate * float64(time.Second)))
	delay := p.next.Sub(now)
	p.mu.Unlock()
	return sleep(ctx, delay)
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// paced reads at a pace.
type paced struct {
	ctx context.Context
	r   io.Reader
	p   *pace
	n   int64 // octets that were read
}

// Read implements io.Reader.
func (r *paced) Read(b []byte) (int, error) {
	n, err := r.r.Read(b)
	r.n += int64(n)
	if werr := r.p.wait(r.ctx, int64(n)); werr != nil {
		return n, werr
	}
	return n, err
}
