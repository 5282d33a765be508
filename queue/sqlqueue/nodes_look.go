package sqlqueue

import (
	"context"
	"database/sql"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/store/sqldb"
)

// destinations implements LeaseDestinations.
func (n *nodes) destinations(ctx context.Context, q queue.Look) (queue.Found, error) {
	q.After.Destination = n.s.text(q.After.Destination)
	l := &nodesLook{n: n, look: n.s.look(q), without: []string{}}
	for d := range q.Except {
		l.without = append(l.without, n.s.text(d))
	}
	if err := l.leases(ctx); err != nil {
		return queue.Found{}, err
	}
	if err := l.walk(ctx); err != nil {
		return queue.Found{}, err
	}
	f := l.answer()
	for i, d := range f.Destinations {
		f.Destinations[i] = n.s.octets(d)
	}
	f.Last.Destination = n.s.octets(f.Last.Destination)
	return f, nil
}

// nodesLook is one look at the lanes, whose rows may be too low.
type nodesLook struct {
	look
	n       *nodes
	without []string // except, as the database has it
}

// leases finds when the first lease ends, and folds hints where there are any.
func (l *nodesLook) leases(ctx context.Context) error {
	type row struct{ ends, hints int64 }
	r, _, err := sqldb.One(ctx, l.s.db, func(r *sql.Rows) (out row, err error) {
		err = r.Scan(&out.ends, &out.hints)
		return out, err
	}, l.n.sql.ends, l.without)
	if err != nil {
		return err
	}
	if r.ends >= 0 {
		l.next = nanos(l.s.now().Add(time.Duration(r.ends) * time.Microsecond))
	}
	if r.hints > 0 {
		return l.n.fold(ctx)
	}
	return nil
}

// walk looks at lanes in the order of their rows until there are enough
// destinations, or one is not due. A row that is too low makes its destination
// come early; the next look begins behind the last row, so that none is missed.
func (l *nodesLook) walk(ctx context.Context) error {
	size := min(l.Max+16, lanePage)
	for {
		lanes, err := sqldb.Collect(ctx, l.s.db, scanSeen, l.n.sql.lanes,
			l.now, int64(never), l.now, l.last.next, l.last.dest, l.last.rank, int64(never), l.without, size)
		if err != nil {
			return err
		}
		for _, s := range lanes {
			if l.last = s.position; s.next > l.now {
				l.next, l.end = min(l.next, s.next), true
				return nil
			}
			if l.see(&s); len(l.due) >= l.Max {
				return nil
			}
		}
		if l.end = len(lanes) < size; l.end {
			return nil
		}
	}
}

// seen is a lane's row with what is in the lane: the first job that is free,
// the first of all.
type seen struct {
	position
	free, first sql.NullInt64
}

func scanSeen(r *sql.Rows) (s seen, err error) {
	err = r.Scan(&s.dest, &s.rank, &s.next, &s.free, &s.first)
	return s, err
}

func (l *nodesLook) see(s *seen) {
	if s.free.Valid {
		l.found(s.dest, s.free.Int64)
	}
	if !s.first.Valid || s.first.Int64 > s.next && s.first.Int64 > l.now {
		l.n.noteStale(s.lane)
	}
}
