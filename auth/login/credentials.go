package login

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// ErrChanged: what was to be replaced is no longer there.
var ErrChanged = errors.New("login: changed meanwhile")

// maxSecrets bounds the further forms of one password.
const MaxSecrets = 8

// Credentials are the stored forms of a user's own password.
type Credentials struct {
	// Hash is as in Record.
	Hash string
	// Secrets are as in Record.
	Secrets []string
}

// NewCredentials returns the forms of a password that are stored for a new one: a
// hash, and a verifier for each of the SCRAM mechanisms that the password can be
// used with (see HashSCRAM). ErrPassword, ErrHash (an unknown mechanism).
func NewCredentials(password Password, params Params, scram ...string) (c Credentials, err error) {
	if c.Hash, err = HashPassword(password, params); err != nil {
		return c, err
	}
	for _, mechanism := range scram {
		switch secret, err := HashSCRAM(mechanism, password, 0); {
		case err == nil:
			c.Secrets = append(c.Secrets, secret)
		case !errors.Is(err, ErrPassword):
			return Credentials{}, err
		}
	}
	return c, nil
}

// Check reports with ErrHash whether one of the forms is not usable, or a
// secret has a space in it.
func (c Credentials) Check() error {
	if len(c.Secrets) > MaxSecrets {
		return fmt.Errorf("%w: more than %d secrets", ErrHash, MaxSecrets)
	}
	for _, secret := range c.Secrets {
		if err := CheckHash(secret); err != nil {
			return err
		}
		if strings.ContainsAny(secret, " \t\r\n") {
			return fmt.Errorf("%w: a secret with a space", ErrHash)
		}
	}
	return CheckHash(c.Hash)
}

// CredentialEditor is an Editor that keeps more than one form of a password.
// Set of such an Editor removes the Secrets: they are forms of the old password.
type CredentialEditor interface {
	Editor
	// SetCredentials is Set with all forms at once.
	SetCredentials(ctx context.Context, username string, c Credentials) error
	// Rehash puts c in the place of the stored forms, provided that the stored
	// Hash still is old: what somebody else set meanwhile stays. ErrChanged,
	// ErrNoUser, ErrHash.
	Rehash(ctx context.Context, username, old string, c Credentials) error
}

// capability returns what b, or the backend behind it that knows the user, can
// do beside Lookup. It walks through Chain and through wrappers that have a
// method Unwrap() Backend. errors.ErrUnsupported: nothing of the kind.
func capability[T any](ctx context.Context, b Backend, username string) (found T, err error) {
	for {
		if c, ok := b.(Chain); ok {
			if b, err = c.owner(ctx, username); err != nil {
				return found, err
			}
			continue
		}
		if t, ok := b.(T); ok {
			return t, nil
		}
		w, ok := b.(interface{ Unwrap() Backend })
		if !ok {
			return found, errors.ErrUnsupported
		}
		b = w.Unwrap()
	}
}

// owner returns the backend whose word counts for a user.
func (c Chain) owner(ctx context.Context, username string) (Backend, error) {
	for _, b := range c {
		_, err := b.Lookup(ctx, username)
		switch {
		case err == nil:
			return b, nil
		case !errors.Is(err, ErrNoUser):
			return nil, err
		}
	}
	return nil, ErrNoUser
}
