package login

import (
	"context"
	"errors"
	"time"
)

// WithAppPasswords is a Backend whose users are those of one backend, such as a
// directory that nobody here may write to, and whose app passwords are kept in
// another one. It is an AppPasswordEditor.
type WithAppPasswords struct {
	// Users knows the users. Required.
	Users Backend
	// Apps keeps their app passwords, under the same user names, and nothing
	// else of it counts: neither its own passwords nor who is disabled there.
	// Required.
	Apps interface {
		Editor
		AppPasswordEditor
	}
	// Only refuses everybody's own password, as Record.AppPasswordsOnly does
	// for one.
	Only bool
}

var _ AppPasswordEditor = (*WithAppPasswords)(nil)

// Lookup implements Backend. A user without app passwords is one who is unknown
// to Apps; where Apps fails, so does Lookup.
func (w *WithAppPasswords) Lookup(ctx context.Context, username string) (Record, error) {
	rec, err := w.Users.Lookup(ctx, username)
	if err != nil {
		return rec, err
	}
	apps, err := w.Apps.Lookup(ctx, username)
	if err != nil && !errors.Is(err, ErrNoUser) {
		return Record{}, err
	}
	rec.AppPasswords = apps.AppPasswords
	rec.AppPasswordsOnly = w.Only || rec.AppPasswordsOnly || apps.AppPasswordsOnly
	return rec, nil
}

// Unwrap returns Users.
func (w *WithAppPasswords) Unwrap() Backend { return w.Users }

// AddAppPassword implements AppPasswordEditor.
func (w *WithAppPasswords) AddAppPassword(ctx context.Context, username string, p AppPassword) error {
	if err := w.enroll(ctx, username); err != nil {
		return err
	}
	return w.Apps.AddAppPassword(ctx, username, p)
}

// SetAppPasswordsOnly implements AppPasswordEditor.
func (w *WithAppPasswords) SetAppPasswordsOnly(ctx context.Context, username string, only bool) error {
	if err := w.enroll(ctx, username); err != nil {
		return err
	}
	return w.Apps.SetAppPasswordsOnly(ctx, username, only)
}

// enroll makes a user of Users known to Apps. The password that he gets there is
// nobody's: a random one that is not kept.
func (w *WithAppPasswords) enroll(ctx context.Context, username string) error {
	user, err := Canonical(username)
	if err != nil {
		return err
	}
	if _, err := w.Users.Lookup(ctx, user); err != nil {
		return err
	}
	_, err = w.Apps.Lookup(ctx, user)
	if errors.Is(err, ErrNoUser) {
		return w.Apps.Set(ctx, user, hashAppPassword(randomAppPassword()))
	}
	return err
}

// DeleteAppPassword implements AppPasswordEditor.
func (w *WithAppPasswords) DeleteAppPassword(ctx context.Context, username, name string) error {
	if err := w.enroll(ctx, username); err != nil {
		return err
	}
	return w.Apps.DeleteAppPassword(ctx, username, name)
}

// UseAppPassword implements AppPasswordEditor.
func (w *WithAppPasswords) UseAppPassword(ctx context.Context, username, name string, at time.Time) error {
	return w.Apps.UseAppPassword(ctx, username, name, at)
}
