package schedule

import (
	"container/heap"
	"math/rand/v2"
	"time"
)

// Limit is what one destination gets. The zero value is the recommended one.
type Limit struct {
	Start int // attempts at a time before anything is known; zero = 5
	Max   int // at most; zero = 20; negative = no limit, no feedback

	// Rate bounds the attempts of a second, Burst those at once; zero = no
	// limit, and one.
	Rate  float64
	Burst int

	// Weight is its share beside others with something to do; zero = 1.
	Weight int

	// Cohorts is how many windows of attempts in a row have to fail before it
	// is left alone; zero = 1, negative = it never is.
	Cohorts float64

	// Down is how long it is left alone the first time, ±20 %; that doubles up
	// to MaxDown. Zero = 1 min, 1 h.
	Down, MaxDown time.Duration
}

// Config of a Table; the zero value is usable.
type Config struct {
	// Limit is asked once for each destination that comes up; nil = the zero
	// Limit.
	Limit func(destination string) Limit

	// Rand is a number in [0,1) for jitter; nil = math/rand.
	Rand func() float64
}

// Outcome of an attempt, as far as it concerns the destination.
type Outcome uint8

// The outcomes.
const (
	Neutral Outcome = iota // says nothing about it
	Reached                // it answered, whatever it said of the message
	Missed                 // it could not be reached, or does not want us now
)

// maxQuantum bounds what a turn is worth, which is as many attempts as there
// are for each who waits; an attempt costs 1 and more for its size.
const maxQuantum = 20

// maxKnown bounds the destinations that are remembered for their failures
// alone. One beyond that is tried as if nothing were known.
const maxKnown = 1 << 16

// Table is the destinations that something is known of. See the package for
// what it promises.
type Table struct {
	cfg   Config
	known map[string]*destination
	ring  []*destination // those whose turn comes, the next one first
	head  int            // of ring
	block map[string]bool
	times timers
	down  int // that are left alone

	forgot time.Time // the latest forget
}

type destination struct {
	name    string
	limit   Limit
	running int
	window  float64
	cohorts float64 // that failed in a row
	downs   int     // times in a row that it was left alone
	deficit int64
	tokens  float64 // of Rate
	filled  time.Time

	queued bool      // in the ring
	more   bool      // it had more than it could take
	until  time.Time // nothing before; zero = it may
	dead   bool      // until is for its failures
	paused bool
	place  int // in timers, from 1; zero = none
}

// New makes a Table.
func New(cfg Config) *Table {
	if cfg.Rand == nil {
		cfg.Rand = rand.Float64
	}
	return &Table{cfg: cfg, known: make(map[string]*destination), block: make(map[string]bool)}
}

// Except are the destinations that need not be looked for: their turn comes
// without, or it must not come. The map is the Table's and must not be changed.
func (t *Table) Except() map[string]bool { return t.block }

// Waiting is how many destinations stand in the ring.
func (t *Table) Waiting() int { return len(t.ring) - t.head }

// Down is how many destinations are left alone for their failures.
func (t *Table) Down() int { return t.down }

// Known is how many destinations the Table remembers.
func (t *Table) Known() int { return len(t.known) }

// Dead reports that a destination is left alone for its failures.
func (t *Table) Dead(name string) bool {
	d := t.known[name]
	return d != nil && d.dead
}

func (t *Table) get(name string, now time.Time) *destination {
	d := t.known[name]
	if d != nil {
		return d
	}
	d = &destination{name: name, filled: now}
	if t.cfg.Limit != nil {
		d.limit = t.cfg.Limit(name)
	}
	d.limit.setDefaults()
	d.window, d.tokens = float64(d.limit.Start), float64(d.limit.Burst)
	t.known[name] = d
	return d
}

func (l *Limit) setDefaults() {
	if l.Max == 0 {
		l.Max = 20
	}
	if l.Start <= 0 {
		l.Start = 5
	}
	if l.Max > 0 {
		l.Start = min(l.Start, l.Max)
	}
	l.Burst = max(l.Burst, 1)
	l.Weight = max(l.Weight, 1)
	if l.Cohorts == 0 {
		l.Cohorts = 1
	}
	if l.Down <= 0 {
		l.Down = time.Minute
	}
	if l.MaxDown <= 0 {
		l.MaxDown = time.Hour
	}
}

// Found puts a destination with due jobs into the ring, unless it must wait.
func (t *Table) Found(name string, now time.Time) {
	d := t.get(name, now)
	d.more = true
	t.enqueue(d, now)
}

// enqueue puts d into the ring if it has more to do and may.
func (t *Table) enqueue(d *destination, now time.Time) {
	if d.queued || !d.more || !d.open(now) || d.room() == 0 {
		t.settle(d)
		return
	}
	d.queued = true
	t.ring = append(t.ring, d)
	t.settle(d)
}

// settle brings Except up to date, and forgets d where nothing is left to know.
func (t *Table) settle(d *destination) {
	if d.queued || d.more || d.paused || !d.until.IsZero() {
		t.block[d.name] = true
		return
	}
	delete(t.block, d.name)
	if d.running == 0 && d.limit.Rate <= 0 {
		delete(t.known, d.name) // one with a rate: see forget
	}
}

// forgetEvery is how often those are forgotten that only their rate keeps.
const forgetEvery = time.Minute

// forget forgets destinations without work whose rate allows a burst again.
func (t *Table) forget(now time.Time) {
	if now.Sub(t.forgot) < forgetEvery {
		return
	}
	t.forgot = now
	for name, d := range t.known {
		refill := time.Duration((float64(d.limit.Burst) - d.tokens) / d.limit.Rate * float64(time.Second))
		if d.limit.Rate > 0 && d.running == 0 && !t.block[name] && now.Sub(d.filled) >= refill {
			delete(t.known, name)
		}
	}
}

// open reports that attempts may begin.
func (d *destination) open(now time.Time) bool { return !d.paused && !now.Before(d.until) }

// room is how many more attempts may run.
func (d *destination) room() int {
	if d.limit.Max < 0 {
		return 1 << 20
	}
	return max(0, int(d.window)-d.running)
}

// Next says who is next, and how many of its jobs to lease, of free attempts
// that may begin; ok is false when nobody can. Leased has to follow.
func (t *Table) Next(free int, now time.Time) (name string, n int, ok bool) {
	for t.Waiting() > 0 && free > 0 {
		d := t.pop()
		d.queued = false
		n := min(d.room(), free)
		if d.open(now) && n > 0 {
			n = min(n, t.allowed(d, now))
		}
		if !d.open(now) || n <= 0 {
			t.settle(d) // it comes back when it may
			continue
		}
		quantum := int64(min(maxQuantum, max(1, free/(t.Waiting()+1))) * d.limit.Weight)
		if d.deficit = min(d.deficit+quantum, quantum); d.deficit <= 0 {
			d.queued = true
			t.ring = append(t.ring, d)
			continue
		}
		n = int(min(int64(n), d.deficit))
		d.running += n
		return d.name, n, true
	}
	return "", 0, false
}

func (t *Table) pop() *destination {
	d := t.ring[t.head]
	t.ring[t.head] = nil
	if t.head++; t.head == len(t.ring) {
		t.ring, t.head = t.ring[:0], 0
	} else if t.head > 64 && t.head > len(t.ring)/2 {
		t.ring = t.ring[:copy(t.ring, t.ring[t.head:])]
		t.head = 0
	}
	return d
}

// allowed is how many attempts the rate allows now. Where it is none, d waits.
func (t *Table) allowed(d *destination, now time.Time) int {
	if d.limit.Rate <= 0 {
		return 1 << 20
	}
	d.tokens = min(float64(d.limit.Burst), d.tokens+d.limit.Rate*max(0, now.Sub(d.filled)).Seconds())
	d.filled = now
	if d.tokens < 1 {
		t.wait(d, now.Add(time.Duration((1-d.tokens)/d.limit.Rate*float64(time.Second))+time.Millisecond))
	}
	return int(d.tokens)
}

// Leased says what became of a turn: of asked jobs got were leased, which cost
// so much in all (see Cost).
func (t *Table) Leased(name string, asked, got int, cost int64, now time.Time) {
	d := t.known[name]
	if d == nil {
		return
	}
	d.running -= asked - got
	d.deficit -= cost
	if d.limit.Rate > 0 {
		d.tokens -= float64(got)
	}
	if d.more = got >= asked; !d.more {
		d.deficit = min(d.deficit, 0)
	}
	t.enqueue(d, now)
}

// Cost is that of an attempt with a message of so many octets.
func Cost(size int64) int64 { return 1 + min(size/(128<<10), 15) }

// Done says how an attempt ended. died reports that from now on the destination
// is left alone.
func (t *Table) Done(name string, o Outcome, now time.Time) (died bool) {
	d := t.known[name]
	if d == nil {
		return false
	}
	d.running--
	was := d.dead
	if d.limit.Max > 0 {
		t.feed(d, o, now)
	}
	t.enqueue(d, now)
	return d.dead && !was
}

func (t *Table) feed(d *destination, o Outcome, now time.Time) {
	switch o {
	case Reached:
		d.cohorts, d.downs = 0, 0
		d.window = min(max(d.window+1/d.window, float64(d.limit.Start)), float64(d.limit.Max))
		if d.dead {
			t.revive(d)
		}
	case Missed:
		d.cohorts += 1 / d.window
		d.window = max(1, d.window-1/d.window)
		if d.limit.Cohorts > 0 && d.cohorts > d.limit.Cohorts-1e-9 && !d.dead && len(t.known) <= maxKnown {
			t.leaveAlone(d, now)
		}
	}
}

// leaveAlone begins the time in which nothing is sent to d.
func (t *Table) leaveAlone(d *destination, now time.Time) {
	wait := d.limit.MaxDown
	if d.downs < 30 {
		wait = min(wait, d.limit.Down<<d.downs)
	}
	wait += time.Duration((t.cfg.Rand()*0.4 - 0.2) * float64(wait))
	d.downs++
	d.window, d.cohorts, d.dead, d.more = 1, 0, true, true
	t.down++
	t.wait(d, now.Add(wait))
}

func (t *Table) revive(d *destination) {
	if d.dead {
		d.dead = false
		t.down--
	}
	d.until = time.Time{}
	t.times.remove(d)
}

func (t *Table) wait(d *destination, until time.Time) {
	d.until = until
	t.times.set(d)
}

// Pause keeps attempts from a destination until Resume; those under way go on.
func (t *Table) Pause(name string, now time.Time) {
	d := t.get(name, now)
	d.paused, d.more = true, true
	t.settle(d)
}

// Resume ends a Pause.
func (t *Table) Resume(name string, now time.Time) {
	if d := t.known[name]; d != nil && d.paused {
		d.paused = false
		t.enqueue(d, now)
	}
}

// Wake puts those whose time has come into the ring, and returns when to call
// it again; zero = there is no need.
func (t *Table) Wake(now time.Time) (next time.Time) {
	t.forget(now)
	for len(t.times) > 0 {
		d := t.times[0]
		if now.Before(d.until) {
			return d.until
		}
		t.revive(d)
		t.enqueue(d, now)
	}
	return time.Time{}
}

// timers is a heap of destinations that wait, by until.
type timers []*destination

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].until.Before(t[j].until) }
func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].place, t[j].place = i+1, j+1
}

// Push implements heap.Interface.
func (t *timers) Push(x any) {
	d := x.(*destination)
	*t = append(*t, d)
	d.place = len(*t)
}

// Pop implements heap.Interface.
func (t *timers) Pop() any {
	last := len(*t) - 1
	d := (*t)[last]
	(*t)[last] = nil
	*t = (*t)[:last]
	d.place = 0
	return d
}

func (t *timers) set(d *destination) {
	if d.place > 0 {
		heap.Fix(t, d.place-1)
		return
	}
	heap.Push(t, d)
}

func (t *timers) remove(d *destination) {
	if d.place > 0 {
		heap.Remove(t, d.place-1)
	}
}
