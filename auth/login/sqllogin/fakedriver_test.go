package sqllogin

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
)

// fakeDB is a database that knows the statements of this package and no
// others, under the names and parameters of one dialect.
type fakeDB struct {
	b *Backend // says how the statements are written

	mu      sync.Mutex
	version int // 0: no row
	users   map[string]fakeUser
	fail    error // what every statement returns
	open    int   // rows and transactions that are open
	log     []string
}

type fakeUser struct {
	account, hash string
	disabled      int64
}

func (f *fakeDB) Connect(context.Context) (driver.Conn, error) { return fakeConn{f}, nil }
func (f *fakeDB) Driver() driver.Driver                        { return nil }

type fakeConn struct{ db *fakeDB }

func (c fakeConn) Prepare(string) (driver.Stmt, error) { return nil, errors.New("not used") }
func (c fakeConn) Close() error                        { return nil }

func (c fakeConn) Begin() (driver.Tx, error) {
	c.db.mu.Lock()
	defer c.db.mu.Unlock()
	c.db.open++
	return fakeTx{c.db, c.db.version, maps.Clone(c.db.users)}, nil
}

// fakeTx restores what it saw at its begin.
type fakeTx struct {
	db      *fakeDB
	version int
	users   map[string]fakeUser
}

func (t fakeTx) Commit() error {
	t.db.mu.Lock()
	defer t.db.mu.Unlock()
	t.db.open--
	return t.db.fail
}

func (t fakeTx) Rollback() error {
	t.db.mu.Lock()
	defer t.db.mu.Unlock()
	t.db.open--
	t.db.version, t.db.users = t.version, t.users
	return nil
}

// is reports whether statement is the dialect's form of text.
func (f *fakeDB) is(statement, text string) bool {
	return strings.HasPrefix(strings.Join(strings.Fields(statement), " "), f.b.query(text))
}

func (c fakeConn) ExecContext(_ context.Context, q string, args []driver.NamedValue) (driver.Result, error) {
	f := c.db
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, q)
	if f.fail != nil {
		return nil, f.fail
	}
	text := func(i int) string { return args[i].Value.(string) }
	switch {
	case f.is(q, "CREATE TABLE IF NOT EXISTS ~login_schema"), f.is(q, "INSERT INTO ~login_schema"):
		return driver.RowsAffected(0), nil
	case f.is(q, "UPDATE ~login_schema SET version = ? WHERE id = 1"):
		f.version = int(args[0].Value.(int64))
		return driver.RowsAffected(1), nil
	case f.is(q, "CREATE TABLE ~login_users ("):
		if f.users != nil {
			return nil, errors.New("table exists")
		}
		f.users = make(map[string]fakeUser)
		return driver.RowsAffected(0), nil
	case f.is(q, "INSERT INTO ~login_users (username, account, hash, disabled) VALUES (?, ?, ?, 0)"):
		u, found := f.users[text(0)]
		if !found {
			u.account = text(1)
		}
		u.hash = text(2)
		f.users[text(0)] = u
		return driver.RowsAffected(1), nil
	case f.is(q, "UPDATE ~login_users SET disabled = ? WHERE username = ?"):
		u, found := f.users[text(1)]
		if !found {
			return driver.RowsAffected(0), nil
		}
		u.disabled = args[0].Value.(int64)
		f.users[text(1)] = u
		return driver.RowsAffected(1), nil
	case f.is(q, "DELETE FROM ~login_users WHERE username = ?"):
		n := len(f.users)
		delete(f.users, text(0))
		return driver.RowsAffected(n - len(f.users)), nil
	}
	return nil, fmt.Errorf("unknown statement %s", q)
}

func (c fakeConn) QueryContext(_ context.Context, q string, args []driver.NamedValue) (driver.Rows, error) {
	f := c.db
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, q)
	if f.fail != nil {
		return nil, f.fail
	}
	var rows [][]driver.Value
	switch {
	case f.is(q, "SELECT version FROM ~login_schema WHERE id = 1"):
		rows = [][]driver.Value{{int64(f.version)}}
	case f.is(q, "SELECT account, hash, disabled FROM ~login_users WHERE username = ?"):
		if u, ok := f.users[args[0].Value.(string)]; ok {
			rows = [][]driver.Value{{u.account, u.hash, u.disabled}}
		}
	case f.is(q, "SELECT username FROM ~login_users WHERE username > ? ORDER BY username LIMIT ?"):
		for _, name := range slices.Sorted(maps.Keys(f.users)) {
			if cmp.Compare(name, args[0].Value.(string)) > 0 && int64(len(rows)) < args[1].Value.(int64) {
				rows = append(rows, []driver.Value{name})
			}
		}
	default:
		return nil, fmt.Errorf("unknown statement %s", q)
	}
	f.open++
	return &fakeRows{db: f, rows: rows}, nil
}

type fakeRows struct {
	db   *fakeDB
	rows [][]driver.Value
}

func (r *fakeRows) Columns() []string {
	if len(r.rows) == 0 {
		return nil
	}
	return make([]string, len(r.rows[0]))
}

func (r *fakeRows) Close() error {
	r.db.mu.Lock()
	defer r.db.mu.Unlock()
	r.db.open--
	return nil
}

func (r *fakeRows) Next(dest []driver.Value) error {
	if len(r.rows) == 0 {
		return io.EOF
	}
	copy(dest, r.rows[0])
	r.rows = r.rows[1:]
	return nil
}
