package queue

import (
	"context"
	"sync"
	"time"
)

// KindPause is the Kind of entries whose Key is a destination that is paused.
const KindPause = "pause"

// maxPauses bounds what a Runner reads of them.
const maxPauses = 1 << 16

// SetPaused pauses a destination, the next-hop name of Router.Key, or ends
// that. It is durable when it returns, and each Runner on the storage, of
// whatever node, follows within two seconds. ErrEntry: the name is longer than
// MaxEntryKey.
//
// Attempts under way go on; the jobs of a paused destination wait as they are,
// without a write for each, and what falls due to be reported of them is
// reported after the end.
func SetPaused(ctx context.Context, s Storage, destination string, paused bool) error {
	return s.PutEntries(ctx, Entry{Kind: KindPause, Key: destination, Remove: !paused})
}

// Paused are the destinations that are paused, sorted.
func Paused(ctx context.Context, s Storage) ([]string, error) {
	var out []string
	for e, err := range s.Entries(ctx, EntryFilter{Kind: KindPause, Limit: maxPauses}) {
		if err != nil {
			return nil, err
		}
		out = append(out, e.Key)
	}
	return out, nil
}

// pauses are the destinations that are paused, as far as a Runner knows.
type pauses struct {
	known map[string]bool // only of Run's goroutine

	mu   sync.Mutex
	read time.Time // when they were read; zero = to be read again
}

// Pause is SetPaused for the Runner's own storage; the Runner follows at once.
// It may be called before Run, and by any goroutine.
func (r *Runner) Pause(ctx context.Context, destination string) error {
	return r.setPaused(ctx, destination, true)
}

// Resume ends a Pause, whoever made it.
func (r *Runner) Resume(ctx context.Context, destination string) error {
	return r.setPaused(ctx, destination, false)
}

func (r *Runner) setPaused(ctx context.Context, destination string, paused bool) error {
	err := SetPaused(ctx, r.Queue.Storage, destination, paused)
	r.pauses.mu.Lock()
	r.pauses.read = time.Time{}
	r.pauses.mu.Unlock()
	r.Kick()
	return err
}

// Paused are the destinations that are paused, sorted.
func (r *Runner) Paused(ctx context.Context) ([]string, error) { return Paused(ctx, r.Queue.Storage) }

// pause reads what is paused, at most once a second, and tells the table what
// has changed. It reports whether it is known: an attempt of a destination that
// was paused before a restart must not begin.
func (l *loop) pause(ctx context.Context) bool {
	p := &l.r.pauses
	p.mu.Lock()
	if !p.read.IsZero() && time.Since(p.read) < lookAgain {
		p.mu.Unlock()
		return p.known != nil
	}
	p.read = time.Now() // what is set from here on is read next time
	p.mu.Unlock()
	paused, err := Paused(ctx, l.r.Queue.Storage)
	if err != nil {
		l.complain(ctx, "cannot read which destinations are paused", err)
		return p.known != nil
	}
	now := l.r.Queue.now()
	was := p.known
	p.known = make(map[string]bool, len(paused))
	for _, d := range paused {
		if p.known[d] = true; !was[d] {
			l.table.Pause(d, now)
		}
	}
	for d := range was {
		if !p.known[d] {
			l.table.Resume(d, now)
		}
	}
	return true
}
