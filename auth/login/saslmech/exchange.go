package saslmech

import (
	"errors"
)

// Bounds of what a server reads, in octets after base64. Longer parts are
// ErrMalformed before anything is copied.
const (
	// MaxName bounds an authentication or authorization identity (RFC 4616 §2
	// asks for at least 255).
	MaxName = 1024
	// MaxPassword bounds a password in PLAIN and LOGIN.
	MaxPassword = 1024
	// MaxToken bounds a bearer token in OAUTHBEARER and XOAUTH2.
	MaxToken = 16 << 10
)

// What an exchange can end with, apart from the errors of callbacks.
var (
	// ErrMalformed: the peer's message does not follow the mechanism, or there
	// is one too many.
	ErrMalformed = errors.New("saslmech: malformed message")
	// ErrDowngrade: the client can bind to the channel and believes that the
	// server cannot, which offered it: somebody between the two removed the
	// -PLUS mechanisms (RFC 5802 §6).
	ErrDowngrade = errors.New("saslmech: channel binding was hidden from the client")
	// ErrBinding: the client binds to something that this connection does not
	// have, or the mechanism's name and the client's flag do not agree.
	ErrBinding = errors.New("saslmech: unsupported channel binding")
)

// step handles one message of an exchange and returns the step for the next,
// or nil when the exchange is over.
type step func(response []byte) (challenge []byte, next step, err error)

// server is a sasl.Server whose state is the next step.
type server struct{ next step }

// Next implements sasl.Server. Every error ends the exchange.
func (s *server) Next(response []byte) (challenge []byte, done bool, err error) {
	current := s.next
	s.next = nil // also when a callback panics
	if current == nil {
		return nil, true, ErrMalformed
	}
	challenge, next, err := current(response)
	if err != nil {
		return nil, true, err
	}
	s.next = next
	return challenge, next == nil, nil
}

// clientFirst starts a mechanism whose first message is the client's (RFC 4422
// §5, 2a): without an initial response the server asks for it, once, with an
// empty challenge.
func clientFirst(limit int, first step) *server {
	first = within(limit, first)
	return &server{func(response []byte) ([]byte, step, error) {
		if response == nil {
			return []byte{}, first, nil
		}
		return first(response)
	}}
}

// within refuses a message that is missing or longer than limit.
func within(limit int, next step) step {
	return func(response []byte) ([]byte, step, error) {
		if response == nil || len(response) > limit {
			return nil, nil, ErrMalformed
		}
		return next(response)
	}
}
