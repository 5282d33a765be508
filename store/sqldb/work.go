package sqldb

import (
	"context"
	"database/sql"
	"time"
)

// Large is the Cost above which a Work is large: it is a batch of its own, and
// Work that is not comes between two of them.
const Large = 100

// Work is one change to the database.
type Work struct {
	// Key groups Work for fairness: an account, a queue. Work of one key runs
	// in the order in which Commit was called; keys take turns.
	Key string

	// Cost is about how many rows of mail it touches; zero = 1.
	Cost int

	// Locker locks in the database what Key names before any Do of the batch
	// runs, against other processes; nil = nothing has to be locked.
	Locker Locker

	// Do makes the change. It runs on the committer's goroutine and blocks
	// all other writes, so it does nothing but use tx. An error leaves the
	// database as if it never ran, at no cost for others when nothing was
	// written before.
	//
	// Do may run more than once, each time on a database that knows nothing
	// of the run before. Its results count when Commit returns nil.
	Do func(tx *Tx) error
}

// Locker locks rows against other processes that change them too.
type Locker interface {
	// Lock locks what the keys name until the transaction ends, and looks
	// whether what is known of it in memory still holds. The keys are those of
	// the Work in the batch, ascending, each once: batches of several
	// processes that lock in this order never wait for each other in a circle.
	// An error fails the whole batch.
	Lock(tx *Tx, keys []string) error
}

// Tx is the transaction of a batch as one Work sees it. It is valid until Do
// returns, and in BeforeCommit hooks.
type Tx struct {
	ses    *session
	writes int
	before []hook
	after  []func()
	undo   []func()
	owner  *item
}

type hook struct {
	owner *item
	do    func(*Tx) error
}

// Context is for calls that want one; it is never cancelled.
func (tx *Tx) Context() context.Context { return context.Background() }

// DB is the database in which tx is a transaction.
func (tx *Tx) DB() *DB { return tx.ses.db }

// Exec runs a statement that writes. Statements are prepared once and kept, so
// the number of distinct texts must be bounded.
func (tx *Tx) Exec(query string, args ...any) (sql.Result, error) {
	tx.writes++
	st, err := tx.ses.stmt(query)
	if err != nil {
		return nil, err
	}
	return st.ExecContext(context.Background(), args...)
}

// ExecOnce is Exec for statements that are not worth keeping (DDL).
func (tx *Tx) ExecOnce(query string, args ...any) (sql.Result, error) {
	tx.writes++
	return tx.ses.conn.ExecContext(context.Background(), tx.ses.db.text(query), args...)
}

// Query runs a statement that reads, and sees what the batch wrote so far. The
// rows must be closed before the next statement. The ctx is ignored.
func (tx *Tx) Query(_ context.Context, query string, args ...any) (*sql.Rows, error) {
	st, err := tx.ses.stmt(query)
	if err != nil {
		return nil, err
	}
	return st.QueryContext(context.Background(), args...)
}

// Now is the time by the database's clock where it has one, which all
// processes share.
func (tx *Tx) Now() (time.Time, error) {
	now := tx.ses.db.dialect.Now
	if now == "" {
		return time.Now(), nil
	}
	n, _, err := One(tx.Context(), tx, Int64, `SELECT `+now)
	return time.UnixMicro(n), err
}

// Wrote marks that Do changed state which BeforeCommit will write: from now on
// an error of Do undoes the batch.
func (tx *Tx) Wrote() { tx.writes++ }

// BeforeCommit registers f to run once after the last Do of the batch, in
// order of registration: where rows that several Works changed in memory are
// written once. An error of f counts as one of the Work that registered it.
func (tx *Tx) BeforeCommit(f func(*Tx) error) {
	tx.Wrote()
	tx.before = append(tx.before, hook{tx.owner, f})
}

// AfterCommit registers f to run when the batch is committed, in order of
// registration and before any Commit of the batch returns. It must not block.
func (tx *Tx) AfterCommit(f func()) { tx.after = append(tx.after, f) }

// OnRollback registers f to run when the batch is undone or its outcome is
// unknown, in reverse order of registration: it drops state in memory that
// the batch touched. It must not block.
func (tx *Tx) OnRollback(f func()) { tx.undo = append(tx.undo, f) }

// Execer is a transaction that the application itself drives, on the database
// of a DB: *sql.Tx and *sql.Conn are.
type Execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}
