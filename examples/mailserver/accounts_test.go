package main

import (
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/filelogin"
	"github.com/mailstead/mailstead/examples/internal/program"
	"github.com/mailstead/mailstead/store"
)

// newTestServer has no listener at all.
func newTestServer(t *testing.T, args ...string) (*server, error) {
	t.Helper()
	for _, l := range listeners {
		args = append(args, "-"+l.name, "off")
	}
	o, err := parse(t, nil, append([]string{"-data", filepath.Join(t.TempDir(), "data")}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newServer(t.Context(), o, slog.New(slog.DiscardHandler))
	if err == nil {
		t.Cleanup(s.closeAll)
	}
	return s, err
}

func TestFirstRunAccounts(t *testing.T) {
	file := filepath.Join(t.TempDir(), firstRunFile)
	first, err := firstRunAccounts(file, "example.net")
	if err != nil {
		t.Fatal(err)
	}
	if len(first) != 2 || first[0].name != "alice@example.net" || first[1].name != "bob@example.net" ||
		first[0].password == first[1].password || len(first[0].password) < 20 {
		t.Fatalf("%q", first)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	again, err := firstRunAccounts(file, "example.org")
	if err != nil || len(again) != 2 || again[0] != first[0] || again[1] != first[1] {
		t.Errorf("again %q, %v; want %q", again, err, first)
	}
	if names := fileNames(t, filepath.Dir(file)); names != firstRunFile {
		t.Errorf("left behind: %s", names)
	}
	if _, err := firstRunAccounts(filepath.Join(file, "x"), "example.org"); err == nil {
		t.Error("no error where the file cannot be made")
	}
}

// fileNames are those in dir, sorted.
func fileNames(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func TestWriteFileReplaces(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	for _, content := range []string{"one", "two"} {
		if err := program.WriteFile(file, []byte(content)); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(file)
		info, _ := os.Stat(file)
		if err != nil || string(b) != content || info.Mode() != fs.FileMode(0o600) {
			t.Errorf("%q, %v, %v", b, info.Mode(), err)
		}
	}
}

// Accounts are made with their special mailboxes, subscribed; a second time
// nothing changes but the password.
func TestSetUpAccounts(t *testing.T) {
	s, err := newTestServer(t, "-user", "Alice@Example.ORG:one")
	if err != nil {
		t.Fatal(err)
	}
	users := &filelogin.File{Path: filepath.Join(s.o.data, "passwd")}
	acct, err := s.engine.store.Open(t.Context(), "alice@example.org")
	if err != nil {
		t.Fatal(err)
	}
	boxes, before, err := acct.Mailboxes(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	roles := map[string]string{}
	for _, b := range boxes {
		roles[b.Name] = b.Role
	}
	for _, m := range specialMailboxes {
		if roles[m.name] != m.role {
			t.Errorf("%s has role %q, want %q", m.name, roles[m.name], m.role)
		}
	}
	first, err := users.Lookup(t.Context(), "alice@example.org")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		password string
		changes  bool
	}{{"one", false}, {"two", true}} {
		if err := setUpAccounts(t.Context(), users, s.engine.store, []account{{"alice@example.org", test.password}}); err != nil {
			t.Fatal(err)
		}
		rec, err := users.Lookup(t.Context(), "alice@example.org")
		if err != nil || (rec.Hash != first.Hash) != test.changes {
			t.Errorf("password %s: hash changed %v, %v", test.password, rec.Hash != first.Hash, err)
		}
		if ok, err := login.Verify(rec.Hash, login.NewPassword(test.password)); !ok || err != nil {
			t.Errorf("password %s: %v, %v", test.password, ok, err)
		}
	}
	if _, after, _ := acct.Mailboxes(t.Context(), 0); after != before {
		t.Errorf("the mailboxes changed: %d, %d", before, after)
	}
}

func TestNewServerRefuses(t *testing.T) {
	for _, args := range [][]string{
		{"-catch-all", "nobody@example.org"},
		{"-user", "\x01@example.org:x"},
		{"-tls-cert", "/does/not/exist", "-tls-key", "/does/not/exist"},
	} {
		if _, err := newTestServer(t, args...); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}

// The postmaster is the first of -user, else whoever comes first in the store.
func TestPostmaster(t *testing.T) {
	s, err := newTestServer(t, "-user", "zoe@example.org:x", "-user", "adam@example.org:x")
	if err != nil {
		t.Fatal(err)
	}
	for accounts, want := range map[string]store.AccountID{"zoe@example.org": "zoe@example.org", "": "adam@example.org"} {
		var given []account
		if accounts != "" {
			given = []account{{accounts, "x"}}
		}
		d, err := newDirectory(s.o, s.engine.store, given)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := d.Postmaster(t.Context()); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", accounts, got, err, want)
		}
	}
}
