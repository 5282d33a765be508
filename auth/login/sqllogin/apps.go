package sqllogin

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/mailstead/mailstead/auth/login"
)

// appRow is an app password, or nothing where its name is NULL.
type appRow struct {
	name, hash, protocols sql.NullString
	created, used         sql.NullInt64 // seconds since 1970, 0: unknown or never
}

func (a appRow) password() login.AppPassword {
	p := login.AppPassword{
		Name: a.name.String, Hash: a.hash.String,
		Created: fromSeconds(a.created.Int64), LastUsed: fromSeconds(a.used.Int64),
	}
	for _, word := range strings.Fields(a.protocols.String) {
		p.Protocols = append(p.Protocols, login.Protocol(word))
	}
	return p
}

func fromSeconds(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}

func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// AddAppPassword implements login.AppPasswordEditor.
func (b *Backend) AddAppPassword(ctx context.Context, username string, p login.AppPassword) error {
	user, err := b.user(username)
	if err != nil {
		return err
	}
	var protocols []string
	for _, x := range p.Protocols {
		protocols = append(protocols, string(x))
	}
	return b.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := b.lockUser(ctx, tx, user); err != nil {
			return err
		}
		others, err := b.appNames(ctx, tx, user)
		if err != nil {
			return err
		}
		if err := login.CheckAppPassword(p, others); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, b.query(
			`INSERT INTO ~login_app_passwords (username, name, hash, protocols, created, used) VALUES (?, ?, ?, ?, ?, ?)`),
			user, p.Name, p.Hash, strings.Join(protocols, " "), seconds(p.Created), seconds(p.LastUsed))
		if err != nil {
			return fmt.Errorf("sqllogin: add app password: %w", err)
		}
		return nil
	})
}

// lockUser makes other changes of the user's row wait for the transaction.
func (b *Backend) lockUser(ctx context.Context, tx *sql.Tx, user string) error {
	return b.changeIn(ctx, tx, `UPDATE ~login_users SET disabled = disabled WHERE username = ?`, user)
}

// appNames returns what a new app password is checked against.
func (b *Backend) appNames(ctx context.Context, tx *sql.Tx, user string) (list []login.AppPassword, err error) {
	rows, err := tx.QueryContext(ctx, b.query(`SELECT name FROM ~login_app_passwords WHERE username = ?`), user)
	if err != nil {
		return nil, fmt.Errorf("sqllogin: list app passwords: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var p login.AppPassword
		if err := rows.Scan(&p.Name); err != nil {
			return nil, fmt.Errorf("sqllogin: list app passwords: %w", err)
		}
		list = append(list, p)
	}
	return list, rows.Err()
}

// DeleteAppPassword implements login.AppPasswordEditor.
func (b *Backend) DeleteAppPassword(ctx context.Context, username, name string) error {
	user, err := b.user(username)
	if err != nil {
		return err
	}
	return b.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := b.lockUser(ctx, tx, user); err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, b.query(`DELETE FROM ~login_app_passwords WHERE username = ? AND name = ?`), user, name)
		if err != nil {
			return fmt.Errorf("sqllogin: delete app password: %w", err)
		}
		n, err := res.RowsAffected()
		if err != nil {
			return fmt.Errorf("sqllogin: delete app password: %w", err)
		}
		if n == 0 {
			return login.ErrNoAppPassword
		}
		return nil
	})
}

// UseAppPassword implements login.AppPasswordEditor.
func (b *Backend) UseAppPassword(ctx context.Context, username, name string, at time.Time) error {
	user, err := b.user(username)
	if err != nil {
		return err
	}
	_, err = b.DB.ExecContext(ctx, b.query(
		`UPDATE ~login_app_passwords SET used = ? WHERE username = ? AND name = ? AND used < ?`),
		seconds(at), user, name, seconds(at))
	if err != nil {
		return fmt.Errorf("sqllogin: record use of app password: %w", err)
	}
	return nil
}

// SetAppPasswordsOnly implements login.AppPasswordEditor.
func (b *Backend) SetAppPasswordsOnly(ctx context.Context, username string, only bool) error {
	user, err := b.user(username)
	if err != nil {
		return err
	}
	return b.changeOne(ctx, `UPDATE ~login_users SET app_only = ? WHERE username = ?`, flag(only), user)
}

func flag(on bool) int {
	if on {
		return 1
	}
	return 0
}
