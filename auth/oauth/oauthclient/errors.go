package oauthclient

import (
	"errors"
	"fmt"
	"time"

	"github.com/mailstead/mailstead/auth/login"
)

// What it can end with. Those that a later try may heal travel beside
// login.ErrTemporary; the others last until somebody does something.
var (
	// ErrInvalidGrant: the refresh token or assertion has expired, was revoked,
	// or was not issued to this client (invalid_grant, RFC 6749 §5.2). For a
	// refresh token a person has to log in again.
	ErrInvalidGrant = errors.New("oauth: the grant is not valid any more")
	// ErrInvalidClient: the server does not know the client, or not with this
	// secret or key, or does not let it do this.
	ErrInvalidClient = errors.New("oauth: the client is not accepted")
	// ErrConfig: the request is not one that the server fulfils, or the fields
	// are not set: a scope, an address, a grant.
	ErrConfig = errors.New("oauth: the request is not possible as configured")
	// ErrNoToken: the store has no refresh token; a person has to log in first.
	ErrNoToken = errors.New("oauth: no refresh token")
	// ErrDenied: the person did not allow it.
	ErrDenied = errors.New("oauth: denied by the user")
	// ErrExpired: the person did not answer in time.
	ErrExpired = errors.New("oauth: the code has expired")
	// ErrServer: the server failed, or its answer makes no sense. Temporary.
	ErrServer = errors.New("oauth: the server gave no token")
	// ErrRefused: there is no other access token than one that was refused
	// already. Temporary.
	ErrRefused = errors.New("oauth: the newest access token was refused")
)

// ServerError is an error response of the server (RFC 6749 §5.2), found with
// errors.As. It travels beside one of the sentinels of this package.
type ServerError struct {
	// Status is the HTTP status.
	Status int
	// Code is the member error, "" where there is none.
	Code string
	// Description is the server's text for whoever set up the client, made
	// printable and cut; "" where there is none, or where it holds a secret.
	Description string

	retryAfter time.Duration
}

// Error implements error.
func (e *ServerError) Error() string {
	s := fmt.Sprintf("status %d", e.Status)
	if e.Code != "" {
		s += " " + e.Code
	}
	if e.Description != "" {
		s += ": " + e.Description
	}
	return s
}

// kind is the sentinel that stands for the response. In doubt it is temporary:
// only what the server says in the words of its protocol is final.
func (e *ServerError) kind() error {
	if e.Status < 400 || e.Status >= 500 || e.Status == 429 || e.Status == 408 {
		return ErrServer
	}
	switch e.Code {
	case "invalid_grant", "interaction_required", "consent_required", "login_required":
		return ErrInvalidGrant
	case "invalid_client", "unauthorized_client":
		return ErrInvalidClient
	case "access_denied":
		return ErrDenied
	case "expired_token":
		return ErrExpired
	case "invalid_request", "invalid_scope", "unsupported_grant_type", "invalid_target", "invalid_resource":
		return ErrConfig
	}
	return ErrServer
}

// wrap adds the sentinel.
func (e *ServerError) wrap() error {
	kind := e.kind()
	if kind == ErrServer {
		return temporary(kind, e)
	}
	return fmt.Errorf("%w: %w", kind, e)
}

// temporary marks a failure that may pass.
func temporary(kind, cause error) error {
	if cause == nil {
		return fmt.Errorf("%w: %w", login.ErrTemporary, kind)
	}
	return fmt.Errorf("%w: %w: %w", login.ErrTemporary, kind, cause)
}
