package sqllogin

import (
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mailstead/mailstead/auth/login"
)

var cheap = login.Params{MemoryKiB: 8, Time: 1, Threads: 1}

func hash(t *testing.T, password string) string {
	t.Helper()
	h, err := login.HashPassword(login.NewPassword(password), cheap)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// open returns a migrated backend over a fake database.
func open(t *testing.T, d Dialect, prefix string) (*Backend, *fakeDB) {
	t.Helper()
	b := &Backend{Dialect: d, Prefix: prefix}
	f := &fakeDB{b: b}
	b.DB = sql.OpenDB(f)
	t.Cleanup(func() {
		if err := b.DB.Close(); err != nil {
			t.Error(err)
		}
		if f.open != 0 {
			t.Errorf("%d rows or transactions stay open", f.open)
		}
	})
	if err := b.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b, f
}

func TestEditor(t *testing.T) {
	for _, tt := range []struct {
		d      Dialect
		prefix string
	}{{SQLite, ""}, {PostgreSQL, "mail_"}} {
		t.Run(tt.prefix, func(t *testing.T) {
			b, _ := open(t, tt.d, tt.prefix)
			testEditor(t, b)
		})
	}
}

func testEditor(t *testing.T, b *Backend) {
	ctx := t.Context()
	h1, h2 := hash(t, "one"), hash(t, "two")
	check := func(step string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: %v; want %v", step, err, want)
		}
	}
	check("set", b.Set(ctx, "Alice@Example.org", h1), nil)
	rec, err := b.Lookup(ctx, "alice@example.org")
	if err != nil || rec.Account != "alice@example.org" || rec.Hash != h1 || rec.Disabled {
		t.Errorf("lookup: %+v, %v", rec, err)
	}
	check("disable", b.Disable(ctx, "ALICE@example.org", true), nil)
	check("set disabled", b.Set(ctx, "alice@example.org", h2), nil)
	if rec, _ := b.Lookup(ctx, "alice@example.org"); rec.Hash != h2 || !rec.Disabled {
		t.Errorf("a new password must not enable: %+v", rec)
	}
	check("enable", b.Disable(ctx, "alice@example.org", false), nil)
	if rec, _ := b.Lookup(ctx, "alice@example.org"); rec.Disabled {
		t.Errorf("enabled: %+v", rec)
	}
	check("delete", b.Delete(ctx, "alice@example.org"), nil)
	check("delete again", b.Delete(ctx, "alice@example.org"), login.ErrNoUser)
	check("disable unknown", b.Disable(ctx, "alice@example.org", true), login.ErrNoUser)
	_, err = b.Lookup(ctx, "alice@example.org")
	check("lookup deleted", err, login.ErrNoUser)
	check("bad hash", b.Set(ctx, "alice@example.org", "secret"), login.ErrHash)
	check("bad name", b.Set(ctx, "al ice", h1), login.ErrUsername)
	check("bad name", b.Delete(ctx, ""), login.ErrUsername)
	check("bad name", b.Disable(ctx, "", true), login.ErrUsername)
}

// Invariant I3, and more users than one page.
func TestAccounts(t *testing.T) {
	b, f := open(t, SQLite, "")
	var want []string
	for i := range page + 5 {
		name := fmt.Sprintf("user%05d", i)
		f.users[name] = fakeUser{account: name}
		want = append(want, name)
	}
	var got []string
	for name, err := range b.Accounts(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if f.mu.Lock(); f.open != 0 {
			t.Fatal("rows are open while the loop body runs")
		}
		f.mu.Unlock()
		got = append(got, name)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d names", len(got))
	}
	for range b.Accounts(t.Context()) {
		break
	}
}

// Invariant I1, up to what a client is told.
func TestFailure(t *testing.T) {
	b, f := open(t, PostgreSQL, "")
	down := errors.New("connection refused")
	f.fail = down
	ctx := t.Context()
	_, err := b.Lookup(ctx, "alice")
	for name, err := range map[string]error{
		"lookup": err, "set": b.Set(ctx, "alice", hash(t, "x")), "disable": b.Disable(ctx, "alice", true),
		"delete": b.Delete(ctx, "alice"), "migrate": b.Migrate(ctx),
	} {
		if !errors.Is(err, down) || errors.Is(err, login.ErrNoUser) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, err := range b.Accounts(ctx) {
		if !errors.Is(err, down) {
			t.Errorf("accounts: %v", err)
		}
	}
	s := &login.Service{Backend: b, Params: cheap, Logger: slog.New(slog.DiscardHandler)}
	a := login.Attempt{Username: "alice", Password: login.NewPassword("x"), TLS: true}
	if _, err := s.Authenticate(ctx, a); !errors.Is(err, login.ErrTemporary) || errors.Is(err, login.ErrRejected) {
		t.Errorf("client: %v", err)
	}
}

func TestMigrate(t *testing.T) {
	b, f := open(t, SQLite, "")
	if err := b.Set(t.Context(), "alice", hash(t, "x")); err != nil {
		t.Fatal(err)
	}
	if err := b.Migrate(t.Context()); err != nil || len(f.users) != 1 || f.version != len(migrations) {
		t.Errorf("again: %v, %d users, version %d", err, len(f.users), f.version)
	}
	f.version++
	if err := b.Migrate(t.Context()); !errors.Is(err, ErrNewerSchema) || f.version != len(migrations)+1 {
		t.Errorf("newer: %v, version %d", err, f.version)
	}
}

func TestConfig(t *testing.T) {
	f := &fakeDB{}
	db := sql.OpenDB(f)
	defer db.Close()
	for name, b := range map[string]*Backend{
		"no DB": {}, "dialect": {DB: db, Dialect: 7}, "injection": {DB: db, Prefix: "x; DROP TABLE y; --"},
		"digit first": {DB: db, Prefix: "1a"}, "long": {DB: db, Prefix: strings.Repeat("a", maxPrefix+1)},
	} {
		if err := b.Migrate(t.Context()); !errors.Is(err, errConfig) {
			t.Errorf("%s: Migrate: %v", name, err)
		}
		if _, err := b.Lookup(t.Context(), "a"); !errors.Is(err, errConfig) {
			t.Errorf("%s: Lookup: %v", name, err)
		}
	}
	if len(f.log) != 0 {
		t.Errorf("statements ran: %q", f.log)
	}
}

func TestRewrite(t *testing.T) {
	const text = `UPDATE ~t SET a@ = ? WHERE b = ?`
	if got, want := SQLite.rewrite(text, "p_"), `UPDATE p_t SET a = ?1 WHERE b = ?2`; got != want {
		t.Errorf("got %s", got)
	}
	if got, want := PostgreSQL.rewrite(text, ""), `UPDATE t SET a COLLATE "C" = $1 WHERE b = $2`; got != want {
		t.Errorf("got %s", got)
	}
}

func TestConcurrent(t *testing.T) {
	b, _ := open(t, SQLite, "")
	h := hash(t, "x")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if err := b.Set(t.Context(), fmt.Sprint("user", i), h); err != nil {
				t.Error(err)
			}
			if _, err := b.Lookup(t.Context(), fmt.Sprint("user", i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}
