package sqlentry

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/store/sqldb"
)

// recorder is a database that remembers which rows are written, in their order.
type recorder struct{ rows []string }

func (r *recorder) Connect(context.Context) (driver.Conn, error) { return &recorderConn{r}, nil }
func (r *recorder) Driver() driver.Driver                        { return nil }

type recorderConn struct{ r *recorder }

func (c *recorderConn) Prepare(q string) (driver.Stmt, error) { return &recorderStmt{c.r, q}, nil }
func (c *recorderConn) Close() error                          { return nil }
func (c *recorderConn) Begin() (driver.Tx, error)             { return nil, errors.New("not used") }

type recorderStmt struct {
	r *recorder
	q string
}

func (s *recorderStmt) Close() error  { return nil }
func (s *recorderStmt) NumInput() int { return -1 }

func (s *recorderStmt) Exec(args []driver.Value) (driver.Result, error) {
	s.r.note(s.q, args)
	return driver.RowsAffected(1), nil
}

func (r *recorder) note(query string, args []driver.Value) {
	switch {
	case strings.HasPrefix(query, "DELETE FROM queue_entry"):
		r.rows = append(r.rows, fmt.Sprintf("%s/%s gone", args[0], args[1]))
	case strings.HasPrefix(query, "INSERT INTO queue_entry"):
		for row := range slices.Chunk(args[:len(args)-1], 5) {
			r.rows = append(r.rows, fmt.Sprintf("%s/%s %d", row[0], row[1], row[3]))
		}
	}
}

func (s *recorderStmt) Query([]driver.Value) (driver.Rows, error) { return noRows{}, nil }

type noRows struct{}

func (noRows) Columns() []string         { return nil }
func (noRows) Close() error              { return nil }
func (noRows) Next([]driver.Value) error { return io.EOF }

// mixed are entries in no order, some of them to be removed.
func mixed() (entries []queue.Entry, want []string) {
	for i := range 40 {
		n := i * 7 % 40
		e := queue.Entry{Kind: "k", Key: fmt.Sprintf("%02d", n), Count: int64(n)}
		if n%20 > 15 {
			e.Kind = "j"
		}
		row := e.Kind + "/" + e.Key
		if e.Remove = n%5 == 0; e.Remove {
			want = append(want, row+" gone")
		} else {
			want = append(want, fmt.Sprint(row, " ", n))
		}
		entries = append(entries, e)
	}
	slices.Sort(want)
	return entries, want
}

// TestOrder: rows that are removed stand in one order with those that are
// written (E1), or two nodes wait for each other.
func TestOrder(t *testing.T) {
	r := &recorder{}
	db, err := sqldb.New(sqldb.Options{Write: sql.OpenDB(r)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	table := &Table{DB: db, Now: time.Now}
	entries, want := mixed()
	err = db.Commit(t.Context(), sqldb.Work{Key: "k", Do: func(tx *sqldb.Tx) error {
		b := &Batch{}
		b.Note(tx, entries)
		tx.BeforeCommit(func(tx *sqldb.Tx) error { return b.Flush(tx, table) })
		return nil
	}})
	if err != nil || !slices.Equal(r.rows, want) {
		t.Errorf("%v\ngot  %q\nwant %q", err, r.rows, want)
	}
	r.rows = nil
	for _, s := range table.Write(entries) {
		args := make([]driver.Value, len(s.Args))
		for i := range args {
			args[i] = s.Args[i]
		}
		r.note(s.Query, args)
	}
	if !slices.Equal(r.rows, want) {
		t.Errorf("without a batch\ngot  %q\nwant %q", r.rows, want)
	}
}

// TestExpiry: a time that the column cannot hold is never.
func TestExpiry(t *testing.T) {
	for _, at := range []time.Time{{}, time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), time.Date(2263, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if got := expiry(at); got != never {
			t.Errorf("%v: %d", at, got)
		}
	}
	if at := time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC); expiry(at) != at.UnixNano() {
		t.Errorf("%v: %d", at, expiry(at))
	}
	if at := time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC); expiry(at) > 0 {
		t.Errorf("%v: %d, in the future", at, expiry(at))
	}
}
