package sqldb

import (
	"context"
	"errors"
	"fmt"
)

// Migration is one step of a component's schema: statements in the common
// form. A step never removes what an earlier version needs.
type Migration []string

// Migrate brings the tables of a component ("store", "queue") to the version
// len(steps), in one transaction that excludes other writers. Steps that were
// carried out before are skipped. ErrVersion: the tables are newer.
func (db *DB) Migrate(ctx context.Context, component string, steps []Migration) error {
	if err := db.makeVersions(ctx); err != nil {
		return err
	}
	return db.Commit(ctx, Work{Key: "migrate", Do: func(tx *Tx) error {
		if s := db.dialect.LockSchema; s != "" {
			if _, err := tx.ExecOnce(s); err != nil {
				return err
			}
		}
		have, err := version(tx, component)
		if err != nil {
			return err
		}
		if have > int64(len(steps)) {
			return fmt.Errorf("%w: %s has version %d, this program knows %d",
				ErrVersion, component, have, len(steps))
		}
		for n := have; n < int64(len(steps)); n++ {
			if err := step(tx, component, n+1, steps[n]); err != nil {
				return fmt.Errorf("sqldb: %s version %d: %w", component, n+1, err)
			}
		}
		return nil
	}})
}

// makeVersions makes the table that LockSchema locks. Of processes that make it
// at once, some databases let all but one fail; then it is there.
func (db *DB) makeVersions(ctx context.Context) (err error) {
	if db.dialect.LockSchema == "" {
		return nil
	}
	for range 3 {
		err = db.Commit(ctx, Work{Key: "migrate", Do: func(tx *Tx) error {
			_, err := tx.ExecOnce(sqlVersions)
			return err
		}})
		if err == nil || errors.Is(err, ErrSystemic) || errors.Is(err, ErrClosed) {
			break
		}
	}
	return err
}

const sqlVersions = `CREATE TABLE IF NOT EXISTS schema_version (component {text} PRIMARY KEY, version {int} NOT NULL)`

func version(tx *Tx, component string) (int64, error) {
	_, err := tx.ExecOnce(sqlVersions)
	if err != nil {
		return 0, err
	}
	v, _, err := One(tx.Context(), tx, Int64, `SELECT version FROM schema_version WHERE component = ?`, component)
	return v, err
}

func step(tx *Tx, component string, n int64, m Migration) error {
	for _, s := range m {
		if _, err := tx.ExecOnce(s); err != nil {
			return err
		}
	}
	_, err := tx.Exec(`INSERT INTO schema_version (component, version) VALUES (?, ?)
		ON CONFLICT (component) DO UPDATE SET version = excluded.version`, component, n)
	return err
}
