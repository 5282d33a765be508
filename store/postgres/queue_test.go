package postgres_test

import (
	"context"
	"database/sql"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/queuetest"
	"github.com/mailstead/mailstead/queue/sqlqueue"
	"github.com/mailstead/mailstead/store/postgres"
	"github.com/mailstead/mailstead/store/postgres/pgtest"
	"github.com/mailstead/mailstead/store/sqldb"
)

// queueNode is one node's queue.
type queueNode struct {
	*sqlqueue.Storage
	db  *sqldb.DB
	dsn string
}

func openQueueNode(t testing.TB, dsn string) *queueNode {
	t.Helper()
	w, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	w.SetMaxOpenConns(12)
	w.SetMaxIdleConns(12)
	db, err := sqldb.New(sqldb.Options{Dialect: postgres.Dialect(), Write: w, MaxBatch: 64})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s, err := sqlqueue.New(context.Background(), db, sqlqueue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return &queueNode{s, db, dsn}
}

// queueNodes are n nodes on one fresh database.
func queueNodes(t testing.TB, n int) (out []*queueNode) {
	t.Helper()
	dsn := pgtest.Database(t, pg.Server(t))
	for range n {
		out = append(out, openQueueNode(t, dsn))
	}
	return out
}

func TestQueue(t *testing.T) {
	queuetest.Run(t, queuetest.Config{
		New: func(t testing.TB) queue.Storage { return queueNodes(t, 1)[0] },
		Reopen: func(t testing.TB, s queue.Storage) queue.Storage {
			n := s.(*queueNode)
			if err := n.db.Close(); err != nil {
				t.Fatal(err)
			}
			return openQueueNode(t, n.dsn)
		},
		KeepsLeases: true,
		Nodes: func(t testing.TB, n int) (out []queue.Storage) {
			for _, s := range queueNodes(t, n) {
				out = append(out, s)
			}
			return out
		},
	})
}
