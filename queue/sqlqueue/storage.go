package sqlqueue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/sqldb"
)

// Options of a Storage; the zero value is the recommended one.
type Options struct {
	// Blobs is where the bodies of jobs lie. A blob.Adopter of it is called
	// in the transaction that writes a job; nil = there is none.
	Blobs blob.Blobs

	// Logger is told of damaged records; nil = slog.Default().
	Logger *slog.Logger

	// Now is the clock of leases and of what is kept for a time; nil =
	// time.Now.
	Now func() time.Time
}

// Storage is a queue.Storage. Any number of goroutines may use it.
type Storage struct {
	db     *sqldb.DB
	blobs  blob.Blobs
	log    *slog.Logger
	now    func() time.Time
	leases leases // of this process, where it is the only one
	nodes  *nodes // nil = it is

	picking sync.Mutex // held by LeaseJobs
	turn    atomic.Uint64

	// Only the committer's goroutine touches these.
	current *batch
	purged  time.Time // when there was nothing more to purge
}

var (
	_ queue.Storage = (*Storage)(nil)
	_ blob.Holder   = (*Storage)(nil)
)

// New opens the queue in db, and makes its tables where they are missing. The
// caller closes db, after everyone who uses the Storage has ended. Where the
// database has a clock of its own (sqldb.Dialect.Now), any number of nodes may
// have a Storage on it, one each; else it is one Storage at a time.
func New(ctx context.Context, db *sqldb.DB, o Options) (*Storage, error) {
	if err := db.Migrate(ctx, component, schema()); err != nil {
		return nil, fmt.Errorf("sqlqueue: %w", err)
	}
	s := &Storage{db: db, blobs: o.Blobs, log: o.Logger, now: o.Now}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.now == nil {
		s.now = time.Now
	}
	if err := s.entryTable().Migrate(ctx); err != nil {
		return nil, fmt.Errorf("sqlqueue: %w", err)
	}
	s.leases.init(s.now)
	open := s.openAlone
	if db.Dialect().Now != "" {
		open = s.openNodes
	}
	if err := open(ctx); err != nil {
		return nil, fmt.Errorf("sqlqueue: %w", err)
	}
	return s, nil
}

// openAlone makes what one process needs.
func (s *Storage) openAlone(ctx context.Context) error {
	if err := s.db.Migrate(ctx, rowsComponent, rowsSchema()); err != nil {
		return err
	}
	return s.openMarks(ctx)
}

func (s *Storage) openNodes(ctx context.Context) (err error) {
	s.nodes, err = newNodes(ctx, s)
	return err
}

var errNoID = errors.New("sqlqueue: a job has no ID")

// Put implements queue.Storage.
func (s *Storage) Put(ctx context.Context, jobs ...queue.Job) error {
	if len(jobs) == 0 {
		return ctx.Err()
	}
	rows, err := s.rowsOf(jobs)
	if err != nil {
		return err
	}
	return s.commit(ctx, jobs[0].ID, len(jobs), func(tx *sqldb.Tx) error { return s.insert(tx, rows) })
}

// row is a job about to be put.
type row struct {
	columns
	once    string
	entries []queue.Entry
}

func (s *Storage) rowsOf(jobs []queue.Job) ([]row, error) {
	if err := queue.CheckJobs(jobs); err != nil {
		return nil, err
	}
	rows := make([]row, len(jobs))
	for i := range jobs {
		if jobs[i].ID == "" {
			return nil, errNoID
		}
		rows[i] = row{s.columnsOf(&jobs[i]), s.onceKey(jobs[i].Once), jobs[i].Entries}
	}
	return rows, nil
}

// insert adds the jobs whose Once is new.
func (s *Storage) insert(tx *sqldb.Tx, rows []row) error {
	for i := range rows {
		r := &rows[i]
		if r.once != "" {
			if known, err := s.known(tx, r.once); err != nil {
				return err
			} else if known {
				continue
			}
		}
		if err := s.batch(tx).insert(r); err != nil {
			return err
		}
		s.batch(tx).write(r.entries)
	}
	return nil
}

// known reports that a key of Job.Once was used before; from now on it is.
func (s *Storage) known(tx *sqldb.Tx, key string) (bool, error) {
	if s.nodes != nil {
		return s.nodes.known(tx, key)
	}
	_, known, err := sqldb.One(tx.Context(), tx, sqldb.Int64, `SELECT 1 FROM queue_once WHERE key = ?`, key)
	if err != nil || known {
		return known, err
	}
	_, err = tx.Exec(insertOnce, key, s.now().UnixNano())
	return false, err
}

// commit hands a Work to the committer. Jobs have no order among each other,
// so the Work of one takes turns with that of another.
func (s *Storage) commit(ctx context.Context, job string, cost int, do func(*sqldb.Tx) error) error {
	err := s.db.Commit(ctx, sqldb.Work{Key: workKey(job), Cost: cost, Do: do})
	switch {
	case errors.Is(err, sqldb.ErrClosed):
		return fmt.Errorf("%w: %w", queue.ErrClosed, err)
	case errors.Is(err, sqldb.ErrUnknown):
		return fmt.Errorf("%w: %w", queue.ErrUnknown, err)
	}
	return err
}

// workKey spreads the jobs over the committer's lanes: with one key for all, a
// queue under load would get one turn in as many as there are accounts busy.
func workKey(job string) string { return "queue/" + job[max(0, len(job)-2):] }
