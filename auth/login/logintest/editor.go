package logintest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/mailstead/mailstead/auth/login"
)

// Hash returns a stored hash of a password that costs little.
func Hash(t testing.TB, password string) string {
	t.Helper()
	h, err := login.HashPassword(login.NewPassword(password), login.Params{MemoryKiB: 8, Time: 1, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// wants returns a function that reports a step whose error is another one.
func wants(t *testing.T) func(step string, err, want error) {
	return func(step string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("%s: %v; want %v", step, err, want)
		}
	}
}

// names returns the accounts of an Editor.
func names(t *testing.T, e login.Editor) (list []string) {
	t.Helper()
	for name, err := range e.Accounts(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, name)
	}
	return list
}

// Editor judges a login.Editor.
func Editor(t *testing.T, open func(t *testing.T) login.Editor) {
	t.Run("changes", func(t *testing.T) { editorChanges(t, open(t)) })
	t.Run("refusals", func(t *testing.T) { editorRefusals(t, open(t)) })
	t.Run("accounts", func(t *testing.T) { editorAccounts(t, open(t)) })
	t.Run("concurrent", func(t *testing.T) { editorConcurrent(t, open(t)) })
}

func editorChanges(t *testing.T, e login.Editor) {
	ctx, check := t.Context(), wants(t)
	h1, h2 := Hash(t, "one"), Hash(t, "two")
	check("set, which creates", e.Set(ctx, "Alice@Example.org", h1), nil)
	lookup := func(step, hash string, disabled bool) {
		t.Helper()
		rec, err := e.Lookup(ctx, "alice@example.org")
		if err != nil || rec.Account != "alice@example.org" || rec.Hash != hash || rec.Disabled != disabled {
			t.Errorf("%s: lookup %+v, %v", step, rec, err)
		}
	}
	lookup("set", h1, false)
	check("disable", e.Disable(ctx, "ALICE@example.org", true), nil)
	lookup("disabled", h1, true)
	check("set of a disabled user", e.Set(ctx, "alice@example.org", h2), nil)
	lookup("a new password does not enable", h2, true)
	check("enable", e.Disable(ctx, "alice@example.org", false), nil)
	lookup("enabled", h2, false)
	check("delete", e.Delete(ctx, "Alice@example.org"), nil)
	_, err := e.Lookup(ctx, "alice@example.org")
	check("lookup after delete", err, login.ErrNoUser)
	check("delete again", e.Delete(ctx, "alice@example.org"), login.ErrNoUser)
	check("disable after delete", e.Disable(ctx, "alice@example.org", true), login.ErrNoUser)
	check("set again", e.Set(ctx, "alice@example.org", h1), nil)
	lookup("a deleted user who comes back is enabled", h1, false)
}

func editorRefusals(t *testing.T, e login.Editor) {
	ctx, check := t.Context(), wants(t)
	h := Hash(t, "x")
	check("set", e.Set(ctx, "bob", h), nil) // a file has to be there
	check("hash without scheme", e.Set(ctx, "alice", "secret"), login.ErrHash)
	check("no hash", e.Set(ctx, "alice", ""), login.ErrHash)
	check("name with a space", e.Set(ctx, "al ice", h), login.ErrUsername)
	check("no name", e.Delete(ctx, ""), login.ErrUsername)
	check("no name", e.Disable(ctx, "", true), login.ErrUsername)
	if list := names(t, e); len(list) != 1 {
		t.Errorf("refused changes left %q", list)
	}
}

func editorAccounts(t *testing.T, e login.Editor) {
	h := Hash(t, "x")
	var want []string
	for i := range 30 {
		name := fmt.Sprintf("user%02d@example.org", i)
		want = append(want, name)
		if err := e.Set(t.Context(), name, h); err != nil {
			t.Fatal(err)
		}
	}
	if got := names(t, e); !slices.Equal(got, want) {
		t.Errorf("accounts %q", got)
	}
	for name := range e.Accounts(t.Context()) { // a change while the loop runs
		if err := e.Disable(t.Context(), name, true); err != nil {
			t.Error(err)
		}
		break
	}
}

func editorConcurrent(t *testing.T, e login.Editor) {
	h := Hash(t, "x")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			name := fmt.Sprint("user", i)
			if err := e.Set(t.Context(), name, h); err != nil {
				t.Error(err)
			}
			if _, err := e.Lookup(t.Context(), name); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if list := names(t, e); len(list) != 8 {
		t.Errorf("a change was lost: %q", list)
	}
}

// CredentialEditor judges a login.CredentialEditor, beside what Editor does.
func CredentialEditor(t *testing.T, open func(t *testing.T) login.CredentialEditor) {
	t.Run("secrets", func(t *testing.T) { secrets(t, open(t)) })
	t.Run("rehash", func(t *testing.T) { rehash(t, open(t)) })
}

// form is a second form of a password.
func form(t *testing.T, password string) string {
	return Hash(t, password) // of any scheme
}

func secrets(t *testing.T, e login.CredentialEditor) {
	ctx, check := t.Context(), wants(t)
	c := login.Credentials{Hash: Hash(t, "one"), Secrets: []string{form(t, "one"), form(t, "one")}}
	check("set with secrets", e.SetCredentials(ctx, "Alice", c), nil)
	rec, err := e.Lookup(ctx, "alice")
	if err != nil || rec.Hash != c.Hash || !slices.Equal(rec.Secrets, c.Secrets) {
		t.Errorf("lookup %+v, %v", rec, err)
	}
	check("a secret that is none", e.SetCredentials(ctx, "alice", login.Credentials{Hash: c.Hash, Secrets: []string{"x"}}), login.ErrHash)
	check("a secret with a space", e.SetCredentials(ctx, "alice", login.Credentials{Hash: c.Hash, Secrets: []string{"{PLAIN}a b"}}), login.ErrHash)
	check("set", e.Set(ctx, "alice", Hash(t, "two")), nil)
	if rec, _ := e.Lookup(ctx, "alice"); len(rec.Secrets) != 0 {
		t.Errorf("the old password lives on in %q", rec.Secrets)
	}
}

func rehash(t *testing.T, e login.CredentialEditor) {
	ctx, check := t.Context(), wants(t)
	old, other := Hash(t, "one"), Hash(t, "two")
	c := login.Credentials{Hash: Hash(t, "one"), Secrets: []string{form(t, "one")}}
	check("set", e.Set(ctx, "bob", old), nil) // a file has to be there
	check("unknown user", e.Rehash(ctx, "alice", old, c), login.ErrNoUser)
	check("set", e.Set(ctx, "alice", old), nil)
	check("rehash", e.Rehash(ctx, "ALICE", old, c), nil)
	rec, err := e.Lookup(ctx, "alice")
	if err != nil || rec.Hash != c.Hash || !slices.Equal(rec.Secrets, c.Secrets) {
		t.Errorf("lookup %+v, %v", rec, err)
	}
	check("set meanwhile", e.Set(ctx, "alice", other), nil)
	check("rehash of what was", e.Rehash(ctx, "alice", c.Hash, c), login.ErrChanged)
	if rec, _ := e.Lookup(ctx, "alice"); rec.Hash != other || len(rec.Secrets) != 0 {
		t.Errorf("a password that was changed meanwhile is overwritten: %+v", rec)
	}
	check("unusable hash", e.Rehash(ctx, "alice", other, login.Credentials{Hash: "x"}), login.ErrHash)
	rehashRace(t, e)
}

// rehashRace: of a rehash and a new password at once the new password stays.
func rehashRace(t *testing.T, e login.CredentialEditor) {
	old, again, fresh := Hash(t, "one"), Hash(t, "one"), Hash(t, "two")
	for range 10 {
		if err := e.Set(t.Context(), "bob", old); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := e.Rehash(context.WithoutCancel(t.Context()), "bob", old, login.Credentials{Hash: again}); err != nil && !errors.Is(err, login.ErrChanged) {
				t.Error(err)
			}
		})
		wg.Go(func() {
			if err := e.Set(t.Context(), "bob", fresh); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		if rec, _ := e.Lookup(t.Context(), "bob"); rec.Hash != fresh {
			t.Error("a rehash overwrote a new password")
		}
	}
}
