package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/mailstead/mailstead/auth/login/filelogin"
	"github.com/mailstead/mailstead/queue/sqlqueue"
	"github.com/mailstead/mailstead/store/sqlite"
)

func checkSQLite(o *options) error {
	if o.blobs == "" {
		o.blobs = "segments:"
	}
	switch {
	case o.store != "sqlite:":
		return errors.New("-store: sqlite: takes nothing behind the colon; the database lies in -data")
	case o.blobs != "segments:":
		return fmt.Errorf("-blobs: %s does not go with -store sqlite:; only segments: does", scheme(o.blobs))
	}
	return nil
}

// openSQLite is the embedded engine: everything lies in the data directory, of
// which this process is the owner.
func openSQLite(ctx context.Context, o *options, log *slog.Logger) (*engine, error) {
	e, err := sqlite.Open(ctx, o.data, sqlite.Options{Logger: log})
	if err != nil {
		return nil, err
	}
	q, err := sqlqueue.New(ctx, e.DB(), sqlqueue.Options{Logger: log})
	if err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return &engine{
		store: e.Store(), queue: q, blobs: e.Blobs(), db: e.DB(),
		users:    &filelogin.File{Path: filepath.Join(o.data, "passwd"), Logger: log},
		segments: e.Blobs(), verify: e.Store().Verify,
		free: e.Blobs().Free,
		compact: func(ctx context.Context) error {
			_, err := e.Blobs().Compact(ctx)
			return err
		},
		close: e.Close,
	}, nil
}
