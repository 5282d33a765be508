package postgres_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/queuetest"
	"github.com/mailstead/mailstead/queue/sqlqueue"
	"github.com/mailstead/mailstead/store/blob/memblob"
	"github.com/mailstead/mailstead/store/postgres"
	"github.com/mailstead/mailstead/store/sqldb"
)

// queueNode is one node's queue.
type queueNode struct {
	*sqlqueue.Storage
	db    *sqldb.DB
	dsn   string
	close func() error
}

func openQueueNode(t testing.TB, dsn string) *queueNode {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	e, err := postgres.Open(context.Background(), dsn, postgres.Options{Blobs: memblob.New(), Logger: quiet, Unsafe: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	s, err := sqlqueue.New(context.Background(), e.DB(), sqlqueue.Options{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	return &queueNode{s, e.DB(), dsn, e.Close}
}

// queueNodes are n nodes on one database.
func queueNodes(t testing.TB, n int) (out []*queueNode) {
	t.Helper()
	dsn := pg.Database(t)
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
			if err := n.close(); err != nil {
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
