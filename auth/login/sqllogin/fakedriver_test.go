package sqllogin

import (
	"context"
	"database/sql/driver"
	"errors"
	"sync"
)

// brokenDB is a database that fails every statement and notes it. What the
// statements do is judged where the drivers are, in internal/itest.
type brokenDB struct {
	fail error

	mu  sync.Mutex
	log []string
}

func (f *brokenDB) Connect(context.Context) (driver.Conn, error) { return brokenConn{f}, nil }
func (f *brokenDB) Driver() driver.Driver                        { return nil }

func (f *brokenDB) note(query string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, query)
	return f.fail
}

type brokenConn struct{ db *brokenDB }

func (brokenConn) Prepare(string) (driver.Stmt, error) { return nil, errors.New("not used") }
func (brokenConn) Close() error                        { return nil }
func (c brokenConn) Begin() (driver.Tx, error)         { return brokenTx{}, nil }

func (c brokenConn) ExecContext(_ context.Context, query string, _ []driver.NamedValue) (driver.Result, error) {
	return nil, c.db.note(query)
}

func (c brokenConn) QueryContext(_ context.Context, query string, _ []driver.NamedValue) (driver.Rows, error) {
	return nil, c.db.note(query)
}

type brokenTx struct{}

func (brokenTx) Commit() error   { return errors.New("not used") }
func (brokenTx) Rollback() error { return nil }
