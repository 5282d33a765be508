package queue

import "sync/atomic"

// Load is what a Runner has to do at the moment.
type Load struct {
	Attempts     int // under way
	Workers      int // attempts at a time, at most
	Destinations int // it knows of: with attempts, with a turn to come, or left alone
	Waiting      int // destinations whose turn comes
	Down         int // destinations that are left alone for their failures
}

// load is the Load as it was after the latest step of Run.
type load struct {
	attempts, workers, destinations, waiting, down atomic.Int64
}

// Load is zero before Run. The numbers are of nearly the same moment. It never
// blocks, and may be called by any goroutine.
func (r *Runner) Load() Load {
	return Load{
		Attempts:     int(r.load.attempts.Load()),
		Workers:      int(r.load.workers.Load()),
		Destinations: int(r.load.destinations.Load()),
		Waiting:      int(r.load.waiting.Load()),
		Down:         int(r.load.down.Load()),
	}
}

// publish makes the state of the loop known to Load.
func (l *loop) publish() {
	p := &l.r.load
	p.attempts.Store(int64(l.running))
	p.workers.Store(int64(l.workers))
	p.destinations.Store(int64(l.table.Known()))
	p.waiting.Store(int64(l.table.Waiting()))
	p.down.Store(int64(l.table.Down()))
}
