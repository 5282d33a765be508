package sqltlsrpt

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/mailstead/mailstead/auth/tlsrpt"
	"github.com/mailstead/mailstead/store/sqldb"
)

// Options are the choices of a Storage; the zero value is useful.
type Options struct {
	// MaxRows bounds the kinds of sessions of all reports. Zero = 200,000.
	MaxRows int

	// MaxKinds bounds those of one report. Zero = 1,000.
	MaxKinds int
}

// Storage is a tlsrpt.Storage in a database.
type Storage struct {
	db                *sqldb.DB
	maxRows, maxKinds int64
}

var _ tlsrpt.Storage = (*Storage)(nil)

// New makes the table, or brings it up to date. The caller opens and closes db.
// sqldb.ErrVersion: a newer version made it.
func New(ctx context.Context, db *sqldb.DB, o Options) (*Storage, error) {
	s := &Storage{db: db, maxRows: int64(cmp.Or(o.MaxRows, 200_000)), maxKinds: int64(cmp.Or(o.MaxKinds, 1_000))}
	return s, db.Migrate(ctx, "tlsrpt", []sqldb.Migration{{
		`CREATE TABLE tlsrpt_count (
			day {int} NOT NULL, domain {text} NOT NULL, hash {blob} NOT NULL, entry {blob} NOT NULL, sessions {int} NOT NULL,
			PRIMARY KEY (day, domain, hash)) {clustered}`,
	}})
}

const (
	sqlCount = `UPDATE tlsrpt_count SET sessions = sessions + ? WHERE day = ? AND domain = ? AND hash = ?`

	// Another node may have been first.
	sqlInsert = `INSERT INTO tlsrpt_count (day, domain, hash, entry, sessions) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (day, domain, hash) DO UPDATE SET sessions = tlsrpt_count.sessions + excluded.sessions`

	sqlRows = `SELECT COUNT(*) FROM tlsrpt_count`

	sqlKinds = `SELECT COUNT(*) FROM tlsrpt_count WHERE day = ? AND domain = ?`

	sqlDue = `SELECT DISTINCT day, domain FROM tlsrpt_count WHERE day < ? AND (day > ? OR day = ? AND domain > ?)
		ORDER BY day, domain LIMIT CAST(? AS {int})`

	sqlLoad = `SELECT entry, sessions FROM tlsrpt_count WHERE day = ? AND domain = ?`

	sqlDelete = `DELETE FROM tlsrpt_count WHERE day = ? AND domain = ? AND hash = ? AND sessions <= ?`
)

// entry is a kind of sessions as a row has it.
type entry struct {
	Policy  tlsrpt.Policy   `json:"policy"`
	Failure *tlsrpt.Failure `json:"failure,omitempty"`
}

// row is a kind of sessions on its way into the database.
type row struct {
	tlsrpt.Key
	entry, hash []byte
	sessions    int64
}

// encode are the rows, in the order of their keys, so that two processes never
// wait in a circle.
func encode(counted []tlsrpt.Counted) ([]row, error) {
	rows := make([]row, len(counted))
	for i, x := range counted {
		raw, err := json.Marshal(entry{x.Policy, x.Failure})
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(raw)
		rows[i] = row{x.Key, raw, sum[:], x.Sessions}
	}
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Domain, b.Domain), bytes.Compare(a.hash, b.hash))
	})
	return rows, nil
}

func (s *Storage) commit(ctx context.Context, cost int, do func(*sqldb.Tx) error) error {
	return s.db.Commit(ctx, sqldb.Work{Key: "tlsrpt", Cost: cost, Do: do})
}

// Add implements tlsrpt.Storage.
func (s *Storage) Add(ctx context.Context, counted []tlsrpt.Counted) (dropped int64, err error) {
	rows, err := encode(counted)
	if err != nil {
		return 0, err
	}
	err = s.commit(ctx, len(rows), func(tx *sqldb.Tx) error {
		dropped = 0
		all, _, err := sqldb.One(tx.Context(), tx, sqldb.Int64, sqlRows)
		for i := range rows {
			if err != nil {
				return err
			}
			var fits bool
			if fits, err = s.add(tx, &rows[i], &all); !fits {
				dropped += rows[i].sessions
			}
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("sqltlsrpt: add: %w", err)
	}
	return dropped, nil
}

// add adds a row, where there is one of its kind, or room for it.
func (s *Storage) add(tx *sqldb.Tx, r *row, all *int64) (fits bool, err error) {
	if known, err := changed(tx.Exec(sqlCount, r.sessions, r.Day, r.Domain, r.hash)); err != nil || known {
		return known, err
	}
	kinds, _, err := sqldb.One(tx.Context(), tx, sqldb.Int64, sqlKinds, r.Day, r.Domain)
	if err != nil || kinds >= s.maxKinds || *all >= s.maxRows {
		return false, err
	}
	*all++
	_, err = tx.Exec(sqlInsert, r.Day, r.Domain, r.hash, r.entry, r.sessions)
	return true, err
}

func changed(result sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// Due implements tlsrpt.Storage.
func (s *Storage) Due(ctx context.Context, before int64, after tlsrpt.Key, limit int) ([]tlsrpt.Key, error) {
	keys, err := sqldb.Collect(ctx, s.db, func(r *sql.Rows) (key tlsrpt.Key, err error) {
		err = r.Scan(&key.Day, &key.Domain)
		return key, err
	}, sqlDue, before, after.Day, after.Day, after.Domain, limit)
	if err != nil {
		return nil, fmt.Errorf("sqltlsrpt: due: %w", err)
	}
	return keys, nil
}

// Load implements tlsrpt.Storage.
func (s *Storage) Load(ctx context.Context, key tlsrpt.Key) ([]tlsrpt.Counted, error) {
	list, err := sqldb.Collect(ctx, s.db, func(r *sql.Rows) (tlsrpt.Counted, error) {
		var raw []byte
		var e entry
		x := tlsrpt.Counted{Key: key}
		err := r.Scan(&raw, &x.Sessions)
		if err == nil {
			err = json.Unmarshal(raw, &e)
		}
		x.Policy, x.Failure = e.Policy, e.Failure
		return x, err
	}, sqlLoad, key.Day, key.Domain)
	if err != nil {
		return nil, fmt.Errorf("sqltlsrpt: load: %w", err)
	}
	return list, nil
}

// Delete implements tlsrpt.Storage.
func (s *Storage) Delete(ctx context.Context, key tlsrpt.Key, loaded []tlsrpt.Counted) error {
	rows, err := encode(loaded)
	if err != nil {
		return err
	}
	err = s.commit(ctx, len(rows), func(tx *sqldb.Tx) error {
		for _, r := range rows {
			gone, err := changed(tx.Exec(sqlDelete, key.Day, key.Domain, r.hash, r.sessions))
			if err == nil && !gone { // more has come since
				_, err = tx.Exec(sqlCount, -r.sessions, key.Day, key.Domain, r.hash)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("sqltlsrpt: delete: %w", err)
	}
	return nil
}
