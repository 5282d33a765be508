package authn

import "errors"

// What an Authenticator and its exchanges fail with; tested with errors.Is.
// The package comment says what each protocol answers.
var (
	// ErrRejected: the client is not who it says, is disabled, or may not act
	// for the authorization identity. It never says which.
	ErrRejected = errors.New("authn: rejected")
	// ErrTemporary: nobody could judge the credentials now. The client should
	// keep them and try again.
	ErrTemporary = errors.New("authn: temporary failure")
	// ErrTooMany: too many failures lately; the credentials were not looked at.
	ErrTooMany = errors.New("authn: too many failures")
	// ErrTLSRequired: the mechanism shows a secret and the connection is not
	// encrypted.
	ErrTLSRequired = errors.New("authn: encryption required")
	// ErrMechanism: the SASL mechanism is not supported.
	ErrMechanism = errors.New("authn: unsupported mechanism")
	// ErrMalformed: the client's response does not follow the mechanism.
	ErrMalformed = errors.New("authn: malformed response")
)
