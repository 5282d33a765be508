package login

import (
	"context"
	"slices"
)

// maxAppPasswords is how many app passwords of one user are looked at.
const maxAppPasswords = 64

// matchApp returns the name of the app password that fits an attempt, or "". It
// asks each one that serves the protocol, whether or not an earlier one fitted.
// A hash that cannot be read is skipped: it must not keep out the others.
func (s *Service) matchApp(ctx context.Context, rec Record, a Attempt) (name string, err error) {
	apps := rec.AppPasswords
	if len(apps) > maxAppPasswords {
		apps = apps[:maxAppPasswords]
	}
	for _, p := range apps {
		h, parseErr := parseHash(p.Hash)
		if parseErr != nil || !p.serves(a.Protocol) {
			continue
		}
		ok, err := s.check(ctx, stored{a.Username, p.Hash, h}, a.Password.Reveal())
		if err != nil {
			return "", err
		}
		if ok && name == "" {
			name = p.Name
		}
	}
	return name, nil
}

// serves reports whether p may be used over a protocol.
func (p AppPassword) serves(protocol Protocol) bool {
	return len(p.Protocols) == 0 || slices.Contains(p.Protocols, protocol)
}

// stored is one stored form of a user's passwords.
type stored struct {
	user, hash string
	parsed     parsedHash
}

// check reports whether text fits one stored form, from memory where it did a
// short time ago. It waits for its turn.
func (s *Service) check(ctx context.Context, f stored, text string) (bool, error) {
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
