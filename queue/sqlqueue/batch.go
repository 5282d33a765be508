package sqlqueue

import (
	"database/sql"
	"fmt"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/sqlentry"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/sqldb"
)

// lane is what LeaseJobs walks: the jobs of one destination and priority.
type lane struct {
	dest string
	rank int64
}

// batch is what the Works of one transaction changed together: lanes and
// counters are written once, before the commit.
type batch struct {
	s          *Storage
	tx         *sqldb.Tx
	lanes      map[lane]*laneChange
	jobs, held int64
	released   []blob.Ref // with several nodes
	entries    sqlentry.Batch
}

// laneChange: jobs came, the first of them due at first; jobs left or moved.
type laneChange struct {
	first int64
	left  bool
}

// batch is that of tx; to begin one counts as a write.
func (s *Storage) batch(tx *sqldb.Tx) *batch {
	if s.current == nil || s.current.tx != tx {
		s.current = &batch{s: s, tx: tx, lanes: make(map[lane]*laneChange)}
		tx.BeforeCommit(s.current.flush)
	}
	return s.current
}

func (b *batch) lane(dest string, rank int64) *laneChange {
	l := lane{dest, rank}
	if b.lanes[l] == nil {
		b.lanes[l] = &laneChange{first: never}
	}
	return b.lanes[l]
}

// moved notes a job that is new in its lane, d = 1, or one that left, d = -1.
func (b *batch) moved(c *columns, d int64) {
	change := b.lane(c.dest, c.rank)
	if d > 0 {
		change.first = min(change.first, c.next)
	} else {
		change.left = true
		if c.next == never && b.s.nodes != nil {
			b.s.nodes.noteStale(lane{c.dest, c.rank}) // a look passes it over
		}
	}
	b.jobs += d
	if c.next == never {
		b.held += d
	}
}

// insert adds a job, and adopts its blob in the same transaction.
func (b *batch) insert(r *row) error {
	if r.blob != "" {
		if err := blob.Adopt(b.tx.Context(), b.s.blobs, b.tx, r.blob); err != nil {
			return err
		}
	}
	res, err := b.tx.Exec(insertJob, r.args()...)
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err != nil {
		return err
	}
	if n == 0 {
		return fmt.Errorf("%w: %s", queue.ErrExists, r.id)
	}
	b.moved(&r.columns, 1)
	return nil
}

// args are the parameters of insertJob.
func (c *columns) args() []any {
	return []any{c.id, c.message, c.dest, c.rank, c.next, c.created, c.sender, c.identity, string(c.blob), c.record}
}

// loadQuery reads a row that is about to be changed.
func (s *Storage) loadQuery() string {
	if s.nodes != nil {
		return s.nodes.sql.load
	}
	return `SELECT ` + columnNames + ` FROM queue_job WHERE id = ?`
}

// load reads a job's row; ok is false when there is none.
func (b *batch) load(id string) (columns, bool, error) {
	return sqldb.One(b.tx.Context(), b.tx, scanColumns, b.s.loadQuery(), b.s.text(id))
}

const columnNames = `id, message, dest, rank, next, created, sender, identity, blob, record`

func scanColumns(r *sql.Rows) (c columns, err error) {
	err = r.Scan(&c.id, &c.message, &c.dest, &c.rank, &c.next, &c.created, &c.sender, &c.identity, (*string)(&c.blob), &c.record)
	return c, err
}

// remove forgets a job, unless an operator dropped it before.
func (b *batch) remove(id string) error {
	c, ok, err := sqldb.One(b.tx.Context(), b.tx, func(r *sql.Rows) (c columns, err error) {
		err = r.Scan(&c.dest, &c.rank, &c.next, (*string)(&c.blob))
		return c, err
	}, `SELECT dest, rank, next, blob FROM queue_job WHERE id = ?`, b.s.text(id))
	if err != nil || !ok {
		return err
	}
	c.id = b.s.text(id)
	return b.forget(&c)
}

// forget deletes the row of a job; c is what it says.
func (b *batch) forget(c *columns) error {
	if _, err := b.tx.Exec(deleteJob, c.id); err != nil {
		return err
	}
	b.moved(c, -1)
	return b.release(c.blob)
}

func (b *batch) release(ref blob.Ref) error {
	if ref == "" {
		return nil
	}
	if b.s.nodes != nil {
		b.released = append(b.released, ref)
		return nil
	}
	_, err := b.tx.Exec(release, period(b.s.now()), string(ref))
	return err
}

// replace writes j in the place of the row was.
func (b *batch) replace(was *columns, j *queue.Job) error {
	c := b.s.columnsOf(j)
	if _, err := b.tx.Exec(updateJob, c.dest, c.rank, c.next, c.record, c.id); err != nil {
		return err
	}
	b.moved(was, -1)
	b.moved(&c, 1)
	return nil
}

// flush writes lanes and counters.
func (b *batch) flush(tx *sqldb.Tx) error {
	b.s.current = nil
	if b.s.nodes != nil {
		return b.s.nodes.flush(b)
	}
	if err := b.flushEntries(); err != nil {
		return err
	}
	for l, change := range b.lanes {
		if err := b.flushLane(tx, l, change); err != nil {
			return err
		}
	}
	for _, c := range []struct {
		name string
		n    int64
	}{{countJobs, b.jobs}, {countHeld, b.held}} {
		if c.n == 0 {
			continue
		}
		if _, err := tx.Exec(addCount, c.name, c.n); err != nil {
			return err
		}
	}
	return b.s.purge(tx)
}

func (b *batch) flushLane(tx *sqldb.Tx, l lane, change *laneChange) error {
	if !change.left {
		_, err := tx.Exec(lowerLane, l.dest, l.rank, change.first)
		return err
	}
	first, ok, err := sqldb.One(tx.Context(), tx, sqldb.Int64,
		`SELECT next FROM queue_job WHERE dest = ? AND rank = ? ORDER BY next LIMIT 1`, l.dest, l.rank)
	switch {
	case err != nil:
	case ok:
		_, err = tx.Exec(setLane, l.dest, l.rank, first)
	default:
		_, err = tx.Exec(deleteLane, l.dest, l.rank)
	}
	return err
}

const (
	keepOnce   = 30 * 24 * time.Hour
	periodTime = 8 * time.Hour
	// keepPeriods: a blob released in the last moment of a period is held for
	// the three that follow, 24 h, and in the first for nearly 32 h.
	keepPeriods = 3
	purgeEvery  = 10 * time.Minute
)

// period numbers the eight hours in which t lies.
func period(t time.Time) int64 { return t.Unix() / int64(periodTime/time.Second) }

// purge forgets a bounded part of what was kept long enough.
func (s *Storage) purge(tx *sqldb.Tx) error {
	now := s.now()
	if !s.purgeDue(now) {
		return nil
	}
	more := false
	for _, p := range s.purges(now) {
		res, err := tx.Exec(p.query, p.args...)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if err != nil {
			return err
		}
		more = more || n > 0
	}
	if !more {
		s.purged = now
	}
	return nil
}

func (s *Storage) purgeDue(now time.Time) bool { return now.Sub(s.purged) >= purgeEvery }

// purges are the statements that forget.
func (s *Storage) purges(now time.Time) []question {
	if s.nodes != nil {
		return []question{
			{s.nodes.sql.purgeReleased, []any{int64(keepPeriods)}},
			{s.nodes.sql.purgeOnce, []any{int64(keepOnce)}},
			{s.nodes.sql.purgeEnd, nil},
			{sqlentry.Purge, []any{now.UnixNano()}},
		}
	}
	return []question{
		{purgeReleased, []any{period(now) - keepPeriods}},
		{purgeOnce, []any{now.Add(-keepOnce).UnixNano()}},
		{sqlentry.Purge, []any{now.UnixNano()}},
	}
}
