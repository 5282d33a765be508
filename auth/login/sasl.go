package login

import (
	"bytes"
	"context"
	"errors"
	"unicode/utf8"

	"github.com/emersion/go-sasl"
)

// maxPlain bounds the response of PLAIN in octets: two names, a password and
// two NULs.
const maxPlain = 2*MaxUsername + MaxPassword + 2

// Mechanisms returns the SASL mechanisms to announce on a connection, best
// first. PLAIN shows the password, so it needs TLS or AllowPlaintext.
func (s *Service) Mechanisms(tls bool) []string {
	if !tls && !s.AllowPlaintext {
		return nil
	}
	return []string{sasl.Plain}
}

// Server starts a SASL exchange (RFC 4422). The mechanism name is in upper
// case. peer carries Protocol, Peer and TLS; the exchange fills in the rest.
// done is called at most once, by the Next that ends the exchange without
// error. ctx is that of the whole exchange.
//
// The server's Next returns the errors of Authenticate, and ErrMalformed for a
// response that does not follow the mechanism; any error ends the exchange. It
// is used by one goroutine.
//
// ErrMechanism: not supported. ErrTLSRequired.
func (s *Service) Server(ctx context.Context, mechanism string, peer Attempt, done func(Identity)) (sasl.Server, error) {
	if mechanism != sasl.Plain {
		return nil, ErrMechanism
	}
	if !peer.TLS && !s.AllowPlaintext {
		return nil, ErrTLSRequired
	}
	peer.Mechanism = mechanism
	x := &plainExchange{service: s, ctx: ctx, peer: peer, done: done}
	x.server = sasl.NewPlainServer(x.authenticate)
	return x, nil
}

// plainExchange fences go-sasl's PLAIN server (RFC 4616): that one splits a
// response of any size, asks again for every missing response, and reports a
// malformed one with an error that nobody can name.
type plainExchange struct {
	service  *Service
	ctx      context.Context
	peer     Attempt
	done     func(Identity)
	server   sasl.Server
	asked    bool // the empty challenge is out
	ended    bool
	identity Identity
}

// Next implements sasl.Server. A nil response is a client that sent no initial
// response; an empty one is an empty response.
func (x *plainExchange) Next(response []byte) (challenge []byte, done bool, err error) {
	switch {
	case x.ended:
		return nil, true, ErrMalformed
	case response == nil && !x.asked:
		x.asked = true
		return x.server.Next(nil)
	}
	x.ended = true
	if len(response) > maxPlain || bytes.Count(response, []byte{0}) != 2 || !utf8.Valid(response) {
		return nil, true, ErrMalformed
	}
	if _, _, err := x.server.Next(response); err != nil {
		return nil, true, err
	}
	if x.done != nil {
		x.done(x.identity)
	}
	return nil, true, nil
}

// authenticate implements sasl.PlainAuthenticator.
func (x *plainExchange) authenticate(authzid, authcid, password string) error {
	a := x.peer
	a.Username, a.Password = authcid, NewPassword(password)
	id, err := x.service.Authenticate(x.ctx, a)
	if err != nil {
		return err
	}
	x.identity, err = x.service.authorize(x.ctx, id, authzid)
	if err != nil {
		x.service.log(x.ctx, a, "authorization identity", err)
	}
	return err
}

// authorize returns the identity that acts for authzid (RFC 4422 §3.4.1), or
// id itself where the client named none or its own.
func (s *Service) authorize(ctx context.Context, id Identity, authzid string) (Identity, error) {
	if authzid == "" {
		return id, nil
	}
	account, err := Canonical(authzid)
	if err != nil {
		return Identity{}, ErrRejected
	}
	if account == id.User || account == id.Account {
		return id, nil
	}
	if s.Authorize == nil {
		return Identity{}, ErrRejected
	}
	switch err := s.Authorize(ctx, id, account); {
	case errors.Is(err, ErrRejected):
		return Identity{}, ErrRejected
	case err != nil:
		return Identity{}, temporary(err)
	}
	return Identity{Account: account, User: id.User}, nil
}
