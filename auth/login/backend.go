package login

import (
	"context"
	"errors"
	"iter"
	"net/netip"
	"time"
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
	// Secrets are further stored forms of the same password, each with its
	// scheme as in Hash: SCRAM's verifiers, or what CRAM-MD5 needs. Hash may
	// be one of those too; then no Secrets are needed.
	Secrets []string
	// AppPasswords are passwords of single programs, beside the user's own.
	AppPasswords []AppPassword
	// AppPasswordsOnly refuses the user's own password (Hash, Secrets and
	// Check), so that a second factor that is asked for elsewhere cannot be
	// walked around by mail protocols.
	AppPasswordsOnly bool
	// AllowNets are the addresses from which the user may log in; the zero
	// Prefix stands for peers without one. Empty means everywhere.
	AllowNets []netip.Prefix
	// Disabled refuses the user whatever the password.
	Disabled bool
}

// AppPassword is one password that a user gave to one program. It is made by a
// machine, so that its hash may be a fast one.
type AppPassword struct {
	// Name is the user's word for it, unique among the user's.
	Name string
	// Hash is the stored hash with its scheme (see Verify).
	Hash string
	// Protocols are where it may be used. Empty means everywhere.
	Protocols []Protocol
	// Created and LastUsed are times; zero: unknown, or never used.
	Created, LastUsed time.Time
}

// Token is what a TokenVerifier found in a bearer token (RFC 6750).
type Token struct {
	// Username is the user whom the token speaks for, as its issuer writes it.
	Username string
	// Expires is when it ends; zero: the issuer does not say.
	Expires time.Time
	// Scopes are what the issuer allows, in the order of the token.
	Scopes []string
}

// TokenVerifier judges bearer tokens for OAUTHBEARER (RFC 7628) and XOAUTH2.
// Its methods may be called from any number of goroutines.
type TokenVerifier interface {
	// VerifyToken returns what a token says. ErrRejected: it is not valid here
	// (not signed by a trusted issuer, expired, for another audience). Any
	// other error means that it could not be judged now.
	VerifyToken(ctx context.Context, token string) (Token, error)
}

// TokenSource gives out access tokens to clients that log in with OAUTHBEARER
// or XOAUTH2. Its methods may be called from any number of goroutines.
type TokenSource interface {
	// Token returns an access token that is valid for a while. refused is one
	// that a server did not accept, which is not returned again; "" at first.
	Token(ctx context.Context, refused string) (string, error)
}

// Editor is a backend whose users can be changed. Changes are on stable
// storage when a method returns nil. User names are canonicalised; one that
// cannot be is ErrUsername.
type Editor interface {
	Backend
	// Set gives the user this password hash and creates the user where there
	// is none. Whether it is disabled stays; app passwords stay. ErrHash: Verify could not use it.
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
