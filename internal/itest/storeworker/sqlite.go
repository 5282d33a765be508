package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/segment"
	"github.com/mailstead/mailstead/store/sqldb"
	"github.com/mailstead/mailstead/store/sqlite"
	"github.com/mailstead/mailstead/store/sqlstore"
)

// sqliteSystem is store/sqlite with its segment files. The segments are small,
// so that many are filled, compacted and removed before a cut.
type sqliteSystem struct {
	*sqlstore.Store
	engine *sqlite.Engine
	dir    string

	mu     sync.Mutex
	orphan map[blob.Ref]bool // bodies that nobody adopts
}

func openSQLite(ctx context.Context, dir string, control bool) (system, error) {
	o := sqliteOptions(control)
	o.Blobs = segment.Options{SegmentSize: 1 << 20, MaxShared: 48 << 10}
	e, err := sqlite.Open(ctx, dir, o)
	if err != nil {
		return nil, err
	}
	return &sqliteSystem{Store: e.Store(), engine: e, dir: dir, orphan: map[blob.Ref]bool{}}, nil
}

func sqliteOptions(control bool) sqlite.Options {
	o := sqlite.Options{Logger: slog.New(slog.DiscardHandler)}
	if control {
		o.Synchronous = sqlite.UnsafeNormal
	}
	return o
}

func (s *sqliteSystem) Close() error { return s.engine.Close() }

// Background makes bodies that nobody adopts, collects and compacts, cleans,
// and lets SQLite move its log into the database.
func (s *sqliteSystem) Background(ctx context.Context) error {
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(filepath.Join(s.dir, "mail.db")))
	if err != nil {
		return err
	}
	defer db.Close()
	collector := &blob.Collector{Blobs: s.engine.Blobs(), Holders: []blob.Holder{s, adoptable{s}}, MinAge: -1}
	for {
		for range 12 {
			if err := s.abandon(ctx, 40<<10); err != nil {
				return err
			}
		}
		if err := s.abandon(ctx, 100<<10); err != nil {
			return err
		}
		collected, err := collector.Collect(ctx)
		if err != nil {
			return err
		}
		compacted, err := s.engine.Blobs().Compact(ctx)
		if err != nil {
			return err
		}
		if err := s.Clean(ctx); err != nil {
			return err
		}
		if compacted.Rewritten+compacted.Removed > 0 {
			if err := say("compacted %d %d %d", collected.Deleted, compacted.Rewritten, compacted.Removed); err != nil {
				return err
			}
		}
		if _, err := db.ExecContext(ctx, `PRAGMA wal_checkpoint(PASSIVE)`); err != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// abandon stores a body that the collector will find.
func (s *sqliteSystem) abandon(ctx context.Context, size int) error {
	w, err := s.Blobs().Create(ctx, int64(size))
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := w.Write(make([]byte, size)); err != nil {
		return err
	}
	ref, err := w.Commit(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orphan[ref] = true
	return nil
}

// adoptable holds all bodies but the abandoned ones: others may be about to be
// adopted, and in this test no age protects them.
type adoptable struct{ s *sqliteSystem }

func (a adoptable) Holds(_ context.Context, refs []blob.Ref) (held []blob.Ref, err error) {
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	for _, ref := range refs {
		if !a.s.orphan[ref] {
			held = append(held, ref)
		}
	}
	return held, nil
}

// Whole checks the database, the store with its bodies, and every body.
func (s *sqliteSystem) Whole(ctx context.Context) error {
	verdict, err := sqldb.Collect(ctx, s.engine.DB(), func(r *sql.Rows) (s string, err error) {
		err = r.Scan(&s)
		return s, err
	}, `PRAGMA integrity_check`)
	if err != nil || len(verdict) != 1 || verdict[0] != "ok" {
		return fmt.Errorf("integrity_check: %q %w", verdict, err)
	}
	var first error
	err = s.Verify(ctx, func(p *sqlstore.Problem) {
		if first == nil {
			first = p
		}
	})
	if err := errors.Join(err, first); err != nil {
		return err
	}
	_, err = s.engine.Blobs().Verify(ctx)
	return err
}

var _ store.Store = (*sqliteSystem)(nil)
