package login

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/auth/login/saslmech"
)

// Mechanisms returns the SASL mechanisms to announce on a connection, best
// first. peer carries what a server knows of it: Protocol, Peer, TLS, TLSState,
// ServerCertificate. Mechanisms that show a secret need TLS or AllowPlaintext,
// the -PLUS ones and EXTERNAL a TLSState.
func (s *Service) Mechanisms(peer Attempt) []string {
	var names []string
	for _, name := range saslmech.Names() {
		if s.permits(name, peer) == nil {
			names = append(names, name)
		}
	}
	return names
}

// Server starts a SASL exchange (RFC 4422). The mechanism name is in upper
// case; it has to be one that Mechanisms returns for the same peer. The
// exchange fills in the rest of the attempt. done is called at most once, by the
// Next that ends the exchange without error. ctx is that of the whole exchange.
//
// The server's Next returns the errors of Authenticate, and ErrMalformed for a
// response that does not follow the mechanism; any error ends the exchange. It
// is used by one goroutine. An exchange that the client cancels is dropped.
//
// ErrMechanism: not supported here. ErrTLSRequired.
func (s *Service) Server(ctx context.Context, mechanism string, peer Attempt, done func(Identity)) (sasl.Server, error) {
	if err := s.permits(mechanism, peer); err != nil {
		return nil, err
	}
	s.once.Do(s.start)
	peer.Mechanism = mechanism
	x := &exchange{service: s, ctx: ctx, peer: peer, done: done}
	x.server = x.mechanism()
	return x, nil
}

// permits says why a mechanism is not offered on a connection: ErrMechanism,
// ErrTLSRequired, or nil where it is.
func (s *Service) permits(mechanism string, peer Attempt) error {
	switch {
	case !slices.Contains(saslmech.Names(), mechanism), !s.enabled(mechanism), !s.possible(mechanism, peer):
		return ErrMechanism
	case saslmech.ShowsSecret(mechanism) && !peer.TLS && !s.AllowPlaintext:
		return ErrTLSRequired
	}
	return nil
}

// enabled reports whether a mechanism is on, by itself or by Enable.
func (s *Service) enabled(mechanism string) bool {
	base := strings.TrimSuffix(mechanism, "-PLUS")
	named := func(list []string) bool { return slices.Contains(list, mechanism) || slices.Contains(list, base) }
	if named(s.Disable) {
		return false
	}
	switch base {
	case saslmech.SCRAMSHA256, saslmech.SCRAMSHA512:
		return named(s.Enable) || keeps(s.Backend, base)
	case saslmech.SCRAMSHA1, saslmech.CRAMMD5, saslmech.Login:
		return named(s.Enable)
	case saslmech.OAuthBearer, saslmech.XOAuth2:
		return s.Tokens != nil
	case saslmech.External:
		return s.Certificate != nil
	case saslmech.Anonymous:
		return s.Anonymous != ""
	}
	return true
}

// possible reports whether the connection has what a mechanism needs.
func (s *Service) possible(mechanism string, peer Attempt) bool {
	if strings.HasSuffix(mechanism, "-PLUS") {
		return len(peer.bindings()) > 0
	}
	return mechanism != saslmech.External || peer.clientCertificate() != nil
}

// exchange is one SASL exchange: it joins a mechanism to the service.
type exchange struct {
	service  *Service
	ctx      context.Context
	peer     Attempt
	done     func(Identity)
	server   sasl.Server
	identity Identity
}

// Next implements sasl.Server. A nil response is a client that sent no initial
// response; an empty one is an empty response.
func (x *exchange) Next(response []byte) (challenge []byte, done bool, err error) {
	challenge, done, err = x.server.Next(response)
	switch {
	case errors.Is(err, saslmech.ErrMalformed):
		x.service.log(x.ctx, x.peer, "malformed response", ErrMalformed)
		err = ErrMalformed
	case errors.Is(err, saslmech.ErrDowngrade), errors.Is(err, saslmech.ErrBinding):
		x.service.log(x.ctx, x.peer, err.Error(), ErrRejected)
		err = ErrRejected
	case err == nil && done && x.done != nil:
		x.done(x.identity)
	}
	return challenge, done, err
}

// mechanism returns the server of the exchange's mechanism, which is a known
// one.
func (x *exchange) mechanism() sasl.Server {
	if hash, plus, ok := saslmech.SCRAMOf(x.peer.Mechanism); ok {
		return x.scram(hash, plus)
	}
	switch x.peer.Mechanism {
	case saslmech.Login:
		return saslmech.NewLoginServer(func(username, password string) error { return x.password("", username, password) })
	case saslmech.CRAMMD5:
		return x.cramMD5()
	case saslmech.OAuthBearer:
		return saslmech.NewOAuthBearerServer(x.bearer)
	case saslmech.XOAuth2:
		return saslmech.NewXOAuth2Server(x.bearer)
	case saslmech.External:
		return saslmech.NewExternalServer(x.external)
	case saslmech.Anonymous:
		return saslmech.NewAnonymousServer(x.anonymous)
	}
	return saslmech.NewPlainServer(x.password)
}

// password judges PLAIN and LOGIN.
func (x *exchange) password(authzid, username, password string) error {
	a := x.peer
	a.Username, a.Password = username, NewPassword(password)
	id, err := x.service.Authenticate(x.ctx, a)
	return x.become(a, id, authzid, err)
}

// become makes the identity that was found the one of the exchange, acting for
// authzid. err is that of finding it.
func (x *exchange) become(a Attempt, id Identity, authzid string, err error) error {
	if err != nil {
		return err
	}
	if x.identity, err = x.service.authorize(x.ctx, id, authzid); err != nil {
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
	id.Account = account
	return id, nil
}
