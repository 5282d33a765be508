package oauth

import (
	"errors"
	"fmt"

	"github.com/mailstead/mailstead/auth/login"
)

// Why a token is refused. Each travels beside login.ErrRejected: both are found
// with errors.Is. Their texts are for the log, not for the peer.
var (
	// ErrTooLarge: longer than the verifier's MaxTokenBytes.
	ErrTooLarge = errors.New("oauth: token too large")
	// ErrMalformed: not a token, or not a JWT where one is expected.
	ErrMalformed = errors.New("oauth: malformed token")
	// ErrType: not an access token, or one that only its owner may use (a cnf
	// claim, RFC 7800), which a bearer cannot prove to be.
	ErrType = errors.New("oauth: not a bearer access token")
	// ErrAlgorithm: signed with an algorithm that is not allowed.
	ErrAlgorithm = errors.New("oauth: signature algorithm not allowed")
	// ErrSignature: no key of the issuer fits the signature.
	ErrSignature = errors.New("oauth: not signed by the issuer")
	// ErrIssuer: from an issuer that is not trusted here.
	ErrIssuer = errors.New("oauth: unknown issuer")
	// ErrAudience: meant for somebody else.
	ErrAudience = errors.New("oauth: for another audience")
	// ErrExpired: expired, not yet valid, or valid for longer than allowed.
	ErrExpired = errors.New("oauth: outside of the time it may be used")
	// ErrScope: a required scope is missing.
	ErrScope = errors.New("oauth: scope missing")
	// ErrUser: names no user, or one whom its issuer may not name.
	ErrUser = errors.New("oauth: no user that the issuer may name")
	// ErrInactive: the introspection endpoint says that it is not valid.
	ErrInactive = errors.New("oauth: not active")
)

// Why a token could not be judged. Each travels beside login.ErrTemporary.
var (
	// ErrKeys: the keys of the issuer could not be had.
	ErrKeys = errors.New("oauth: no keys of the issuer")
	// ErrIntrospection: the introspection endpoint gave no answer that counts.
	ErrIntrospection = errors.New("oauth: introspection failed")
	// ErrConfig: the verifier is not set up (see its Validate).
	ErrConfig = errors.New("oauth: verifier not configured")
)

// refuse makes reason a refusal. detail is what the token says; it comes from
// a stranger, so it is quoted and cut.
func refuse(reason error, detail string) error {
	if detail == "" {
		return fmt.Errorf("%w: %w", login.ErrRejected, reason)
	}
	return fmt.Errorf("%w: %w: %.80q", login.ErrRejected, reason, detail)
}

// unavailable makes reason a failure of ours or of a server.
func unavailable(reason, cause error) error {
	if cause == nil {
		return fmt.Errorf("%w: %w", login.ErrTemporary, reason)
	}
	return fmt.Errorf("%w: %w: %w", login.ErrTemporary, reason, cause)
}
