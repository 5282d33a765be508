package login

import (
	"sync"
	"time"
)

// pacer spaces out the attempts that count against one subject, of this process
// only. The zero value is ready for use.
type pacer struct {
	mu      sync.Mutex
	entries map[Digest]pace // by keyOf
}

// pace is one subject whose attempts are spaced out.
type pace struct {
	inFlight int
	next     time.Time // earliest start of the next attempt
}

// maxPaces bounds the subjects that are spaced out at once.
const maxPaces = 1 << 16

// level is one subject of an attempt with what is known about it.
type level struct {
	subject Subject
	key     Digest
	tally   Tally
	scale   int // failures that count like one; 0: they count for nothing here
}

// reserve takes the next moment that is free for all levels. It returns false,
// and takes nothing, if that is later than latest.
func (p *pacer) reserve(levels []level, now, latest time.Time, delay func(failures int) time.Duration) (time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tidyLocked(now)
	start := now
	for _, l := range levels {
		if d := delay(l.failures(0)); d > 0 {
			start = later(start, l.tally.LastFailure.Add(d))
		}
		start = later(start, p.entries[l.key].next)
	}
	if start.After(latest) {
		return start, false
	}
	for _, l := range levels {
		y := p.entries[l.key]
		y.inFlight++
		if d := delay(l.failures(y.inFlight)); d > 0 {
			y.next = start.Add(d)
		}
		p.setLocked(l.key, y)
	}
	return start, true
}

// failures returns what counts, attempts that are in flight included.
func (l level) failures(inFlight int) int {
	if l.scale == 0 {
		return 0
	}
	return (l.tally.Failures + inFlight/burst) / l.scale
}

// release ends an attempt.
func (p *pacer) release(levels []level) {
	p.update(levels, func(y *pace) { y.inFlight = max(0, y.inFlight-1) })
}

// update changes the paces of levels.
func (p *pacer) update(levels []level, f func(*pace)) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range levels {
		y := p.entries[l.key]
		f(&y)
		if y.idle(now) {
			delete(p.entries, l.key)
			continue
		}
		p.setLocked(l.key, y)
	}
}

func (y pace) idle(now time.Time) bool { return y.inFlight == 0 && !y.next.After(now) }

func (p *pacer) setLocked(key Digest, y pace) {
	if p.entries == nil {
		p.entries = make(map[Digest]pace)
	}
	if _, ok := p.entries[key]; !ok {
		makeRoom(p.entries, maxPaces, func(y pace) int64 { return int64(y.inFlight)<<40 + y.next.Unix() })
	}
	p.entries[key] = y
}

// tidyLocked looks at a few entries and removes those that space out nothing
// any more: more than one attempt adds.
func (p *pacer) tidyLocked(now time.Time) {
	if len(p.entries) < 256 {
		return
	}
	seen := 0
	for key, y := range p.entries {
		if y.idle(now) {
			delete(p.entries, key)
		}
		if seen++; seen == 16 {
			return
		}
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
