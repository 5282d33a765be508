package sqlsts

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/mailstead/mailstead/auth/mtasts"
	"github.com/mailstead/mailstead/store/sqldb"
)

// Store is an mtasts.Store in a database.
type Store struct{ db *sqldb.DB }

var _ mtasts.Store = (*Store)(nil)

// New makes the table, or brings it up to date. The caller opens and closes db.
// sqldb.ErrVersion: a newer version made it.
func New(ctx context.Context, db *sqldb.DB) (*Store, error) {
	return &Store{db}, db.Migrate(ctx, "mtasts", []sqldb.Migration{{
		`CREATE TABLE mtasts_policy (
			domain {text} PRIMARY KEY, policy {blob} NOT NULL, fetched {int} NOT NULL, expires {int} NOT NULL) {clustered}`,
		`CREATE INDEX mtasts_policy_fetched ON mtasts_policy (fetched)`,
		`CREATE INDEX mtasts_policy_expires ON mtasts_policy (expires)`,
	}})
}

const (
	sqlLoad = `SELECT policy FROM mtasts_policy WHERE domain = ?`

	sqlSave = `INSERT INTO mtasts_policy (domain, policy, fetched, expires) VALUES (?, ?, ?, ?)
		ON CONFLICT (domain) DO UPDATE SET policy = excluded.policy, fetched = excluded.fetched, expires = excluded.expires
		WHERE excluded.fetched >= mtasts_policy.fetched`

	sqlDue = `SELECT domain FROM mtasts_policy WHERE fetched < ? AND expires > ? ORDER BY fetched LIMIT CAST(? AS {int})`

	sqlForget = `DELETE FROM mtasts_policy WHERE expires < ?`
)

// stored is an mtasts.Entry as a row has it.
type stored struct {
	ID      string        `json:"id"`
	Mode    mtasts.Mode   `json:"mode"`
	MaxAge  time.Duration `json:"max-age"` // ns
	MX      []string      `json:"mx,omitempty"`
	Fetched time.Time     `json:"fetched"`
}

// Load implements mtasts.Store.
func (s *Store) Load(ctx context.Context, domain string) (*mtasts.Entry, error) {
	raw, ok, err := sqldb.One(ctx, s.db, scan[[]byte], sqlLoad, domain)
	if err != nil || !ok {
		return nil, err
	}
	var row stored
	if err := json.Unmarshal(raw, &row); err != nil {
		return nil, fmt.Errorf("sqlsts: policy of %s: %w", domain, err)
	}
	policy := mtasts.Policy{Mode: row.Mode, MaxAge: row.MaxAge, MX: row.MX}
	return &mtasts.Entry{Domain: domain, ID: row.ID, Policy: policy, Fetched: row.Fetched}, nil
}

// Save implements mtasts.Store. It forgets policies that have ended a month ago.
func (s *Store) Save(ctx context.Context, e *mtasts.Entry) error {
	raw, err := json.Marshal(stored{e.ID, e.Policy.Mode, e.Policy.MaxAge, e.Policy.MX, e.Fetched})
	if err != nil {
		return err
	}
	const month = 30 * 24 * time.Hour
	return s.db.Commit(ctx, sqldb.Work{Key: "mtasts", Cost: 1, Do: func(tx *sqldb.Tx) error {
		if _, err := tx.Exec(sqlForget, e.Fetched.Add(-month).Unix()); err != nil {
			return err
		}
		_, err := tx.Exec(sqlSave, e.Domain, raw, e.Fetched.Unix(), e.Fetched.Add(e.Policy.MaxAge).Unix())
		return err
	}})
}

// Due implements mtasts.Store.
func (s *Store) Due(ctx context.Context, now, before time.Time, limit int) ([]string, error) {
	return sqldb.Collect(ctx, s.db, scan[string], sqlDue, before.Unix(), now.Unix(), limit)
}

func scan[T any](r *sql.Rows) (v T, err error) {
	err = r.Scan(&v)
	return v, err
}
