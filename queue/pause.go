package queue

import (
	"maps"
	"slices"
	"sync"
)

// pauses are the destinations that an operator has paused.
type pauses struct {
	mu      sync.Mutex
	paused  map[string]bool
	changed map[string]bool // destination → paused, since the latest dispatch
}

func (p *pauses) set(destination string, paused bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.paused[destination] == paused {
		return
	}
	if p.paused == nil {
		p.paused, p.changed = make(map[string]bool), make(map[string]bool)
	}
	if p.changed[destination] = paused; paused {
		p.paused[destination] = true
	} else {
		delete(p.paused, destination)
	}
}

// Pause keeps attempts from a destination, the next-hop name of Router.Key,
// until Resume. Those under way go on; its jobs wait as they are, and what
// falls due to be reported is reported after Resume. A pause is the Runner's:
// it ends with the process, and other nodes have their own. Jobs that have to
// wait longer are held (Edit.Hold with Filter.Destination).
//
// It may be called before Run, and by any goroutine.
func (r *Runner) Pause(destination string) {
	r.pauses.set(destination, true)
	r.Kick()
}

// Resume ends a Pause.
func (r *Runner) Resume(destination string) {
	r.pauses.set(destination, false)
	r.Kick()
}

// Paused are the destinations that are paused, sorted.
func (r *Runner) Paused() []string {
	r.pauses.mu.Lock()
	defer r.pauses.mu.Unlock()
	return slices.Sorted(maps.Keys(r.pauses.paused))
}

// pause tells the table what was paused and resumed.
func (l *loop) pause() {
	p := &l.r.pauses
	p.mu.Lock()
	defer p.mu.Unlock()
	now := l.r.Queue.now()
	for d, paused := range p.changed {
		if paused {
			l.table.Pause(d, now)
		} else {
			l.table.Resume(d, now)
		}
	}
	clear(p.changed)
}
