// Package sqllogintest judges auth/login/sqllogin on a real database. The tests
// that call it stand beside the drivers.
package sqllogintest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/logintest"
	"github.com/mailstead/mailstead/auth/login/sqllogin"
)

// Run judges a Backend and its Guard. open returns a Backend over a new, empty
// database, before Migrate.
func Run(t *testing.T, open func(t testing.TB) *sqllogin.Backend) {
	migrated := func(prefix string) func(t testing.TB) *sqllogin.Backend {
		return func(t testing.TB) *sqllogin.Backend {
			b := open(t)
			b.Prefix = prefix
			if err := b.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			return b
		}
	}
	plain, prefixed := migrated(""), migrated("mail_")
	t.Run("Editor", func(t *testing.T) {
		logintest.Editor(t, func(t *testing.T) login.Editor { return plain(t) })
	})
	t.Run("CredentialEditor", func(t *testing.T) {
		logintest.CredentialEditor(t, func(t *testing.T) login.CredentialEditor { return prefixed(t) })
	})
	t.Run("AppPasswordEditor", func(t *testing.T) {
		logintest.AppPasswordEditor(t, func(t *testing.T) logintest.AppEditor { return prefixed(t) })
	})
	t.Run("GuardStore", func(t *testing.T) {
		logintest.GuardStore(t, func(t *testing.T) login.GuardStore { return &sqllogin.Guard{Backend: prefixed(t)} })
	})
	t.Run("migrate", func(t *testing.T) { migrate(t, open(t)) })
	t.Run("older", func(t *testing.T) { older(t, open(t)) })
	t.Run("pages", func(t *testing.T) { pages(t, plain(t)) })
	t.Run("by hand", func(t *testing.T) { byHand(t, plain(t)) })
	t.Run("prune", func(t *testing.T) { prune(t, plain(t)) })
	t.Run("login", func(t *testing.T) { logsIn(t, plain(t)) })
}

// exec runs a statement without parameters.
func exec(t *testing.T, b *sqllogin.Backend, query string) {
	t.Helper()
	if _, err := b.DB.ExecContext(t.Context(), query); err != nil {
		t.Fatal(err)
	}
}

// migrate: again, at once, and where a newer version was.
func migrate(t *testing.T, b *sqllogin.Backend) {
	errs := make(chan error)
	for range 4 {
		go func() { errs <- b.Migrate(context.WithoutCancel(t.Context())) }()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Errorf("at once: %v", err)
		}
	}
	if err := b.Set(t.Context(), "alice", logintest.Hash(t, "x")); err != nil {
		t.Fatal(err)
	}
	if err := b.Migrate(t.Context()); err != nil {
		t.Errorf("again: %v", err)
	}
	exec(t, b, `UPDATE login_schema SET version = version + 1`)
	if err := b.Migrate(t.Context()); !errors.Is(err, sqllogin.ErrNewerSchema) {
		t.Errorf("newer: %v", err)
	}
	if _, err := b.Lookup(t.Context(), "alice"); err != nil {
		t.Errorf("lookup: %v", err)
	}
}

// older: the tables of version 1 keep their users.
func older(t *testing.T, b *sqllogin.Backend) {
	octets := ""
	if b.Dialect == sqllogin.PostgreSQL {
		octets = ` COLLATE "C"`
	}
	exec(t, b, `CREATE TABLE login_schema (id SMALLINT NOT NULL PRIMARY KEY, version INTEGER NOT NULL)`)
	exec(t, b, `INSERT INTO login_schema (id, version) VALUES (1, 1)`)
	exec(t, b, `CREATE TABLE login_users (username TEXT`+octets+` NOT NULL PRIMARY KEY, account TEXT NOT NULL,
		hash TEXT NOT NULL, disabled SMALLINT NOT NULL DEFAULT 0)`)
	exec(t, b, `INSERT INTO login_users (username, account, hash, disabled) VALUES ('alice', 'uid1', '{PLAIN}secret', 1)`)
	if err := b.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	rec, err := b.Lookup(t.Context(), "alice")
	if err != nil || rec.Account != "uid1" || rec.Hash != "{PLAIN}secret" || !rec.Disabled || rec.AppPasswordsOnly || len(rec.Secrets) != 0 {
		t.Errorf("lookup %+v, %v", rec, err)
	}
	if _, err := login.CreateAppPassword(t.Context(), b, "alice", "phone"); err != nil {
		t.Error(err)
	}
}

// pages: more users than are read at once, and nothing is open while the body
// of the loop runs (one connection is all there is).
func pages(t *testing.T, b *sqllogin.Backend) {
	b.DB.SetMaxOpenConns(1)
	var want []string
	tx, err := b.DB.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1005 {
		name := fmt.Sprintf("user%05d", i)
		want = append(want, name)
		_, err := tx.ExecContext(t.Context(), `INSERT INTO login_users (username, account, hash) VALUES ('`+name+`', '`+name+`', '')`)
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for name, err := range b.Accounts(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if len(got)%500 == 0 {
			if _, err := b.Lookup(t.Context(), name); err != nil {
				t.Fatal(err)
			}
		}
		got = append(got, name)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d names", len(got))
	}
}

// byHand: what others write into the tables.
func byHand(t *testing.T, b *sqllogin.Backend) {
	exec(t, b, `INSERT INTO login_users (username, account, hash, secrets, allow_nets) VALUES
		('alice', 'uid1', '{PLAIN}secret', '{PLAIN}a  {PLAIN}b', '192.0.2.0/24,2001:db8::1'),
		('bob', 'uid2', '{PLAIN}secret', '', 'nowhere')`)
	rec, err := b.Lookup(t.Context(), "alice")
	if err != nil || !slices.Equal(rec.Secrets, []string{"{PLAIN}a", "{PLAIN}b"}) ||
		!slices.Equal(rec.AllowNets, []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::1/128")}) {
		t.Errorf("lookup %+v, %v", rec, err)
	}
	if _, err := b.Lookup(t.Context(), "bob"); err == nil || errors.Is(err, login.ErrNoUser) {
		t.Errorf("nets that cannot be read let in: %v", err)
	}
}

// prune: what is too old goes, the last login of a user stays.
func prune(t *testing.T, b *sqllogin.Backend) {
	g := &sqllogin.Guard{Backend: b}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	here := netip.MustParsePrefix("192.0.2.1/32")
	fail := func(user string, at time.Time) {
		t.Helper()
		s := login.Subject{User: user}
		_, err := g.Fail(t.Context(), login.Failure{
			At: at, Since: at.Add(-time.Hour), Wrong: login.Digest{1, byte(len(user))}, User: s,
			Subjects: []login.Subject{s, {Prefix: here}, {User: user, Prefix: here}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	fail("alice", at)
	pair := login.Subject{User: "carol", Prefix: here}
	if err := g.Succeed(t.Context(), login.Success{At: at, Since: at, Pair: pair, User: login.Subject{User: "carol"}}); err != nil {
		t.Fatal(err)
	}
	count := func(query string) (n int) {
		t.Helper()
		if err := b.DB.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	later := at.Add(100 * 24 * time.Hour)
	fail("bobby", later)
	if n := count(`SELECT COUNT(*) FROM login_guard WHERE username = 'alice'`); n != 0 {
		t.Errorf("%d old rows of alice stay", n)
	}
	if n := count(`SELECT COUNT(*) FROM login_guard WHERE username = 'carol' AND succeeded > 0`); n != 1 {
		t.Errorf("%d rows of carol; want that of the user", n)
	}
	if n := count(`SELECT COUNT(*) FROM login_guard_wrong`); n != 1 {
		t.Errorf("%d wrong passwords", n)
	}
}

// logsIn: a whole login, with a hash that is renewed and an app password.
func logsIn(t *testing.T, b *sqllogin.Backend) {
	ctx := t.Context()
	if err := b.Set(ctx, "alice", "{SSHA}Wcm1xEisNjqp921ALcHfuQ7avFdzYWx0MTIzNA=="); err != nil {
		t.Fatal(err)
	}
	s := &login.Service{
		Backend: login.Chain{&login.Memory{}, b}, Guard: &login.Throttle{Store: &sqllogin.Guard{Backend: b}},
		Params: login.Params{MemoryKiB: 8, Time: 1}, Rehash: login.Rehash{SCRAM: []string{"SCRAM-SHA-256"}, Iterations: 4096},
		Logger: slog.New(slog.DiscardHandler),
	}
	a := login.Attempt{
		Username: "Alice", Password: login.NewPassword("secret"), Protocol: login.IMAP, TLS: true,
		Peer: netip.MustParseAddr("192.0.2.1"),
	}
	if _, err := s.Authenticate(ctx, a); err != nil {
		t.Fatal(err)
	}
	rec, err := b.Lookup(ctx, "alice")
	if err != nil || login.NeedsRehash(rec.Hash, s.Params) || len(rec.Secrets) != 1 {
		t.Errorf("not renewed: %+v, %v", rec, err)
	}
	if a.Password, err = login.CreateAppPassword(ctx, b, "alice", "phone", login.IMAP); err != nil {
		t.Fatal(err)
	}
	id, err := s.Authenticate(ctx, a)
	if err != nil || id.AppPassword != "phone" {
		t.Errorf("app password: %+v, %v", id, err)
	}
	if rec, _ := b.Lookup(ctx, "alice"); len(rec.AppPasswords) != 1 || time.Since(rec.AppPasswords[0].LastUsed) > time.Minute {
		t.Errorf("use not recorded: %+v", rec.AppPasswords)
	}
	a.Protocol = login.SMTP
	if _, err := s.Authenticate(ctx, a); !errors.Is(err, login.ErrRejected) {
		t.Errorf("app password over another protocol: %v", err)
	}
}
