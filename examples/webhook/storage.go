package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/mailstead/mailstead/queue/sqlqueue"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/segment"
	"github.com/mailstead/mailstead/store/sqlite"
)

// storage is where messages are safe: envelopes in a database, bodies in
// segment files beside it.
type storage struct {
	queue *sqlqueue.Storage
	blobs *segment.Store
	held  blob.Holder // the engine's store, which has no accounts
	close func() error
}

func open(ctx context.Context, dir string, log *slog.Logger) (*storage, error) {
	e, err := sqlite.Open(ctx, dir, sqlite.Options{Logger: log})
	if err != nil {
		return nil, err
	}
	q, err := sqlqueue.New(ctx, e.DB(), sqlqueue.Options{Logger: log})
	if err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return &storage{queue: q, blobs: e.Blobs(), held: e.Store(), close: e.Close}, nil
}

// collect frees the bodies of what was delivered, now and then.
func (s *storage) collect(ctx context.Context, log *slog.Logger) {
	c := &blob.Collector{Blobs: s.blobs, Holders: []blob.Holder{s.queue, s.held}, Logger: log}
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if _, err := c.Collect(ctx); err != nil && ctx.Err() == nil {
			log.Error("cannot free bodies", "error", err)
		} else if _, err := s.blobs.Compact(ctx); err != nil && ctx.Err() == nil {
			log.Error("cannot compact", "error", err)
		}
	}
}
