package authn

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"slices"

	"github.com/emersion/go-sasl"
)

// The values of Peer.Protocol.
const (
	SMTP = "smtp" // also LMTP
	IMAP = "imap"
	POP3 = "pop3"
)

// Peer is the connection that a client logs in on.
type Peer struct {
	// Protocol is what the client speaks: SMTP, IMAP or POP3.
	Protocol string

	// ID names the connection in logs; "" = it has no name.
	ID string

	// Addr is the client's address; the zero Addr for a transport without one.
	Addr netip.Addr

	// Conn is the connection as the other hooks of the server get it, for an
	// Authenticator that keeps values there: a *smtp.Peer of smtpserver, an
	// imapserver.Peer; nil = the server has nothing more to say.
	Conn any

	// Hostname is what the server calls itself; "" = it does not say. The name
	// that the client asked for is TLS.ServerName.
	Hostname string

	// TLS is the state of the TLS layer, with the verified chains of the
	// client's certificate and the exporter for channel bindings; nil = none.
	TLS *tls.ConnectionState

	// Certificate is the certificate that the server showed in the handshake,
	// for the channel binding tls-server-end-point (RFC 5929 §4); nil = not
	// known, or no TLS.
	Certificate *x509.Certificate

	// Secure says that nobody between the client and the server reads along:
	// there is TLS, or the operator vouches for the transport.
	Secure bool
}

// Authenticator decides who a client is. Its methods may block, apart from
// Mechanisms; their contexts end with the connection. Errors are those of this
// package; any other is a temporary failure.
type Authenticator interface {
	// Mechanisms lists the SASL mechanisms for this connection now, in upper
	// case and best first. Servers show what Offered leaves of them.
	Mechanisms(p *Peer) []string

	// Start begins one exchange of a mechanism that is offered. The exchange
	// calls done with the account that the client acts for, before its last
	// Next returns without an error.
	//
	// The first Next gets nil where the client sent no initial response, and
	// an empty slice for an empty one. Data that goes with a success (RFC 4422
	// §5, as in SCRAM) is the challenge of a Next, which may say done: the
	// protocols here have no room for it in their final reply, and servers
	// ask the client for an empty response first.
	Start(ctx context.Context, p *Peer, mechanism string, done func(account string)) (sasl.Server, error)

	// Password judges a user name and a password that came by command, LOGIN
	// of IMAP or USER and PASS of POP3, and returns the account.
	Password(ctx context.Context, p *Peer, username, password string) (account string, err error)
}

// Offered is what a server offers on a connection: the mechanisms of a without
// those that a connection that is not Secure would expose. A nil a offers
// none.
func Offered(a Authenticator, p *Peer) []string {
	if a == nil {
		return nil
	}
	list := a.Mechanisms(p)
	if p.Secure || !slices.ContainsFunc(list, ShowsSecret) {
		return list
	}
	return slices.DeleteFunc(slices.Clone(list), ShowsSecret)
}

// TakesPasswords reports whether the commands with a password are offered:
// where PLAIN is.
func TakesPasswords(a Authenticator, p *Peer) bool {
	return slices.Contains(Offered(a, p), sasl.Plain)
}

// ShowsSecret reports whether a mechanism sends a secret that can be used
// again by whoever reads it: a password or a bearer token.
func ShowsSecret(mechanism string) bool {
	switch mechanism {
	case sasl.Plain, sasl.Login, sasl.OAuthBearer, "XOAUTH2":
		return true
	}
	return false
}
