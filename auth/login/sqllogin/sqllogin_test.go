package sqllogin

import (
	"database/sql"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/logintest"
)

// Invariant I1, up to what a client is told.
func TestFailure(t *testing.T) {
	down := errors.New("connection refused")
	f := &brokenDB{fail: down}
	b := &Backend{DB: sql.OpenDB(f), Dialect: PostgreSQL}
	defer b.DB.Close()
	g := &Guard{Backend: b}
	ctx, h := t.Context(), logintest.Hash(t, "x")
	alice := login.Subject{User: "alice"}
	_, err := b.Lookup(ctx, "alice")
	_, tallies := g.Tallies(ctx, []login.Subject{alice}, time.Now())
	_, worst := g.Worst(ctx, time.Now(), 1)
	_, fail := g.Fail(ctx, login.Failure{At: time.Now(), User: alice})
	for name, err := range map[string]error{
		"lookup": err, "set": b.Set(ctx, "alice", h), "disable": b.Disable(ctx, "alice", true),
		"delete": b.Delete(ctx, "alice"), "migrate": b.Migrate(ctx),
		"rehash": b.Rehash(ctx, "alice", h, login.Credentials{Hash: h}),
		"add":    b.AddAppPassword(ctx, "alice", login.AppPassword{Name: "a", Hash: h}),
		"remove": b.DeleteAppPassword(ctx, "alice", "a"), "use": b.UseAppPassword(ctx, "alice", "a", time.Now()),
		"only": b.SetAppPasswordsOnly(ctx, "alice", true), "tallies": tallies, "worst": worst, "fail": fail,
		"succeed": g.Succeed(ctx, login.Success{At: time.Now(), Pair: alice}),
	} {
		if !errors.Is(err, down) || errors.Is(err, login.ErrNoUser) || errors.Is(err, login.ErrChanged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, err := range b.Accounts(ctx) {
		if !errors.Is(err, down) {
			t.Errorf("accounts: %v", err)
		}
	}
	for name, guard := range map[string]login.Guard{"users": login.Unguarded{}, "guard": &login.Throttle{Store: g}} {
		s := &login.Service{Backend: b, Guard: guard, Params: login.Params{MemoryKiB: 8, Time: 1}, Logger: slog.New(slog.DiscardHandler)}
		a := login.Attempt{Username: "alice", Password: login.NewPassword("x"), TLS: true, Peer: netip.MustParseAddr("192.0.2.1")}
		if _, err := s.Authenticate(ctx, a); !errors.Is(err, login.ErrTemporary) || errors.Is(err, login.ErrRejected) {
			t.Errorf("client, without %s: %v", name, err)
		}
	}
}

func TestConfig(t *testing.T) {
	f := &brokenDB{fail: errors.New("asked")}
	db := sql.OpenDB(f)
	defer db.Close()
	for name, b := range map[string]*Backend{
		"no DB": {}, "dialect": {DB: db, Dialect: 7}, "injection": {DB: db, Prefix: "x; DROP TABLE y; --"},
		"digit first": {DB: db, Prefix: "1a"}, "long": {DB: db, Prefix: strings.Repeat("a", maxPrefix+1)},
	} {
		_, lookup := b.Lookup(t.Context(), "a")
		_, tallies := (&Guard{Backend: b}).Tallies(t.Context(), nil, time.Now())
		for what, err := range map[string]error{"migrate": b.Migrate(t.Context()), "lookup": lookup, "tallies": tallies} {
			if !errors.Is(err, errConfig) {
				t.Errorf("%s: %s: %v", name, what, err)
			}
		}
	}
	if _, err := (&Guard{}).Tallies(t.Context(), nil, time.Now()); !errors.Is(err, errConfig) {
		t.Errorf("no Backend: %v", err)
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
