package sqlite_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	modernc "modernc.org/sqlite"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/sqlqueue"
	"github.com/mailstead/mailstead/store/sqldb"
	"github.com/mailstead/mailstead/store/sqlite"
)

// watch is told what the queue does with its database; nil = nobody is. The
// hooks are set before the statements they wait for.
type watch struct {
	prepare func(query string)
	read    func(query string) // the snapshot is taken, no row was delivered
	exec    func(query string) // before it runs
}

type watchedConnector struct {
	driver.Connector
	w *watch
}

func (c watchedConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	return watchedConn{conn, c.w}, err
}

type watchedConn struct {
	driver.Conn
	w *watch
}

func (c watchedConn) Prepare(query string) (driver.Stmt, error) {
	if c.w.prepare != nil {
		c.w.prepare(query)
	}
	st, err := c.Conn.Prepare(query)
	return watchedStmt{st, query, c.w}, err
}

type watchedStmt struct {
	driver.Stmt
	query string
	w     *watch
}

func (s watchedStmt) Query(args []driver.Value) (driver.Rows, error) {
	rows, err := s.Stmt.Query(args) //lint:ignore SA1019 the statement under it has no other
	if s.w.read != nil {
		s.w.read(s.query)
	}
	return rows, err
}

func (s watchedStmt) Exec(args []driver.Value) (driver.Result, error) {
	if s.w.exec != nil {
		s.w.exec(s.query)
	}
	return s.Stmt.Exec(args) //lint:ignore SA1019 the statement under it has no other
}

// openWatched is a queue whose statements w sees.
func openWatched(t *testing.T, w *watch) *queueDB {
	t.Helper()
	c, err := modernc.NewConnector("file:" + filepath.Join(t.TempDir(), "queue.db") + "?_pragma=journal_mode(WAL)")
	if err != nil {
		t.Fatal(err)
	}
	db, err := sqldb.New(sqldb.Options{Dialect: sqlite.Dialect(), Write: sql.OpenDB(watchedConnector{c, w})})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return (&queueDB{db: db}).again(t, sqlqueue.Options{})
}

// during runs f once, while a pick has its snapshot and has leased nothing.
func (w *watch) during(f func()) {
	w.read = func(query string) {
		if strings.Contains(query, "FROM queue_job") && strings.Contains(query, "record") && strings.Contains(query, "next <=") {
			w.read = nil
			f()
		}
	}
}

// TestQueuePickIsCurrent: what is settled or edited while a pick reads is not
// leased as it was (I2 of package sqlqueue).
func TestQueuePickIsCurrent(t *testing.T) {
	later := time.Now().Add(time.Hour)
	for name, change := range map[string]func(*queueDB, queue.Lease) error{
		"finished": func(q *queueDB, l queue.Lease) error {
			return q.Settle(t.Context(), []queue.Outcome{{Token: l.Token, Attempted: true}})
		},
		"deferred": func(q *queueDB, l queue.Lease) error {
			return q.Settle(t.Context(), []queue.Outcome{{Token: l.Token, Attempted: true, Remaining: make([]queue.Recipient, 1), Due: later}})
		},
		"held": func(q *queueDB, _ queue.Lease) error {
			_, err := q.Edit(t.Context(), queue.Filter{IDs: []string{"b"}}, queue.Edit{Hold: new("stop")})
			return err
		},
		"dropped": func(q *queueDB, _ queue.Lease) error {
			_, err := q.Edit(t.Context(), queue.Filter{IDs: []string{"b"}}, queue.Edit{Drop: true})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := &watch{}
			q := openWatched(t, w)
			q.put(t, queued("a", "d"))
			first := q.leaseAll(t, "d")[0]
			q.put(t, queued("b", "d"), queued("c", "d"))
			w.during(func() {
				if err := change(q, first); err != nil {
					t.Error(err)
				}
			})
			edited := name == "held" || name == "dropped"
			for _, l := range q.leaseAll(t, "d") {
				if l.Job.ID == "a" || edited && l.Job.ID == "b" {
					t.Errorf("job %s was leased as it was before", l.Job.ID)
				}
			}
			if w.read != nil {
				t.Error("the pick was not met")
			}
		})
	}
}

// TestQueueEditUnderWay: a job is not leased while the commit that edits it is
// under way.
func TestQueueEditUnderWay(t *testing.T) {
	w := &watch{}
	q := openWatched(t, w)
	q.put(t, queued("a", "d"), queued("b", "d"))
	w.exec = func(query string) {
		if query != "COMMIT" {
			return
		}
		w.exec = nil
		if ls := q.leaseAll(t, "d"); len(ls) != 1 || ls[0].Job.ID != "b" {
			t.Errorf("%d leases while a is being held", len(ls))
		}
	}
	if n, err := q.Edit(t.Context(), queue.Filter{IDs: []string{"a"}}, queue.Edit{Hold: new("stop")}); n != 1 || err != nil {
		t.Fatalf("edited %d, %v", n, err)
	}
	if w.exec != nil {
		t.Error("the commit was not met")
	}
	// Nothing of it is left: a release is seen at once.
	if _, err := q.Edit(t.Context(), queue.Filter{IDs: []string{"a"}}, queue.Edit{Hold: new("")}); err != nil {
		t.Fatal(err)
	}
	if ls := q.leaseAll(t, "d"); len(ls) != 1 || ls[0].Job.ID != "a" {
		t.Errorf("%d leases after the release", len(ls))
	}
}

// TestQueueRunsAgain: a neighbour that fails makes the batch run again; what
// the queue kept in memory about it does not count twice.
func TestQueueRunsAgain(t *testing.T) {
	bad := errors.New("bad")
	for name, do := range map[string]func(*sqldb.Tx) error{
		"in its turn":       func(tx *sqldb.Tx) error { tx.Wrote(); return bad },
		"before the commit": func(tx *sqldb.Tx) error { tx.BeforeCommit(func(*sqldb.Tx) error { return bad }); return nil },
	} {
		t.Run(name, func(t *testing.T) { runsAgain(t, do, bad) })
	}
}

func runsAgain(t *testing.T, do func(*sqldb.Tx) error, bad error) {
	q := newQueue(t, sqlqueue.Options{})
	q.put(t, queued("a", "d"), queued("b", "d"))
	ls := q.leaseAll(t, "d")
	entered, free := make(chan struct{}), make(chan struct{})
	go q.db.Commit(context.Background(), sqldb.Work{Key: "slow", Do: func(*sqldb.Tx) error {
		close(entered)
		<-free
		return nil
	}})
	<-entered
	errs := make(chan error, 3)
	go func() {
		errs <- q.Settle(context.Background(), []queue.Outcome{{Token: ls[0].Token, Attempted: true, Next: []queue.Job{queued("n", "n")}}})
	}()
	go func() {
		_, err := q.Edit(context.Background(), queue.Filter{IDs: []string{"b"}}, queue.Edit{Hold: new("stop")})
		errs <- err
	}()
	// What is asserted holds in any order. As a rule the two wait when the
	// neighbour comes, and all three when the line moves on.
	failed := make(chan error)
	time.AfterFunc(20*time.Millisecond, func() {
		go func() { failed <- q.db.Commit(context.Background(), sqldb.Work{Key: "bad", Do: do}) }()
		time.AfterFunc(20*time.Millisecond, func() { close(free) })
	})
	if err := <-failed; !errors.Is(err, bad) {
		t.Errorf("the neighbour: %v", err)
	}
	for range 2 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d batches ran again", q.db.Stats().Reruns)
	st, err := q.Stats(t.Context())
	if err != nil || st != (queue.Stats{Jobs: 2, Held: 1, Leased: 1, Destinations: 2}) {
		t.Errorf("stats %+v, %v", st, err)
	}
	if err := q.Settle(t.Context(), []queue.Outcome{{Token: ls[1].Token, Remaining: make([]queue.Recipient, 1), Due: time.Now()}}); err != nil {
		t.Error(err)
	}
	for j := range q.List(t.Context(), queue.Filter{IDs: []string{"b"}}) {
		if j.Hold != "stop" {
			t.Errorf("hold %q", j.Hold)
		}
	}
}
