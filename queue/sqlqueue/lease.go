package sqlqueue

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/store/blob"
)

// leases are the leases of this process, in memory.
type leases struct {
	now func() time.Time

	mu    sync.Mutex
	fence uint64
	jobs  map[string]*lease
	lanes map[lane]map[string]*lease

	// editing: a commit that edits the job is under way. changed: the job was
	// settled or edited since the pick under way began to read.
	editing map[string]int
	changed map[string]bool
	picking bool

	marks *marks // nil = none are kept
}

// lease is on one job. settling: a Settle's commit is under way, so it does
// not expire. edits: made while it was held; they win over its outcome. next and
// blob are what the row says as long as there are none.
type lease struct {
	job      string
	fence    uint64
	lane     lane
	next     int64
	blob     blob.Ref
	expires  time.Time
	settling bool
	edits    []queue.Edit
}

func (l *leases) init(now func() time.Time) {
	l.now = now
	l.fence = rand.Uint64() >> 1 // a token of an earlier process fits by chance only
	l.jobs = make(map[string]*lease)
	l.lanes = make(map[lane]map[string]*lease)
	l.editing = make(map[string]int)
	l.changed = make(map[string]bool)
}

// row is what is needed of the job's row to delete it.
func (x *lease) row() *columns {
	return &columns{id: x.job, dest: x.lane.dest, rank: x.lane.rank, next: x.next, blob: x.blob}
}

// endLocked ends a lease; gone: its job is not there any more.
func (l *leases) endLocked(x *lease, gone bool) {
	delete(l.jobs, x.job)
	l.marks.clear(x.job, gone)
	l.leaveLocked(x)
}

// moveLocked: the row of a leased job stands in another lane now.
func (l *leases) moveLocked(x *lease, to lane) {
	l.leaveLocked(x)
	x.lane = to
	l.enterLocked(x)
}

func (l *leases) enterLocked(x *lease) {
	if l.lanes[x.lane] == nil {
		l.lanes[x.lane] = make(map[string]*lease)
	}
	l.lanes[x.lane][x.job] = x
}

func (l *leases) leaveLocked(x *lease) {
	delete(l.lanes[x.lane], x.job)
	if len(l.lanes[x.lane]) == 0 {
		delete(l.lanes, x.lane)
	}
}

// expireLocked ends the leases whose time is over.
func (l *leases) expireLocked() {
	now := l.now()
	for _, x := range l.jobs {
		if !x.settling && !now.Before(x.expires) {
			l.endLocked(x, false)
		}
	}
}

// validLocked is the lease that t proves, or nil.
func (l *leases) validLocked(t queue.Token) *lease {
	x := l.jobs[t.Job]
	if x == nil || x.fence != t.Fence || x.settling || !l.now().Before(x.expires) {
		return nil
	}
	return x
}

// beginPick: from now on changes to jobs are noted.
func (l *leases) beginPick() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expireLocked()
	l.picking = true
}

// endPick leases what of rows is free and unchanged, up to limit: for each row
// its lease, or nil.
func (l *leases) endPick(rows []candidate, limit int, ttl time.Duration) []*lease {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]*lease, len(rows))
	var taken []string
	for i := range rows {
		r := &rows[i].columns
		if len(taken) == limit || l.jobs[r.id] != nil || l.changed[r.id] || l.editing[r.id] > 0 {
			continue
		}
		taken = append(taken, r.id)
		l.fence++
		x := &lease{job: r.id, fence: l.fence, lane: lane{r.dest, r.rank}, next: r.next, blob: r.blob, expires: l.now().Add(ttl)}
		l.jobs[r.id] = x
		l.enterLocked(x)
		out[i] = x
	}
	l.marks.set(taken...)
	l.picking = false
	clear(l.changed)
	return out
}

// changedLocked: what a pick under way has read of the job is out of date.
func (l *leases) changedLocked(job string) {
	if l.picking {
		l.changed[job] = true
	}
}

// inLane is how many jobs of a lane are leased.
func (l *leases) inLane(n lane) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.lanes[n])
}

// busyLanes are the lanes with leases, but for those of except, and when the
// first lease ends by itself.
func (l *leases) busyLanes(except map[string]bool) (busy map[lane]int, first time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expireLocked()
	busy = make(map[lane]int, len(l.lanes))
	for n, xs := range l.lanes {
		if except[n.dest] {
			continue
		}
		busy[n] = len(xs)
		for _, x := range xs {
			if first.IsZero() || x.expires.Before(first) {
				first = x.expires
			}
		}
	}
	return busy, first
}

func (l *leases) leased(job string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.jobs[job] != nil
}

// count is the number of valid leases.
func (l *leases) count() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expireLocked()
	return int64(len(l.jobs))
}
