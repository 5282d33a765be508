package login

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAppPasswordText(t *testing.T) {
	seen := map[string]bool{}
	for range 200 {
		text := randomAppPassword()
		if got, ok := asAppPassword(text); !ok || got != text || len(text) != 23 || strings.Count(text, "-") != 3 || seen[text] {
			t.Fatalf("%q becomes %q, %t", text, got, ok)
		}
		if _, err := preparePassword(NewPassword(text)); err != nil {
			t.Fatal(err)
		}
		seen[text] = true
	}
	const shown = "k3m9x-abcde-fghij-23456"
	for _, typed := range []string{shown, "K3M9X ABCDE FGHIJ 23456", "k3m9xabcdefghij23456", " k3m9x-abcde - fghij-23456 "} {
		if got, ok := asAppPassword(typed); !ok || got != shown {
			t.Errorf("%q becomes %q, %t", typed, got, ok)
		}
	}
	for _, other := range []string{"", "secret", shown + "x", "l3m9x-abcde-fghij-23456", "k3m9x_abcde-fghij-23456", strings.Repeat(" ", 1000) + shown} {
		if got, ok := asAppPassword(other); ok {
			t.Errorf("%q is taken for %q", other, got)
		}
	}
}

// appService has alice with an app password for IMAP.
func appService(t *testing.T) (s *Service, m *Memory, app string) {
	t.Helper()
	m = users(t)
	p, err := CreateAppPassword(t.Context(), m, "alice@example.org", "phone", IMAP)
	if err != nil {
		t.Fatal(err)
	}
	return &Service{Backend: Chain{&Memory{}, m}, Params: cheap, Guard: Unguarded{}, Logger: quiet}, m, p.Reveal()
}

func TestAppPasswordLogin(t *testing.T) {
	s, m, app := appService(t)
	ctx := t.Context()
	try := func(step, password string, protocol Protocol, wantApp string, want error) {
		t.Helper()
		a := attempt("alice@example.org", password)
		a.Protocol = protocol
		if id, err := s.Authenticate(ctx, a); err != want || id.AppPassword != wantApp {
			t.Errorf("%s: %+v, %v", step, id, err)
		}
	}
	try("app password", app, IMAP, "phone", nil)
	try("as somebody types it", strings.ToUpper(strings.ReplaceAll(app, "-", " ")), IMAP, "phone", nil)
	try("over another protocol", app, SMTP, "", ErrRejected)
	try("own password", "secret", SMTP, "", nil)
	try("wrong password", "wrong", IMAP, "", ErrRejected)
	if err := m.SetAppPasswordsOnly(ctx, "alice@example.org", true); err != nil {
		t.Fatal(err)
	}
	try("own password, although remembered", "secret", SMTP, "", ErrRejected)
	try("app password only", app, IMAP, "phone", nil)
	_ = m.Disable(ctx, "alice@example.org", true)
	try("disabled", app, IMAP, "", ErrRejected)
	_ = m.Disable(ctx, "alice@example.org", false)
	if err := m.DeleteAppPassword(ctx, "alice@example.org", "phone"); err != nil {
		t.Fatal(err)
	}
	try("revoked", app, IMAP, "", ErrRejected)
}

// A slow hash is remembered as a user's own is, and its end ends that.
func TestAppPasswordRemembered(t *testing.T) {
	s, m, _ := appService(t)
	s.MaxConcurrentHashes = 1
	ctx := t.Context()
	if err := m.AddAppPassword(ctx, "alice@example.org", AppPassword{Name: "old", Hash: mustHash(t, "app secret")}); err != nil {
		t.Fatal(err)
	}
	if id, err := s.Authenticate(ctx, attempt("alice@example.org", "app secret")); err != nil || id.AppPassword != "old" {
		t.Fatal(id, err)
	}
	s.queue.turns <- struct{}{} // from here on only what is remembered answers
	if _, err := s.Authenticate(ctx, attempt("alice@example.org", "app secret")); err != nil {
		t.Errorf("not remembered: %v", err)
	}
	if err := m.DeleteAppPassword(ctx, "alice@example.org", "old"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.Authenticate(ctx, attempt("alice@example.org", "app secret")); err == nil {
		t.Error("remembered although revoked")
	}
}

// A use is recorded once a minute, and what cannot be recorded keeps nobody out.
func TestAppPasswordUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, m, app := appService(t)
		used := func() time.Time {
			rec, err := m.Lookup(t.Context(), "alice@example.org")
			if err != nil {
				t.Fatal(err)
			}
			return rec.AppPasswords[0].LastUsed
		}
		start := time.Now()
		for range 70 {
			if _, err := s.Authenticate(t.Context(), attempt("alice@example.org", app)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if got := used().Sub(start); got != time.Minute {
			t.Errorf("last use recorded %v after the start", got)
		}
		read := backendFunc(m.Lookup) // keeps nothing
		s = &Service{Backend: read, Params: cheap, Guard: Unguarded{}, Logger: quiet}
		time.Sleep(time.Hour)
		if _, err := s.Authenticate(t.Context(), attempt("alice@example.org", app)); err != nil {
			t.Errorf("a backend that cannot record: %v", err)
		}
	})
}

func TestAllowNets(t *testing.T) {
	nets, err := ParseNets("192.0.2.0/24,2001:db8::1")
	if err != nil {
		t.Fatal(err)
	}
	own := Record{Hash: mustHash(t, "secret"), AllowNets: nets}
	s := &Service{Params: cheap, Guard: Unguarded{}, Logger: quiet, Backend: backendFunc(
		func(context.Context, string) (Record, error) { return own, nil })}
	for addr, want := range map[string]error{
		"192.0.2.77": nil, "::ffff:192.0.2.77": nil, "2001:db8::1": nil, "192.0.3.1": ErrRejected, "2001:db8::2": ErrRejected,
	} {
		a := attempt("alice", "secret")
		a.Peer = from("", addr).Peer
		if _, err := s.Authenticate(t.Context(), a); err != want {
			t.Errorf("%s: %v", addr, err)
		}
	}
	a := attempt("alice", "secret")
	a.Peer = Attempt{}.Peer
	if _, err := s.Authenticate(t.Context(), a); err != ErrRejected {
		t.Errorf("no address: %v", err)
	}
	for _, bad := range []string{"", "x", "192.0.2.0/33", "fe80::1%eth0", "192.0.2.1,,", "192.0.2.1 "} {
		if _, err := ParseNets(bad); err == nil {
			t.Errorf("ParseNets(%q)", bad)
		}
	}
	if n, err := ParseNets("local"); err != nil || !(Record{AllowNets: n}).admits(a.Peer) || (Record{AllowNets: n}).admits(peer) {
		t.Errorf("local: %v, %v", n, err)
	}
}

// A token of somebody else does not make a user known at an address.
func TestGuardHearsWhoseToken(t *testing.T) {
	var g guardLog
	s := allMechanisms(t)
	s.Guard = &g
	s.once.Do(s.start)
	a := attempt("alice@example.org", "")
	_, _ = s.guarded(t.Context(), a, func() (Identity, string, error) {
		return Identity{Account: "mallory", User: "mallory"}, "", nil
	})
	if len(g.outcomes) != 1 || g.outcomes[0] != Undecided {
		t.Errorf("outcomes %v", g.outcomes)
	}
}

var errFull = errors.New("disk full")

// Invariant I1, for users whose own stored form takes microseconds, and for those
// whose password does not count.
func TestSameCostWhateverIsStored(t *testing.T) {
	away := from("", "198.51.100.1").Peer
	for name, rec := range map[string]Record{
		"fast hash": {Hash: legacy}, "fast hash, disabled": {Hash: legacy, Disabled: true},
		"fast hash, app passwords only": {Hash: legacy, AppPasswordsOnly: true}, "no hash": {},
		"app passwords": {AppPasswords: []AppPassword{{Name: "a", Hash: legacy}}},
	} {
		s := &Service{
			Backend: backendFunc(func(context.Context, string) (Record, error) { return rec, nil }),
			Params:  cheap, Guard: Unguarded{}, MaxConcurrentHashes: 1, QueueTimeout: time.Minute, Logger: quiet,
		}
		s.once.Do(s.start)
		if _, err := s.Authenticate(t.Context(), attempt("alice", "wrong")); err != ErrRejected {
			t.Errorf("%s: %v", name, err)
		}
		s.queue.turns <- struct{}{} // no turn is free
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Authenticate(ctx, attempt("alice", "wrong")); !errors.Is(err, ErrTemporary) {
			t.Errorf("%s: %v without a hash", name, err)
		}
		rec.AllowNets, _ = ParseNets(away.String())
		if _, err := s.Authenticate(ctx, attempt("alice", "wrong")); !errors.Is(err, ErrTemporary) {
			t.Errorf("%s, from a forbidden address: %v without a hash", name, err)
		}
	}
}
