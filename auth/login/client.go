package login

import (
	"context"
	"crypto/tls"
	"errors"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/auth/login/saslmech"
)

// Client logs in to other servers as one user. The zero value has nothing to
// log in with. It may be used from any number of goroutines.
type Client struct {
	// Credentials are what the user has; their Token stays empty where Tokens
	// is set.
	Credentials saslmech.Credentials
	// Tokens gives access tokens, for servers that offer nothing that the
	// Credentials fit. May be nil.
	Tokens TokenSource
	// Policy says what is good enough. Its TLS is that of each connection.
	Policy saslmech.Policy
}

// Login runs an exchange of the best mechanism that a server offers. state is
// that of the connection's TLS layer, nil without one. exchange is the method of
// a protocol's client that runs one, such as smtpclient's Auth.
//
// A token that the server refuses is asked for once more: it may have been
// revoked. It counts as refused where the server said so by the mechanism, or
// where the error of exchange has a method Temporary that returns false, as an
// *smtp.Error of a 5yz reply.
//
// saslmech.ErrNoMechanism: nothing offered fits. Otherwise the error is that of
// Tokens or of exchange.
func (c Client) Login(ctx context.Context, offered []string, state *tls.ConnectionState, exchange func(context.Context, sasl.Client) error) error {
	policy := c.Policy
	policy.TLS = state
	client, err := saslmech.Choose(offered, c.Credentials, policy)
	switch {
	case err == nil:
		return exchange(ctx, client)
	case c.Tokens == nil:
		return err
	}
	credentials := c.Credentials
	credentials.Token = "any" // would one help?
	if _, err = saslmech.Choose(offered, credentials, policy); err != nil {
		return err
	}
	credentials.Token = ""
	failure := saslmech.ErrNoMechanism
	for range 2 {
		token, err := c.Tokens.Token(ctx, credentials.Token)
		switch {
		case err != nil:
			return err
		case token == credentials.Token: // there is no other
			return failure
		}
		credentials.Token = token
		if client, err = saslmech.Choose(offered, credentials, policy); err != nil {
			return err
		}
		if failure = exchange(ctx, client); failure == nil || !refused(client, failure) {
			return failure
		}
	}
	return failure
}

// refused reports whether an exchange failed because of what the client has.
func refused(client sasl.Client, err error) bool {
	if _, ok := errors.AsType[*saslmech.BearerFailure](saslmech.Outcome(client)); ok {
		return true
	}
	if _, network := errors.AsType[interface {
		error
		Timeout() bool
	}](err); network {
		return false
	}
	reply, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](err)
	return ok && !reply.Temporary()
}
