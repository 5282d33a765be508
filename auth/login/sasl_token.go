package login

import (
	"context"
	"crypto/x509"
	"errors"
	"net/netip"
	"strings"

	"github.com/mailstead/mailstead/auth/login/saslmech"
)

// bearer judges OAUTHBEARER (RFC 7628) and XOAUTH2.
func (x *exchange) bearer(r saslmech.BearerRequest) error {
	a := x.peer
	a.Username, a.Password = r.Authzid, NewPassword(r.Token)
	if r.Authzid != "" {
		user, err := Canonical(r.Authzid)
		if err != nil {
			x.service.log(x.ctx, a, "not a user name", ErrRejected)
			return x.refusal("invalid_request")
		}
		a.Username = user
	}
	switch {
	case r.Token == "": // a question for the scope, not a guess
		x.service.log(x.ctx, a, "no token", ErrRejected)
		return x.refusal("invalid_token")
	case !sameHost(r.Host, x.peer):
		x.service.log(x.ctx, a, "token for another host", ErrRejected)
		return x.refusal("invalid_request")
	}
	id, err := x.service.guarded(x.ctx, a, func() (Identity, string, error) { return x.service.judgeToken(x.ctx, r.Token, a.Peer) })
	if err = x.become(a, id, r.Authzid, err); errors.Is(err, ErrRejected) {
		return x.refusal("invalid_token")
	}
	return err
}

// refusal is what the client hears before the exchange ends with ErrRejected.
func (x *exchange) refusal(status string) error {
	return &saslmech.BearerFailure{
		Status: status, Scope: x.service.TokenScope, OpenIDConfiguration: x.service.OpenIDConfiguration, Err: ErrRejected,
	}
}

// sameHost reports whether the client means the host that it named in the TLS
// handshake (RFC 7628 §3.2).
func sameHost(host string, peer Attempt) bool {
	if host == "" || peer.TLSState == nil || peer.TLSState.ServerName == "" {
		return true
	}
	return strings.EqualFold(strings.TrimSuffix(host, "."), strings.TrimSuffix(peer.TLSState.ServerName, "."))
}

// judgeToken verifies a token and finds its user.
func (s *Service) judgeToken(ctx context.Context, token string, peer netip.Addr) (_ Identity, reason string, _ error) {
	t, err := s.Tokens.VerifyToken(ctx, token)
	username := t.Username
	if err == nil && s.TokenUser != nil {
		username, err = s.TokenUser(ctx, t)
	}
	switch {
	case errors.Is(err, ErrRejected), errors.Is(err, ErrNoUser):
		return Identity{}, "token", ErrRejected
	case err != nil:
		return Identity{}, "token", temporary(err)
	}
	return s.vouched(ctx, username, peer)
}

// vouched returns the identity of a user whom somebody else vouches for: the
// issuer of a token or of a certificate. The backend has to know him.
func (s *Service) vouched(ctx context.Context, username string, peer netip.Addr) (_ Identity, reason string, _ error) {
	k, err := s.know(ctx, username, peer)
	switch {
	case err != nil:
		return Identity{}, "lookup", err
	case k.reason != "":
		return Identity{}, k.reason, ErrRejected
	}
	return k.identity(), "", nil
}

// external judges EXTERNAL by the client's certificate.
func (x *exchange) external(authzid string) error {
	a := x.peer
	username, err := x.service.Certificate(x.ctx, a.clientCertificate())
	switch {
	case errors.Is(err, ErrRejected), errors.Is(err, ErrNoUser):
		x.service.log(x.ctx, a, "certificate", ErrRejected)
		return ErrRejected
	case err != nil:
		err = temporary(err)
		x.service.log(x.ctx, a, "certificate", err)
		return err
	}
	if a.Username, err = Canonical(username); err != nil {
		x.service.log(x.ctx, a, "certificate of no user name", ErrRejected)
		return ErrRejected
	}
	id, err := x.service.guarded(x.ctx, a, func() (Identity, string, error) { return x.service.vouched(x.ctx, a.Username, a.Peer) })
	return x.become(a, id, authzid, err)
}

// CertificateEmail is a Service.Certificate that takes the one e-mail address
// of a certificate (rfc822Name, RFC 5280 §4.2.1.6) for the user name.
// ErrRejected: it has none or several.
func CertificateEmail(_ context.Context, c *x509.Certificate) (username string, err error) {
	if len(c.EmailAddresses) != 1 {
		return "", ErrRejected
	}
	return c.EmailAddresses[0], nil
}

// anonymous accepts ANONYMOUS (RFC 4505). Nobody vouches for the trace: it only
// goes into the log.
func (x *exchange) anonymous(trace string) error {
	a := x.peer
	a.Username = x.service.Anonymous
	x.identity = Identity{Account: a.Username, User: a.Username}
	x.service.logAs(x.ctx, a, x.identity, "trace: "+trace, nil)
	return nil
}
