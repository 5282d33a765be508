package login

import (
	"context"
	"log/slog"
	"time"
)

// matchApp returns the name of the app password that fits an attempt, or "". It
// asks each one that serves the protocol, whether or not an earlier one fitted,
// so that the time tells nothing about which did. A hash that cannot be read is
// skipped: it must not keep out the others.
func (s *Service) matchApp(ctx context.Context, rec Record, a Attempt) (name string, err error) {
	texts := []string{a.Password.Reveal()}
	if shown, ok := asAppPassword(texts[0]); ok && shown != texts[0] {
		texts = append(texts, shown)
	}
	apps := rec.AppPasswords
	if len(apps) > maxAppPasswords {
		apps = apps[:maxAppPasswords]
	}
	for _, p := range apps {
		h, parseErr := parseHash(p.Hash)
		if parseErr != nil || !p.serves(a.Protocol) {
			continue
		}
		for _, text := range texts {
			ok, err := s.check(ctx, stored{a.Username, p.Hash, h}, text)
			if err != nil {
				return "", err
			}
			if ok && name == "" {
				name = p.Name
			}
		}
	}
	return name, nil
}

// stored is one stored form of a user's passwords.
type stored struct {
	user, hash string
	parsed     parsedHash
}

// check reports whether text fits one stored form, from memory where it did a
// short time ago. A slow hash waits for its turn.
func (s *Service) check(ctx context.Context, f stored, text string) (bool, error) {
	if isFast(f.parsed) {
		return f.parsed.matches([]byte(text)), nil
	}
	digest := s.success.digest(f.user, f.hash, text)
	if s.success.has(digest) {
		return true, nil
	}
	if err := s.queue.enter(ctx); err != nil {
		return false, err
	}
	defer s.queue.leave()
	if !f.parsed.matches([]byte(text)) {
		return false, nil
	}
	s.success.add(digest)
	return true, nil
}

// checkOwn is check for a user's own password. A wrong one costs no less where
// the stored form is a fast one (invariant I1).
func (s *Service) checkOwn(ctx context.Context, f stored, text string) (bool, error) {
	ok, err := s.check(ctx, f, text)
	if ok || err != nil || !isFast(f.parsed) {
		return ok, err
	}
	return false, s.burn(ctx, f.parsed, text)
}

// burn costs what a comparison with h costs, and no less than one with a hash of
// the service's parameters.
func (s *Service) burn(ctx context.Context, h parsedHash, text string) error {
	if err := s.queue.enter(ctx); err != nil {
		return err
	}
	defer s.queue.leave()
	if isFast(h) {
		h = s.dummy
	}
	h.matches([]byte(text))
	return nil
}

// noteUse records that an app password was used, at most once a minute for each
// and never at the cost of the login.
func (s *Service) noteUse(ctx context.Context, rec Record, user, name string) {
	now := time.Now().UTC()
	for _, p := range rec.AppPasswords {
		if p.Name == name && now.Sub(p.LastUsed) < UsePeriod {
			return
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	keeper, err := capability[AppPasswordEditor](ctx, s.Backend, user)
	if err == nil {
		err = keeper.UseAppPassword(ctx, user, name, now)
	}
	if err != nil {
		s.warn(ctx, "use of an app password not recorded", slog.String("user", user), slog.Any("error", err))
	}
}
