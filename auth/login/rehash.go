package login

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"
)

// writeTimeout bounds what a login writes beside judging the password.
const writeTimeout = 5 * time.Second

// Rehash says what a Service does with a stored hash when the right password
// came and the hash is weaker than Service.Params, or of another scheme. The
// zero value replaces it, where the backend is a CredentialEditor. The new hash
// is {ARGON2ID}, which other programs that read the same users may not know.
type Rehash struct {
	// Off leaves stored hashes as they are.
	Off bool
	// Secrets makes the further forms that are to be kept of a prepared
	// password (see Record.Secrets). Nil makes none; what is there stays.
	Secrets func(password Password) ([]string, error)
	// Wanted reports whether what is stored lacks something that Secrets
	// makes. Nil: it lacks nothing.
	Wanted func(stored Credentials) bool
}

// due reports whether a record's password is to be stored anew.
func (r Rehash) due(rec Record, p Params) bool {
	return !r.Off && rec.Hash != "" && rec.Check == nil &&
		(NeedsRehash(rec.Hash, p) || r.Wanted != nil && r.Wanted(Credentials{rec.Hash, rec.Secrets}))
}

// credentials returns the new forms of a password whose old ones are in rec.
func (r Rehash) credentials(rec Record, password Password, p Params) (c Credentials, err error) {
	c = Credentials{Hash: rec.Hash, Secrets: slices.Clone(rec.Secrets)}
	if NeedsRehash(rec.Hash, p) {
		if c.Hash, err = HashPassword(password, p); err != nil {
			return c, err
		}
	}
	if r.Secrets != nil {
		c.Secrets, err = r.Secrets(password)
	}
	return c, err
}

// rehash stores a password anew after it was found right. It never fails the
// login: the old hash still works.
func (s *Service) rehash(ctx context.Context, rec Record, a Attempt) {
	p := s.Params.withDefaults()
	if !p.valid() || !s.Rehash.due(rec, p) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	err := s.store(ctx, rec, a, p)
	switch {
	case errors.Is(err, errors.ErrUnsupported), errors.Is(err, ErrChanged), errors.Is(err, ErrNoUser):
	case err != nil:
		s.warn(ctx, "password hash not renewed", slog.String("user", a.Username), slog.Any("error", err))
	}
}

func (s *Service) store(ctx context.Context, rec Record, a Attempt, p Params) error {
	editor, err := capability[CredentialEditor](ctx, s.Backend, a.Username)
	if err != nil {
		return err
	}
	if err := s.queue.enter(ctx); err != nil {
		return err
	}
	c, err := s.Rehash.credentials(rec, a.Password, p)
	s.queue.leave()
	if err != nil {
		return err
	}
	return editor.Rehash(ctx, a.Username, rec.Hash, c)
}

func (s *Service) warn(ctx context.Context, msg string, attrs ...slog.Attr) {
	logger := s.Logger
	if logger == nil {
		logger = slog.Default()
	}
	logger.LogAttrs(ctx, slog.LevelWarn, msg, attrs...)
}
