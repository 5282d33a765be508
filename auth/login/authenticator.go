package login

import (
	"context"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/auth/authn"
)

// Authenticator returns s in the shape that smtpserver, imapserver and
// pop3server take. All of them may share it.
//
// Whether a connection may carry passwords is the server's to say
// (authn.Peer.Secure), so AllowPlaintext is not needed for it.
func (s *Service) Authenticator() authn.Authenticator { return seam{s} }

// seam is a Service behind a server.
type seam struct{ service *Service }

// attemptBy is what the server knows before the client has said a word.
func attemptBy(p *authn.Peer) Attempt {
	return Attempt{
		Protocol: Protocol(p.Protocol), Peer: p.Addr, TLS: p.Secure,
		TLSState: p.TLS, ServerCertificate: p.Certificate,
	}
}

var _ authn.APOPAuthenticator = seam{}

// OffersAPOP implements authn.APOPAuthenticator.
func (a seam) OffersAPOP(p *authn.Peer) bool {
	return p.Protocol == authn.POP3 && a.service.offersAPOP()
}

// APOP implements authn.APOPAuthenticator.
func (a seam) APOP(ctx context.Context, p *authn.Peer, login authn.APOP) (string, error) {
	t := attemptBy(p)
	t.Username = login.Username
	id, err := a.service.apop(ctx, t, login.Timestamp, login.Digest)
	return id.Account, err
}

// Mechanisms implements authn.Authenticator.
func (a seam) Mechanisms(p *authn.Peer) []string { return a.service.Mechanisms(attemptBy(p)) }

// Start implements authn.Authenticator.
func (a seam) Start(ctx context.Context, p *authn.Peer, mechanism string, done func(string)) (sasl.Server, error) {
	return a.service.Server(ctx, mechanism, attemptBy(p), func(id Identity) { done(id.Account) })
}

// Password implements authn.Authenticator. The mechanism in the log is the
// command.
func (a seam) Password(ctx context.Context, p *authn.Peer, username, password string) (string, error) {
	t := attemptBy(p)
	t.Username, t.Password, t.Mechanism = username, NewPassword(password), "LOGIN"
	if p.Protocol == authn.POP3 {
		t.Mechanism = "USER"
	}
	id, err := a.service.Authenticate(ctx, t)
	return id.Account, err
}
