package sqlqueue

import (
	"cmp"
	"context"
	"database/sql"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/store/sqldb"
)

// look is one LeaseDestinations.
type look struct {
	s      *Storage
	now    int64
	max    int
	except map[string]bool
	busy   map[lane]int
	due    map[string]int64 // destination → its longest due job
	next   int64            // the first that is not due yet
}

// LeaseDestinations implements queue.Storage.
func (s *Storage) LeaseDestinations(ctx context.Context, now time.Time, limit int, except map[string]bool) ([]string, time.Time, error) {
	if limit <= 0 {
		return nil, time.Time{}, ctx.Err()
	}
	if s.nodes != nil {
		return s.nodes.destinations(ctx, now, limit, except)
	}
	busy, ends := s.leases.busyLanes(except)
	l := &look{s: s, now: nanos(now), max: limit, except: except, busy: busy, due: make(map[string]int64), next: never}
	if !ends.IsZero() {
		l.next = nanos(ends)
	}
	if err := l.free(ctx); err != nil {
		return nil, time.Time{}, err
	}
	for n, leased := range busy {
		if err := l.lane(ctx, n, leased); err != nil {
			return nil, time.Time{}, err
		}
	}
	order, next := l.answer()
	return order, next, nil
}

// found notes the first job of a destination that is not leased.
func (l *look) found(dest string, next int64) {
	switch at, ok := l.due[dest]; {
	case next > l.now:
		l.next = min(l.next, next)
	case !ok || next < at:
		l.due[dest] = next
	}
}

// answer is what LeaseDestinations returns.
func (l *look) answer() (order []string, next time.Time) {
	order = slices.SortedFunc(maps.Keys(l.due), func(a, b string) int {
		return cmp.Or(cmp.Compare(l.due[a], l.due[b]), cmp.Compare(a, b))
	})
	order = order[:min(len(order), l.max)]
	if l.next != never {
		next = instant(l.next)
	}
	return order, next
}

// position is a lane in the order of queue_due.
type position struct {
	lane
	next int64
}

// free walks the lanes without leases, until there are enough or one is not
// due.
func (l *look) free(ctx context.Context) error {
	last := position{next: math.MinInt64, lane: lane{rank: math.MinInt64}}
	for {
		rows, enough, err := l.page(ctx, &last)
		if err != nil || enough || rows < lanePage {
			return err
		}
	}
}

// lanePage is how many lanes one query looks at.
const lanePage = 256

// page walks the lanes behind last, which it moves on.
func (l *look) page(ctx context.Context, last *position) (n int, enough bool, err error) {
	rows, err := l.s.db.Query(ctx, `SELECT next, dest, rank FROM queue_lane
		WHERE (next, dest, rank) > (?, ?, ?) AND next < ? ORDER BY next, dest, rank LIMIT CAST(? AS {int})`,
		last.next, last.dest, last.rank, int64(never), lanePage)
	if err != nil {
		return 0, false, err
	}
	defer rows.Close()
	for ; !enough && rows.Next(); n++ {
		if err := rows.Scan(&last.next, &last.dest, &last.rank); err != nil {
			return n, false, err
		}
		if l.busy[last.lane] > 0 || l.except[last.dest] {
			continue
		}
		l.found(last.dest, last.next)
		enough = last.next > l.now || len(l.due) >= l.max
	}
	return n, enough, rows.Err()
}

// lane looks for the first job of a lane behind those that are leased.
func (l *look) lane(ctx context.Context, n lane, leased int) error {
	rows, err := sqldb.Collect(ctx, l.s.db, scanDue,
		`SELECT id, next FROM queue_job WHERE dest = ? AND rank = ? AND next < ? ORDER BY next, id LIMIT CAST(? AS {int})`,
		n.dest, n.rank, int64(never), leased+1)
	if err != nil {
		return err
	}
	for i := range rows {
		if !l.s.leases.leased(rows[i].id) {
			l.found(n.dest, rows[i].next)
			return nil
		}
	}
	return nil
}

func scanDue(r *sql.Rows) (c columns, err error) {
	err = r.Scan(&c.id, &c.next)
	return c, err
}

// LeaseJobs implements queue.Storage.
func (s *Storage) LeaseJobs(ctx context.Context, destination string, now time.Time, limit int, ttl time.Duration) ([]queue.Lease, error) {
	if limit <= 0 {
		return nil, ctx.Err()
	}
	if s.nodes != nil {
		return s.nodes.leaseJobs(ctx, destination, now, limit, ttl)
	}
	s.picking.Lock()
	defer s.picking.Unlock()
	s.leases.beginPick()
	rows, damaged, err := s.candidates(ctx, destination, nanos(now), limit)
	taken := s.leases.endPick(rows, limit, ttl)
	if err != nil {
		return nil, err
	}
	var out []queue.Lease
	for i, x := range taken {
		if x != nil {
			out = append(out, queue.Lease{Token: queue.Token{Job: x.job, Fence: x.fence}, Job: rows[i].job, Expires: x.expires})
		}
	}
	if err := s.setAside(ctx, damaged); err != nil {
		s.log.ErrorContext(ctx, "sqlqueue: cannot hold damaged jobs", "error", err)
	}
	return out, nil
}

// candidate is a row with its job.
type candidate struct {
	columns
	job *queue.Job
}

// candidates are due jobs in the order of delivery; at least limit that are
// not leased, where there are so many.
func (s *Storage) candidates(ctx context.Context, dest string, now int64, limit int) (good []candidate, damaged []columns, err error) {
	lanes, err := sqldb.Collect(ctx, s.db, scanTurn,
		`SELECT rank, next FROM queue_lane WHERE dest = ? AND next <= ?`, dest, now)
	if err != nil {
		return nil, nil, err
	}
	seen := make(map[int64]int) // of each lane, rows that were free
	err = queue.Turns(lanes, instant(now), s.turn.Add(1), limit, func(l queue.Lane, n int) (int, error) {
		leased := s.leases.inLane(lane{dest, l.Rank})
		rows, err := sqldb.Collect(ctx, s.db, scanColumns, `SELECT `+columnNames+` FROM queue_job
			WHERE dest = ? AND rank = ? AND next <= ? ORDER BY next, id LIMIT CAST(? AS {int})`, dest, l.Rank, now, n+leased+seen[l.Rank])
		skip, got := seen[l.Rank], 0
		for i := range rows {
			if s.leases.leased(rows[i].id) {
				continue
			}
			if skip--; skip >= 0 {
				continue
			}
			seen[l.Rank]++
			if job, err := s.job(&rows[i]); err == nil {
				good = append(good, candidate{rows[i], job})
				got++
			} else {
				damaged = append(damaged, rows[i])
			}
		}
		return got, err
	})
	return good, damaged, err
}

func scanTurn(r *sql.Rows) (l queue.Lane, err error) {
	var next int64
	err = r.Scan(&l.Rank, &next)
	l.Due = instant(next)
	return l, err
}

// complain logs that a record cannot be read.
func (s *Storage) complain(ctx context.Context, c *columns) {
	_, err := s.job(c)
	s.log.ErrorContext(ctx, "sqlqueue: a job's record is damaged; it is held", "job", c.id, "message", c.message, "error", err)
}

// setAside holds jobs whose record cannot be read.
func (s *Storage) setAside(ctx context.Context, damaged []columns) error {
	if len(damaged) == 0 {
		return nil
	}
	for i := range damaged {
		s.complain(ctx, &damaged[i])
	}
	return s.commit(ctx, damaged[0].id, len(damaged), func(tx *sqldb.Tx) error {
		b := s.batch(tx)
		for i := range damaged {
			c, ok, err := b.load(damaged[i].id)
			if err != nil {
				return err
			}
			if !ok || c.next == never {
				continue
			}
			if _, err := tx.Exec(`UPDATE queue_job SET next = ? WHERE id = ?`, int64(never), c.id); err != nil {
				return err
			}
			b.moved(&c, -1)
			c.next = never
			b.moved(&c, 1)
		}
		return nil
	})
}
