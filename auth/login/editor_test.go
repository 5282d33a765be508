package login

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"
)

func accounts(t *testing.T, e Editor) []string {
	t.Helper()
	var names []string
	for name, err := range e.Accounts(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	return names
}

// TestEditors holds for every Editor of the package.
func TestEditors(t *testing.T) {
	for name, e := range map[string]Editor{
		"memory": &Memory{},
		"file":   &File{Path: filepath.Join(t.TempDir(), "passwd")},
	} {
		t.Run(name, func(t *testing.T) { testEditor(t, e) })
	}
}

func testEditor(t *testing.T, e Editor) {
	ctx := t.Context()
	h1, h2 := mustHash(t, "one"), mustHash(t, "two")
	check := func(step string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: %v; want %v", step, err, want)
		}
	}
	check("set", e.Set(ctx, "Bob@Example.org", h1), nil)
	check("set", e.Set(ctx, "alice@example.org", h1), nil)
	if got, want := accounts(t, e), []string{"alice@example.org", "bob@example.org"}; !slices.Equal(got, want) {
		t.Errorf("accounts %q", got)
	}
	rec, err := e.Lookup(ctx, "bob@example.org")
	if err != nil || rec.Account != "bob@example.org" || rec.Hash != h1 || rec.Disabled {
		t.Errorf("lookup: %+v, %v", rec, err)
	}
	check("disable", e.Disable(ctx, "BOB@example.org", true), nil)
	check("set disabled", e.Set(ctx, "bob@example.org", h2), nil)
	if rec, _ := e.Lookup(ctx, "bob@example.org"); rec.Hash != h2 || !rec.Disabled {
		t.Errorf("a new password must not enable: %+v", rec)
	}
	check("enable", e.Disable(ctx, "bob@example.org", false), nil)
	if rec, _ := e.Lookup(ctx, "bob@example.org"); rec.Hash != h2 || rec.Disabled {
		t.Errorf("enabled: %+v", rec)
	}
	check("delete", e.Delete(ctx, "Bob@example.org"), nil)
	check("delete again", e.Delete(ctx, "bob@example.org"), ErrNoUser)
	check("disable unknown", e.Disable(ctx, "bob@example.org", true), ErrNoUser)
	_, err = e.Lookup(ctx, "bob@example.org")
	check("lookup deleted", err, ErrNoUser)
	check("bad hash", e.Set(ctx, "alice@example.org", "secret"), ErrHash)
	check("empty hash", e.Set(ctx, "alice@example.org", ""), ErrHash)
	check("bad name", e.Set(ctx, "al ice", h1), ErrUsername)
	check("bad name", e.Delete(ctx, ""), ErrUsername)
	for range e.Accounts(ctx) {
		break
	}
}

func TestChain(t *testing.T) {
	first, second := &Memory{}, &Memory{}
	ctx := t.Context()
	_ = first.Set(ctx, "alice", mustHash(t, "first"))
	_ = second.Set(ctx, "alice", mustHash(t, "second"))
	_ = second.Set(ctx, "bob", mustHash(t, "second"))
	down := backendFunc(func(context.Context, string) (Record, error) { return Record{}, errDown })
	if rec, err := (Chain{first, second}).Lookup(ctx, "alice"); err != nil || rec.Hash != first.users["alice"].Hash {
		t.Errorf("first counts: %+v, %v", rec, err)
	}
	if rec, err := (Chain{first, second}).Lookup(ctx, "bob"); err != nil || rec.Account != "bob" {
		t.Errorf("second: %+v, %v", rec, err)
	}
	if _, err := (Chain{first, down, second}).Lookup(ctx, "bob"); !errors.Is(err, errDown) {
		t.Errorf("a failure must end the search: %v", err)
	}
	if _, err := (Chain{}).Lookup(ctx, "bob"); !errors.Is(err, ErrNoUser) {
		t.Errorf("empty: %v", err)
	}
}
