package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/mailstead/mailstead/auth/login/sqllogin"
	"github.com/mailstead/mailstead/queue/sqlqueue"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/objects"
	"github.com/mailstead/mailstead/store/postgres"
	"github.com/mailstead/mailstead/store/s3"
	"github.com/mailstead/mailstead/store/sqlblob"
	"github.com/mailstead/mailstead/store/sqldb"
)

// inDatabase is the value of -blobs for bodies beside their catalogue.
const inDatabase = "database:"

// nodeLease is how long the attempt of a node that died keeps others from the
// job.
const nodeLease = 30 * time.Second

// checkPostgres never shows what it refuses: there may be passwords in it.
func checkPostgres(o *options) error {
	if o.blobs == "" {
		o.blobs = inDatabase
	}
	_, rest, _ := strings.Cut(o.store, ":")
	if !strings.HasPrefix(rest, "//") {
		return errors.New("-store: want postgres://USER:PASSWORD@HOST:PORT/DATABASE")
	}
	if _, err := pgconn.ParseConfig(o.store); err != nil {
		text := err.Error() // the URL in it stands between backquotes
		return fmt.Errorf("-store: not a URL of PostgreSQL; what has a meaning in URLs is percent-encoded%s", text[strings.LastIndexByte(text, '`')+1:])
	}
	switch {
	case o.blobs == inDatabase:
		return nil
	case o.blobs == "segments:":
		return errors.New("-blobs: segments: are files of one host, and every node needs all bodies; give s3://… or nothing")
	case strings.HasPrefix(o.blobs, "s3:"):
		if _, err := s3.Parse(o.blobs); err != nil {
			return fmt.Errorf("-blobs: %w", err)
		}
		return nil
	}
	return fmt.Errorf("-blobs: %s does not go with -store postgres:; s3: and %s do", scheme(o.blobs), inDatabase)
}

// openPostgres is one node of a cluster: mail, queue and users lie in the
// database, larger bodies there too or in an object store.
func openPostgres(ctx context.Context, o *options, log *slog.Logger) (_ *engine, err error) {
	if err := os.MkdirAll(o.data, 0o700); err != nil {
		return nil, err
	}
	p, err := postgres.Open(ctx, o.store, postgres.Options{
		OpenBlobs: func(ctx context.Context, db *sqldb.DB) (blob.Blobs, error) { return openBodies(ctx, o, db, log) },
		Logger:    log,
	})
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

// openBodies opens what -blobs says.
func openBodies(ctx context.Context, o *options, db *sqldb.DB, log *slog.Logger) (blob.Blobs, error) {
	var large objects.Store
	var err error
	if o.blobs == inDatabase {
		large, err = sqlblob.NewChunks(ctx, db)
	} else {
		large, err = openS3(ctx, o)
	}
	if err != nil {
		return nil, err
	}
	return sqlblob.New(ctx, db, large, sqlblob.Options{Logger: log})
}

func openS3(ctx context.Context, o *options) (*s3.Store, error) {
	c, err := s3.Parse(o.blobs)
	if err != nil {
		return nil, err
	}
	return s3.New(ctx, c)
}
