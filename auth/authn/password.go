package authn

import (
	"bytes"
	"context"
	"unicode/utf8"

	"github.com/emersion/go-sasl"
)

// PasswordFunc is an Authenticator over a function that checks a user name and
// a password: it offers PLAIN and the password commands. For tests, and for
// programs whose users are known elsewhere; package login does what a server
// in the open needs beyond that.
//
// The function returns the account of the user. username and password are what
// the client sent, unchecked.
type PasswordFunc func(ctx context.Context, p *Peer, username, password string) (account string, err error)

var _ Authenticator = PasswordFunc(nil)

// Mechanisms implements Authenticator.
func (PasswordFunc) Mechanisms(*Peer) []string { return []string{sasl.Plain} }

// Password implements Authenticator.
func (f PasswordFunc) Password(ctx context.Context, p *Peer, username, password string) (string, error) {
	return f(ctx, p, username, password)
}

// Start implements Authenticator.
func (f PasswordFunc) Start(ctx context.Context, p *Peer, mechanism string, done func(string)) (sasl.Server, error) {
	if mechanism != sasl.Plain {
		return nil, ErrMechanism
	}
	return &plain{func(identity, username, password string) error {
		account, err := f(ctx, p, username, password)
		switch {
		case err != nil:
			return err
		case identity != "" && identity != username && identity != account:
			return ErrRejected
		}
		done(account)
		return nil
	}}, nil
}

// plain is one exchange of PLAIN (RFC 4616).
type plain struct {
	check func(identity, username, password string) error
}

// Next implements sasl.Server.
func (x *plain) Next(response []byte) (challenge []byte, done bool, err error) {
	if response == nil {
		return []byte{}, false, nil
	}
	parts := bytes.Split(response, []byte{0})
	if len(parts) != 3 || len(parts[1]) == 0 || len(parts[2]) == 0 || !utf8.Valid(response) {
		return nil, true, ErrMalformed
	}
	return nil, true, x.check(string(parts[0]), string(parts[1]), string(parts[2]))
}
