package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/mailstead/mailstead/auth/login/filelogin"
	"github.com/mailstead/mailstead/queue/sqlqueue"
	"github.com/mailstead/mailstead/store/maildir"
	"github.com/mailstead/mailstead/store/sqlite"
)

func checkMaildir(o *options) error {
	if o.blobs == "" {
		o.blobs = "segments:"
	}
	if o.blobs != "segments:" {
		return fmt.Errorf("-blobs: %s does not go with -store maildir:; only segments: does", scheme(o.blobs))
	}
	return nil
}

// maildirOf is what -store maildir:DIR or maildir:DIR:UTF-8 means, as in
// Dovecot's mail_location; without DIR the tree lies in -data.
func maildirOf(o *options) (dir string, utf8 bool) {
	dir = strings.TrimPrefix(o.store, "maildir:")
	dir, utf8 = strings.CutSuffix(dir, ":UTF-8")
	if dir == "" {
		dir = filepath.Join(o.data, "maildir")
	}
	return dir, utf8
}

// openMaildir keeps mail in Maildir++ trees that other programs may read and
// change, and the queue with its bodies in the data directory. A tree keeps its
// own copy of a body, so that the queue's is freed after the delivery.
func openMaildir(ctx context.Context, o *options, log *slog.Logger) (*engine, error) {
	e, err := sqlite.Open(ctx, o.data, sqlite.Options{Logger: log})
	if err != nil {
		return nil, err
	}
	dir, utf8 := maildirOf(o)
	s, err := maildir.Open(dir, e.Blobs(), maildir.Options{UTF8: utf8, Logger: log})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("-store: %w", err), e.Close())
	}
	closeAll := func() error { return errors.Join(s.Close(), e.Close()) }
	q, err := sqlqueue.New(ctx, e.DB(), sqlqueue.Options{Logger: log})
	if err != nil {
		return nil, errors.Join(err, closeAll())
	}
	return &engine{
		store: s, queue: q, blobs: e.Blobs(), db: e.DB(),
		users:    &filelogin.File{Path: filepath.Join(o.data, "passwd"), Logger: log},
		segments: e.Blobs(),
		lines:    true,
		free:     e.Blobs().Free,
		compact: func(ctx context.Context) error {
			_, err := e.Blobs().Compact(ctx)
			return err
		},
		close: closeAll,
	}, nil
}
