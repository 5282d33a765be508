package login

import (
	"context"
	"errors"
	"iter"
)

// Backend knows users. It never judges a password by itself, so that cost,
// cache and guard are the same for all backends and backends can be chained.
// Its methods may be called from any number of goroutines.
type Backend interface {
	// Lookup returns what is known about a user; username is canonical.
	// ErrNoUser: the backend is sure that it has no such user. Any other
	// error means that it could not find out.
	Lookup(ctx context.Context, username string) (Record, error)
}

// Record is what a backend knows about a user.
type Record struct {
	// Account is the canonical name of the account that belongs to the user.
	// Empty means the user name itself.
	Account string
	// Hash is the stored password hash with its scheme (see Verify). Empty
	// means that no password fits.
	Hash string
	// Check, when set, judges the password instead of Hash, for backends that
	// never see one (an LDAP bind, a remote service). The attempt's Username
	// is canonical and its Password prepared. ErrRejected: wrong password;
	// any other error is a temporary failure. Its successes are not
	// remembered.
	Check func(ctx context.Context, a Attempt) error
	// Disabled refuses the user whatever the password.
	Disabled bool
}

// Editor is a backend whose users can be changed. Changes are on stable
// storage when a method returns nil. User names are canonicalised; one that
// cannot be is ErrUsername.
type Editor interface {
	Backend
	// Set gives the user this password hash and creates the user where there
	// is none. Whether it is disabled stays. ErrHash: Verify could not use it.
	Set(ctx context.Context, username, hash string) error
	// Disable turns the user off or on again. ErrNoUser.
	Disable(ctx context.Context, username string, disabled bool) error
	// Delete removes the user. ErrNoUser.
	Delete(ctx context.Context, username string) error
	// Accounts yields the canonical user names in ascending order of octets.
	Accounts(ctx context.Context) iter.Seq2[string, error]
}

// Chain asks several backends in order. The first that knows the user is the
// only one whose password counts. A backend that fails ends the search: who
// comes later must not answer for a user that is not his.
type Chain []Backend

// Lookup implements Backend.
func (c Chain) Lookup(ctx context.Context, username string) (Record, error) {
	for _, b := range c {
		rec, err := b.Lookup(ctx, username)
		if !errors.Is(err, ErrNoUser) {
			return rec, err
		}
	}
	return Record{}, ErrNoUser
}
