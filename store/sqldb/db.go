package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
)

// Options says how a DB is made.
type Options struct {
	Dialect Dialect

	// Write is used through one connection by the committer. Required.
	Write *sql.DB

	// Read serves reads; its pool size bounds how many run at once.
	// nil = Write, which must then allow two connections at least.
	Read *sql.DB

	// MaxBatch bounds the Work of one transaction; zero = 512.
	MaxBatch int

	// Logger gets what no caller can be told; nil = slog.Default().
	Logger *slog.Logger
}

// DB is a database with one group committer. All methods may be called from
// any number of goroutines.
type DB struct {
	dialect Dialect
	write   *sql.DB
	read    *sql.DB
	log     *slog.Logger

	waiting  line
	stopped  chan struct{} // closed when the committer has ended
	poisoned atomic.Bool
	stats    counters

	snapshots chan struct{} // one for each that is open or about to be

	mu    sync.RWMutex
	snaps map[*Snapshot]bool   // those that are open; nil = closed
	texts map[string]string    // query → text in the dialect
	stmts map[string]*sql.Stmt // query → statement of the read pool
}

// Stats counts since the DB was made.
type Stats struct {
	Commits int64 // transactions committed
	Works   int64 // Work committed in them
	Reruns  int64 // batches run again because one of their Work failed
}

type counters struct{ commits, works, reruns atomic.Int64 }

// New makes a DB and starts its committer. Close closes the handles of o too.
func New(o Options) (*DB, error) {
	if o.Write == nil {
		return nil, errors.New("sqldb: Options.Write is required")
	}
	if o.Read == nil {
		o.Read = o.Write
	}
	if o.MaxBatch <= 0 {
		o.MaxBatch = 512
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	db := &DB{
		dialect: o.Dialect, write: o.Write, read: o.Read, log: o.Logger,
		stopped: make(chan struct{}),
		snaps:   make(map[*Snapshot]bool),
		texts:   make(map[string]string),
		stmts:   make(map[string]*sql.Stmt),
	}
	places := maxSnapshots
	if n := o.Read.Stats().MaxOpenConnections; n > 0 {
		places = max(1, n/2)
	}
	db.snapshots = make(chan struct{}, places)
	db.waiting.init(o.MaxBatch)
	c := &committer{db: db, ses: session{db: db}}
	go c.loop()
	return db, nil
}

// Dialect is the database's dialect.
func (db *DB) Dialect() *Dialect { return &db.dialect }

// Stats counts what the committer did.
func (db *DB) Stats() Stats {
	return Stats{db.stats.commits.Load(), db.stats.works.Load(), db.stats.reruns.Load()}
}

// Commit runs w in a transaction together with whatever else waits, and
// returns when the outcome is known: nil means that w is committed. Until w is
// handed over a cancelled ctx refuses it; from then on ctx has no influence.
// Errors are those of w.Do, of the database, and the ones of this package.
func (db *DB) Commit(ctx context.Context, w Work) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	it := &item{Work: w, done: make(chan error, 1)}
	if !db.waiting.put(it) {
		return ErrClosed
	}
	return db.dialect.explain(<-it.done)
}

// Close lets the Work that waits finish, refuses more, and closes the snapshots
// that are open and the handles.
func (db *DB) Close() error {
	if !db.waiting.close() {
		<-db.stopped
		return nil
	}
	<-db.stopped
	db.mu.Lock()
	for _, s := range db.stmts {
		s.Close()
	}
	snaps := db.snaps
	db.stmts, db.snaps = nil, nil
	db.mu.Unlock()
	for s := range snaps {
		s.Close()
	}
	var err error
	if db.read != db.write {
		err = db.read.Close()
	}
	return errors.Join(err, db.write.Close())
}

// text is the query in the dialect's form, computed once.
func (db *DB) text(query string) string {
	db.mu.RLock()
	t, ok := db.texts[query]
	db.mu.RUnlock()
	if ok {
		return t
	}
	t = db.dialect.SQL(query)
	db.mu.Lock()
	db.texts[query] = t
	db.mu.Unlock()
	return t
}
