package login

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// cheap keeps the tests fast; the defaults are tested once in TestHashPassword.
var cheap = Params{MemoryKiB: 8, Time: 1, Threads: 1}

var quiet = slog.New(slog.DiscardHandler)

var peer = netip.MustParseAddr("192.0.2.1")

func mustHash(t testing.TB, password string) string {
	t.Helper()
	h, err := HashPassword(NewPassword(password), cheap)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// users returns a backend with alice ("secret"), and dora, who is disabled.
func users(t testing.TB) *Memory {
	t.Helper()
	m := &Memory{}
	ctx := t.Context()
	for _, user := range []string{"alice@example.org", "dora@example.org"} {
		if err := m.Set(ctx, user, mustHash(t, "secret")); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Disable(ctx, "dora@example.org", true); err != nil {
		t.Fatal(err)
	}
	return m
}

func attempt(user, password string) Attempt {
	return Attempt{Username: user, Password: NewPassword(password), Protocol: IMAP, Peer: peer, TLS: true}
}

// backendFunc is a Backend of one function.
type backendFunc func(ctx context.Context, username string) (Record, error)

func (f backendFunc) Lookup(ctx context.Context, u string) (Record, error) { return f(ctx, u) }

var errDown = errors.New("database is down: password=hunter2")

func TestAuthenticate(t *testing.T) {
	memory := users(t)
	remote := backendFunc(func(_ context.Context, u string) (Record, error) {
		switch u {
		case "broken@example.org":
			return Record{Hash: "{MD5}x"}, nil
		case "nohash@example.org":
			return Record{}, nil
		case "down@example.org":
			return Record{}, errDown
		case "ldap@example.org":
			return Record{Account: "uid42", Check: func(_ context.Context, a Attempt) error {
				switch a.Password.Reveal() {
				case "secret":
					return nil
				case "down":
					return errDown
				}
				return ErrRejected
			}}, nil
		}
		return Record{}, ErrNoUser
	})
	tests := []struct {
		name, user, password string
		account              string
		err                  error
	}{
		{"right", "alice@example.org", "secret", "alice@example.org", nil},
		{"other case", "ALICE@Example.ORG.", "secret", "alice@example.org", nil},
		{"wrong password", "alice@example.org", "Secret", "", ErrRejected},
		{"unknown user", "eve@example.org", "secret", "", ErrRejected},
		{"disabled user", "dora@example.org", "secret", "", ErrRejected},
		{"user without hash", "nohash@example.org", "secret", "", ErrRejected},
		{"empty password", "alice@example.org", "", "", ErrRejected},
		{"empty user", "", "secret", "", ErrRejected},
		{"NUL in password", "alice@example.org", "secret\x00", "", ErrRejected},
		{"NUL in user", "alice@example.org\x00", "secret", "", ErrRejected},
		{"password too long", "alice@example.org", strings.Repeat("x", MaxPassword+1), "", ErrRejected},
		{"user too long", strings.Repeat("x", MaxUsername+1), "secret", "", ErrRejected},
		{"user not UTF-8", "alice\xff@example.org", "secret", "", ErrRejected},
		{"password not UTF-8", "alice@example.org", "secret\xff", "", ErrRejected},
		{"backend down", "down@example.org", "secret", "", ErrTemporary},
		{"unusable hash", "broken@example.org", "secret", "", ErrTemporary},
		{"check accepts", "ldap@example.org", "secret", "uid42", nil},
		{"check refuses", "ldap@example.org", "wrong", "", ErrRejected},
		{"check fails", "ldap@example.org", "down", "", ErrTemporary},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &Service{Backend: Chain{memory, remote}, Params: cheap, Guard: Unguarded{}, Logger: slog.New(slog.DiscardHandler)}
			id, err := s.Authenticate(t.Context(), attempt(tt.user, tt.password))
			if !errors.Is(err, tt.err) || id.Account != tt.account {
				t.Fatalf("got %+v, %v; want %q, %v", id, err, tt.account, tt.err)
			}
			if tt.err == ErrRejected && err != ErrRejected {
				t.Errorf("a refusal says more than ErrRejected: %#v", err)
			}
		})
	}
}

// Invariant I3, and the same for everything else that is refused unseen.
func TestBackendNeverSees(t *testing.T) {
	s := &Service{Params: cheap, Logger: slog.New(slog.DiscardHandler), Backend: backendFunc(
		func(context.Context, string) (Record, error) {
			t.Error("backend was asked")
			return Record{}, ErrNoUser
		})}
	for _, a := range []Attempt{
		attempt("alice", ""), attempt("", "secret"), attempt("alice", "a\x00b"), attempt("al\x00ice", "secret"),
		attempt("alice", strings.Repeat("x", MaxPassword+1)), attempt(strings.Repeat("x", MaxUsername+1), "x"),
		{Username: "alice", TLS: true},
	} {
		if _, err := s.Authenticate(t.Context(), a); err != ErrRejected {
			t.Errorf("%q: %v", a.Username, err)
		}
	}
	a := attempt("alice", "secret")
	a.TLS = false
	if _, err := s.Authenticate(t.Context(), a); err != ErrTLSRequired {
		t.Errorf("without TLS: %v", err)
	}
}

// Invariant I1: whoever is refused has waited for one turn to hash.
func TestSameCost(t *testing.T) {
	m := users(t)
	for _, user := range []string{"alice@example.org", "eve@example.org", "dora@example.org"} {
		s := &Service{Backend: m, Params: cheap, Guard: Unguarded{}, MaxConcurrentHashes: 1, QueueTimeout: time.Minute, Logger: slog.New(slog.DiscardHandler)}
		s.once.Do(s.start)
		s.queue.turns <- struct{}{} // no turn is free
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Authenticate(ctx, attempt(user, "wrong")); !errors.Is(err, ErrTemporary) {
			t.Errorf("%s: %v without a hash", user, err)
		}
	}
	s := &Service{Params: Params{MemoryKiB: 64, Time: 3, Threads: 2}}
	s.once.Do(s.start)
	if s.dummy.outdated(s.Params) || !s.dummy.outdated(Params{MemoryKiB: 65, Time: 3, Threads: 2}) || !s.dummy.outdated(Params{MemoryKiB: 64, Time: 4, Threads: 2}) {
		t.Error("the dummy does not cost what the parameters say")
	}
	if f, err := s.formOf(Record{Disabled: true}); err != nil || !reflect.DeepEqual(f.parsed, s.dummy) {
		t.Errorf("unknown user: %v, %v", f, err)
	}
}

func TestHashQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newHashQueue(2, 5*time.Second)
		var running, most atomic.Int32
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if err := q.enter(t.Context()); err != nil {
					t.Error(err)
					return
				}
				defer q.leave()
				if n := running.Add(1); n > most.Load() {
					most.Store(n)
				}
				time.Sleep(time.Second / 2) // fake time
				running.Add(-1)
			})
		}
		wg.Wait()
		if most.Load() != 2 {
			t.Errorf("%d at once", most.Load())
		}
		_, _ = q.enter(t.Context()), q.enter(t.Context())
		start := time.Now()
		if err := q.enter(t.Context()); err != errHashQueue || time.Since(start) != 5*time.Second {
			t.Errorf("full: %v after %v", err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := q.enter(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("context: %v", err)
		}
		if err := newHashQueue(-1, 0).enter(t.Context()); err != nil {
			t.Errorf("no bound: %v", err)
		}
	})
}

func TestSuccessCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := users(t)
		s := &Service{Backend: m, Params: cheap, Guard: Unguarded{}, MaxConcurrentHashes: 1, Logger: slog.New(slog.DiscardHandler)}
		try := func(password string) error {
			_, err := s.Authenticate(t.Context(), attempt("alice@example.org", password))
			return err
		}
		if err := try("secret"); err != nil {
			t.Fatal(err)
		}
		s.queue.turns <- struct{}{} // from here on only the cache answers
		if err := try("secret"); err != nil {
			t.Errorf("not remembered: %v", err)
		}
		if err := try("wrong"); !errors.Is(err, ErrTemporary) {
			t.Errorf("wrong password: %v", err)
		}
		_ = m.Disable(t.Context(), "alice@example.org", true)
		if err := try("secret"); err == nil {
			t.Error("remembered although disabled")
		}
		_ = m.Disable(t.Context(), "alice@example.org", false)
		if err := m.Set(t.Context(), "alice@example.org", mustHash(t, "secret")); err != nil {
			t.Fatal(err)
		}
		if err := try("secret"); err == nil {
			t.Error("remembered although the hash changed")
		}
		<-s.queue.turns
		if err := try("secret"); err != nil {
			t.Fatal(err)
		}
		s.queue.turns <- struct{}{}
		time.Sleep(5 * time.Minute)
		if err := try("secret"); err == nil {
			t.Error("remembered beyond the TTL")
		}
	})
}

func TestSuccessCacheBounded(t *testing.T) {
	c := newSuccessCache(0)
	for i := range maxSuccesses + 100 {
		c.add(digest{byte(i), byte(i >> 8), byte(i >> 16)})
	}
	if len(c.until) != maxSuccesses {
		t.Errorf("%d entries", len(c.until))
	}
	if newSuccessCache(-1) != nil {
		t.Error("negative TTL remembers")
	}
	if a, b := c.digest("ab", "c", "d"), c.digest("a", "bc", "d"); a == b {
		t.Error("parts run into each other")
	}
	if a, b := c.digest("a", "b", "c"), newSuccessCache(0).digest("a", "b", "c"); a == b {
		t.Error("two caches share a key")
	}
}

// Invariant I4.
func TestNoPasswordInLog(t *testing.T) {
	var log bytes.Buffer
	s := &Service{
		Backend: users(t), Params: cheap, Guard: Unguarded{},
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, a := range []Attempt{attempt("alice@example.org", "secret"), attempt("alice@example.org", "hunter2"), attempt("eve", "hunter2")} {
		_, _ = s.Authenticate(t.Context(), a)
		s.Logger.Info("attempt", "attempt", a, "password", a.Password)
	}
	_, _ = s.Authenticate(t.Context(), attempt(strings.Repeat("u", 1<<20), "x"))
	if got := log.String(); strings.Contains(got, "hunter2") || strings.Contains(got, "secret") || len(got) > 1<<14 {
		t.Errorf("log: %.2000s", got)
	}
	for _, want := range []string{"unknown user", "wrong password", "login accepted", redacted} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q", want)
		}
	}
}

func TestPanicReleasesGuard(t *testing.T) {
	g := &Throttle{}
	s := &Service{Guard: g, Logger: slog.New(slog.DiscardHandler), Backend: backendFunc(
		func(context.Context, string) (Record, error) { panic("backend") })}
	func() {
		defer func() { _ = recover() }()
		_, _ = s.Authenticate(t.Context(), attempt("alice", "x"))
	}()
	for _, y := range g.pacer.entries {
		if y.inFlight != 0 {
			t.Error("an attempt stays in flight")
		}
	}
}

func TestValidate(t *testing.T) {
	if err := (&Service{Params: Params{MemoryKiB: 1 << 30}}).Validate(); err == nil ||
		!strings.Contains(err.Error(), "Backend") || !strings.Contains(err.Error(), "Params") {
		t.Errorf("got %v", err)
	}
	if err := (&Service{Backend: &Memory{}}).Validate(); err != nil {
		t.Error(err)
	}
	if _, err := (&Service{Logger: slog.New(slog.DiscardHandler)}).Authenticate(t.Context(), attempt("a", "b")); !errors.Is(err, ErrTemporary) {
		t.Errorf("no backend: %v", err)
	}
}

// The guard hears how each attempt ended.
func TestGuardHearsOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &Throttle{}
		s := &Service{Backend: users(t), Params: cheap, Guard: g, Logger: slog.New(slog.DiscardHandler)}
		for range 2 {
			_, _ = s.Authenticate(t.Context(), attempt("alice@example.org", "wrong"))
		}
		if r, err := g.Report(t.Context(), "alice@example.org"); err != nil || r.Failures != 1 || r.Attempts != 2 {
			t.Errorf("after two failures: %+v, %v", r, err)
		}
		if _, err := s.Authenticate(t.Context(), attempt("alice@example.org", "secret")); err != nil {
			t.Fatal(err)
		}
		if r, err := g.Report(t.Context(), "alice@example.org"); err != nil || r.Failures != 0 || r.Attempts != 0 || r.LastSuccess.IsZero() || r.Peer != peer {
			t.Errorf("after a success: %+v, %v", r, err)
		}
	})
}
