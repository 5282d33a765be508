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

// Rehash says what a Service stores anew when the right password came. The zero
// value replaces a Hash of another scheme than {ARGON2ID}, or that is weaker than
// Service.Params, where the backend is a CredentialEditor. Other programs that
// read the same users have to know the new form.
type Rehash struct {
	// Off leaves what is stored as it is.
	Off bool
	// SCRAM names mechanisms, such as "SCRAM-SHA-256", whose verifiers are made
	// where a user has none, so that he can use them from then on.
	SCRAM []string
	// Iterations are those of the verifiers. Zero means the default of
	// HashSCRAM.
	Iterations int
}

// credentials returns what is to be stored of a password, and whether it differs
// from what rec has.
func (r Rehash) credentials(rec Record, password Password, p Params) (c Credentials, changed bool, err error) {
	c = Credentials{Hash: rec.Hash, Secrets: slices.Clone(rec.Secrets)}
	if NeedsRehash(rec.Hash, p) {
		if c.Hash, err = HashPassword(password, p); err != nil {
			return c, false, err
		}
		changed = true
	}
	for _, mechanism := range r.lacking(rec) {
		switch secret, err := HashSCRAM(mechanism, password, r.Iterations); {
		case err == nil:
			c.Secrets, changed = append(c.Secrets, secret), true
		case !errors.Is(err, ErrPassword): // the password cannot be one of SCRAM
			return c, false, err
		}
	}
	return c, changed, nil
}

// lacking returns the mechanisms that rec has no verifier for.
func (r Rehash) lacking(rec Record) (list []string) {
	for _, mechanism := range r.SCRAM {
		if rec.secret(mechanism) == "" {
			list = append(list, mechanism)
		}
	}
	return list
}

// rehash stores a password anew after it was found right. It never fails the
// login: the old form still works.
func (s *Service) rehash(ctx context.Context, rec Record, a Attempt) {
	p := s.Params.withDefaults()
	if s.Rehash.Off || rec.Hash == "" || rec.Check != nil || !p.valid() ||
		!NeedsRehash(rec.Hash, p) && len(s.Rehash.lacking(rec)) == 0 {
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
	c, changed, err := s.Rehash.credentials(rec, a.Password, p)
	s.queue.leave()
	if err != nil || !changed {
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
