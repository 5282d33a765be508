package sqllogin

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/mailstead/mailstead/auth/login"
)

// Backend is a login.CredentialEditor and a login.AppPasswordEditor over a
// database. Its fields are set before the
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

var (
	_ login.CredentialEditor  = (*Backend)(nil)
	_ login.AppPasswordEditor = (*Backend)(nil)
)

// errConfig: the fields of a Backend are not usable.
var errConfig = errors.New("sqllogin: no DB, unknown Dialect, or a Prefix that is no name")

// page is how many names Accounts reads at once.
const page = 1000

func (b *Backend) check() error {
	if b == nil || b.DB == nil || b.Dialect != SQLite && b.Dialect != PostgreSQL || !validPrefix(b.Prefix) {
		return errConfig
	}
	return nil
}

func (b *Backend) query(text string) string { return b.Dialect.rewrite(text, b.Prefix) }

// Lookup implements login.Backend.
func (b *Backend) Lookup(ctx context.Context, username string) (rec login.Record, err error) {
	if err := b.check(); err != nil {
		return rec, err
	}
	rows, err := b.DB.QueryContext(ctx, b.query(
		`SELECT u.account, u.hash, u.secrets, u.disabled, u.app_only, u.allow_nets,
			a.name, a.hash, a.protocols, a.created, a.used
		FROM ~login_users u LEFT JOIN ~login_app_passwords a ON a.username = u.username
		WHERE u.username = ? ORDER BY a.name`), username)
	if err != nil {
		return rec, fmt.Errorf("sqllogin: look up user: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	found := false
	for rows.Next() {
		var u userRow
		if err := u.scan(rows); err != nil {
			return rec, fmt.Errorf("sqllogin: look up user: %w", err)
		}
		if !found {
			found = true
			if rec, err = u.record(); err != nil {
				return rec, err
			}
		}
		if u.app.name.Valid {
			rec.AppPasswords = append(rec.AppPasswords, u.app.password())
		}
	}
	if err := rows.Err(); err != nil {
		return rec, fmt.Errorf("sqllogin: look up user: %w", err)
	}
	if !found {
		return rec, login.ErrNoUser
	}
	return rec, nil
}

// userRow is a user with one of his app passwords.
type userRow struct {
	account, hash, secrets, nets string
	disabled, appOnly            int
	app                          appRow
}

func (u *userRow) scan(rows *sql.Rows) error {
	return rows.Scan(&u.account, &u.hash, &u.secrets, &u.disabled, &u.appOnly, &u.nets,
		&u.app.name, &u.app.hash, &u.app.protocols, &u.app.created, &u.app.used)
}

func (u *userRow) record() (rec login.Record, err error) {
	rec = login.Record{
		Account: u.account, Hash: u.hash, Secrets: strings.Fields(u.secrets),
		Disabled: u.disabled != 0, AppPasswordsOnly: u.appOnly != 0,
	}
	if u.nets != "" {
		rec.AllowNets, err = login.ParseNets(u.nets)
	}
	return rec, err
}

// Set implements login.Editor. A new user's account has the user's name; that
// of an existing one stays.
func (b *Backend) Set(ctx context.Context, username, hash string) error {
	return b.SetCredentials(ctx, username, login.Credentials{Hash: hash})
}

// SetCredentials implements login.CredentialEditor.
func (b *Backend) SetCredentials(ctx context.Context, username string, c login.Credentials) error {
	if err := c.Check(); err != nil {
		return err
	}
	user, err := b.user(username)
	if err != nil {
		return err
	}
	_, err = b.DB.ExecContext(ctx, b.query(
		`INSERT INTO ~login_users (username, account, hash, secrets, disabled) VALUES (?, ?, ?, ?, 0)
		ON CONFLICT (username) DO UPDATE SET hash = excluded.hash, secrets = excluded.secrets`),
		user, user, c.Hash, strings.Join(c.Secrets, " "))
	if err != nil {
		return fmt.Errorf("sqllogin: set password: %w", err)
	}
	return nil
}

// Rehash implements login.CredentialEditor.
func (b *Backend) Rehash(ctx context.Context, username, old string, c login.Credentials) error {
	if err := c.Check(); err != nil {
		return err
	}
	user, err := b.user(username)
	if err != nil {
		return err
	}
	err = b.changeOne(ctx, `UPDATE ~login_users SET hash = ?, secrets = ? WHERE username = ? AND hash = ?`,
		c.Hash, strings.Join(c.Secrets, " "), user, old)
	if !errors.Is(err, login.ErrNoUser) {
		return err
	}
	if _, err := b.Lookup(ctx, user); err != nil {
		return err
	}
	return login.ErrChanged
}

// Disable implements login.Editor.
func (b *Backend) Disable(ctx context.Context, username string, disabled bool) error {
	user, err := b.user(username)
	if err != nil {
		return err
	}
	return b.changeOne(ctx, `UPDATE ~login_users SET disabled = ? WHERE username = ?`, flag(disabled), user)
}

// Delete implements login.Editor.
func (b *Backend) Delete(ctx context.Context, username string) error {
	user, err := b.user(username)
	if err != nil {
		return err
	}
	return b.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := b.lockUser(ctx, tx, user); err != nil { // none is added meanwhile
			return err
		}
		drop := b.query(`DELETE FROM ~login_app_passwords WHERE username = ?`)
		if _, err := tx.ExecContext(ctx, drop, user); err != nil {
			return fmt.Errorf("sqllogin: delete app passwords: %w", err)
		}
		return b.changeIn(ctx, tx, `DELETE FROM ~login_users WHERE username = ?`, user)
	})
}

// user checks the fields and canonicalises a name.
func (b *Backend) user(username string) (string, error) {
	if err := b.check(); err != nil {
		return "", err
	}
	return login.Canonical(username)
}

// execer is a database or a transaction.
type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// changeOne runs a statement that changes the row of one user.
func (b *Backend) changeOne(ctx context.Context, query string, args ...any) error {
	return b.changeIn(ctx, b.DB, query, args...)
}

// changeIn is changeOne within a transaction.
func (b *Backend) changeIn(ctx context.Context, in execer, query string, args ...any) error {
	res, err := in.ExecContext(ctx, b.query(query), args...)
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
