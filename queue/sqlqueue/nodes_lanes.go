package sqlqueue

import (
	"cmp"
	"context"
	"database/sql"
	"maps"
	"slices"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/sqldb"
)

// Of several nodes, many add to a lane at once: who finds its row low enough
// only shares a lock on it, so that nobody raises it before the commit. It is
// raised, or deleted, by who saw that it is too low and gets it for himself
// without waiting. All take the rows of a batch in the same order.

// flush writes what a batch gathered.
func (n *nodes) flush(b *batch) error {
	if err := n.flushReleased(b); err != nil {
		return err
	}
	if err := n.repair(b.tx, n.takeStale()); err != nil {
		return err
	}
	for _, l := range slices.SortedFunc(maps.Keys(b.lanes), lane.compare) {
		if first := b.lanes[l].first; first != never || !b.lanes[l].left {
			if err := n.lower(b.tx, l, first); err != nil {
				return err
			}
		}
	}
	if n.s.purgeDue(n.s.now()) {
		if err := n.foldCounts(b); err != nil {
			return err
		}
	}
	if err := n.count(b.tx, countJobs, b.jobs); err != nil {
		return err
	}
	if err := n.count(b.tx, countHeld, b.held); err != nil {
		return err
	}
	if err := b.flushEntries(); err != nil {
		return err
	}
	return n.s.purge(b.tx)
}

func (l lane) compare(m lane) int {
	return cmp.Or(cmp.Compare(l.dest, m.dest), cmp.Compare(l.rank, m.rank))
}

func (n *nodes) flushReleased(b *batch) error {
	if len(b.released) == 0 {
		return nil
	}
	slices.Sort(b.released)
	_, err := b.tx.Exec(n.sql.release, texted(slices.Compact(b.released)))
	return err
}

func texted(refs []blob.Ref) []string {
	out := make([]string, len(refs))
	for i, r := range refs {
		out[i] = string(r)
	}
	return out
}

// lower makes a lane no later than next until the end of the transaction.
func (n *nodes) lower(tx *sqldb.Tx, l lane, next int64) error {
	_, fits, err := sqldb.One(tx.Context(), tx, sqldb.Int64, n.sql.share, l.dest, l.rank, next)
	if err != nil || fits {
		return err
	}
	_, err = tx.Exec(lowerLane, l.dest, l.rank, next)
	return err
}

// repair raises lanes whose first job is gone, and deletes those without jobs.
// A lane that somebody adds to is left for later.
func (n *nodes) repair(tx *sqldb.Tx, stale map[lane]bool) error {
	if len(stale) == 0 {
		return nil
	}
	dests, ranks := columnsOfLanes(slices.SortedFunc(maps.Keys(stale), lane.compare))
	locked, err := sqldb.Collect(tx.Context(), tx, scanLane, n.sql.repair, dests, ranks)
	if err != nil || len(locked) == 0 {
		return err
	}
	// A statement of its own: it sees the jobs of all who had the lane before.
	dests, ranks = columnsOfLanes(locked)
	_, err = tx.Exec(n.sql.raise, dests, ranks)
	return err
}

func columnsOfLanes(ls []lane) (dests []string, ranks []int64) {
	for _, l := range ls {
		dests, ranks = append(dests, l.dest), append(ranks, l.rank)
	}
	return dests, ranks
}

func scanLane(r *sql.Rows) (l lane, err error) {
	err = r.Scan(&l.dest, &l.rank)
	return l, err
}

// enqueued are the statements behind an insertJob in the application's
// transaction.
func (n *nodes) enqueued(r *row) []question {
	qs := []question{
		{n.sql.hint, []any{r.id, r.dest, r.rank, r.next}},
		{n.sql.addDelta, []any{countJobs + "/" + r.id, int64(1)}},
	}
	if r.next == never {
		qs = append(qs, question{n.sql.addDelta, []any{countHeld + "/" + r.id, int64(1)}})
	}
	return qs
}

// fold makes the lanes that jobs of applications' transactions need, and adds
// up their counts.
func (n *nodes) fold(ctx context.Context) error {
	return n.s.commit(ctx, "fold", 1, func(tx *sqldb.Tx) error {
		b := n.s.batch(tx)
		hints, err := sqldb.Collect(tx.Context(), tx, func(r *sql.Rows) (p position, err error) {
			err = r.Scan(&p.dest, &p.rank, &p.next)
			return p, err
		}, n.sql.fold)
		for _, h := range hints {
			change := b.lane(h.dest, h.rank)
			change.first = min(change.first, h.next)
		}
		if err != nil {
			return err
		}
		return n.foldCounts(b)
	})
}

// foldCounts takes the shares of others, of whom most are gone, into this
// node's.
func (n *nodes) foldCounts(b *batch) error {
	for _, c := range []struct {
		name string
		n    *int64
	}{{countJobs, &b.jobs}, {countHeld, &b.held}} {
		shares, err := sqldb.Collect(b.tx.Context(), b.tx, sqldb.Int64, n.sql.foldCounts, c.name+"/", c.name+"0", c.name+"/"+n.slot)
		if err != nil {
			return err
		}
		for _, share := range shares {
			*c.n += share
		}
	}
	return nil
}

// stats implements Storage.Stats.
func (n *nodes) stats(ctx context.Context) (queue.Stats, error) {
	st, _, err := sqldb.One(ctx, n.s.db, func(r *sql.Rows) (st queue.Stats, err error) {
		var oldest sql.NullInt64
		err = r.Scan(&st.Jobs, &st.Held, &st.Destinations, &oldest, &st.Leased)
		if oldest.Valid {
			st.Oldest = instant(oldest.Int64)
		}
		return st, err
	}, n.sql.stats)
	return st, err
}
