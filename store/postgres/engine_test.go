package postgres_test

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/memblob"
	"github.com/mailstead/mailstead/store/postgres"
	"github.com/mailstead/mailstead/store/postgres/pgtest"
	"github.com/mailstead/mailstead/store/storetest"
)

var pg pgtest.Shared

func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }

// opened is an Engine that is closed with its store.
type opened struct {
	store.Store
	engine *postgres.Engine
	dsn    string
	blobs  blob.Blobs
}

func (o *opened) Close() error { return o.engine.Close() }

func open(t testing.TB, dsn string, blobs blob.Blobs, change ...func(*postgres.Options)) *opened {
	t.Helper()
	o := postgres.Options{Blobs: blobs, Logger: slog.New(slog.DiscardHandler), Unsafe: true}
	for _, f := range change {
		f(&o)
	}
	e, err := postgres.Open(context.Background(), dsn, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return &opened{e.Store(), e, dsn, blobs}
}

func fresh(t testing.TB, change ...func(*postgres.Options)) *opened {
	t.Helper()
	return open(t, pg.Database(t), memblob.New(), change...)
}

func config(change ...func(*postgres.Options)) storetest.Config {
	return storetest.Config{
		New: func(t *testing.T) store.Store { return fresh(t, change...) },
		Nodes: func(t *testing.T, n int) []store.Store {
			first := fresh(t, change...)
			list := []store.Store{first}
			for range n - 1 {
				list = append(list, open(t, first.dsn, first.blobs, change...))
			}
			return list
		},
		Reopen: func(t *testing.T, s store.Store) store.Store {
			o := s.(*opened)
			if err := o.Close(); err != nil {
				t.Fatal(err)
			}
			return open(t, o.dsn, o.blobs, change...)
		},
		Purge: func(t *testing.T, s store.Store, id store.AccountID, upTo store.ModSeq) {
			if err := s.(*opened).engine.Store().Purge(t.Context(), id, upTo); err != nil {
				t.Fatal(err)
			}
		},
		Has:      storetest.Everything | storetest.Metas | storetest.Retains | storetest.Snapshots | storetest.Locks | storetest.Keys,
		Patience: time.Minute,
	}
}

func TestStore(t *testing.T) { storetest.Run(t, config()) }

// TestVariants: the suite holds without LISTEN, where a transaction changes one
// account, and with one connection for writing.
func TestVariants(t *testing.T) {
	if os.Getenv("MAILSTEAD_FULL") == "" {
		t.Skip("MAILSTEAD_FULL is not set; TestStore runs the suite once")
	}
	for name, change := range map[string]func(*postgres.Options){
		"NoListen":   func(o *postgres.Options) { o.NoListen = true },
		"OneAccount": func(o *postgres.Options) { o.OneAccount = true },
		"Committer":  func(o *postgres.Options) { o.Committers = 1 },
	} {
		t.Run(name, func(t *testing.T) { storetest.Run(t, config(change)) })
	}
}
