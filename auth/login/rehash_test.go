package login

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
)

const legacy = "{SSHA}Wcm1xEisNjqp921ALcHfuQ7avFdzYWx0MTIzNA==" // "secret"

// rehashing logs in and returns what is stored then.
func rehashing(t *testing.T, r Rehash, stored Credentials, password string) Record {
	t.Helper()
	m := &Memory{}
	if err := m.SetCredentials(t.Context(), "alice", stored); err != nil {
		t.Fatal(err)
	}
	s := &Service{Backend: Chain{m}, Params: cheap, Guard: Unguarded{}, Rehash: r, Logger: quiet}
	_, _ = s.Authenticate(t.Context(), attempt("alice", password))
	rec, err := m.Lookup(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func TestRehash(t *testing.T) {
	scram := Rehash{SCRAM: []string{"SCRAM-SHA-256", "SCRAM-SHA-512"}, Iterations: 4096}
	rec := rehashing(t, Rehash{}, Credentials{Hash: legacy}, "secret")
	if ok, err := Verify(rec.Hash, NewPassword("secret")); !ok || err != nil || NeedsRehash(rec.Hash, cheap) || len(rec.Secrets) != 0 {
		t.Errorf("zero value: %+v", rec)
	}
	if rec := rehashing(t, Rehash{}, Credentials{Hash: legacy}, "wrong"); rec.Hash != legacy {
		t.Errorf("wrong password: %+v", rec)
	}
	if rec := rehashing(t, Rehash{Off: true}, Credentials{Hash: legacy}, "secret"); rec.Hash != legacy {
		t.Errorf("off: %+v", rec)
	}
	good := mustHash(t, "secret")
	if rec := rehashing(t, Rehash{}, Credentials{Hash: good}, "secret"); rec.Hash != good {
		t.Errorf("a good hash: %+v", rec)
	}
	rec = rehashing(t, scram, Credentials{Hash: good}, "secret")
	if rec.Hash != good || len(rec.Secrets) != 2 || rec.secret("SCRAM-SHA-256") == "" || rec.secret("SCRAM-SHA-512") == "" {
		t.Errorf("verifiers: %+v", rec)
	}
	for _, secret := range rec.Secrets {
		if ok, err := Verify(secret, NewPassword("secret")); !ok || err != nil {
			t.Errorf("%s: %v", secret, err)
		}
	}
	if again := rehashing(t, scram, Credentials{rec.Hash, rec.Secrets}, "secret"); !slices.Equal(again.Secrets, rec.Secrets) {
		t.Errorf("verifiers that are there: %+v", again)
	}
	verifier := rec.Secrets[0]
	if rec := rehashing(t, Rehash{}, Credentials{Hash: verifier}, "secret"); rec.Hash != verifier {
		t.Errorf("a verifier as the only form: %+v", rec)
	}
}

// rehasher is a CredentialEditor whose Rehash does something else.
type rehasher struct {
	Memory
	do func() error
}

func (r *rehasher) Rehash(context.Context, string, string, Credentials) error { return r.do() }

// What goes wrong with a rehash is not the user's trouble, and a lost race is
// nobody's.
func TestRehashFails(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		logs bool
	}{"disk full": {errFull, true}, "changed": {ErrChanged, false}, "deleted": {ErrNoUser, false}} {
		var log bytes.Buffer
		r := &rehasher{do: func() error { return tt.err }}
		if err := r.Set(t.Context(), "alice", legacy); err != nil {
			t.Fatal(err)
		}
		s := &Service{Backend: r, Params: cheap, Guard: Unguarded{}, Logger: slog.New(slog.NewTextHandler(&log, nil))}
		if _, err := s.Authenticate(t.Context(), attempt("alice", "secret")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := strings.Contains(log.String(), "not renewed"); got != tt.logs || strings.Contains(log.String(), "secret") {
			t.Errorf("%s: log %s", name, log.String())
		}
	}
	m := &Memory{}
	_ = m.Set(t.Context(), "alice", legacy)
	s := &Service{Backend: backendFunc(m.Lookup), Params: cheap, Guard: Unguarded{}, Logger: quiet}
	if _, err := s.Authenticate(t.Context(), attempt("alice", "secret")); err != nil {
		t.Errorf("a backend that cannot: %v", err)
	}
}

// wrapped is a backend behind another layer.
type wrapped struct{ Backend }

func (w wrapped) Unwrap() Backend { return w.Backend }

func TestCapability(t *testing.T) {
	ctx := t.Context()
	a, b := &Memory{}, &Memory{}
	_ = b.Set(ctx, "bob", legacy)
	chain := Chain{wrapped{Chain{a}}, wrapped{wrapped{Chain{a, b}}}}
	if got, err := capability[CredentialEditor](ctx, chain, "bob"); err != nil || got != CredentialEditor(b) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := capability[CredentialEditor](ctx, chain, "eve"); !errors.Is(err, ErrNoUser) {
		t.Errorf("unknown user: %v", err)
	}
	down := backendFunc(func(context.Context, string) (Record, error) { return Record{}, errDown })
	if _, err := capability[CredentialEditor](ctx, Chain{a, down, b}, "bob"); !errors.Is(err, errDown) {
		t.Errorf("a backend that fails: %v", err)
	}
	if _, err := capability[CredentialEditor](ctx, down, "bob"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a backend that cannot: %v", err)
	}
}
