package cluster

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/sqlqueue"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/objects"
	"github.com/mailstead/mailstead/store/postgres"
	"github.com/mailstead/mailstead/store/postgres/pgtest"
	"github.com/mailstead/mailstead/store/s3/s3test"
	"github.com/mailstead/mailstead/store/sqlblob"
	"github.com/mailstead/mailstead/store/sqldb"
	"github.com/mailstead/mailstead/store/sqlite"
	"github.com/mailstead/mailstead/store/sqlstore"
)

var (
	pg pgtest.Shared
	gw s3test.Shared
)

func TestMain(m *testing.M) {
	code := pg.Run(m)
	gw.End()
	os.Exit(code)
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// database is one that a test has for itself. open gives another node a DB on
// it; raw is the application's own handle.
type database struct {
	name string
	open func(t testing.TB) *sqldb.DB
	raw  func(t testing.TB) *sql.DB
}

// onSQLite is a database of one node, so open gives the same DB each time.
func onSQLite(t testing.TB) *database {
	path := filepath.Join(t.TempDir(), "mail.db")
	var db *sqldb.DB
	return &database{
		name: "sqlite",
		open: func(t testing.TB) *sqldb.DB {
			if db == nil {
				var err error
				if db, err = sqlite.OpenDB(context.Background(), path, sqlite.Options{Logger: quiet()}); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { db.Close() })
			}
			return db
		},
		raw: func(t testing.TB) *sql.DB { return sqlOpen(t, "sqlite", "file:"+path+"?_pragma=busy_timeout(10000)") },
	}
}

func onPostgres(t testing.TB) *database {
	dsn := pgtest.Database(t, pg.Server(t))
	return &database{
		name: "postgres",
		open: func(t testing.TB) *sqldb.DB {
			db, err := sqldb.New(sqldb.Options{
				Dialect: postgres.Dialect(), Logger: quiet(),
				Write: sqlOpen(t, "pgx", dsn), Read: sqlOpen(t, "pgx", dsn),
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
			return db
		},
		raw: func(t testing.TB) *sql.DB { return sqlOpen(t, "pgx", dsn) },
	}
}

func sqlOpen(t testing.TB, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// engines runs a test on each database.
func engines(t *testing.T, run func(*testing.T, *database)) {
	t.Run("sqlite", func(t *testing.T) { run(t, onSQLite(t)) })
	t.Run("postgres", func(t *testing.T) { run(t, onPostgres(t)) })
}

// catalogue is a node's Blobs on a database and an object store.
func catalogue(t testing.TB, db *sqldb.DB, o objects.Store, opts sqlblob.Options) *sqlblob.Blobs {
	t.Helper()
	opts.Logger = quiet()
	if opts.SweepEvery == 0 {
		opts.SweepEvery = -1
	}
	b, err := sqlblob.New(context.Background(), db, o, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// node is one node with a store and a queue on the same Blobs.
type node struct {
	blobs blob.Blobs
	store *sqlstore.Store
	queue *sqlqueue.Storage
	jobs  atomic.Int64
}

func newNode(t testing.TB, db *sqldb.DB, b blob.Blobs) *node {
	t.Helper()
	ctx := context.Background()
	s, err := sqlstore.New(ctx, db, b, sqlstore.Options{
		OneOwner: db.Dialect().Name == "sqlite", Logger: quiet(), CleanEvery: -1,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	q, err := sqlqueue.New(ctx, db, sqlqueue.Options{Blobs: b, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	return &node{blobs: b, store: s, queue: q}
}

// collector collects without regard to age, on behalf of the node.
func (n *node) collector(b blob.Blobs) *blob.Collector {
	return &blob.Collector{Blobs: b, Holders: []blob.Holder{n.store, n.queue}, MinAge: -1, Logger: quiet()}
}

// account makes an account and returns it with its INBOX.
func (n *node) account(t testing.TB, id store.AccountID, state store.AccountState) (store.Account, store.MailboxID) {
	t.Helper()
	ctx := context.Background()
	if err := n.store.Create(ctx, id, store.AccountInfo{State: state}); err != nil {
		t.Fatal(err)
	}
	a, err := n.store.Open(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	list, _, err := a.Mailboxes(ctx, 0)
	if err != nil || len(list) != 1 {
		t.Fatalf("%d mailboxes, %v", len(list), err)
	}
	return a, list[0].ID
}

func (n *node) job(ref blob.Ref) queue.Job {
	id := fmt.Sprintf("job%d", n.jobs.Add(1))
	return queue.Job{ID: id, Message: id, Destination: "example.org", Blob: ref, Created: time.Now(), Due: time.Now()}
}

// appendOp is an Append of a blob of body's length.
func appendOp(box store.MailboxID, ref blob.Ref, size int) store.Append {
	return store.Append{Mailbox: box, EmailID: store.NewEmailID(), Blob: ref, Size: int64(size)}
}

func put(t testing.TB, b blob.Blobs, p []byte) blob.Ref {
	t.Helper()
	ref, err := tryPut(context.Background(), b, p)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func tryPut(ctx context.Context, b blob.Blobs, p []byte) (blob.Ref, error) {
	w, err := b.Create(ctx, -1)
	if err != nil {
		return "", err
	}
	defer w.Abort()
	if _, err := w.Write(p); err != nil {
		return "", err
	}
	return w.Commit(ctx)
}

// whole reads a blob and compares it.
func whole(b blob.Blobs, ref blob.Ref, want []byte) error {
	o, err := b.Open(context.Background(), ref)
	if err != nil {
		return err
	}
	defer o.Close()
	got := make([]byte, o.Size())
	if _, err := o.ReadAt(got, 0); err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%d octets differ", len(got))
	}
	return nil
}
