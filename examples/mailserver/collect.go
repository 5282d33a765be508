package main

import (
	"context"
	"time"

	"github.com/mailstead/mailstead/store/blob"
)

// collectEvery is how often bodies that nobody needs are freed.
const collectEvery = time.Hour

// collector frees the bodies that neither the store nor the queue holds;
// none while a backup runs.
func (s *server) collector() *blob.Collector {
	return &blob.Collector{
		Blobs:   s.engine.Blobs(),
		Holders: []blob.Holder{s.engine.Store(), s.storage, &s.backups},
		Logger:  s.log,
	}
}

// collect frees bodies, and gives their space back, until ctx ends.
func (s *server) collect(ctx context.Context) {
	c := s.collector()
	tick := time.NewTicker(collectEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if _, err := c.Collect(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("cannot free bodies", "error", err)
			continue
		}
		if _, err := s.engine.Blobs().Compact(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("cannot compact", "error", err)
		}
	}
}
