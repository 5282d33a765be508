package login

import (
	"context"
	"errors"
	"testing"
)

// A directory judges the users' own passwords, a file keeps their app passwords.
func TestWithAppPasswords(t *testing.T) {
	ctx := t.Context()
	check := func(_ context.Context, a Attempt) error {
		if a.Password.Reveal() == "secret" {
			return nil
		}
		return ErrRejected
	}
	directory := backendFunc(func(_ context.Context, user string) (Record, error) {
		if user != "alice" {
			return Record{}, ErrNoUser
		}
		return Record{Account: "uid1", Check: check}, nil
	})
	apps := &Memory{}
	_ = apps.Set(ctx, "mallory", mustHash(t, "secret")) // unknown to the directory
	w := &WithAppPasswords{Users: directory, Apps: apps}
	s := &Service{Backend: Chain{&Memory{}, w}, Params: cheap, Guard: Unguarded{}, Logger: quiet}
	try := func(step, user, password string, want error) {
		t.Helper()
		id, err := s.Authenticate(ctx, attempt(user, password))
		if err != want || err == nil && id.Account != "uid1" {
			t.Errorf("%s: %+v, %v", step, id, err)
		}
	}
	if _, err := CreateAppPassword(ctx, w, "bob", "phone"); !errors.Is(err, ErrNoUser) {
		t.Errorf("nobody: %v", err)
	}
	app, err := CreateAppPassword(ctx, w, "Alice", "phone")
	if err != nil {
		t.Fatal(err)
	}
	try("own password", "alice", "secret", nil)
	try("app password", "alice", app.Reveal(), nil)
	try("wrong password", "alice", "wrong", ErrRejected)
	try("known to the keeper of app passwords only", "mallory", "secret", ErrRejected)
	rec, err := w.Lookup(ctx, "alice")
	if err != nil || len(rec.AppPasswords) != 1 || rec.AppPasswords[0].LastUsed.IsZero() {
		t.Errorf("use not recorded: %+v, %v", rec, err)
	}
	if err := w.SetAppPasswordsOnly(ctx, "alice", true); err != nil {
		t.Fatal(err)
	}
	try("own password refused", "alice", "secret", ErrRejected)
	_ = w.SetAppPasswordsOnly(ctx, "alice", false)
	w.Only = true
	try("everybody's own password refused", "alice", "secret", ErrRejected)
	try("app password only", "alice", app.Reveal(), nil)
	if err := w.DeleteAppPassword(ctx, "alice", "phone"); err != nil {
		t.Fatal(err)
	}
	try("revoked", "alice", app.Reveal(), ErrRejected)
	w = &WithAppPasswords{Users: directory, Apps: brokenApps{apps}}
	if _, err := w.Lookup(ctx, "alice"); !errors.Is(err, errDown) {
		t.Errorf("a keeper that fails: %v", err)
	}
}

// brokenApps cannot be read.
type brokenApps struct{ *Memory }

func (brokenApps) Lookup(context.Context, string) (Record, error) { return Record{}, errDown }
