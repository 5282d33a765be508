package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/mailstead/mailstead/deliver/fetch"
	"github.com/mailstead/mailstead/queue/sqlqueue"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/sqlite"
)

// ownAccount is the account of the store that remembers what was collected, and
// has the quarantine where nobody else has. It is no address, so no mail gets
// there by itself.
const ownAccount = store.AccountID("connector")

// service is the data directory: what lives longer than a configuration.
type service struct {
	log    *slog.Logger
	dir    string
	engine *sqlite.Engine
	state  *fetch.EntryState
	queue  *sqlqueue.Storage
	counts *counts
	start  time.Time
}

// openService opens the data directory, and makes it where it is not there.
func openService(ctx context.Context, dir string, log *slog.Logger) (*service, error) {
	engine, err := sqlite.Open(ctx, dir, sqlite.Options{Logger: log})
	if err != nil {
		return nil, err
	}
	s := &service{log: log, dir: dir, engine: engine, counts: newCounts(), start: time.Now()}
	s.queue, err = sqlqueue.New(ctx, engine.DB(), sqlqueue.Options{Logger: log})
	if err == nil {
		err = s.openState(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, engine.Close())
	}
	return s, nil
}

// openExisting is openService of a directory that is there; nil = it is not.
func openExisting(ctx context.Context, dir string, log *slog.Logger) (*service, error) {
	_, err := os.Stat(filepath.Join(dir, "mail.db"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return openService(ctx, dir, log)
}

func (s *service) openState(ctx context.Context) error {
	if err := s.makeAccount(ctx, ownAccount); err != nil {
		return err
	}
	acct, err := s.engine.Store().Open(ctx, ownAccount)
	if err != nil {
		return err
	}
	s.state = &fetch.EntryState{Account: acct}
	return nil
}

// makeAccount makes an account where it is not there.
func (s *service) makeAccount(ctx context.Context, id store.AccountID) error {
	err := s.engine.Store().Create(ctx, id, store.AccountInfo{ID: id})
	if err != nil && !errors.Is(err, store.ErrExists) {
		return fmt.Errorf("account %s: %w", id, err)
	}
	return nil
}

// collectEvery is how often bodies that nobody has any more are freed.
const collectEvery = 30 * time.Minute

// freeBodies frees them until ctx ends.
func (s *service) freeBodies(ctx context.Context) {
	tick := time.NewTicker(collectEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := s.collectBodies(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("bodies that nobody has were not freed", "error", err)
			}
		}
	}
}

func (s *service) collectBodies(ctx context.Context) error {
	c := &blob.Collector{Blobs: s.engine.Blobs(), Holders: []blob.Holder{s.engine.Store(), s.queue}, Logger: s.log}
	if _, err := c.Collect(ctx); err != nil {
		return err
	}
	_, err := s.engine.Blobs().Compact(ctx)
	return err
}

func (s *service) close() error { return s.engine.Close() }
