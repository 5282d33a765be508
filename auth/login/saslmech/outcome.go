package saslmech

import (
	"errors"

	"github.com/emersion/go-sasl"
)

// What clients find out.
var (
	// ErrUnproved: the server did not show that it knows the user's verifier,
	// although it says that the login succeeded. It may be an impostor, and the
	// connection must not be used (RFC 5802 §5).
	ErrUnproved = errors.New("saslmech: the server did not prove itself")
	// ErrIterations: the server asks for fewer than MinIterations, which would
	// give the password away, or for more than MaxIterations.
	ErrIterations = errors.New("saslmech: iteration count out of bounds")
	// ErrRefused: the server said no in the mechanism's own words.
	ErrRefused = errors.New("saslmech: refused by the server")
	// ErrNoMechanism: the server offers nothing that the credentials fit and
	// that is safe on this connection.
	ErrNoMechanism = errors.New("saslmech: no acceptable mechanism offered")
)

// errUnproved: a server's Judge accepted what was not proved.
var errUnproved = errors.New("saslmech: accepted without a proof")

// Outcome returns what a client knows about an exchange that the server ended:
// of SCRAM, ErrUnproved where the server did not show that it knows the
// password, however friendly its reply; of OAUTHBEARER and XOAUTH2, a
// *BearerFailure; otherwise nil. A client of a protocol asks for it after the
// server's success and takes an error for a failed login.
//
// The client may be any: one with a method Outcome() error answers itself.
func Outcome(client sasl.Client) error {
	if c, ok := client.(interface{ Outcome() error }); ok {
		return c.Outcome()
	}
	return nil
}
