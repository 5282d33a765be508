package sqlqueue

import (
	"context"
	"fmt"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/sqldb"
)

// Execer is the application's transaction on the same database: *sql.Tx and
// *sql.Conn are.
type Execer = sqldb.Execer

// EnqueueTx puts a job into the application's own transaction: the job exists
// if and only if that commits. The job's blob must already be durable (see
// queue.Queue.Prepare). A runner attempts it within a second of the commit, or
// when it is kicked. ErrExists: the ID is known; the transaction should be
// rolled back, as after any error. blob.ErrNoBlob: the blob is not there. A job
// whose Once is known is left out. The rows of Job.Entries are locked until the
// transaction ends.
func (s *Storage) EnqueueTx(ctx context.Context, tx Execer, job queue.Job) error {
	rows, err := s.rowsOf([]queue.Job{job})
	if err != nil {
		return err
	}
	r := &rows[0]
	exec := func(query string, args ...any) (int64, error) {
		res, err := tx.ExecContext(ctx, s.db.Dialect().SQL(query), args...)
		if err != nil {
			return 0, fmt.Errorf("sqlqueue: %w", err)
		}
		return res.RowsAffected()
	}
	if r.once != "" {
		q := s.onceQuery(r.once)
		if n, err := exec(q.query, q.args...); err != nil || n == 0 {
			return err
		}
	}
	if r.blob != "" {
		if err := blob.Adopt(ctx, s.blobs, tx, r.blob); err != nil {
			return fmt.Errorf("sqlqueue: %w", err)
		}
	}
	n, err := exec(insertJob, r.args()...)
	if err != nil {
		return err
	}
	if n == 0 {
		return fmt.Errorf("%w: %s", queue.ErrExists, r.id)
	}
	for _, q := range append(s.enqueued(r), s.entryQueries(r)...) {
		if _, err := exec(q.query, q.args...); err != nil {
			return err
		}
	}
	return nil
}

// onceQuery adds a key of Job.Once, unless it is known.
func (s *Storage) onceQuery(key string) question {
	if s.nodes != nil {
		return question{s.nodes.sql.once, []any{key}}
	}
	return question{insertOnce, []any{key, s.now().UnixNano()}}
}

// enqueued are the statements that follow an insertJob. With several nodes they
// lock nothing that another transaction needs, however long the application's
// one lasts.
func (s *Storage) enqueued(r *row) []question {
	if s.nodes != nil {
		return s.nodes.enqueued(r)
	}
	qs := []question{{lowerLane, []any{r.dest, r.rank, r.next}}, {addCount, []any{countJobs, 1}}}
	if r.next == never {
		qs = append(qs, question{addCount, []any{countHeld, 1}})
	}
	return qs
}
