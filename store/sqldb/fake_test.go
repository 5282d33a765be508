package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
)

// fake is a database that records what is executed, applies "put X" at COMMIT,
// and fails statements on demand.
type fake struct {
	mu      sync.Mutex
	log     []string
	pending []string
	rows    []string
	fail    map[string]error // statement → error, once
	gate    chan struct{}    // COMMIT waits for it when not nil
	aborted bool             // a statement failed since BEGIN
}

func (f *fake) Connect(context.Context) (driver.Conn, error) { return &fakeConn{f}, nil }
func (f *fake) Driver() driver.Driver                        { return nil }

type fakeConn struct{ f *fake }

func (c *fakeConn) Prepare(q string) (driver.Stmt, error) { return &fakeStmt{c.f, q}, nil }
func (c *fakeConn) Close() error                          { return nil }
func (c *fakeConn) Begin() (driver.Tx, error)             { return nil, errors.New("not used") }

type fakeStmt struct {
	f *fake
	q string
}

func (s *fakeStmt) Close() error  { return nil }
func (s *fakeStmt) NumInput() int { return -1 }

func (s *fakeStmt) Exec([]driver.Value) (driver.Result, error) {
	f := s.f
	if s.q == "COMMIT" && f.gate != nil {
		<-f.gate
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, s.q)
	if err, ok := f.fail[s.q]; ok {
		delete(f.fail, s.q)
		f.aborted = true
		return nil, err
	}
	switch {
	case s.q == "BEGIN" || s.q == "ROLLBACK":
		f.pending, f.aborted = nil, false
	case s.q == "COMMIT":
		f.rows = append(f.rows, f.pending...)
		f.pending = nil
	case strings.HasPrefix(s.q, "put "):
		f.pending = append(f.pending, s.q[4:])
	}
	return driver.RowsAffected(1), nil
}

func (s *fakeStmt) Query([]driver.Value) (driver.Rows, error) { return &fakeRows{f: s.f}, nil }

// fakeRows yields the committed rows.
type fakeRows struct {
	f *fake
	n int
}

func (*fakeRows) Columns() []string { return []string{"row"} }
func (*fakeRows) Close() error      { return nil }

func (r *fakeRows) Next(dst []driver.Value) error {
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	if r.n >= len(r.f.rows) {
		return io.EOF
	}
	dst[0] = r.f.rows[r.n]
	r.n++
	return nil
}

func newFake(t *testing.T, f *fake, d Dialect) *DB {
	t.Helper()
	if f.fail == nil {
		f.fail = map[string]error{}
	}
	db, err := New(Options{Dialect: d, Write: sql.OpenDB(f)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func put(row string) func(*Tx) error {
	return func(tx *Tx) error {
		_, err := tx.ExecOnce("put " + row)
		return err
	}
}
