package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"hash/fnv"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// Options says how a DB is made.
type Options struct {
	Dialect Dialect

	// Write is used through one connection by each committer. Required.
	Write *sql.DB

	// Read serves reads; its pool size bounds how many run at once.
	// nil = Write, which must then allow two connections at least.
	Read *sql.DB

	// MaxBatch bounds the Work of one transaction; zero = 512.
	MaxBatch int

	// OneKey: a transaction holds Work of one Key only, for databases that
	// spread keys over machines.
	OneKey bool

	// Committers is how many transactions run at once, where a database that is
	// far away would let one wait for its answers; zero = 1. Work with a
	// Locker goes to them by its Key, all other Work to the first.
	Committers int

	// Logger gets what no caller can be told; nil = slog.Default().
	Logger *slog.Logger
}

// DB is a database with a group committer, or several. All methods may be called from
// any number of goroutines.
type DB struct {
	dialect Dialect
	write   *sql.DB
	read    *sql.DB
	log     *slog.Logger

	waiting  []*line       // one for each committer
	stopped  chan struct{} // closed when the committers have ended
	poisoned atomic.Bool
	stats    counters

	snapshots chan struct{} // one for each that is open or about to be

	mu    sync.RWMutex
	ended []func() error       // see OnClose
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

// New makes a DB and starts its committers. Close closes the handles of o too.
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
	db.start(&o)
	return db, nil
}

func (db *DB) start(o *Options) {
	var running sync.WaitGroup
	for range max(1, o.Committers) {
		c := &committer{db: db, waiting: new(line), ses: session{db: db}}
		c.waiting.init(o.MaxBatch, o.OneKey)
		db.waiting = append(db.waiting, c.waiting)
		running.Go(c.loop)
	}
	go func() {
		running.Wait()
		close(db.stopped)
	}()
}

// lineOf is where a Work waits.
func (db *DB) lineOf(w *Work) *line {
	if len(db.waiting) == 1 || w.Locker == nil {
		return db.waiting[0]
	}
	h := fnv.New32a()
	io.WriteString(h, w.Key)
	return db.waiting[h.Sum32()%uint32(len(db.waiting))]
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
	if !db.lineOf(&w).put(it) {
		return ErrClosed
	}
	return db.dialect.explain(<-it.done)
}

// Close lets the Work that waits finish, refuses more, and closes the snapshots
// that are open and the handles.
func (db *DB) Close() error {
	first := false
	for _, l := range db.waiting {
		first = l.close() || first
	}
	<-db.stopped
	if !first {
		return nil
	}
	db.mu.Lock()
	for _, s := range db.stmts {
		s.Close()
	}
	snaps := db.snaps
	ended := db.ended
	db.stmts, db.snaps, db.ended = nil, nil, nil
	db.mu.Unlock()
	for s := range snaps {
		s.Close()
	}
	var err error
	for _, f := range ended {
		err = errors.Join(err, f())
	}
	if db.read != db.write {
		err = errors.Join(err, db.read.Close())
	}
	return errors.Join(err, db.write.Close())
}

// OnClose has f called by Close, once no more Work runs.
func (db *DB) OnClose(f func() error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.ended = append(db.ended, f)
}

// Statements are the texts that were run so far, in the dialect's form.
func (db *DB) Statements() []string {
	db.mu.RLock()
	defer db.mu.RUnlock()
	return slices.Sorted(maps.Values(db.texts))
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
