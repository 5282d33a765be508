// Package authtest is an Authenticator for the dialogues that the servers'
// tests replay. Its mechanisms stand for the shapes that there are, and fail in
// every way that there is; its one user is alice with the password secret.
//
//	PLAIN      the client's one message
//	X-FIRST    the server speaks first; the response is the account
//	X-LAST     the account, and a last word of the server with the success
//	X-ERROR    the client names the error that comes back
//	EXTERNAL   offered where the client has shown a certificate
package authtest

import (
	"context"
	"errors"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/auth/authn"
)

// Authenticator knows alice.
type Authenticator struct {
	// NoPasswords leaves PLAIN and the commands out.
	NoPasswords bool
}

var _ authn.Authenticator = Authenticator{}

// Mechanisms implements authn.Authenticator.
func (a Authenticator) Mechanisms(p *authn.Peer) []string {
	list := []string{"X-FIRST", "X-LAST", "X-ERROR"}
	if p.TLS != nil && len(p.TLS.PeerCertificates) > 0 {
		list = append(list, sasl.External)
	}
	if !a.NoPasswords {
		list = append(list, sasl.Plain)
	}
	return list
}

// Password implements authn.Authenticator.
func (Authenticator) Password(_ context.Context, _ *authn.Peer, username, password string) (string, error) {
	if username == "alice" && password == "secret" {
		return username, nil
	}
	return "", Error(username)
}

// Error is the error of that name: rejected, too many, temporary, malformed,
// mechanism, tls, panic, none; any other text is an error of a backend.
func Error(name string) error {
	switch name {
	case "rejected", "alice":
		return authn.ErrRejected
	case "too many":
		return authn.ErrTooMany
	case "temporary":
		return authn.ErrTemporary
	case "malformed":
		return authn.ErrMalformed
	case "mechanism":
		return authn.ErrMechanism
	case "tls":
		return authn.ErrTLSRequired
	case "panic":
		panic("a backend panics")
	case "none":
		return nil
	}
	return errors.New("database 10.1.2.3: " + name)
}

// Start implements authn.Authenticator.
func (a Authenticator) Start(ctx context.Context, p *authn.Peer, mechanism string, done func(string)) (sasl.Server, error) {
	finish := func(account []byte) error { done(string(account)); return nil }
	switch mechanism {
	case sasl.Plain:
		return authn.PasswordFunc(a.Password).Start(ctx, p, mechanism, done)
	case sasl.External:
		return clientFirst(finish, nil), nil
	case "X-FIRST":
		return &exchange{challenge: []byte("your name"), check: finish}, nil
	case "X-LAST":
		return clientFirst(finish, []byte("last word")), nil
	case "X-ERROR":
		return clientFirst(func(name []byte) error { return Error(string(name)) }, nil), nil
	}
	return nil, authn.ErrMechanism
}

func clientFirst(check func([]byte) error, last []byte) *exchange {
	return &exchange{initial: true, challenge: []byte{}, check: check, last: last}
}

// exchange is one question and one answer.
type exchange struct {
	initial   bool // takes an initial response
	challenge []byte
	asked     bool
	check     func(response []byte) error
	last      []byte
}

// Next implements sasl.Server.
func (x *exchange) Next(response []byte) (challenge []byte, done bool, err error) {
	switch {
	case !x.asked && response == nil:
		x.asked = true
		return x.challenge, false, nil
	case !x.asked && !x.initial:
		return nil, false, authn.ErrMalformed
	}
	return x.last, true, x.check(response)
}
