package sqlite_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"net/url"
	"path/filepath"
	"testing"

	"modernc.org/sqlite"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/queuetest"
	"github.com/mailstead/mailstead/queue/sqlqueue"
	"github.com/mailstead/mailstead/store/sqldb"
)

// queueDB is a database as the engine opens it, and the file's name.
type queueDB struct {
	*sqlqueue.Storage
	db   *sqldb.DB
	path string
}

// preparing is a connector that notes the statements prepared on it.
type preparing struct {
	driver.Connector
	note func(query string)
}

func (p preparing) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := p.Connector.Connect(ctx)
	return preparingConn{c, p.note}, err
}

type preparingConn struct {
	driver.Conn
	note func(string)
}

func (c preparingConn) Prepare(query string) (driver.Stmt, error) {
	c.note(query)
	return c.Conn.Prepare(query)
}

func openQueue(t testing.TB, path string) *queueDB { return openNoted(t, path, nil) }

func openNoted(t testing.TB, path string, note func(query string)) *queueDB {
	t.Helper()
	handle := func(conns int, pragmas ...string) *sql.DB {
		q := url.Values{"_pragma": append([]string{"busy_timeout(10000)", "synchronous(2)", "cache_size(-65536)", "wal_autocheckpoint(4000)"}, pragmas...)}
		var c driver.Connector
		c, err := sqlite.NewConnector((&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String())
		if err != nil {
			t.Fatal(err)
		}
		if note != nil {
			c = preparing{c, note}
		}
		db := sql.OpenDB(c)
		db.SetMaxOpenConns(conns)
		db.SetMaxIdleConns(conns)
		return db
	}
	db, err := sqldb.New(sqldb.Options{
		Dialect: sqldb.Dialect{
			Name: "sqlite", Begin: "BEGIN IMMEDIATE", Uninterrupted: true,
			Types: map[string]string{"int": "INTEGER", "clustered": "WITHOUT ROWID"},
		},
		Write: handle(1, "journal_mode(WAL)"), Read: handle(8, "query_only(1)"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s, err := sqlqueue.New(context.Background(), db, sqlqueue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return &queueDB{s, db, path}
}

func TestQueue(t *testing.T) {
	queuetest.Run(t, queuetest.Config{
		New: func(t testing.TB) queue.Storage { return openQueue(t, filepath.Join(t.TempDir(), "queue.db")) },
		Reopen: func(t testing.TB, s queue.Storage) queue.Storage {
			q := s.(*queueDB)
			q.db.Close()
			return openQueue(t, q.path)
		},
	})
}
