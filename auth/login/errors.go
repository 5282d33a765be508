package login

import (
	"errors"

	"github.com/mailstead/mailstead/auth/authn"
)

// What an attempt or an exchange can end with: the errors of package authn,
// whose comment says what each protocol answers.
var (
	// ErrRejected: the user is unknown or disabled, the password, proof or token
	// is wrong, or the user may not act for the authorization identity. It never
	// says which.
	ErrRejected = authn.ErrRejected
	// ErrTemporary: nobody could judge the password now. The client should
	// keep it and try again.
	ErrTemporary = authn.ErrTemporary
	// ErrTooMany: too many failures lately; the password was not looked at.
	ErrTooMany = authn.ErrTooMany
	// ErrTLSRequired: the mechanism shows the password and the connection is
	// not encrypted.
	ErrTLSRequired = authn.ErrTLSRequired
	// ErrMechanism: the SASL mechanism is not supported.
	ErrMechanism = authn.ErrMechanism
	// ErrMalformed: the client's response does not follow the mechanism.
	ErrMalformed = authn.ErrMalformed
)

// What backends and those who keep them meet.
var (
	// ErrNoUser: the backend does not know the user.
	ErrNoUser = errors.New("login: no such user")
	// ErrUsername: the text is no user name (see Canonical).
	ErrUsername = errors.New("login: not a user name")
	// ErrPassword: the text cannot be a password: empty, too long, or with
	// characters that RFC 8265 §4.2 refuses.
	ErrPassword = errors.New("login: not a password")
	// ErrHash: the stored hash is damaged, of an unknown scheme, or asks for
	// more work than this package does.
	ErrHash = errors.New("login: unusable password hash")
)
