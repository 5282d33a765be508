package main

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/mailstead/mailstead/auth/login/sqllogin"
	"github.com/mailstead/mailstead/examples/internal/cluster"
	"github.com/mailstead/mailstead/queue/sqlqueue"
)

// nodeLease is how long the attempt of a node that died keeps others from the
// job.
const nodeLease = 30 * time.Second

// checkPostgres never shows what it refuses: there may be passwords in it.
func checkPostgres(o *options) error {
	if o.blobs == "" {
		o.blobs = cluster.InDatabase
	}
	return cluster.Check(o.store, o.blobs)
}

// openPostgres is one node of a cluster: mail, queue and users lie in the
// database, larger bodies there too or in an object store.
func openPostgres(ctx context.Context, o *options, log *slog.Logger) (_ *engine, err error) {
	if err := os.MkdirAll(o.data, 0o700); err != nil {
		return nil, err
	}
	p, err := cluster.Open(ctx, o.store, o.blobs, log)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	q, err := sqlqueue.New(ctx, p.DB(), sqlqueue.Options{Blobs: p.Blobs(), Logger: log})
	if err != nil {
		return nil, err
	}
	users, err := sql.Open("pgx", o.store)
	if err != nil {
		return nil, err
	}
	users.SetMaxOpenConns(4)
	backend := &sqllogin.Backend{DB: users, Dialect: sqllogin.PostgreSQL}
	e := &engine{
		store: p.Store(), queue: q, blobs: p.Blobs(), db: p.DB(), shared: true, lease: nodeLease,
		verify: p.Store().Verify,
		users:  backend, tallies: &sqllogin.Guard{Backend: backend},
		close: func() error { return errors.Join(users.Close(), p.Close()) },
	}
	if err := backend.Migrate(ctx); err != nil {
		return nil, errors.Join(err, users.Close())
	}
	return e, nil
}
