package sqllogin

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"

	"github.com/mailstead/mailstead/auth/login"
)

// Backend is a login.Editor over a database. Its fields are set before the
// first use and not changed later.
type Backend struct {
	// DB is the database. The caller opens and closes it. Required.
	DB *sql.DB
	// Dialect is what the database speaks. Zero means SQLite.
	Dialect Dialect
	// Prefix stands in front of the table names: letters, digits and '_', at
	// most 40. Empty means none.
	Prefix string
}

var _ login.Editor = (*Backend)(nil)

// errConfig: the fields of a Backend are not usable.
var errConfig = errors.New("sqllogin: no DB, unknown Dialect, or a Prefix that is no name")

// page is how many names Accounts reads at once.
const page = 1000

func (b *Backend) check() error {
	if b.DB == nil || b.Dialect != SQLite && b.Dialect != PostgreSQL || !validPrefix(b.Prefix) {
		return errConfig
	}
	return nil
}

func (b *Backend) query(text string) string { return b.Dialect.rewrite(text, b.Prefix) }

// Lookup implements login.Backend.
func (b *Backend) Lookup(ctx context.Context, username string) (login.Record, error) {
	if err := b.check(); err != nil {
		return login.Record{}, err
	}
	var rec login.Record
	var disabled int
	err := b.DB.QueryRowContext(ctx,
		b.query(`SELECT account, hash, disabled FROM ~login_users WHERE username = ?`), username).
		Scan(&rec.Account, &rec.Hash, &disabled)
	if errors.Is(err, sql.ErrNoRows) {
		return login.Record{}, login.ErrNoUser
	}
	if err != nil {
		return login.Record{}, fmt.Errorf("sqllogin: look up user: %w", err)
	}
	rec.Disabled = disabled != 0
	return rec, nil
}

// Set implements login.Editor. A new user's account has the user's name; that
// of an existing one stays.
func (b *Backend) Set(ctx context.Context, username, hash string) error {
	if err := login.CheckHash(hash); err != nil {
		return err
	}
	user, err := b.user(username)
	if err != nil {
		return err
	}
	_, err = b.DB.ExecContext(ctx, b.query(
		`INSERT INTO ~login_users (username, account, hash, disabled) VALUES (?, ?, ?, 0)
		ON CONFLICT (username) DO UPDATE SET hash = excluded.hash`), user, user, hash)
	if err != nil {
		return fmt.Errorf("sqllogin: set password: %w", err)
	}
	return nil
}

// Disable implements login.Editor.
func (b *Backend) Disable(ctx context.Context, username string, disabled bool) error {
	user, err := b.user(username)
	if err != nil {
		return err
	}
	value := 0
	if disabled {
		value = 1
	}
	return b.changeOne(ctx, `UPDATE ~login_users SET disabled = ? WHERE username = ?`, value, user)
}

// Delete implements login.Editor.
func (b *Backend) Delete(ctx context.Context, username string) error {
	user, err := b.user(username)
	if err != nil {
		return err
	}
	return b.changeOne(ctx, `DELETE FROM ~login_users WHERE username = ?`, user)
}

// user checks the fields and canonicalises a name.
func (b *Backend) user(username string) (string, error) {
	if err := b.check(); err != nil {
		return "", err
	}
	return login.Canonical(username)
}

// changeOne runs a statement that changes the row of one user.
func (b *Backend) changeOne(ctx context.Context, query string, args ...any) error {
	res, err := b.DB.ExecContext(ctx, b.query(query), args...)
	if err != nil {
		return fmt.Errorf("sqllogin: change user: %w", err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return fmt.Errorf("sqllogin: change user: %w", err)
	}
	if n == 0 {
		return login.ErrNoUser
	}
	return nil
}

// Accounts implements login.Editor. It reads page by page; users that come or
// go meanwhile may or may not be seen.
func (b *Backend) Accounts(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		after := ""
		for {
			names, err := b.page(ctx, after)
			if err != nil {
				yield("", err)
				return
			}
			for _, name := range names {
				if !yield(name, nil) {
					return
				}
			}
			if len(names) < page {
				return
			}
			after = names[len(names)-1]
		}
	}
}

// page reads the names that follow after.
func (b *Backend) page(ctx context.Context, after string) (names []string, err error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	rows, err := b.DB.QueryContext(ctx, b.query(
		`SELECT username FROM ~login_users WHERE username > ? ORDER BY username LIMIT ?`), after, page)
	if err != nil {
		return nil, fmt.Errorf("sqllogin: list users: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, fmt.Errorf("sqllogin: list users: %w", err)
		}
		names = append(names, name)
	}
	return names, rows.Err()
}
