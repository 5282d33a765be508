package sqllogin

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// ErrNewerSchema: a newer version of this package made the tables.
var ErrNewerSchema = errors.New("sqllogin: the tables are of a newer version")

// migrations lead from each version to the next; a published one never
// changes.
var migrations = [...][]string{
	{`CREATE TABLE ~login_users (
		username TEXT@ NOT NULL PRIMARY KEY,
		account TEXT NOT NULL,
		hash TEXT NOT NULL,
		disabled SMALLINT NOT NULL DEFAULT 0)`},
	{
		`ALTER TABLE ~login_users ADD COLUMN secrets TEXT NOT NULL DEFAULT ''`,
		`ALTER TABLE ~login_users ADD COLUMN app_only SMALLINT NOT NULL DEFAULT 0`,
		`ALTER TABLE ~login_users ADD COLUMN allow_nets TEXT NOT NULL DEFAULT ''`,
		`CREATE TABLE ~login_app_passwords (
			username TEXT@ NOT NULL,
			name TEXT@ NOT NULL,
			hash TEXT NOT NULL,
			protocols TEXT NOT NULL DEFAULT '',
			created BIGINT NOT NULL DEFAULT 0,
			used BIGINT NOT NULL DEFAULT 0,
			PRIMARY KEY (username, name))`,
		`CREATE TABLE ~login_guard (
			username TEXT@ NOT NULL,
			prefix TEXT@ NOT NULL,
			failures INTEGER NOT NULL DEFAULT 0,
			failed BIGINT NOT NULL DEFAULT 0,
			attempts INTEGER NOT NULL DEFAULT 0,
			attempted BIGINT NOT NULL DEFAULT 0,
			succeeded BIGINT NOT NULL DEFAULT 0,
			peer TEXT NOT NULL DEFAULT '',
			PRIMARY KEY (username, prefix))`,
		`CREATE TABLE ~login_guard_wrong (
			digest TEXT@ NOT NULL PRIMARY KEY,
			seen BIGINT NOT NULL)`,
	},
}

// Migrate makes the tables, or brings those of an older version up to date.
// It keeps all users. ErrNewerSchema.
func (b *Backend) Migrate(ctx context.Context) error {
	if err := b.check(); err != nil {
		return err
	}
	// Two sessions of PostgreSQL that create one table at once can fail with
	// a unique violation despite IF NOT EXISTS; the second try finds it.
	create := b.query(`CREATE TABLE IF NOT EXISTS ~login_schema (
		id SMALLINT NOT NULL PRIMARY KEY, version INTEGER NOT NULL)`)
	_, err := b.DB.ExecContext(ctx, create)
	if err != nil {
		_, err = b.DB.ExecContext(ctx, create)
	}
	if err != nil {
		return fmt.Errorf("sqllogin: create schema table: %w", err)
	}
	return b.transact(ctx, b.migrate)
}

// migrate runs what is missing. Its first statement writes the schema row and
// so makes every other Migrate wait for the end of the transaction.
func (b *Backend) migrate(ctx context.Context, tx *sql.Tx) error {
	lock := b.query(`INSERT INTO ~login_schema (id, version) VALUES (1, 0)
		ON CONFLICT (id) DO UPDATE SET id = excluded.id`)
	if _, err := tx.ExecContext(ctx, lock); err != nil {
		return fmt.Errorf("sqllogin: lock schema: %w", err)
	}
	var version int
	read := b.query(`SELECT version FROM ~login_schema WHERE id = 1`)
	if err := tx.QueryRowContext(ctx, read).Scan(&version); err != nil {
		return fmt.Errorf("sqllogin: read schema version: %w", err)
	}
	if version > len(migrations) || version < 0 {
		return fmt.Errorf("%w: %d, this one knows %d", ErrNewerSchema, version, len(migrations))
	}
	for _, step := range migrations[version:] {
		version++
		for _, statement := range step {
			if _, err := tx.ExecContext(ctx, b.query(statement)); err != nil {
				return fmt.Errorf("sqllogin: migrate to version %d: %w", version, err)
			}
		}
	}
	_, err := tx.ExecContext(ctx, b.query(`UPDATE ~login_schema SET version = ? WHERE id = 1`), version)
	if err != nil {
		return fmt.Errorf("sqllogin: write schema version: %w", err)
	}
	return nil
}

func (b *Backend) transact(ctx context.Context, f func(context.Context, *sql.Tx) error) error {
	tx, err := b.DB.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("sqllogin: begin: %w", err)
	}
	if err := f(ctx, tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("sqllogin: commit: %w", err)
	}
	return nil
}
