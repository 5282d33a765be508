package sqlgrey

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/mailstead/mailstead/smtp/smtppolicy"
	"github.com/mailstead/mailstead/store/sqldb"
)

// Options are the choices of a Store; the zero value is useful.
type Options struct {
	// MaxEntries bounds the table. Zero = 1,000,000.
	MaxEntries int
}

// Store is a smtppolicy.GreyStore in a database. Any number of goroutines may
// call its methods.
type Store struct {
	db    *sqldb.DB
	max   int64
	added atomic.Int64 // rows since the table was last cut
}

var _ smtppolicy.GreyStore = (*Store)(nil)

// New makes the table, or brings it up to date. The caller opens and closes db.
// sqldb.ErrVersion: a newer version made the table.
func New(ctx context.Context, db *sqldb.DB, o Options) (*Store, error) {
	s := &Store{db: db, max: int64(o.MaxEntries)}
	if s.max == 0 {
		s.max = 1_000_000
	}
	return s, db.Migrate(ctx, "greylist", []sqldb.Migration{{
		`CREATE TABLE greylist (
			key {blob} NOT NULL PRIMARY KEY, first {int} NOT NULL,
			expires {int} NOT NULL, passed {int} NOT NULL) {clustered}`,
		`CREATE INDEX greylist_expires ON greylist (expires)`,
	}})
}

const (
	sqlLookup = `SELECT first, expires, passed FROM greylist WHERE key = ? AND expires > ?`

	sqlAttempt = `INSERT INTO greylist (key, first, expires, passed) VALUES (?, ?, ?, 0)
		ON CONFLICT (key) DO UPDATE SET first = excluded.first, expires = excluded.expires, passed = 0
		WHERE greylist.expires <= excluded.first`

	sqlPass = `INSERT INTO greylist (key, first, expires, passed) VALUES (?, ?, ?, 1)
		ON CONFLICT (key) DO UPDATE SET expires = excluded.expires,
		first = CASE WHEN greylist.expires <= excluded.first THEN excluded.first ELSE greylist.first END,
		passed = CASE WHEN greylist.expires <= excluded.first THEN 1 ELSE greylist.passed + 1 END`

	sqlExpire = `DELETE FROM greylist WHERE expires <= ?`

	sqlCount = `SELECT COUNT(*) FROM greylist`

	sqlCut = `DELETE FROM greylist WHERE key IN
		(SELECT key FROM greylist ORDER BY expires LIMIT CAST(? AS {int}))`
)

// Lookup implements smtppolicy.GreyStore.
func (s *Store) Lookup(ctx context.Context, key smtppolicy.GreyKey, now time.Time) (smtppolicy.GreyEntry, error) {
	e, _, err := lookup(ctx, s.db, key, now)
	return e, err
}

func lookup(ctx context.Context, q sqldb.Querier, key smtppolicy.GreyKey, now time.Time) (smtppolicy.GreyEntry, bool, error) {
	e, ok, err := sqldb.One(ctx, q, scan, sqlLookup, key[:], now.Unix())
	if err != nil {
		return e, false, fmt.Errorf("sqlgrey: look up: %w", err)
	}
	return e, ok, nil
}

func scan(r *sql.Rows) (e smtppolicy.GreyEntry, err error) {
	var first, expires, passed int64
	err = r.Scan(&first, &expires, &passed)
	return smtppolicy.GreyEntry{First: time.Unix(first, 0), Expires: time.Unix(expires, 0), Passed: int(passed)}, err
}

// Attempt implements smtppolicy.GreyStore.
func (s *Store) Attempt(ctx context.Context, keys []smtppolicy.GreyKey, now, until time.Time) ([]smtppolicy.GreyEntry, error) {
	out := make([]smtppolicy.GreyEntry, len(keys))
	var missing []int
	for i, key := range keys {
		e, ok, err := lookup(ctx, s.db, key, now)
		if err != nil {
			return nil, err
		}
		if out[i] = e; !ok {
			missing = append(missing, i)
		}
	}
	if len(missing) == 0 {
		return out, nil
	}
	// In order of the keys, so that two processes never wait in a circle.
	slices.SortFunc(missing, func(i, j int) int { return bytes.Compare(keys[i][:], keys[j][:]) })
	err := s.write(ctx, len(missing), now, func(tx *sqldb.Tx) error {
		for _, i := range missing {
			if _, err := tx.Exec(sqlAttempt, keys[i][:], now.Unix(), until.Unix()); err != nil {
				return err
			}
			e, ok, err := lookup(ctx, tx, keys[i], now)
			if err != nil {
				return err
			}
			if !ok {
				return errVanished
			}
			out[i] = e
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("sqlgrey: note an attempt: %w", err)
	}
	return out, nil
}

var errVanished = errors.New("sqlgrey: an entry vanished in its own transaction")

// Pass implements smtppolicy.GreyStore.
func (s *Store) Pass(ctx context.Context, keys []smtppolicy.GreyKey, now, until time.Time) error {
	keys = slices.Clone(keys)
	slices.SortFunc(keys, func(a, b smtppolicy.GreyKey) int { return bytes.Compare(a[:], b[:]) })
	err := s.write(ctx, len(keys), now, func(tx *sqldb.Tx) error {
		for _, key := range keys {
			if _, err := tx.Exec(sqlPass, key[:], now.Unix(), until.Unix()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("sqlgrey: note what passed: %w", err)
	}
	return nil
}

// write runs a change of up to n rows, and cuts the table now and then.
func (s *Store) write(ctx context.Context, n int, now time.Time, do func(*sqldb.Tx) error) error {
	cut := s.added.Add(int64(n)) > max(s.max/16, 100)
	if cut {
		s.added.Store(0)
	}
	return s.db.Commit(ctx, sqldb.Work{Key: "greylist", Cost: n, Do: func(tx *sqldb.Tx) error {
		if cut {
			if err := s.cut(tx, now); err != nil {
				return err
			}
		}
		return do(tx)
	}})
}

// cut removes what has expired, and of the rest what is too much.
func (s *Store) cut(tx *sqldb.Tx, now time.Time) error {
	if _, err := tx.Exec(sqlExpire, now.Unix()); err != nil {
		return err
	}
	n, _, err := sqldb.One(tx.Context(), tx, sqldb.Int64, sqlCount)
	if err != nil || n <= s.max {
		return err
	}
	_, err = tx.Exec(sqlCut, n-s.max)
	return err
}
