// Package cluster opens the store that several nodes share: a database of
// PostgreSQL, with the larger bodies in it or in an object store.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/objects"
	"github.com/mailstead/mailstead/store/postgres"
	"github.com/mailstead/mailstead/store/s3"
	"github.com/mailstead/mailstead/store/sqlblob"
	"github.com/mailstead/mailstead/store/sqldb"
)

// InDatabase says that bodies lie beside their catalogue.
const InDatabase = "database:"

// Check refuses what cannot be opened. It never shows what it refuses: there may
// be passwords in it.
func Check(database, bodies string) error {
	_, rest, _ := strings.Cut(database, ":")
	if !strings.HasPrefix(rest, "//") {
		return errors.New("-store: want postgres://USER:PASSWORD@HOST:PORT/DATABASE")
	}
	if _, err := pgconn.ParseConfig(database); err != nil {
		text := err.Error() // the URL in it stands between backquotes
		return fmt.Errorf("-store: not a URL of PostgreSQL; what has a meaning in URLs is percent-encoded%s", text[strings.LastIndexByte(text, '`')+1:])
	}
	switch {
	case bodies == InDatabase:
		return nil
	case bodies == "segments:":
		return errors.New("-blobs: segments: are files of one host, and every node needs all bodies; give s3://… or nothing")
	case strings.HasPrefix(bodies, "s3:"):
		if _, err := s3.Parse(bodies); err != nil {
			return fmt.Errorf("-blobs: %w", err)
		}
		return nil
	}
	kind, _, _ := strings.Cut(bodies, ":")
	return fmt.Errorf("-blobs: %s: does not go with -store postgres:; s3: and %s do", kind, InDatabase)
}

// Open opens the store.
func Open(ctx context.Context, database, bodies string, log *slog.Logger) (*postgres.Engine, error) {
	return postgres.Open(ctx, database, postgres.Options{
		OpenBlobs: func(ctx context.Context, db *sqldb.DB) (blob.Blobs, error) { return open(ctx, bodies, db, log) },
		Logger:    log,
	})
}

// open opens the bodies.
func open(ctx context.Context, bodies string, db *sqldb.DB, log *slog.Logger) (blob.Blobs, error) {
	var large objects.Store
	var err error
	if bodies == InDatabase {
		large, err = sqlblob.NewChunks(ctx, db)
	} else {
		large, err = openS3(ctx, bodies)
	}
	if err != nil {
		return nil, err
	}
	return sqlblob.New(ctx, db, large, sqlblob.Options{Logger: log})
}

func openS3(ctx context.Context, bodies string) (*s3.Store, error) {
	c, err := s3.Parse(bodies)
	if err != nil {
		return nil, err
	}
	return s3.New(ctx, c)
}
