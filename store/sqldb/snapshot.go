package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync"
)

// maxSnapshots bounds the snapshots that are open where the read pool is not
// bounded; else it is half of the pool, so that readers always have the rest.
const maxSnapshots = 8

// Snapshot reads the database as it was at one moment. It holds a connection of
// the read pool and a transaction until Close, and for so long the database
// keeps what was overwritten since: SQLite cannot start its WAL anew, which
// grows meanwhile. It may be used by any number of goroutines, which take
// turns.
type Snapshot struct {
	db   *DB
	conn *sql.Conn
	turn sync.Mutex // held while rows of it are read
	once sync.Once
	err  error
}

// Snapshot opens a snapshot of now. Half of the read pool is there for
// snapshots; beyond that it waits for one to be closed, or for ctx.
func (db *DB) Snapshot(ctx context.Context) (*Snapshot, error) {
	select {
	case db.snapshots <- struct{}{}:
	case <-db.stopped:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	conn, err := db.read.Conn(ctx)
	if err != nil {
		<-db.snapshots
		return nil, db.explain(ctx, err)
	}
	s := &Snapshot{db: db, conn: conn}
	if !s.register(true) {
		s.Close()
		return nil, ErrClosed
	}
	begin := db.dialect.BeginSnapshot
	if begin == "" {
		begin = "BEGIN"
	}
	// The moment is that of the first read, which is done here.
	_, err = conn.ExecContext(context.WithoutCancel(ctx), begin)
	if err == nil {
		_, _, err = One(ctx, s, Int64, `SELECT COUNT(*) FROM schema_version`)
	}
	if err != nil {
		s.Close()
		return nil, db.explain(ctx, err)
	}
	return s, nil
}

// Query implements Querier. Callers use Collect, Each or One, which give
// goroutines their turns.
func (s *Snapshot) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.db.dialect.Uninterrupted {
		ctx = context.WithoutCancel(ctx)
	}
	rows, err := s.conn.QueryContext(ctx, s.db.text(query), args...)
	return rows, s.db.explain(ctx, err)
}

// Close ends the transaction and gives the connection back. A read that runs
// ends before; later ones fail. Idempotent.
func (s *Snapshot) Close() error {
	s.once.Do(func() {
		s.turn.Lock()
		defer s.turn.Unlock()
		_, err := s.conn.ExecContext(context.Background(), "ROLLBACK")
		if err != nil { // never back into the pool with a transaction
			_ = s.conn.Raw(func(any) error { return driver.ErrBadConn })
		}
		if err := s.conn.Close(); !errors.Is(err, sql.ErrConnDone) {
			s.err = err
		}
		s.register(false)
		<-s.db.snapshots
	})
	return s.err
}

// inTurn waits for the turn of a read of q, and returns what ends it.
func inTurn(q Querier) func() {
	s, ok := q.(*Snapshot)
	if !ok {
		return func() {}
	}
	s.turn.Lock()
	return s.turn.Unlock
}

// register notes that s is open, or is not any more; false when the DB is
// closed.
func (s *Snapshot) register(open bool) bool {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	if open && s.db.snaps != nil {
		s.db.snaps[s] = true
	} else {
		delete(s.db.snaps, s)
	}
	return s.db.snaps != nil
}
