package login

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/netip"
)

// Protocol names the protocol that a client speaks.
type Protocol string

// The protocols that authenticate clients.
const (
	SMTP Protocol = "smtp"
	IMAP Protocol = "imap"
	POP3 Protocol = "pop3"
)

// Attempt is one try to log in. A server fills in Protocol, Peer and TLS, and
// TLSState where it has one; Username, Password and Mechanism where they came by
// a command. A SASL exchange fills in those three by itself.
type Attempt struct {
	// Username is the authentication identity as the client sent it: a local
	// name or a whole address, at most MaxUsername octets. A Guard may see none:
	// a bearer token says who its user is only once it was verified.
	Username string
	// Password is the password as the client sent it, at most MaxPassword
	// octets. To a Guard it is whatever secret was tried: a bearer token too,
	// and nothing where the mechanism does not show it.
	Password Password
	// Mechanism says how the two came, for the log: a SASL mechanism or the
	// name of a command. Empty means unknown.
	Mechanism string
	// Protocol is what the client speaks.
	Protocol Protocol
	// Peer is the client's address. The zero Addr means a peer without one.
	Peer netip.Addr
	// TLS says that nobody between the client and us reads the password: a
	// TLS layer, or a transport that needs none.
	TLS bool
	// TLSState is the state of the TLS layer after its handshake, where the
	// server itself is the end of it: channel binding (SCRAM's -PLUS) and
	// EXTERNAL need it. Nil without TLS, and where something in front of the
	// server ends it. It does not stand for TLS.
	TLSState *tls.ConnectionState
	// ServerCertificate is the certificate that the server showed on this
	// connection, for clients that bind to it (tls-server-end-point, RFC 5929
	// §4). Nil: they have to bind to something else.
	ServerCertificate *x509.Certificate
}

// Identity is who logged in.
type Identity struct {
	// Account is the canonical name of the account that the client acts for:
	// its own, or the one it asked for as the authorization identity.
	Account string
	// User is the canonical name whose password was checked. It differs from
	// Account where an alias logs in and where one user acts for another.
	User string
	// AppPassword is the name of the app password that was used. Empty: none.
	AppPassword string
}

// Authenticator judges attempts to log in. *Service is one; servers that take
// an Authenticator can be tested without passwords.
type Authenticator interface {
	// Authenticate returns the identity behind an attempt, or an error of the
	// table in the package comment.
	Authenticate(ctx context.Context, a Attempt) (Identity, error)
}
