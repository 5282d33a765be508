package sqlite_test

import (
	"context"
	"testing"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/queuetest"
	"github.com/mailstead/mailstead/queue/sqlqueue"
	"github.com/mailstead/mailstead/store/sqldb"
	"github.com/mailstead/mailstead/store/sqlite"
)

// queueDB is a queue in an Engine's database.
type queueDB struct {
	*sqlqueue.Storage
	db     *sqldb.DB
	engine *sqlite.Engine
	dir    string
}

func openQueue(t testing.TB, dir string) *queueDB {
	t.Helper()
	e, err := sqlite.Open(context.Background(), dir, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	s, err := sqlqueue.New(context.Background(), e.DB(), sqlqueue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return &queueDB{s, e.DB(), e, dir}
}

func TestQueue(t *testing.T) {
	queuetest.Run(t, queuetest.Config{
		New: func(t testing.TB) queue.Storage { return openQueue(t, t.TempDir()) },
		Reopen: func(t testing.TB, s queue.Storage) queue.Storage {
			q := s.(*queueDB)
			if err := q.engine.Close(); err != nil {
				t.Fatal(err)
			}
			return openQueue(t, q.dir)
		},
	})
}
